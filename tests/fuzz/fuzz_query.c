/* A request target, a newline, a body: routed and bound by the rules of routes.proto.  What is
 * accepted must print as JSON, and lead there again from that JSON. */
#include "gateway/schema/routes.h"
#include "gateway/transcode/request_binding.h"
#include "gateway/transcode/system_params.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LEN = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct routes *load(void)
{
    static const char *const sets[] = {SCHEMA_TEST_SETS "/routes.binpb"};
    static const struct http_rule rules[] = {
        {.selector = SLICE("library.v1.Library.Plain"),
         .method = SLICE("GET"),
         .path = SLICE("/q")},
        {.method = SLICE("GET"),
         .path = SLICE("/{page_size}/{a_bytes}/{at}/{name=**}"),
         .additional = true},
        {.method = SLICE("PATCH"),
         .path = SLICE("/b/{book.author.name}"),
         .body = SLICE("book"),
         .additional = true},
        {.method = SLICE("PATCH"),
         .path = SLICE("/v"),
         .body = SLICE("a_value"),
         .additional = true},
    };
    struct status st;
    struct schema *schema = schema_load_files(sets, 1, &st);
    struct routes *routes =
        schema ? routes_build(schema, rules, sizeof rules / sizeof rules[0], &st) : NULL;
    if (!routes) {
        fprintf(stderr, "%s\n", st.text);
        abort();
    }
    schema_unref(schema);
    return routes;
}

/* A time or mask out of range has no JSON form; so has an Any of unknown type. */
static void check_back(const struct message_type *type, const struct transcode_options *options,
                       const struct buf *wire)
{
    struct buf json, again, text;
    struct status st = {.text = ""};
    buf_init(&json, MAX_LEN);
    buf_init(&again, MAX_LEN);
    buf_init(&text, MAX_LEN);
    if (!wire_to_json(type, buf_slice(wire), options, &json, &st)) {
        if (!strstr(st.text, "FieldMask") && st.code != STATUS_RESOURCE_EXHAUSTED) {
            fprintf(stderr, "%s\n", st.text);
            abort();
        }
    } else if (!memmem(buf_slice(&json).data, buf_len(&json), "@type", 5) &&
               (!json_to_wire(type, buf_slice(&json), options, &again, &st) ||
                !wire_to_json(type, buf_slice(&again), options, &text, &st))) {
        fprintf(stderr, "%s\n%.*s\n", st.text, SLICE_PRINT(buf_slice(&json)));
        abort();
    }
    buf_fini(&json);
    buf_fini(&again);
    buf_fini(&text);
}

static void bind(const struct request_binding *b, const struct transcode_options *options)
{
    struct buf wire;
    struct status st;
    buf_init(&wire, MAX_LEN);
    if (request_binding_write(b, options, &wire, &st))
        check_back(b->match->route->method->input, options, &wire);
    else if (st.code != STATUS_INVALID_ARGUMENT && st.code != STATUS_RESOURCE_EXHAUSTED)
        abort();
    buf_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct routes *routes;
    static const char *const methods[] = {"GET", "PATCH", "POST", "SEARCH"};
    if (!routes)
        routes = load();
    struct slice rest = slice_from(data, size), query = slice_cut(&rest, '\n');
    struct slice path = slice_cut(&query, '?');
    struct system_params system;
    struct path_match match;
    struct status st;
    system_params_read(&system, query, &st);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct transcode_options options = {.schema = routes_schema(routes),
                                                  .ignore_unknown = i == 1 && size % 2};
        struct request_binding b = {.match = &match,
                                    .query = query,
                                    .body = rest,
                                    .ignore_unknown_params = size % 3 == 0,
                                    .decode_slashes = size % 2};
        if (routes_match(routes, slice_from_string(methods[i]), path, &match))
            bind(&b, &options);
    }
    return 0;
}
