#include "gateway/transcode/request_binding.h"

#include "base/percent.h"
#include "gateway/transcode/patch_mask.h"
#include "gateway/transcode/query_params.h"

#include <stdlib.h>

/* What the path and the query share while they are written. */
struct binding {
    const struct request_binding *request;
    struct param_writer writer;
    struct param_set seen;
    uint8_t *room; /* owned: decoded texts */
    bool masked;
};

bool request_binding_write_body(const struct http_route *route, struct slice body,
                                const struct transcode_options *options, struct buf *out,
                                struct status *st)
{
    if (body.len == 0 || route->body == HTTP_BODY_NONE)
        return true;
    if (route->body == HTTP_BODY_ALL)
        return json_to_wire(route->method->input, body, options, out, st);
    return json_field_to_wire(route->body_field, body, options, out, st);
}

/* `room` holds as many bytes as the capture. */
static bool write_slot(struct binding *b, size_t i, uint8_t *room)
{
    const struct path_match *match = b->request->match;
    const struct path_variable *v = &match->route->template.variables[i];
    struct slice raw = match->captures[i];
    ssize_t len = percent_decode_url(raw, v->multi && !b->request->decode_slashes, (char *)room);
    if (len < 0)
        return param_fail(b->writer.st, v->field_path, "a malformed \"%%\" escape");
    return param_writer_put(&b->writer, match->route->slots[i], v->field_path,
                            slice_from(room, (size_t)len));
}

/* The path cannot give a field twice, but two members of a oneof.  It wins over the body, so that
 * the body's field is noted without a judgement. */
static bool note_slots(struct binding *b)
{
    const struct http_route *route = b->request->match->route;
    for (size_t i = 0; i < route->template.variable_count; i++) {
        enum param_set_result result = param_set_add(&b->seen, route->slots[i]);
        b->masked |= route->slots[i].fields[0] == route->mask_field;
        if (result == PARAM_ONEOF)
            return param_fail(b->writer.st, route->template.variables[i].field_path,
                              "another field of the same oneof is given too");
        if (result == PARAM_MEMORY) {
            status_set(b->writer.st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
            return false;
        }
    }
    const struct field_path body = {&route->body_field, 1};
    if (route->body == HTTP_BODY_FIELD && b->request->body.len > 0)
        param_set_add(&b->seen, body);
    return true;
}

static bool write_params(struct binding *b)
{
    const struct request_binding *request = b->request;
    const struct http_route *route = request->match->route;
    const struct query_params q = {
        .route = route,
        .query = request->query,
        .ignore_unknown = request->ignore_unknown_params,
        .ignored = request->ignored_params,
        .ignored_count = request->ignored_param_count,
    };
    if (!note_slots(b) || !query_params_write(&q, &b->writer, &b->seen, b->room, &b->masked))
        return false;
    for (size_t i = 0; i < route->template.variable_count; i++)
        if (!write_slot(b, i, b->room + request->query.len))
            return false;
    return true;
}

static size_t longest_capture(const struct path_match *match)
{
    size_t len = 0;
    for (size_t i = 0; i < match->route->template.variable_count; i++)
        len = match->captures[i].len > len ? match->captures[i].len : len;
    return len;
}

static bool bind_params(struct binding *b, const struct transcode_options *options, struct buf *out,
                        struct status *st)
{
    size_t query = b->request->query.len, capture = longest_capture(b->request->match);
    if (query == 0 && b->request->match->route->template.variable_count == 0)
        return true;
    b->room = malloc(query + capture + 1);
    if (!b->room) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    bool good = param_writer_init(&b->writer, options, query > capture ? query : capture, out, st);
    if (good) {
        param_set_init(&b->seen);
        good = param_writer_finish(&b->writer, write_params(b));
        param_set_fini(&b->seen);
    }
    free(b->room);
    return good;
}

bool request_binding_write(const struct request_binding *b, const struct transcode_options *options,
                           struct buf *out, struct status *st)
{
    const struct http_route *route = b->match->route;
    struct binding binding = {.request = b};
    if (!request_binding_write_body(route, b->body, options, out, st) ||
        !bind_params(&binding, options, out, st))
        return false;
    if (!route->mask_field || binding.masked || b->body.len == 0)
        return true;
    struct slice json = b->body;
    while (json.len > 0 && memchr(" \t\r\n", json.data[0], 4))
        json = slice_skip(json, 1);
    if (json.len > 0 && json.data[0] != '{')
        return true; /* null: the field stays unset */
    return patch_mask_write(route->mask_field, route->body_field->message, json, out, st);
}
