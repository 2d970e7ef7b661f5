#include "gateway/transcode/json_parser.h"
#include "gateway/transcode/map_keys.h"
#include "gateway/transcode/well_known.h"
#include "gateway/transcode/wire.h"

/* Field numbers of the messages in google/protobuf, as tags. */
enum {
    TIME_SECONDS = 1 << 3 | WIRE_VARINT,
    TIME_NANOS = 2 << 3 | WIRE_VARINT,
    MASK_PATHS = 1 << 3 | WIRE_LEN,
    ANY_TYPE_URL = 1 << 3 | WIRE_LEN,
    ANY_VALUE = 2 << 3 | WIRE_LEN,
    VALUE_NULL = 1 << 3 | WIRE_VARINT,
    VALUE_NUMBER = 2 << 3 | WIRE_FIXED64,
    VALUE_STRING = 3 << 3 | WIRE_LEN,
    VALUE_BOOL = 4 << 3 | WIRE_VARINT,
    VALUE_STRUCT = 5 << 3 | WIRE_LEN,
    VALUE_LIST = 6 << 3 | WIRE_LEN,
};

/* A one-byte tag. */
static bool put_tag(struct json_parser *p, int number)
{
    uint8_t tag[WIRE_TAG_LEN] = {(uint8_t)number};
    return json_parser_tag(p, tag, 1);
}

static bool write_time(struct json_parser *p, bool timestamp)
{
    struct slice text;
    int64_t seconds;
    int32_t nanos;
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (!json_parser_text(p, &text))
        return false;
    bool ok = timestamp ? timestamp_parse(text, &seconds, &nanos)
                        : duration_parse(text, &seconds, &nanos);
    if (!ok)
        return json_parser_fail(p, at, "expected %s",
                                timestamp ? "a time like \"2006-01-02T15:04:05Z\""
                                          : "a duration like \"1.5s\"");
    if (seconds) {
        if (!put_tag(p, TIME_SECONDS))
            return false;
        p->out.at = wire_put_varint(p->out.at, (uint64_t)seconds);
    }
    if (nanos) {
        if (!put_tag(p, TIME_NANOS))
            return false;
        p->out.at = wire_put_varint(p->out.at, (uint64_t)(int64_t)nanos);
    }
    return true;
}

static bool write_path(struct json_parser *p, const uint8_t *at, struct slice path)
{
    size_t start, len;
    if (!json_parser_count(p) || !put_tag(p, MASK_PATHS) || !json_parser_open(p, &start))
        return false;
    if (!sink_need(&p->out, 2 * path.len))
        return json_parser_full(p);
    if (!field_mask_parse(path, p->out.at, &len))
        return json_parser_fail(p, at, "a field mask has lowerCamelCase paths without \"_\"");
    p->out.at += len;
    return json_parser_close(p, start);
}

static bool write_field_mask(struct json_parser *p)
{
    struct json_string s;
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (!json_reader_string(&p->in, &s))
        return json_parser_fail_read(p);
    /* Every path is made of letters, digits, points: none of them needs an escape. */
    if (s.escaped)
        return json_parser_fail(p, at, "a field mask has lowerCamelCase paths without escapes");
    struct slice rest = s.raw;
    while (rest.data && s.raw.len > 0)
        if (!write_path(p, at, slice_cut(&rest, ',')))
            return false;
    return true;
}

static bool write_value(struct json_parser *p);

static bool write_list(struct json_parser *p)
{
    if (!json_parser_enter(p, '[', "expected a list"))
        return false;
    struct json_path here = {.up = p->path};
    p->path = &here;
    bool closed = json_reader_take(&p->in, ']');
    bool more = !closed;
    while (more) {
        size_t start;
        here.index++;
        if (!json_parser_count(p) || !put_tag(p, 1 << 3 | WIRE_LEN) ||
            !json_parser_open(p, &start) || !write_value(p) || !json_parser_close(p, start))
            return false;
        more = json_reader_more(&p->in, ']', &closed);
    }
    if (!closed)
        return json_parser_fail_read(p);
    p->path = here.up;
    json_parser_leave(p);
    return true;
}

/* One entry of Struct.fields: key 1, value 2. */
static bool write_entry(struct json_parser *p, struct json_path *here)
{
    struct json_string key;
    size_t entry, text, value;
    if (!json_reader_string(&p->in, &key))
        return json_parser_fail_read(p);
    here->key = key.raw;
    if (!json_parser_count(p) || !put_tag(p, 1 << 3 | WIRE_LEN) || !json_parser_open(p, &entry) ||
        !put_tag(p, 1 << 3 | WIRE_LEN) || !json_parser_open(p, &text))
        return false;
    if (!sink_need(&p->out, key.raw.len))
        return json_parser_full(p);
    p->out.at += json_string_decode(&key, p->out.at);
    if (!json_parser_close(p, text))
        return false;
    if (!json_reader_expect(&p->in, ':', "expected ':'"))
        return json_parser_fail_read(p);
    return put_tag(p, 2 << 3 | WIRE_LEN) && json_parser_open(p, &value) && write_value(p) &&
           json_parser_close(p, value) && json_parser_close(p, entry);
}

/* A map entry with a string for its key, for map_keys_run(). */
static const struct field entry_key = {.number = 1, .kind = FIELD_STRING, .wire_type = WIRE_LEN};
static const struct message_type entry_type = {.fields = &entry_key, .field_count = 1};
static const struct field struct_fields = {.number = 1, .message = &entry_type};

static bool write_struct(struct json_parser *p)
{
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (!json_parser_enter(p, '{', "expected an object"))
        return false;
    struct json_path here = {.up = p->path};
    p->path = &here;
    size_t before = sink_offset(&p->out), count = 0;
    bool closed = json_reader_take(&p->in, '}');
    bool more = !closed;
    while (more) {
        if (!write_entry(p, &here))
            return false;
        count++;
        more = json_reader_more(&p->in, '}', &closed);
    }
    if (!closed)
        return json_parser_fail_read(p);
    p->path = here.up;
    json_parser_leave(p);
    if (count < 2)
        return true;
    int rc = map_keys_run(&struct_fields, sink_pointer(&p->out, before) + 1, p->out.at);
    if (rc == 1)
        return json_parser_fail(p, at, "a key occurs twice in this object");
    return rc == 0 || json_parser_full(p);
}

/* Tag and value of one scalar member of Value. */
static bool write_value_scalar(struct json_parser *p, int tag, enum field_kind kind)
{
    struct field f = {.kind = kind};
    return put_tag(p, tag) && json_scalar(p, &f);
}

static bool write_value_nested(struct json_parser *p, bool list)
{
    size_t start;
    return put_tag(p, list ? VALUE_LIST : VALUE_STRUCT) && json_parser_open(p, &start) &&
           (list ? write_list(p) : write_struct(p)) && json_parser_close(p, start);
}

static bool write_value(struct json_parser *p)
{
    switch (json_reader_peek(&p->in)) {
    case '{':
        return write_value_nested(p, false);
    case '[':
        return write_value_nested(p, true);
    case '"':
        return write_value_scalar(p, VALUE_STRING, FIELD_STRING);
    case 't':
    case 'f':
        return write_value_scalar(p, VALUE_BOOL, FIELD_BOOL);
    case 'n':
        if (!json_reader_literal(&p->in, SLICE("null")))
            return json_parser_fail(p, p->in.at, "expected a value");
        if (!put_tag(p, VALUE_NULL))
            return false;
        *p->out.at++ = 0;
        return true;
    default:
        return write_value_scalar(p, VALUE_NUMBER, FIELD_DOUBLE);
    }
}

/* Looks through an object for its "@type" without consuming anything; *url stays empty when there
 * is none.  Borrowed like json_parser_text(). */
static bool find_type(struct json_parser *p, struct slice *url)
{
    struct json_reader start = p->in;
    bool closed = json_reader_take(&p->in, '{') && json_reader_take(&p->in, '}');
    bool more = !closed;
    *url = (struct slice){NULL, 0};
    while (more) {
        struct slice key;
        if (!json_parser_text(p, &key))
            return false;
        bool found = slice_equal(key, SLICE("@type"));
        if (!json_reader_expect(&p->in, ':', "expected ':'"))
            return json_parser_fail_read(p);
        if (found) {
            if (!json_parser_text(p, url))
                return false;
            break;
        }
        if (!json_reader_skip(&p->in, p->depth_left))
            return json_parser_fail_read(p);
        more = json_reader_more(&p->in, '}', &closed);
        if (!more && !closed)
            return json_parser_fail_read(p);
    }
    size_t len = (size_t)(p->in.at - start.at);
    if (len > p->rescan_left)
        return json_parser_fail(p, p->in.at, "put \"@type\" first in nested google.protobuf.Any");
    p->rescan_left -= len;
    p->in = start;
    return true;
}

/* `{"@type": …, "value": …}`: the payload has a JSON form of its own. */
static bool write_any_value(struct json_parser *p, const struct message_type *type)
{
    bool seen = false, type_seen = false, closed = false;
    if (!json_parser_enter(p, '{', "expected an object"))
        return false;
    for (bool more = true; more; more = json_reader_more(&p->in, '}', &closed)) {
        struct slice key;
        json_reader_peek(&p->in);
        const uint8_t *at = p->in.at;
        if (!json_parser_text(p, &key))
            return false;
        bool is_type = slice_equal(key, SLICE("@type")),
             is_value = slice_equal(key, SLICE("value"));
        if (is_type ? type_seen : is_value ? seen : !p->options->ignore_unknown)
            return json_parser_fail(
                p, at, "expected only \"@type\" and \"value\", once each, for this type");
        type_seen |= is_type;
        seen |= is_value;
        if (!json_reader_expect(&p->in, ':', "expected ':'"))
            return json_parser_fail_read(p);
        bool ok = is_value ? json_well_known(p, type)
                           : json_reader_skip(&p->in, p->depth_left) || json_parser_fail_read(p);
        if (!ok)
            return false;
    }
    if (!closed)
        return json_parser_fail_read(p);
    json_parser_leave(p);
    if (!seen && type->well_known != WELL_KNOWN_EMPTY)
        return json_parser_fail(p, p->in.at - 1,
                                "a google.protobuf.Any of this type needs \"value\"");
    return true;
}

static bool write_any(struct json_parser *p)
{
    struct slice url;
    if (json_reader_peek(&p->in) != '{')
        return json_parser_fail(p, p->in.at, "expected an object");
    const uint8_t *at = p->in.at;
    if (!find_type(p, &url))
        return false;
    if (!url.data) {
        if (json_reader_take(&p->in, '{') && json_reader_take(&p->in, '}'))
            return true;
        return json_parser_fail(p, at, "a google.protobuf.Any needs \"@type\"");
    }
    const uint8_t *slash = url.len ? memrchr(url.data, '/', url.len) : NULL;
    size_t skip = slash ? (size_t)(slash - url.data) + 1 : 0;
    const struct message_type *type = NULL;
    if (p->options->schema && skip > 1)
        type = schema_message(p->options->schema, slice_skip(url, skip));
    if (!type)
        return json_parser_fail(p, at, "\"@type\" names no known message: \"%.*s\"",
                                url.len < 80 ? (int)url.len : 80, (const char *)url.data);
    /* The text may lie in the room that is written to next. */
    size_t start, len = url.len;
    if (!sink_need(&p->out, len + WIRE_TAG_LEN + WIRE_VARINT_LEN))
        return json_parser_full(p);
    memmove(p->out.at + WIRE_TAG_LEN + WIRE_VARINT_LEN, url.data, len);
    const uint8_t *text = p->out.at + WIRE_TAG_LEN + WIRE_VARINT_LEN;
    *p->out.at++ = ANY_TYPE_URL;
    p->out.at = wire_put_varint(p->out.at, len);
    memmove(p->out.at, text, len);
    p->out.at += len;
    if (!put_tag(p, ANY_VALUE) || !json_parser_open(p, &start))
        return false;
    bool bare = type->well_known != WELL_KNOWN_NONE;
    bool ok = bare ? write_any_value(p, type) : json_to_wire_members(p, type, true);
    return ok && json_parser_close(p, start);
}

static bool write_wrapper(struct json_parser *p, const struct message_type *type)
{
    const struct field *f = &type->fields[0];
    return json_parser_tag(p, f->tag, f->tag_len) && json_scalar(p, f);
}

bool json_well_known(struct json_parser *p, const struct message_type *type)
{
    switch (type->well_known) {
    case WELL_KNOWN_ANY:
        return write_any(p);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        return write_time(p, type->well_known == WELL_KNOWN_TIMESTAMP);
    case WELL_KNOWN_FIELD_MASK:
        return write_field_mask(p);
    case WELL_KNOWN_STRUCT:
        return write_struct(p);
    case WELL_KNOWN_VALUE:
        return write_value(p);
    case WELL_KNOWN_LIST_VALUE:
        return write_list(p);
    case WELL_KNOWN_WRAPPER:
        return write_wrapper(p, type);
    default:
        return json_to_wire_members(p, type, false);
    }
}
