/* routes: what a table of HTTP rules costs.  `routes DESCRIPTORS RULES REQUESTS` loads the rules of
 * a YAML file through the loader that `serve` uses, then matches the lines "METHOD PATH" of a file,
 * in their order, again and again for half a second of processor time.  Prints JSON: bindings,
 * seconds to load, bytes of the table, growth of the resident memory at the peak of loading,
 * seconds of a match.  A request without route ends it with status 1. */
#include "base/buf.h"
#include "gateway/schema/http_rules_yaml.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_REQUESTS = 1 << 16, MAX_LINE = 256 };

struct request {
    struct slice method, path;
};

static struct request requests[MAX_REQUESTS];
static size_t request_count;

static void fail(const char *what, const char *reason)
{
    fprintf(stderr, "%s: %s\n", what, reason);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The largest resident set since forget_peak(). */
static long peak_bytes(void)
{
    char line[MAX_LINE];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "VmHWM: %ld", &kib);
    if (status)
        fclose(status);
    return kib * 1024;
}

/* Lets VmHWM begin anew from what is resident now. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file || fputs("5", file) == EOF || fclose(file) != 0)
        fail("/proc/self/clear_refs", "cannot be written");
}

static void read_requests(const char *path)
{
    char line[MAX_LINE];
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path, "cannot be read");
    while (request_count < MAX_REQUESTS && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *blank = strchr(line, ' ');
        char *kept = blank ? strdup(line) : NULL;
        if (!kept)
            fail(path, "expected lines of METHOD PATH");
        size_t method_len = (size_t)(blank - line);
        requests[request_count++] = (struct request){slice_from(kept, method_len),
                                                     slice_from_string(kept + method_len + 1)};
    }
    fclose(file);
    if (request_count == 0)
        fail(path, "no requests");
}

static void match_all(const struct routes *routes)
{
    struct path_match match;
    for (const struct request *r = requests; r < requests + request_count; r++)
        if (!routes_match(routes, r->method, r->path, &match))
            fail((const char *)r->path.data, "no route");
}

/* The seconds of one match, when memory has been met before. */
static double measure_match(const struct routes *routes)
{
    match_all(routes);
    size_t rounds = 0;
    double start = seconds(), spent = 0;
    for (size_t batch = 1; spent < 0.5; batch *= 2) {
        for (size_t i = 0; i < batch; i++)
            match_all(routes);
        rounds += batch;
        spent = seconds() - start;
    }
    return spent / (double)(rounds * request_count);
}

int main(int argc, char **argv)
{
    struct status st;
    if (argc != 4)
        fail("usage", "routes DESCRIPTORS RULES REQUESTS");
    read_requests(argv[3]);
    const char *sets[] = {argv[1]};
    struct schema *schema = schema_load_files(sets, 1, &st);
    if (!schema)
        fail(argv[1], st.text);
    malloc_trim(0);
    forget_peak();
    long before = peak_bytes();
    double start = seconds();
    struct routes *routes = http_rules_yaml_build(schema, argv[2], &st);
    double load = seconds() - start;
    if (!routes)
        fail(argv[2], st.text);
    long peak = peak_bytes() - before;
    printf("{\"bindings\":%zu,\"load_s\":%.6f,\"table_bytes\":%zu,\"peak_bytes\":%ld,\"match_s\":%."
           "12f}\n",
           routes_count(routes), load, routes_memory(routes), peak, measure_match(routes));
    routes_unref(routes);
    schema_unref(schema);
    return 0;
}
