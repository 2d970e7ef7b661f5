#include "routes_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LINES = 64 };

struct schema *fixture_schema;

int fixture_load(void **state)
{
    (void)state;
    static const char *const paths[] = {SCHEMA_TEST_SETS "/routes.binpb"};
    struct status st;
    fixture_schema = schema_load_files(paths, 1, &st);
    if (!fixture_schema)
        print_error("%s\n", st.text);
    return fixture_schema ? 0 : -1;
}

int fixture_unload(void **state)
{
    (void)state;
    schema_unref(fixture_schema);
    return 0;
}

struct routes *fixture_routes(const char *const *lines, size_t start, size_t step,
                              struct status *st)
{
    struct http_rule rules[MAX_LINES] = {{.line = 0}};
    size_t count = 0;
    while (lines[count])
        count++;
    assert_in_range(count, 1, MAX_LINES);
    for (size_t i = 0; i < count; i++) {
        struct slice rest = slice_from_string(lines[(start + i * step) % count]);
        rules[i] = (struct http_rule){.selector = SLICE("library.v1.Library.Plain"),
                                      .method = slice_cut(&rest, ' '),
                                      .path = rest,
                                      .additional = i > 0,
                                      .source = "rules.yaml",
                                      .line = (unsigned)i + 1};
    }
    return routes_build(fixture_schema, rules, count, st);
}

const char *fixture_match(const struct routes *r, const char *method, const char *path)
{
    static char result[4096];
    struct path_match match;
    char allow[PATH_ALLOW_LEN];
    size_t len = strlen(path);
    /* An exact copy on the heap, so that the sanitizer sees any over-read. */
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, path, len);
    struct slice text = slice_from(copy, len);
    if (routes_match(r, slice_from_string(method), text, &match)) {
        const struct path_template *t = &match.route->template;
        int at = snprintf(result, sizeof result, "%.*s", SLICE_PRINT(match.route->path));
        for (size_t i = 0; i < t->variable_count; i++)
            at += snprintf(result + at, sizeof result - (size_t)at, " %.*s=%.*s",
                           SLICE_PRINT(t->variables[i].field_path), SLICE_PRINT(match.captures[i]));
    } else {
        size_t allow_len = routes_allow(r, text, allow);
        snprintf(result, sizeof result, "%s%.*s", allow_len ? "405 " : "404", (int)allow_len,
                 allow);
    }
    free(copy);
    return result;
}
