#include "gateway/transcode/query_params.h"

#include "gateway/transcode/nearest.h"
#include "gateway/transcode/query_reader.h"
#include "gateway/transcode/system_params.h"

/* One parameter, decoded. */
struct param {
    struct slice name; /* the whole of it */
    struct slice path; /* name without `[key]` */
    struct slice key;  /* data NULL: none */
    struct slice value;
    const struct field *fields[FIELD_PATH_MAX];
    struct field_path to;
};

/* Decodes behind *room, which moves on. */
static bool decode(struct slice raw, uint8_t **room, struct slice *text)
{
    ssize_t len = query_decode(raw, *room);
    if (len < 0)
        return false;
    *text = slice_from(*room, (size_t)len);
    *room += len;
    return true;
}

static bool is_ignored(const struct query_params *q, struct slice name)
{
    for (size_t i = 0; i < q->ignored_count; i++)
        if (slice_equal(q->ignored[i], name))
            return true;
    return false;
}

/* `m[key]`: what stands before the first bracket, and between it and the last one. */
static void split_key(struct param *p)
{
    const uint8_t *open = p->name.len ? memchr(p->name.data, '[', p->name.len) : NULL;
    p->path = p->name;
    p->key = (struct slice){NULL, 0};
    if (!open || p->name.data[p->name.len - 1] != ']')
        return;
    p->path.len = (size_t)(open - p->name.data);
    p->key = slice_from(open + 1, p->name.len - p->path.len - 2);
}

static bool fail_unknown(const struct query_params *q, const struct param *p, struct status *st,
                         enum field_path_result result)
{
    const struct message_type *type = q->route->method->input;
    if (result != FIELD_PATH_UNKNOWN)
        return param_fail(st, p->name, "%s", field_path_reason(result));
    if (p->to.len > 0)
        type = p->fields[p->to.len - 1]->message;
    struct slice rest = p->path, hop = slice_cut(&rest, '.');
    for (size_t i = 0; i < p->to.len; i++)
        hop = slice_cut(&rest, '.');
    struct slice near = nearest_field(type, hop);
    if (near.len > 0 && q->route->body != HTTP_BODY_ALL)
        return param_fail(st, p->name, "no such field, did you mean \"%.*s\"?", SLICE_PRINT(near));
    return param_fail(st, p->name, "no such field in %.*s", SLICE_PRINT(type->full_name));
}

/* Fields that are not the query's to bind. */
static bool judge_owner(const struct http_route *route, const struct param *p, struct status *st)
{
    for (size_t i = 0; i < route->template.variable_count; i++)
        if (field_path_equal(p->to, route->slots[i]))
            return param_fail(st, p->name, "the path gives this field");
    if (route->body_field && p->fields[0] == route->body_field)
        return param_fail(st, p->name, "the body gives this field");
    return true;
}

static bool judge_type(const struct param *p, struct status *st)
{
    const struct field *f = p->fields[p->to.len - 1];
    if (f->map != (p->key.data != NULL))
        return param_fail(st, p->name,
                          f->map ? "a map is given as name[key]=value" : "the field is no map");
    const struct field *value = f->map ? &f->message->fields[1] : f;
    if (!param_is_value(value))
        return param_fail(st, p->name,
                          f->map || f->repeated
                              ? "messages in lists and maps cannot be given here"
                              : "a message is given field by field: name.field=value");
    return true;
}

static bool note(struct param_set *seen, const struct param *p, struct status *st)
{
    const struct field *f = p->fields[p->to.len - 1];
    switch (f->map ? param_set_add_entry(seen, p->to, p->key) : param_set_add(seen, p->to)) {
    case PARAM_TWICE:
        return (f->repeated && !f->map) ||
               param_fail(st, p->name,
                          f->map ? "the key is given twice" : "the field is given twice");
    case PARAM_ONEOF:
        return param_fail(st, p->name, "another field of the same oneof is given too");
    case PARAM_MEMORY:
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    default:
        return true;
    }
}

/* Finds the field; *skip: the parameter is none of the request's. */
static bool resolve(const struct query_params *q, struct param *p, struct status *st, bool *skip)
{
    size_t len;
    *skip = is_ignored(q, p->name) ||
            (p->name.len > 0 && p->name.data[0] == '$' && system_params_known(p->name));
    if (*skip)
        return true;
    split_key(p);
    enum field_path_result result =
        field_path_resolve(q->route->method->input, p->path, p->fields, &len);
    p->to = (struct field_path){p->fields, len};
    if (result == FIELD_PATH_OK && q->route->body != HTTP_BODY_ALL)
        return true;
    /* Without the dollar sign, fields of the request go before system parameters. */
    *skip = system_params_known(p->name) || q->ignore_unknown;
    if (*skip)
        return true;
    if (result == FIELD_PATH_OK)
        return param_fail(st, p->name, "the body is the whole request here");
    return fail_unknown(q, p, st, result);
}

static bool write_param(const struct query_params *q, struct param *p, struct param_writer *w,
                        struct param_set *seen, bool *masked)
{
    bool skip;
    if (!resolve(q, p, w->st, &skip))
        return false;
    if (skip)
        return true;
    if (!judge_owner(q->route, p, w->st) || !judge_type(p, w->st) || !note(seen, p, w->st))
        return false;
    *masked |= q->route->mask_field == p->fields[0];
    return p->key.data ? param_writer_put_entry(w, p->to, p->name, p->key, p->value)
                       : param_writer_put(w, p->to, p->name, p->value);
}

bool query_params_write(const struct query_params *q, struct param_writer *w,
                        struct param_set *seen, uint8_t *room, bool *masked)
{
    struct query_reader r = {q->query};
    struct slice raw_name, raw_value;
    while (query_reader_next(&r, &raw_name, &raw_value)) {
        struct param p;
        if (!decode(raw_name, &room, &p.name) || !decode(raw_value, &room, &p.value))
            return param_fail(w->st, raw_name, "a malformed \"%%\" escape");
        if (!write_param(q, &p, w, seen, masked))
            return false;
    }
    return true;
}
