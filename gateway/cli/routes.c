/* routes: `drawbridge routes [TARGET]`: every HTTP method and path that the gateway would serve for
 * a server: the RPC behind it, whether it streams, where body and reply go, and the rule that it
 * comes from. */
#include "gateway/cli/cli.h"
#include "gateway/cli/routing.h"

#include <jansson.h>

enum { MAX_RULE_TEXT = 512, MAX_COLUMN = 60 };

static const char *stream_of(const struct method *method)
{
    static const char *const kinds[] = {"unary", "server stream", "client stream", "bidi stream"};
    return kinds[2 * method->client_streaming + method->server_streaming];
}

/* Which rule won: "calculator.proto", "rules.yaml:12", "every method has this one". */
static void rule_of(const struct http_route *route, char out[static MAX_RULE_TEXT])
{
    if (route->implicit)
        snprintf(out, MAX_RULE_TEXT, "implicit");
    else if (route->line)
        snprintf(out, MAX_RULE_TEXT, "%.*s:%u", SLICE_PRINT(route->source), route->line);
    else
        snprintf(out, MAX_RULE_TEXT, "%.*s", SLICE_PRINT(route->source));
}

static struct slice body_of(const struct http_route *route)
{
    if (route->body == HTTP_BODY_ALL)
        return SLICE("*");
    return route->body_field ? route->body_field->name : (struct slice){NULL, 0};
}

static json_t *text(struct slice s)
{
    return json_stringn(s.data ? (const char *)s.data : "", s.len);
}

static json_t *route_json(const struct http_route *route)
{
    char rule[MAX_RULE_TEXT];
    const struct field *reply = route->response_field;
    rule_of(route, rule);
    return json_pack("{so so so ss so so ss sb}", "method", text(route->http_method), "path",
                     text(route->path), "rpc", text(slice_skip(route->method->path, 1)), "kind",
                     stream_of(route->method), "body", text(body_of(route)), "response_body",
                     text(reply ? reply->name : (struct slice){NULL, 0}), "rule", rule, "implicit",
                     route->implicit);
}

static int print_json(const struct routes *routes)
{
    json_t *list = json_array();
    int failed = 0;
    for (const struct http_route *r = routes_first(routes); r; r = r->next)
        failed |= json_array_append_new(list, route_json(r));
    if (!failed)
        failed = json_dumpf(list, stdout, JSON_INDENT(2));
    json_decref(list);
    if (failed)
        fputs("drawbridge routes: out of memory\n", stderr);
    else
        putchar('\n');
    return failed ? COMMAND_FAILED : 0;
}

static int wider(int width, size_t len)
{
    int own = len < MAX_COLUMN ? (int)len : MAX_COLUMN;
    return own > width ? own : width;
}

/* The texts come from a server: they must not drive the terminal. */
static void print_cell(struct slice cell, int width)
{
    for (size_t i = 0; i < cell.len; i++)
        putchar(cell.data[i] < 0x20 || cell.data[i] == 0x7f ? '?' : cell.data[i]);
    for (size_t len = cell.len; len < (size_t)width; len++)
        putchar(' ');
    fputs("  ", stdout);
}

static int print_table(const struct routes *routes)
{
    int method = 6, path = 4, rpc = 3;
    char rule[MAX_RULE_TEXT];
    for (const struct http_route *r = routes_first(routes); r; r = r->next) {
        method = wider(method, r->http_method.len);
        path = wider(path, r->path.len);
        rpc = wider(rpc, r->method->path.len - 1);
    }
    printf("%-*s  %-*s  %-*s  %-13s  RULE\n", method, "METHOD", path, "PATH", rpc, "RPC", "KIND");
    for (const struct http_route *r = routes_first(routes); r; r = r->next) {
        rule_of(r, rule);
        print_cell(r->http_method, method);
        print_cell(r->path, path);
        print_cell(slice_skip(r->method->path, 1), rpc);
        print_cell(slice_from_string(stream_of(r->method)), 13);
        struct slice rest = slice_from_string(rule);
        for (size_t i = 0; i < rest.len; i++)
            putchar(rest.data[i] < 0x20 || rest.data[i] == 0x7f ? '?' : rest.data[i]);
        putchar('\n');
    }
    return 0;
}

static int print_routes(struct routes *routes, const struct routing_flags *flags)
{
    return flags->json ? print_json(routes) : print_table(routes);
}

static int run_routes(const struct command *command, int argc, char **argv)
{
    return routing_run(command, argc, argv, print_routes);
}

static const struct option routes_options[] = {
    {"json", NULL, "A JSON array instead of a table.", NULL, 0, 0,
     offsetof(struct routing_flags, json), OPTION_FLAG, 0},
    ROUTING_OPTIONS,
    {.name = NULL},
};

const struct command command_routes = {
    .name = "routes",
    .summary = "list HTTP routes and the rule each comes from",
    .operands = "[HOST:PORT]",
    .details =
        "With --descriptors no server is needed.  The rule is the file (and line) that binds\n"
        "the path; POST /package.Service/Method is implicit: every method has it.",
    .examples = "  drawbridge routes localhost:50051\n"
                "  drawbridge routes --descriptors api.binpb --http-rules rules.yaml --json",
    .options = routes_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_routes,
};
