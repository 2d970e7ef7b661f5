/* codec: how fast JSON and protobuf wire become each other, on one core, without any server.
 * Without arguments every case runs for about half a second a way.  `codec CASE to_wire|to_json
 * COUNT [FILE]` runs one COUNT times after a first time, prints the seconds of processor time that
 * the COUNT took, and writes the result to FILE: for valgrind --tool=callgrind and for codec.py.
 * `codec CASE json` prints its message. */
#include "gateway/transcode/transcode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct codec_case {
    const char *name, *type_name;
    const struct message_type *type;
    struct buf json, wire;
};

static struct schema *schema;
static struct transcode_options options;

static void fail(const char *what, const struct status *st)
{
    fprintf(stderr, "%s: %s\n", what, st->text);
    exit(1);
}

static void make_operand(struct buf *json)
{
    buf_printf(json, "{\"value\":16}");
}

static void append_records(struct buf *json, unsigned count)
{
    buf_printf(json, "{\"records\":[");
    for (unsigned i = 0; i < count; i++)
        buf_printf(json,
                   "%s{\"name\":\"record number %u\",\"color\":\"%s\",\"score\":%u.%02u,"
                   "\"id\":\"%" PRIu64 "\",\"created\":\"2024-05-%02uT12:%02u:56.%03uZ\"}",
                   i ? "," : "", i, i % 2 ? "RED" : "GREEN", i * 37, i * 7 % 99 + 1,
                   UINT64_C(7000000000000) + i * UINT64_C(987654321), i % 28 + 1, i % 60,
                   i * 13 % 999 + 1);
    buf_printf(json, "]}");
}

static void make_records(struct buf *json)
{
    append_records(json, 50);
}

static void make_one_record(struct buf *json)
{
    append_records(json, 1);
}

static void make_500_records(struct buf *json)
{
    append_records(json, 500);
}

static void make_doubles(struct buf *json)
{
    buf_printf(json, "{\"doubles\":[");
    double value = 1.0;
    for (unsigned i = 0; i < 1000; i++) {
        value = value * 1.0471975511965976 + 0.1;
        buf_printf(json, "%s%.17g", i ? "," : "", value);
    }
    buf_printf(json, "]}");
}

static void make_text(struct buf *json)
{
    buf_printf(json, "{\"aString\":\"");
    for (unsigned i = 0; i < 4000; i++)
        buf_printf(json, "plain words, a line\\n and gr\303\274n ");
    buf_printf(json, "\"}");
}

static void make_bytes(struct buf *json)
{
    buf_printf(json, "{\"someBytes\":\"");
    for (unsigned i = 0; i < 1398101 / 16; i++)
        buf_append(json, "QWxsIHRoZSBieXRl", 16);
    buf_printf(json, "\"}");
}

static struct codec_case cases[] = {
    {.name = "operand", .type_name = "kinds.Operand"},
    {.name = "records", .type_name = "kinds.Records"},
    {.name = "doubles", .type_name = "kinds.All"},
    {.name = "text", .type_name = "kinds.All"},
    {.name = "bytes", .type_name = "kinds.All"},
    {.name = "records1", .type_name = "kinds.Records"},
    {.name = "records500", .type_name = "kinds.Records"},
};
static void (*const makers[])(struct buf *json) = {
    make_operand, make_records,    make_doubles,     make_text,
    make_bytes,   make_one_record, make_500_records,
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void convert(struct codec_case *c, bool to_wire, struct buf *out)
{
    struct status st;
    buf_reset(out, SIZE_MAX);
    bool ok = to_wire ? json_to_wire(c->type, buf_slice(&c->json), &options, out, &st)
                      : wire_to_json(c->type, buf_slice(&c->wire), &options, out, &st);
    if (!ok)
        fail(c->name, &st);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double run(struct codec_case *c, bool to_wire, size_t count, struct buf *out)
{
    double start = seconds();
    for (size_t i = 0; i < count; i++)
        convert(c, to_wire, out);
    return seconds() - start;
}

static void measure(struct codec_case *c, bool to_wire)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    size_t count = 0;
    double spent = 0;
    for (size_t batch = 1; spent < 0.5; batch *= 2) {
        spent += run(c, to_wire, batch, &out);
        count += batch;
    }
    double each = spent / (double)count;
    printf("%-10s %-7s %8zu %8zu %10.1f %8.0f\n", c->name, to_wire ? "to_wire" : "to_json",
           buf_len(&c->json), buf_len(&c->wire), each * 1e9,
           (double)buf_len(&c->json) / each / 1e6);
    buf_fini(&out);
}

static void write_file(const char *path, const struct buf *content)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(buf_slice(content).data, 1, buf_len(content), file) != buf_len(content) ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void run_one(struct codec_case *c, char **arguments)
{
    bool to_wire = strcmp(arguments[2], "to_wire") == 0;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    convert(c, to_wire, &out);
    printf("%.9f\n", run(c, to_wire, (size_t)atol(arguments[3]), &out));
    if (arguments[4])
        write_file(arguments[4], &out);
    buf_fini(&out);
}

static void begin(struct codec_case *c, void (*make)(struct buf *json))
{
    c->type = schema_message(schema, slice_from_string(c->type_name));
    buf_init(&c->json, SIZE_MAX);
    buf_init(&c->wire, SIZE_MAX);
    make(&c->json);
    convert(c, true, &c->wire);
}

static void end(struct codec_case *c)
{
    buf_fini(&c->json);
    buf_fini(&c->wire);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {TRANSCODE_TEST_SETS "/kinds.binpb"};
    struct status st;
    schema = schema_load_files(sets, 1, &st);
    if (!schema)
        fail("schema", &st);
    options.schema = schema;
    if (argc < 3)
        printf("%-10s %-7s %8s %8s %10s %8s\n", "case", "way", "JSON B", "wire B", "ns/message",
               "MB/s");
    for (size_t i = 0; i < CASES; i++) {
        struct codec_case *c = &cases[i];
        if (argc >= 3 && strcmp(argv[1], c->name) != 0)
            continue;
        begin(c, makers[i]);
        if (argc >= 4) {
            run_one(c, argv);
        } else if (argc == 3) {
            printf("%.*s", SLICE_PRINT(buf_slice(&c->json)));
        } else {
            measure(c, true);
            measure(c, false);
        }
        end(c);
    }
    schema_unref(schema);
    return 0;
}
