#include "gateway/schema/openapi_operation.h"

#include "gateway/schema/openapi_schema.h"
#include "gateway/schema/proto_reader.h"

/* Nested requests have more fields than anybody writes into a URL. */
enum { MAX_QUERY_DEPTH = 6, MAX_QUERY_FIELDS = 400, MAX_SUMMARY = 120 };

/* The fields of a request that its query can bind. */
struct query_walk {
    struct openapi *o;
    const struct http_route *route;
    json_t *parameters;
    const struct field *chain[MAX_QUERY_DEPTH];
    size_t len;
    size_t looked_at;
};

/* Written as JSON text when they stand in a URL. */
static bool is_json_text(const struct message_type *type)
{
    return type && (type->well_known == WELL_KNOWN_STRUCT || type->well_known == WELL_KNOWN_VALUE ||
                    type->well_known == WELL_KNOWN_LIST_VALUE);
}

static bool is_value(const struct field *f)
{
    return field_is_text(f) || is_json_text(f->message);
}

/* Leaves of the query; messages are given field by field. */
static bool is_leaf(const struct field *f)
{
    return is_value(f->map ? &f->message->fields[1] : f);
}

static struct slice field_comment(struct openapi *o, const struct message_type *type,
                                  const struct field *f)
{
    return comments_find(&o->comments, type->full_name, f->name);
}

/* A segment is not empty. */
static json_t *path_schema(struct openapi *o, const struct openapi_wildcard *w,
                           const struct http_route *route)
{
    const struct field *f = NULL;
    if (w->whole && !w->stars) {
        struct field_path slot = route->slots[w->variable];
        f = slot.fields[slot.len - 1];
    }
    if (f && (f->message || f->kind != FIELD_STRING))
        return openapi_schema_field(o, f);
    return w->stars ? json_pack("{ss}", "type", "string")
                    : json_pack("{ss sI}", "type", "string", "minLength", (json_int_t)1);
}

/* Says what the wildcard is to the request. */
static struct slice path_description(struct openapi *o, const struct openapi_wildcard *w,
                                     const struct http_route *route)
{
    const char *many = w->stars ? "Any number of segments, with their slashes." : "";
    if (w->variable < 0)
        return w->stars ? slice_from_string(many) : SLICE("Any segment; it binds nothing.");
    struct field_path slot = route->slots[w->variable];
    struct slice field = route->template.variables[w->variable].field_path;
    if (!w->whole)
        return slice_from_string(arena_printf(&o->arena, "The field %.*s is \"%.*s\".%s%s",
                                              SLICE_PRINT(field), SLICE_PRINT(w->shape),
                                              *many ? "  " : "", many));
    const struct message_type *type =
        slot.len > 1 ? slot.fields[slot.len - 2]->message : route->method->input;
    struct slice comment = field_comment(o, type, slot.fields[slot.len - 1]);
    return slice_from_string(arena_printf(&o->arena, "%.*s%s%s", SLICE_PRINT(comment),
                                          comment.len > 0 && *many ? "  " : "", many));
}

static void add_path_parameters(struct openapi *o, json_t *parameters,
                                const struct http_route *route, const struct openapi_path *path)
{
    for (size_t i = 0; i < path->count && openapi_count(o); i++) {
        const struct openapi_wildcard *w = &path->wildcards[i];
        json_t *parameter = json_pack("{so ss sb so}", "name", openapi_string(w->name), "in",
                                      "path", "required", 1, "schema", path_schema(o, w, route));
        openapi_describe(o, parameter, path_description(o, w, route));
        openapi_append(o, parameters, parameter);
    }
}

/* "book.author.name". */
static json_t *query_name(const struct query_walk *q)
{
    enum { MAX_NAME = 8192 };
    struct buf name;
    buf_init(&name, MAX_NAME);
    for (size_t i = 0; i < q->len; i++) {
        buf_append(&name, ".", i > 0 ? 1 : 0);
        buf_append_slice(&name, openapi_field_name(q->o, q->chain[i]));
    }
    json_t *text = openapi_string(buf_slice(&name));
    buf_fini(&name);
    return text;
}

/* Lists repeat the name, which is how OpenAPI writes them too; maps are m[key]=value. */
static json_t *query_form(struct openapi *o, const struct field *f)
{
    bool json = is_json_text(f->message);
    if (json && f->repeated)
        return json_pack("{s{ss s{ss ss}}}", "schema", "type", "array", "items", "type", "string",
                         "contentMediaType", "application/json");
    if (json)
        return json_pack("{s{s{so}}}", "content", "application/json", "schema",
                         openapi_schema_field(o, f));
    if (f->map)
        return json_pack("{ss sb so}", "style", "deepObject", "explode", 1, "schema",
                         openapi_schema_field(o, f));
    return json_pack("{so}", "schema", openapi_schema_field(o, f));
}

static void add_query_parameter(struct query_walk *q, const struct message_type *type)
{
    const struct field *f = q->chain[q->len - 1];
    json_t *parameter = json_pack("{so ss}", "name", query_name(q), "in", "query");
    openapi_describe(q->o, parameter, field_comment(q->o, type, f));
    q->o->failed |= json_object_update_new(parameter, query_form(q->o, f)) < 0;
    openapi_append(q->o, q->parameters, parameter);
}

static bool is_bound(const struct query_walk *q)
{
    struct field_path to = {q->chain, q->len};
    if (q->chain[0] == q->route->body_field || q->chain[q->len - 1]->extension)
        return true;
    for (size_t i = 0; i < q->route->template.variable_count; i++)
        if (field_path_equal(to, q->route->slots[i]))
            return true;
    return false;
}

/* A type that contains itself is followed once. */
static bool is_open(const struct query_walk *q, const struct message_type *type)
{
    bool open = type == q->route->method->input;
    for (size_t i = 0; i + 1 < q->len; i++)
        open = open || q->chain[i]->message == type;
    return open;
}

static void walk_query(struct query_walk *q, const struct message_type *type);

static void walk_field(struct query_walk *q, const struct message_type *type, bool leaves)
{
    const struct field *f = q->chain[q->len - 1];
    if (is_bound(q))
        return;
    if (is_leaf(f)) {
        if (leaves)
            add_query_parameter(q, type);
    } else if (!leaves && !f->repeated && f->message->well_known == WELL_KNOWN_NONE &&
               !is_open(q, f->message)) {
        walk_query(q, f->message);
    }
}

/* Leaves first, so that the plain parameters come before those of nested messages. */
static void walk_query(struct query_walk *q, const struct message_type *type)
{
    if (q->len >= MAX_QUERY_DEPTH)
        return;
    for (int leaves = 1; leaves >= 0; leaves--) {
        for (size_t i = 0; i < type->field_count; i++) {
            if (q->looked_at++ >= MAX_QUERY_FIELDS || !openapi_count(q->o))
                return;
            q->chain[q->len++] = &type->fields[i];
            walk_field(q, type, leaves > 0);
            q->len--;
        }
    }
}

static json_t *parameters_of(struct openapi *o, const struct http_route *route,
                             const struct openapi_path *path)
{
    json_t *parameters = json_array();
    struct query_walk q = {.o = o, .route = route, .parameters = parameters};
    add_path_parameters(o, parameters, route, path);
    if (route->body != HTTP_BODY_ALL)
        walk_query(&q, route->method->input);
    return parameters;
}

/* The content of one message, or of one field of it. */
static json_t *payload(struct openapi *o, const struct message_type *type,
                       const struct field *field)
{
    return field ? openapi_schema_field(o, field) : openapi_schema_message(o, type);
}

/* application/octet-stream and whatever else the bytes are. */
static json_t *raw_content(void)
{
    return json_pack("{s{s{}}}", "*/*", "schema");
}

static json_t *lines_content(const char *what, json_t *item)
{
    return json_pack("{s{ss ss} so}", "schema", "type", "string", "description", what,
                     "x-item-schema", item);
}

static bool is_raw(const struct message_type *type, const struct field *field)
{
    if (field)
        type = field->repeated ? NULL : field->message;
    return type && slice_equal(type->full_name, SLICE("google.api.HttpBody"));
}

static json_t *request_content(struct openapi *o, const struct http_route *route)
{
    const struct method *m = route->method;
    if (is_raw(m->input, route->body_field))
        return raw_content();
    json_t *one = payload(o, m->input, route->body_field);
    if (!m->client_streaming)
        return json_pack("{s{so}}", "application/json", "schema", one);
    json_t *array = json_pack("{s{ss sO}}", "schema", "type", "array", "items", one);
    return json_pack("{so so}", "application/json", array, "application/x-ndjson",
                     lines_content("One JSON value per line, sent on as it arrives.", one));
}

static json_t *reply_content(struct openapi *o, const struct http_route *route)
{
    const struct method *m = route->method;
    if (is_raw(m->output, route->response_field))
        return raw_content();
    json_t *one = payload(o, m->output, route->response_field);
    if (!m->server_streaming)
        return json_pack("{s{so}}", "application/json", "schema", one);
    json_t *array = json_pack("{s{ss sO}}", "schema", "type", "array", "items", one);
    json_t *events = lines_content("Server-sent events: the data of each is one JSON value; a last "
                                   "event `error` when the call failed.",
                                   json_incref(one));
    json_t *lines = lines_content("One JSON value per line; a last line {\"error\":{...}} when the "
                                  "call failed.",
                                  one);
    return json_pack("{so so so}", "application/json", array, "application/x-ndjson", lines,
                     "text/event-stream", events);
}

static json_t *replies(struct openapi *o, const struct http_route *route)
{
    const char *what = route->method->server_streaming
                           ? "The replies.  Accept chooses how they are framed."
                           : "The reply.";
    return json_pack("{s{ss so} s{ss}}", "200", "description", what, "content",
                     reply_content(o, route), "default", "$ref", "#/components/responses/Error");
}

static bool is_deprecated(const struct method *method)
{
    enum { DEPRECATED = 33 };
    struct proto_reader r;
    struct proto_field field;
    bool deprecated = false;
    proto_reader_init(&r, method->options);
    while (proto_reader_next(&r, &field))
        if (field.number == DEPRECATED && field.wire_type == WIRE_VARINT)
            deprecated = field.value != 0;
    return deprecated;
}

/* The first sentence, or the first line. */
static struct slice summary_of(struct slice comment)
{
    size_t len = 0;
    while (len < comment.len && comment.data[len] != '\n') {
        bool stop =
            comment.data[len] == '.' && (len + 1 == comment.len || comment.data[len + 1] == ' ' ||
                                         comment.data[len + 1] == '\n');
        if (stop)
            break;
        len++;
    }
    return len <= MAX_SUMMARY ? slice_first(comment, len) : (struct slice){NULL, 0};
}

static void describe_call(struct openapi *o, json_t *operation, const struct method *m)
{
    static const char *const streams[] = {NULL, "server", "client", "bidi"};
    const char *kind = streams[2 * m->client_streaming + m->server_streaming];
    struct slice comment = comments_find(&o->comments, m->service, m->name);
    struct slice summary = summary_of(comment);
    if (summary.len > 0)
        openapi_put(o, operation, "summary", openapi_string(summary));
    openapi_describe(o, operation, comment);
    if (is_deprecated(m))
        openapi_put(o, operation, "deprecated", json_true());
    openapi_put(o, operation, "x-grpc-method", openapi_string(m->path));
    if (kind)
        openapi_put(o, operation, "x-grpc-stream", json_string(kind));
}

json_t *openapi_operation(struct openapi *o, const struct http_route *route,
                          const struct openapi_path *path, const char *id)
{
    json_t *operation =
        json_pack("{ss s[o]}", "operationId", id, "tags", openapi_string(route->method->service));
    describe_call(o, operation, route->method);
    json_t *parameters = parameters_of(o, route, path);
    if (json_array_size(parameters) > 0)
        openapi_put(o, operation, "parameters", json_incref(parameters));
    json_decref(parameters);
    if (route->body != HTTP_BODY_NONE)
        openapi_put(o, operation, "requestBody",
                    json_pack("{so}", "content", request_content(o, route)));
    openapi_put(o, operation, "responses", replies(o, route));
    return operation;
}
