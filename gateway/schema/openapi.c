#include "gateway/schema/openapi.h"

#include "base/sha1.h"
#include "gateway/schema/openapi_document.h"
#include "gateway/schema/openapi_operation.h"
#include "gateway/schema/openapi_schema.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_TEXTS = 64 << 20, ANY_OPERATION = 16 };

/* The fields of an OpenAPI path item.  A method that is not here stands in an extension. */
static const struct {
    struct slice method;
    const char *field;
    bool any; /* stands for the method `*` */
} item_fields[] = {
#define ROW(method, field, any)                                                                    \
    {                                                                                              \
        {(const uint8_t *)(method), sizeof(method) - 1}, field, any                                \
    }
    ROW("GET", "get", true),       ROW("PUT", "put", true),      ROW("POST", "post", true),
    ROW("DELETE", "delete", true), ROW("PATCH", "patch", true),  ROW("OPTIONS", "options", false),
    ROW("HEAD", "head", false),    ROW("TRACE", "trace", false),
#undef ROW
};
enum { ITEM_FIELDS = sizeof item_fields / sizeof *item_fields };

void openapi_put(struct openapi *o, json_t *object, const char *key, json_t *value)
{
    o->failed |= json_object_set_new(object, key, value) < 0;
}

void openapi_append(struct openapi *o, json_t *array, json_t *value)
{
    o->failed |= json_array_append_new(array, value) < 0;
}

json_t *openapi_string(struct slice text)
{
    return json_stringn(text.data ? (const char *)text.data : "", text.len);
}

bool openapi_count(struct openapi *o)
{
    return ++o->nodes <= OPENAPI_MAX_NODES;
}

void openapi_describe(struct openapi *o, json_t *object, struct slice text)
{
    if (text.len > 0)
        openapi_put(o, object, "description", openapi_string(text));
}

/* Two paths that differ only in the names of their parameters are one in OpenAPI: the later takes
 * the names of the first. */
static bool adopt_names(struct openapi *o, struct openapi_path *path,
                        const struct http_route *route)
{
    const char *shape = (const char *)path->shape.data;
    json_t *first = json_object_get(o->shapes, shape), *name;
    size_t i;
    if (first) {
        json_array_foreach(first, i, name)
        {
            path->wildcards[i].name = slice_from_string(json_string_value(name));
        }
        return openapi_path_write(path, route, &o->arena);
    }
    first = json_array();
    for (i = 0; i < path->count; i++)
        openapi_append(o, first, openapi_string(path->wildcards[i].name));
    openapi_put(o, o->shapes, shape, first);
    return true;
}

static json_t *path_item(struct openapi *o, const struct openapi_path *path)
{
    const char *key = (const char *)path->text.data;
    if (!json_object_get(o->paths, key))
        openapi_put(o, o->paths, key, json_object());
    return json_object_get(o->paths, key);
}

/* Adds to an item's extension, a list or an object. */
static void add_extension(struct openapi *o, json_t *item, const char *name, const char *key,
                          json_t *value)
{
    if (!json_object_get(item, name))
        openapi_put(o, item, name, key ? json_object() : json_array());
    if (key)
        openapi_put(o, json_object_get(item, name), key, value);
    else
        openapi_append(o, json_object_get(item, name), value);
}

/* `*` and `**` at the same place are one path in OpenAPI: the second is only named. */
static void add_hidden(struct openapi *o, json_t *item, const struct http_route *route)
{
    const struct method *m = route->method;
    add_extension(o, item, "x-hidden", NULL,
                  json_sprintf("%.*s %.*s (%.*s.%.*s)", SLICE_PRINT(route->http_method),
                               SLICE_PRINT(route->path), SLICE_PRINT(m->service),
                               SLICE_PRINT(m->name)));
}

static void add_any(struct openapi *o, json_t *item, const struct http_route *route,
                    const struct openapi_path *path, const char *id)
{
    for (size_t i = 0; i < ITEM_FIELDS; i++) {
        const char *field = item_fields[i].field;
        if (!item_fields[i].any || json_object_get(item, field))
            continue;
        const char *own = arena_printf(&o->arena, "%s-%s", id, field);
        openapi_put(o, item, field, openapi_operation(o, route, path, own));
    }
}

static void add_operation(struct openapi *o, const struct http_route *route,
                          const struct openapi_path *path, const char *id)
{
    json_t *item = path_item(o, path);
    const char *field = NULL;
    for (size_t i = 0; i < ITEM_FIELDS; i++)
        if (slice_equal(route->http_method, item_fields[i].method))
            field = item_fields[i].field;
    if (slice_equal(route->http_method, SLICE("*")))
        add_any(o, item, route, path, id);
    else if (!field)
        add_extension(o, item, "x-methods", (const char *)route->http_method.data,
                      openapi_operation(o, route, path, id));
    else if (json_object_get(item, field))
        add_hidden(o, item, route);
    else
        openapi_put(o, item, field, openapi_operation(o, route, path, id));
}

static void add_route(struct openapi *o, const struct http_route *route, unsigned nth)
{
    struct openapi_path path;
    const struct method *m = route->method;
    const char *id =
        arena_printf(&o->arena, "%.*s.%.*s", SLICE_PRINT(m->service), SLICE_PRINT(m->name));
    if (id && nth > 1)
        id = arena_printf(&o->arena, "%s-%u", id, nth);
    o->nodes += ANY_OPERATION;
    if (!id || !openapi_path_init(&path, route, &o->arena) || !adopt_names(o, &path, route))
        o->failed = true;
    else
        add_operation(o, route, &path, id);
}

/* Bindings of any method come last: they take what is left. */
static void add_routes(struct openapi *o, const struct routes *routes)
{
    const struct method *methods = schema_method_at(o->schema, 0);
    unsigned *count = calloc(schema_method_count(o->schema) + 1, sizeof *count);
    o->failed |= !count;
    for (int any = 0; any < 2; any++) {
        const struct http_route *route = routes_first(routes);
        for (; count && route && !o->failed && openapi_count(o); route = route->next)
            if (slice_equal(route->http_method, SLICE("*")) == (any > 0))
                add_route(o, route, ++count[route->method - methods]);
    }
    free(count);
}

static json_t *tags_of(struct openapi *o)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < schema_service_count(o->schema); i++) {
        struct slice name = schema_service_at(o->schema, i), scope = {NULL, 0}, last = name;
        const uint8_t *dot = name.len ? memrchr(name.data, '.', name.len) : NULL;
        if (dot) {
            scope = slice_first(name, (size_t)(dot - name.data));
            last = slice_skip(name, scope.len + 1);
        }
        json_t *tag = json_pack("{so}", "name", openapi_string(name));
        openapi_describe(o, tag, comments_find(&o->comments, scope, last));
        openapi_append(o, tags, tag);
    }
    return tags;
}

/* The version changes with the descriptors; services have no other. */
static json_t *info_of(const struct openapi *o)
{
    uint8_t digest[SHA1_LEN];
    char version[13];
    size_t own = 0;
    struct slice name = {NULL, 0};
    sha1(schema_descriptor_set(o->schema), digest);
    for (size_t i = 0; i < 6; i++)
        snprintf(version + 2 * i, 3, "%02x", digest[i]);
    for (size_t i = 0; i < schema_service_count(o->schema); i++) {
        struct slice service = schema_service_at(o->schema, i);
        if (slice_has_prefix(service, SLICE("grpc.")))
            continue;
        own++;
        name = service;
    }
    json_t *title = own == 1 ? openapi_string(name) : json_sprintf("%zu gRPC services", own);
    return json_pack(
        "{so ss ss}", "title", title, "version", version, "description",
        "gRPC services as JSON over HTTP, made from their descriptors.  Unknown fields "
        "are errors; a failed call answers with google.rpc.Status.");
}

static json_t *error_schema(struct openapi *o)
{
    const struct message_type *status = schema_message(o->schema, SLICE("google.rpc.Status"));
    if (status)
        return openapi_schema_message(o, status);
    return json_pack("{ss s{s{ss} s{ss} s{ss s{ss}}}}", "type", "object", "properties", "code",
                     "type", "integer", "message", "type", "string", "details", "type", "array",
                     "items", "type", "object");
}

static json_t *components_of(struct openapi *o)
{
    json_t *error =
        json_pack("{s{ss s{s{so}}}}", "Error", "description",
                  "The call failed: google.rpc.Status.  The HTTP status follows from `code`.",
                  "content", "application/json", "schema", error_schema(o));
    openapi_schema_fill(o);
    return json_pack("{sO so}", "schemas", o->schemas, "responses", error);
}

static json_t *make_document(struct openapi *o, const struct routes *routes)
{
    const char *prefix = o->options->prefix;
    o->paths = json_object();
    o->schemas = json_object();
    o->shapes = json_object();
    add_routes(o, routes);
    json_t *document = json_pack("{ss so s[{ss}] so so so}", "openapi", "3.1.0", "info", info_of(o),
                                 "servers", "url", *prefix ? prefix : "/", "tags", tags_of(o),
                                 "paths", o->paths, "components", components_of(o));
    json_decref(o->schemas);
    json_decref(o->shapes);
    return document;
}

char *openapi_text(const struct routes *routes, const struct openapi_options *options, bool pretty,
                   struct status *st)
{
    enum { MAX_WAITING = OPENAPI_MAX_NODES * 2 * (int)sizeof(void *) };
    struct openapi o = {.schema = routes_schema(routes), .options = options};
    comments_init(&o.comments, schema_descriptor_set(o.schema));
    arena_init(&o.arena, NULL, 0, MAX_TEXTS);
    buf_init(&o.waiting, MAX_WAITING);
    json_t *document = make_document(&o, routes);
    bool large = o.nodes > OPENAPI_MAX_NODES;
    char *text = NULL;
    if (!large && !o.failed && document)
        text = json_dumps(document, pretty ? JSON_INDENT(2) : JSON_COMPACT);
    if (!text)
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s",
                   large ? "the services are too large for one OpenAPI document"
                         : "the OpenAPI document needs too much memory");
    json_decref(document);
    buf_fini(&o.waiting);
    arena_fini(&o.arena);
    comments_fini(&o.comments);
    return text;
}
