#include "gateway/transcode/patch_mask.h"

#include "gateway/transcode/json_reader.h"
#include "gateway/transcode/wire.h"

enum { MAX_PATH_LEN = 16 << 10 };

struct walk {
    struct json_reader in;
    struct buf path;  /* of the object being read, with a dot behind each name */
    struct buf paths; /* FieldMask.paths, serialised */
    struct buf name;  /* scratch: a decoded key */
    bool full;
};

static bool append_tagged(struct buf *out, const uint8_t *tag, size_t tag_len, struct slice content)
{
    uint8_t head[WIRE_TAG_LEN + WIRE_VARINT_LEN];
    memcpy(head, tag, tag_len);
    uint8_t *end = wire_put_varint(head + tag_len, content.len);
    return buf_append(out, head, (size_t)(end - head)) == 0 && buf_append_slice(out, content) == 0;
}

static bool add_path(struct walk *w)
{
    static const uint8_t tag[] = {1 << 3 | WIRE_LEN};
    struct slice path = buf_slice(&w->path);
    path.len--; /* the last dot */
    w->full = w->full || !append_tagged(&w->paths, tag, sizeof tag, path);
    return !w->full;
}

/* Whether what the value sets is named by its members. */
static bool has_members(struct walk *w, const struct field *f)
{
    if (!f->message || f->repeated || f->message->well_known != WELL_KNOWN_NONE)
        return false;
    struct json_reader ahead = w->in;
    return json_reader_take(&ahead, '{') && !json_reader_take(&ahead, '}');
}

static bool walk_object(struct walk *w, const struct message_type *type, unsigned depth);

static bool walk_value(struct walk *w, const struct field *f, unsigned depth)
{
    size_t before = buf_len(&w->path);
    if (buf_append_slice(&w->path, f->name) < 0 || buf_append_byte(&w->path, '.') < 0) {
        w->full = true;
        return false;
    }
    bool good = has_members(w, f) ? depth > 0 && walk_object(w, f->message, depth - 1)
                                  : json_reader_skip(&w->in, depth) && add_path(w);
    w->path.end = w->path.start + before;
    return good;
}

static bool read_name(struct walk *w, struct slice *name)
{
    struct json_string s;
    if (!json_reader_string(&w->in, &s) || !json_reader_expect(&w->in, ':', "expected ':'"))
        return false;
    *name = s.raw;
    if (!s.escaped)
        return true;
    buf_reset(&w->name, SIZE_MAX);
    uint8_t *to = buf_reserve(&w->name, s.raw.len);
    w->full = w->full || !to;
    if (to)
        *name = slice_from(to, json_string_decode(&s, to));
    return to != NULL;
}

static bool walk_object(struct walk *w, const struct message_type *type, unsigned depth)
{
    bool closed = false, more = true;
    if (!json_reader_expect(&w->in, '{', "expected an object"))
        return false;
    if (json_reader_take(&w->in, '}'))
        return true;
    while (more) {
        struct slice name;
        if (!read_name(w, &name))
            return false;
        const struct field *f = message_type_field_by_name(type, name);
        if (!(f ? walk_value(w, f, depth) : json_reader_skip(&w->in, depth)))
            return false;
        more = json_reader_more(&w->in, '}', &closed);
    }
    return closed;
}

bool patch_mask_write(const struct field *mask, const struct message_type *type, struct slice json,
                      struct buf *out, struct status *st)
{
    struct walk w = {.full = false};
    json_reader_init(&w.in, json);
    buf_init(&w.path, MAX_PATH_LEN);
    buf_init(&w.paths, out->max_len);
    buf_init(&w.name, json.len);
    bool good = walk_object(&w, type, JSON_DEPTH_MAX);
    if (good && buf_len(&w.paths) > 0) {
        good = append_tagged(out, mask->tag, mask->tag_len, buf_slice(&w.paths));
        w.full = !good;
    }
    buf_fini(&w.path);
    buf_fini(&w.paths);
    buf_fini(&w.name);
    if (w.full)
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "the field mask is larger than the limit");
    else if (!good)
        status_set(st, STATUS_INVALID_ARGUMENT, "the body is not a JSON object");
    return good;
}
