#include "gateway/transcode/bits.h"
#include "gateway/transcode/json_parser.h"
#include "gateway/transcode/map_keys.h"
#include "gateway/transcode/nearest.h"
#include "gateway/transcode/wire.h"

#include <assert.h>

/* The object being read. */
struct members {
    const struct message_type *type;
    struct bits seen; /* fields by index, then oneofs */
    struct json_path path;
    uint16_t next; /* the field expected next: the one after the last */
    bool any, any_seen;
};

static bool write_value(struct json_parser *p, const struct field *f)
{
    if (!f->message)
        return json_scalar(p, f);
    size_t start;
    if (f->kind == FIELD_MESSAGE)
        return json_parser_open(p, &start) && json_to_wire_message(p, f->message) &&
               json_parser_close(p, start);
    if (!json_to_wire_message(p, f->message))
        return false;
    uint8_t end_tag[WIRE_TAG_LEN];
    memcpy(end_tag, f->tag, sizeof end_tag);
    end_tag[0] = (uint8_t)(end_tag[0] + WIRE_EGROUP - WIRE_SGROUP);
    return json_parser_tag(p, end_tag, f->tag_len);
}

/* One element of a list or value of a map: null only where it is a value. */
static bool write_element(struct json_parser *p, const struct field *f)
{
    if (json_reader_peek(&p->in) == 'n' && !json_parser_takes_null(f))
        return json_parser_fail(p, p->in.at, "null is not allowed here");
    return write_value(p, f);
}

static bool write_element_tagged(struct json_parser *p, const struct field *f)
{
    size_t before = sink_offset(&p->out);
    if (!json_parser_tag(p, f->tag, f->tag_len) || !write_element(p, f))
        return false;
    if (p->dropped)
        sink_rewind(&p->out, before);
    return true;
}

static bool write_elements(struct json_parser *p, const struct field *f)
{
    bool closed = json_reader_take(&p->in, ']');
    bool more = !closed;
    while (more) {
        p->path->index++;
        if (!json_parser_count(p))
            return false;
        bool ok = f->packed ? write_element(p, f) : write_element_tagged(p, f);
        if (!ok)
            return false;
        p->dropped = false;
        more = json_reader_more(&p->in, ']', &closed);
    }
    if (!closed)
        return json_parser_fail_read(p);
    p->path->index = 0;
    return true;
}

static bool write_list(struct json_parser *p, const struct field *f)
{
    size_t before = sink_offset(&p->out), start;
    if (!json_parser_enter(p, '[', "expected a list"))
        return false;
    if (f->packed) {
        if (!json_parser_tag(p, f->packed_tag, f->packed_tag_len) || !json_parser_open(p, &start) ||
            !write_elements(p, f))
            return false;
        if (sink_offset(&p->out) == start)
            sink_rewind(&p->out, before);
        else if (!json_parser_close(p, start))
            return false;
    } else if (!write_elements(p, f)) {
        return false;
    }
    json_parser_leave(p);
    return true;
}

static bool write_entry(struct json_parser *p, const struct field *f)
{
    const struct field *key = &f->message->fields[0], *value = &f->message->fields[1];
    size_t before = sink_offset(&p->out), start;
    struct json_string name;
    if (!json_reader_string(&p->in, &name))
        return json_parser_fail_read(p);
    p->path->key = name.raw;
    if (!json_parser_tag(p, f->tag, f->tag_len) || !json_parser_open(p, &start) ||
        !json_parser_tag(p, key->tag, key->tag_len) || !json_scalar_key(p, key, &name))
        return false;
    if (!json_reader_expect(&p->in, ':', "expected ':'"))
        return json_parser_fail_read(p);
    if (!json_parser_tag(p, value->tag, value->tag_len) || !write_element(p, value) ||
        !json_parser_close(p, start))
        return false;
    if (p->dropped)
        sink_rewind(&p->out, before);
    p->dropped = false;
    return true;
}

static bool write_map(struct json_parser *p, const struct field *f)
{
    const uint8_t *at = p->in.at;
    if (!json_parser_enter(p, '{', "expected an object"))
        return false;
    size_t before = sink_offset(&p->out), count = 0;
    bool closed = json_reader_take(&p->in, '}');
    bool more = !closed;
    while (more) {
        if (!json_parser_count(p) || !write_entry(p, f))
            return false;
        count++;
        more = json_reader_more(&p->in, '}', &closed);
    }
    if (!closed)
        return json_parser_fail_read(p);
    p->path->key = (struct slice){NULL, 0};
    json_parser_leave(p);
    if (count < 2 || sink_offset(&p->out) == before)
        return true;
    int rc = map_keys_run(f, sink_pointer(&p->out, before) + f->tag_len, p->out.at);
    if (rc == 1)
        return json_parser_fail(p, at, "a key occurs twice in this object");
    return rc == 0 || json_parser_full(p);
}

static bool write_field(struct json_parser *p, const struct field *f)
{
    if (f->map)
        return write_map(p, f);
    if (f->repeated)
        return write_list(p, f);
    size_t before = sink_offset(&p->out);
    if (!json_parser_tag(p, f->tag, f->tag_len) || !write_value(p, f))
        return false;
    if (p->dropped)
        sink_rewind(&p->out, before);
    p->dropped = false;
    return true;
}

/* Is b the beginning of a?  Keys are short: words that overlap instead of a call. */
static bool begins_with(struct slice a, struct slice b)
{
    uint64_t x, y;
    if (a.len < b.len || b.len < sizeof(uint32_t))
        return slice_has_prefix(a, b);
    if (b.len < sizeof x) {
        uint32_t first[2], last[2];
        memcpy(&first[0], a.data, sizeof *first);
        memcpy(&first[1], b.data, sizeof *first);
        memcpy(&last[0], a.data + b.len - sizeof *last, sizeof *last);
        memcpy(&last[1], b.data + b.len - sizeof *last, sizeof *last);
        return first[0] == first[1] && last[0] == last[1];
    }
    for (size_t i = 0; i + sizeof x < b.len; i += sizeof x) {
        memcpy(&x, a.data + i, sizeof x);
        memcpy(&y, b.data + i, sizeof y);
        if (x != y)
            return false;
    }
    memcpy(&x, a.data + b.len - sizeof x, sizeof x);
    memcpy(&y, b.data + b.len - sizeof y, sizeof y);
    return x == y;
}

/* Serialisers write fields in the order of their declaration: compare with the next one's name
 * before asking the table. */
static const struct field *predict_field(struct json_parser *p, struct members *m)
{
    if (m->next >= m->type->field_count)
        return NULL;
    const struct field *f = &m->type->fields[m->next];
    struct slice left = slice_from(p->in.at, (size_t)(p->in.end - p->in.at));
    if (!begins_with(left, f->json_key))
        return NULL;
    p->in.at += f->json_key.len;
    m->next++;
    return f;
}

static bool unknown_field(struct json_parser *p, struct members *m, const uint8_t *at,
                          struct slice name)
{
    if (p->options->ignore_unknown)
        return json_reader_skip(&p->in, p->depth_left) || json_parser_fail_read(p);
    p->path->field = NULL;
    int shown = name.len < 48 ? (int)name.len : 48;
    struct slice near = nearest_field(m->type, name);
    if (near.len > 0)
        return json_parser_fail(p, at, "unknown field \"%.*s\", did you mean \"%.*s\"?", shown,
                                (const char *)name.data, SLICE_PRINT(near));
    return json_parser_fail(p, at, "unknown field \"%.*s\"", shown, (const char *)name.data);
}

/* A key that was not predicted, and its colon.  *f is NULL when the member was dealt with here. */
static bool read_key(struct json_parser *p, struct members *m, const struct field **f)
{
    const uint8_t *at = p->in.at;
    struct slice name;
    *f = NULL;
    if (json_reader_peek(&p->in) != '"')
        return json_parser_fail(p, p->in.at, "expected a field name in quotes");
    if (!json_parser_text(p, &name))
        return false;
    if (!json_reader_expect(&p->in, ':', "expected ':'"))
        return json_parser_fail_read(p);
    if (m->any && slice_equal(name, SLICE("@type"))) {
        if (m->any_seen)
            return json_parser_fail(p, at, "\"@type\" occurs twice");
        m->any_seen = true;
        return json_reader_skip(&p->in, p->depth_left) || json_parser_fail_read(p);
    }
    *f = message_type_field_by_name(m->type, name);
    if (!*f)
        return unknown_field(p, m, at, name);
    m->next = (uint16_t)((*f)->index + 1);
    return true;
}

static bool read_member(struct json_parser *p, struct members *m)
{
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    const struct field *f = predict_field(p, m);
    if (!f) {
        if (!read_key(p, m, &f))
            return false;
        if (!f)
            return true;
    }
    p->path->field = f;
    if (bits_add(&m->seen, f->index))
        return json_parser_fail(p, at, "the field occurs twice");
    if (json_reader_peek(&p->in) == 'n' && (f->repeated || !json_parser_takes_null(f))) {
        if (!json_reader_literal(&p->in, SLICE("null")))
            return json_parser_fail(p, p->in.at, "expected a value");
        return true;
    }
    if (f->oneof && bits_add(&m->seen, m->type->field_count + f->oneof - 1u))
        return json_parser_fail(p, at, "another field of the same oneof is set too");
    return write_field(p, f);
}

static bool read_members(struct json_parser *p, struct members *m)
{
    bool closed = json_reader_take(&p->in, '}');
    bool more = !closed;
    while (more) {
        if (!read_member(p, m))
            return false;
        more = json_reader_more(&p->in, '}', &closed);
        if (more)
            p->path->field = NULL;
    }
    return closed || json_parser_fail_read(p);
}

bool json_to_wire_members(struct json_parser *p, const struct message_type *type, bool any)
{
    if (!json_parser_enter(p, '{', "expected an object"))
        return false;
    struct members m = {.type = type, .path.up = p->path, .any = any};
    if (!bits_init(&m.seen, (size_t)type->field_count + type->oneof_count))
        return json_parser_full(p);
    p->path = &m.path;
    bool ok = read_members(p, &m);
    p->path = m.path.up;
    json_parser_leave(p);
    bits_fini(&m.seen);
    return ok;
}

bool json_to_wire_message(struct json_parser *p, const struct message_type *type)
{
    if (type->well_known != WELL_KNOWN_NONE)
        return json_well_known(p, type);
    return json_to_wire_members(p, type, false);
}

bool json_to_wire_element(struct json_parser *p, const struct field *f)
{
    bool ok = write_element_tagged(p, f);
    p->dropped = false;
    return ok;
}

bool json_to_wire_entry(struct json_parser *p, const struct field *f)
{
    return write_entry(p, f);
}

static bool write_root(struct json_parser *p, const struct message_type *type,
                       const struct field *f)
{
    if (type)
        return json_to_wire_message(p, type);
    assert(f);
    if (json_reader_peek(&p->in) != 'n' || (!f->repeated && json_parser_takes_null(f)))
        return write_field(p, f);
    return json_reader_literal(&p->in, SLICE("null")) ||
           json_parser_fail(p, p->in.at, "expected a value");
}

/* Runs one conversion: of a message, or of a value of the field `f` when there is one. */
static bool convert(const struct message_type *type, const struct field *f, struct slice json,
                    const struct transcode_options *options, struct buf *out, struct status *st)
{
    enum { RESCANS = 16, ELEMENTS_MAX = 100000 };
    struct transcode_options limits = *options;
    if (limits.max_elements == 0)
        limits.max_elements = ELEMENTS_MAX;
    struct json_path root = {.field = f};
    struct json_parser p = {
        .options = &limits,
        .st = st,
        .path = f ? &root : NULL,
        .elements_left = limits.max_elements,
        .rescan_left = json.len < SIZE_MAX / RESCANS ? json.len * RESCANS : SIZE_MAX,
        .depth_left = JSON_DEPTH_MAX,
    };
    json_reader_init(&p.in, json);
    p.out.max_len = out->max_len;
    if (!sink_init(&p.out, out, json.len + 64, json.len + 1024))
        return json_parser_full(&p);
    bool ok = write_root(&p, type, f) && (json_reader_end(&p.in) || json_parser_fail_read(&p));
    return (sink_finish(&p.out, ok) || !ok) ? ok : json_parser_full(&p);
}

bool json_to_wire(const struct message_type *type, struct slice json,
                  const struct transcode_options *options, struct buf *out, struct status *st)
{
    return convert(type, NULL, json, options, out, st);
}

bool json_field_to_wire(const struct field *field, struct slice json,
                        const struct transcode_options *options, struct buf *out, struct status *st)
{
    return convert(NULL, field, json, options, out, st);
}
