#include "gateway/transcode/json_writer.h"
#include "gateway/transcode/map_keys.h"
#include "gateway/transcode/well_known.h"
#include "gateway/transcode/wire_printer.h"

#include <math.h>

/* seconds (1) and nanos (2). */
static bool print_time(struct wire_printer *p, const struct message_type *type,
                       struct fragments pieces)
{
    struct wire_walk w;
    uint32_t tag;
    uint64_t part[3] = {0};
    int rc;
    wire_walk_init(&w, pieces);
    while ((rc = wire_walk_next(&w, &tag)) > 0) {
        uint32_t number = wire_tag_number(tag);
        if (wire_tag_type(tag) == WIRE_VARINT && number <= 2)
            w.at = wire_varint(w.at, w.end, &part[number]);
        else
            w.at = wire_skip(w.at, w.end, tag, WIRE_DEPTH_MAX);
        if (!w.at)
            return wire_printer_malformed(p, type);
    }
    if (rc < 0)
        return wire_printer_malformed(p, type);
    if (!sink_need(&p->out, TIMESTAMP_LEN + 2))
        return wire_printer_full(p);
    char *to = (char *)p->out.at + 1;
    bool timestamp = type->well_known == WELL_KNOWN_TIMESTAMP;
    size_t len = timestamp ? timestamp_format((int64_t)part[1], (int32_t)part[2], to)
                           : duration_format((int64_t)part[1], (int32_t)part[2], to);
    if (len == 0)
        return wire_printer_unprintable(p, timestamp
                                               ? "a google.protobuf.Timestamp is out of range"
                                               : "a google.protobuf.Duration is out of range");
    to[-1] = to[len] = '"';
    p->out.at += len + 2;
    return true;
}

static bool print_path(struct wire_printer *p, struct slice path)
{
    size_t len;
    if (!sink_need(&p->out, path.len + 1))
        return wire_printer_full(p);
    bool ok = field_mask_format(path, p->out.at, &len);
    for (size_t i = 0; ok && i < len; i++) {
        uint8_t c = p->out.at[i];
        ok = c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != ',';
    }
    if (!ok)
        return wire_printer_unprintable(
            p, "a google.protobuf.FieldMask has a path without a JSON form");
    p->out.at += len;
    *p->out.at++ = ',';
    return true;
}

static bool print_field_mask(struct wire_printer *p, const struct message_type *type,
                             struct fragments pieces)
{
    struct wire_walk w;
    uint32_t tag;
    int rc;
    if (!wire_printer_raw(p, SLICE("\"")))
        return false;
    wire_walk_init(&w, pieces);
    while ((rc = wire_walk_next(&w, &tag)) > 0) {
        struct slice path;
        bool is_path = tag == (1 << 3 | WIRE_LEN);
        w.at =
            is_path ? wire_bytes(w.at, w.end, &path) : wire_skip(w.at, w.end, tag, WIRE_DEPTH_MAX);
        if (!w.at)
            return wire_printer_malformed(p, type);
        if (is_path && (!wire_printer_count(p) || !print_path(p, path)))
            return false;
    }
    if (rc < 0)
        return wire_printer_malformed(p, type);
    if (p->out.at[-1] == ',') {
        p->out.at[-1] = '"';
        return true;
    }
    return wire_printer_raw(p, SLICE("\""));
}

static bool print_wrapper(struct wire_printer *p, const struct message_type *type,
                          struct fragments pieces)
{
    const struct field *f = &type->fields[0];
    const uint8_t *value = NULL, *end = NULL;
    struct wire_walk w;
    uint32_t tag;
    int rc;
    wire_walk_init(&w, pieces);
    while ((rc = wire_walk_next(&w, &tag)) > 0) {
        if (wire_tag_number(tag) == f->number &&
            wire_tag_type(tag) == (enum wire_type)f->wire_type) {
            value = w.at;
            end = w.end;
        }
        if (!wire_walk_skip(&w, tag))
            return wire_printer_malformed(p, type);
    }
    if (rc < 0)
        return wire_printer_malformed(p, type);
    return value ? wire_scalar(p, f, value, end) != NULL : wire_scalar_default(p, f);
}

const uint8_t *wire_well_known_kind(struct wire_printer *p, const struct field *f,
                                    const uint8_t *at, const uint8_t *end)
{
    if (f->kind == FIELD_DOUBLE && end - at >= 8) {
        uint64_t bits = wire_get_fixed(at, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            wire_printer_unprintable(p, "a google.protobuf.Value is no finite number");
            return NULL;
        }
    }
    return wire_to_json_value(p, f, at, end);
}

/* The only field of the only piece, as serialisers write Value, Struct and ListValue; NULL: it is
 * something else. */
static const struct field *only_field(const struct message_type *type, struct fragments pieces,
                                      uint32_t *tag, const uint8_t **at)
{
    if (pieces.count != 1)
        return NULL;
    const uint8_t *start = pieces.list[0].data;
    *at = start == start + pieces.list[0].len ? NULL
                                              : wire_tag(start, start + pieces.list[0].len, tag);
    const struct field *f = *at ? message_type_field(type, wire_tag_number(*tag)) : NULL;
    return f && wire_field_accepts(f, *tag) ? f : NULL;
}

static bool print_value(struct wire_printer *p, const struct message_type *type,
                        struct fragments pieces)
{
    uint32_t tag;
    const uint8_t *at;
    const struct field *f = only_field(type, pieces, &tag, &at);
    const uint8_t *end = f ? pieces.list[0].data + pieces.list[0].len : NULL;
    if (f && wire_skip(at, end, tag, WIRE_DEPTH_MAX) == end)
        return wire_well_known_kind(p, f, at, end) != NULL;
    if (pieces.count == 0 || pieces.list[0].len == 0 || p->careful)
        return wire_merge_value(p, type, pieces);
    return wire_printer_retry(p);
}

/* Does the whole piece consist of one run of the field, no key of which comes twice?  `at` stands
 * behind the first tag. */
static bool is_run(const struct field *f, uint32_t tag, const uint8_t *at, const uint8_t *end)
{
    uint32_t first = tag;
    const uint8_t *next = at;
    do {
        next = tag == first ? wire_skip(next, end, tag, WIRE_DEPTH_MAX) : NULL;
        if (next == end)
            return !f->map || map_keys_run(f, at, end) == 0;
        next = next ? wire_tag(next, end, &tag) : NULL;
    } while (next);
    return false;
}

/* Struct and ListValue: their only field stands bare. */
static bool print_container(struct wire_printer *p, const struct message_type *type,
                            struct fragments pieces)
{
    uint32_t tag;
    const uint8_t *at;
    const struct field *f = only_field(type, pieces, &tag, &at);
    const uint8_t *end = f ? pieces.list[0].data + pieces.list[0].len : NULL;
    if (f && is_run(f, tag, at, end))
        return wire_to_json_run(p, f, tag, at, end) != NULL;
    if (pieces.count == 0 || pieces.list[0].len == 0 || p->careful)
        return wire_merge_field(p, type, &type->fields[0], pieces);
    return wire_printer_retry(p);
}

/* type_url (1) and value (2). */
struct any {
    struct slice url, value;
};

static bool read_any(struct wire_printer *p, const struct message_type *type,
                     struct fragments pieces, struct any *any)
{
    struct wire_walk w;
    uint32_t tag;
    int rc;
    *any = (struct any){.url = SLICE(""), .value = SLICE("")};
    wire_walk_init(&w, pieces);
    while ((rc = wire_walk_next(&w, &tag)) > 0) {
        if (tag == (1 << 3 | WIRE_LEN))
            w.at = wire_bytes(w.at, w.end, &any->url);
        else if (tag == (2 << 3 | WIRE_LEN))
            w.at = wire_bytes(w.at, w.end, &any->value);
        else
            w.at = wire_skip(w.at, w.end, tag, WIRE_DEPTH_MAX);
        if (!w.at)
            return wire_printer_malformed(p, type);
    }
    return rc == 0 || wire_printer_malformed(p, type);
}

/* The message that a type URL names.  Other hosts than these may mean other types by the same name.
 */
static const struct message_type *find_type(const struct wire_printer *p, struct slice url)
{
    static const struct slice prefixes[] = {
        {(const uint8_t *)"type.googleapis.com/", 20},
        {(const uint8_t *)"type.googleprod.com/", 20},
    };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && p->options->schema; i++)
        if (slice_has_prefix(url, prefixes[i]))
            return schema_message(p->options->schema, slice_skip(url, prefixes[i].len));
    return NULL;
}

static bool print_any(struct wire_printer *p, const struct message_type *type,
                      struct fragments pieces)
{
    struct any any;
    if (!read_any(p, type, pieces, &any) || !wire_printer_open(p, '{'))
        return false;
    if (any.url.len == 0 && any.value.len == 0)
        return wire_printer_close(p, '}');
    if (!wire_printer_raw(p, SLICE("\"@type\":")) || !wire_printer_string(p, any.url) ||
        !wire_printer_comma(p))
        return false;
    const struct message_type *payload = find_type(p, any.url);
    struct fragments content = {&any.value, 1};
    if (payload &&
        (payload->well_known == WELL_KNOWN_NONE || payload->well_known == WELL_KNOWN_EMPTY))
        return wire_to_json_members(p, payload, content) && wire_printer_close(p, '}');
    bool ok = wire_printer_raw(p, SLICE("\"value\":"));
    if (ok && payload)
        ok = wire_to_json_message(p, payload, content);
    else if (ok)
        ok = json_writer_base64(&p->out, any.value) || wire_printer_full(p);
    return ok && wire_printer_comma(p) && wire_printer_close(p, '}');
}

bool wire_well_known(struct wire_printer *p, const struct message_type *type,
                     struct fragments pieces)
{
    switch (type->well_known) {
    case WELL_KNOWN_ANY:
        return print_any(p, type, pieces);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        return print_time(p, type, pieces);
    case WELL_KNOWN_FIELD_MASK:
        return print_field_mask(p, type, pieces);
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_LIST_VALUE:
        return print_container(p, type, pieces);
    case WELL_KNOWN_VALUE:
        return print_value(p, type, pieces);
    case WELL_KNOWN_WRAPPER:
        return print_wrapper(p, type, pieces);
    default:
        return wire_printer_open(p, '{') && wire_to_json_members(p, type, pieces) &&
               wire_printer_close(p, '}');
    }
}
