#include "gateway/transcode/bits.h"
#include "gateway/transcode/map_keys.h"
#include "gateway/transcode/wire_printer.h"

#include <errno.h>

/* The message being printed as it comes. */
struct walk {
    const struct message_type *type;
    const uint8_t *at, *end;
    struct bits seen; /* fields by index, then oneofs */
    uint16_t next;    /* the field expected next: the one after the last */
};

bool wire_to_json_key(struct wire_printer *p, const struct field *f)
{
    return wire_printer_raw(p, p->options->proto_names ? f->proto_key : f->json_key);
}

static const uint8_t *malformed(struct wire_printer *p, const struct field *f)
{
    wire_printer_malformed(p, f->message);
    return NULL;
}

const uint8_t *wire_to_json_value(struct wire_printer *p, const struct field *f, const uint8_t *at,
                                  const uint8_t *end)
{
    if (!f->message)
        return wire_scalar(p, f, at, end);
    struct slice content;
    if (f->kind == FIELD_GROUP)
        at = wire_group(at, end, f->number, &content);
    else
        at = wire_bytes(at, end, &content);
    if (!at)
        return malformed(p, f);
    return wire_to_json_message(p, f->message, (struct fragments){&content, 1}) ? at : NULL;
}

bool wire_to_json_default(struct wire_printer *p, const struct field *f)
{
    if (f->repeated)
        return wire_printer_raw(p, f->map ? SLICE("{}") : SLICE("[]"));
    if (f->message)
        return wire_to_json_message(p, f->message, (struct fragments){NULL, 0});
    return wire_scalar_default(p, f);
}

bool wire_to_json_end_field(struct wire_printer *p, const struct field *f, size_t before)
{
    if (!f->repeated || p->options->emit_defaults)
        return wire_printer_comma(p);
    struct slice key = p->options->proto_names ? f->proto_key : f->json_key;
    if (sink_offset(&p->out) != before + key.len + 2)
        return wire_printer_comma(p);
    sink_rewind(&p->out, before); /* an empty list */
    return true;
}

static const uint8_t *print_element(struct wire_printer *p, const struct field *f,
                                    const uint8_t *at, const uint8_t *end)
{
    uint64_t value;
    if (wire_field_is_unknown_enum(f, at, end))
        return wire_varint(at, end, &value);
    if (!wire_printer_count(p))
        return NULL;
    at = wire_to_json_value(p, f, at, end);
    return at && wire_printer_comma(p) ? at : NULL;
}

const uint8_t *wire_to_json_elements(struct wire_printer *p, const struct field *f, uint32_t tag,
                                     const uint8_t *at, const uint8_t *end)
{
    if (!wire_field_is_packed(f, tag))
        return print_element(p, f, at, end);
    struct slice packed;
    at = wire_bytes(at, end, &packed);
    if (!at) {
        wire_printer_unprintable(p, "the message is truncated or malformed");
        return NULL;
    }
    const uint8_t *element = packed.data;
    while (element && element < at)
        element = print_element(p, f, element, at);
    return element ? at : NULL;
}

/* Where the value of one entry stands. */
struct entry {
    const uint8_t *key, *value; /* NULL: not there, the default */
    const uint8_t *end;
    size_t values;
};

static bool find_entry(const struct field *f, struct slice bytes, struct entry *e)
{
    const struct field *key = &f->message->fields[0], *value = &f->message->fields[1];
    const uint8_t *at = bytes.data;
    *e = (struct entry){.end = bytes.data + bytes.len};
    while (at < e->end) {
        uint32_t tag;
        at = wire_tag(at, e->end, &tag);
        if (!at)
            return false;
        if (wire_tag_number(tag) == 1 && wire_tag_type(tag) == (enum wire_type)key->wire_type) {
            e->key = at;
        } else if (wire_tag_number(tag) == 2 &&
                   wire_tag_type(tag) == (enum wire_type)value->wire_type) {
            e->value = at;
            e->values++;
        }
        at = wire_skip(at, e->end, tag, WIRE_DEPTH_MAX);
        if (!at)
            return false;
    }
    return true;
}

static bool print_entry_value(struct wire_printer *p, const struct field *f, struct slice bytes,
                              const struct entry *e)
{
    const struct field *value = &f->message->fields[1];
    if (e->values == 0)
        return wire_to_json_default(p, value);
    if (e->values == 1 || !value->message)
        return wire_to_json_value(p, value, e->value, e->end) != NULL;
    if (!p->careful)
        return wire_printer_retry(p);
    return wire_merge_field(p, f->message, value, (struct fragments){&bytes, 1});
}

bool wire_to_json_entry(struct wire_printer *p, const struct field *f, struct slice bytes)
{
    struct entry e;
    if (!find_entry(f, bytes, &e))
        return wire_printer_malformed(p, f->message);
    if (e.value && wire_field_is_unknown_enum(&f->message->fields[1], e.value, e.end))
        return true;
    return wire_printer_count(p) && wire_scalar_key(p, &f->message->fields[0], e.key, e.end) &&
           (sink_append_byte(&p->out, ':') || wire_printer_full(p)) &&
           print_entry_value(p, f, bytes, &e) && wire_printer_comma(p);
}

/* Steps over the next tag when it is f's again; NULL: it is not. */
static const uint8_t *same_field(const struct field *f, const uint8_t *at, const uint8_t *end,
                                 uint32_t *tag)
{
    if (at == end)
        return NULL;
    at = wire_tag(at, end, tag);
    return at && wire_tag_number(*tag) == f->number && wire_field_accepts(f, *tag) ? at : NULL;
}

static const uint8_t *print_list_run(struct wire_printer *p, const struct field *f, uint32_t tag,
                                     const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *next = at; next; next = same_field(f, at, end, &tag)) {
        at = wire_to_json_elements(p, f, tag, next, end);
        if (!at)
            return NULL;
    }
    return at;
}

/* Looks for keys that occur twice before anything is printed. */
static bool check_map_run(struct wire_printer *p, const struct field *f, const uint8_t *at,
                          const uint8_t *end)
{
    int rc = map_keys_run(f, at, end);
    if (rc == 1)
        return wire_printer_retry(p);
    if (rc == -EINVAL)
        return wire_printer_malformed(p, f->message);
    return rc == 0 || wire_printer_full(p);
}

static const uint8_t *print_map_run(struct wire_printer *p, const struct field *f, uint32_t tag,
                                    const uint8_t *at, const uint8_t *end)
{
    if (!check_map_run(p, f, at, end))
        return NULL;
    for (const uint8_t *next = at; next; next = same_field(f, at, end, &tag)) {
        struct slice entry;
        at = wire_bytes(next, end, &entry);
        if (!at || !wire_to_json_entry(p, f, entry))
            return NULL;
    }
    return at;
}

const uint8_t *wire_to_json_run(struct wire_printer *p, const struct field *f, uint32_t tag,
                                const uint8_t *at, const uint8_t *end)
{
    if (!wire_printer_open(p, f->map ? '{' : '['))
        return NULL;
    at = f->map ? print_map_run(p, f, tag, at, end) : print_list_run(p, f, tag, at, end);
    return at && wire_printer_close(p, f->map ? '}' : ']') ? at : NULL;
}

static const struct field *find_field(struct walk *w, uint32_t number)
{
    if (w->next < w->type->field_count && w->type->fields[w->next].number == number)
        return &w->type->fields[w->next];
    return message_type_field(w->type, number);
}

/* emit_defaults: the fields between the last one printed and `upto`. */
static bool print_defaults(struct wire_printer *p, struct walk *w, size_t upto)
{
    for (size_t i = w->next; i < upto; i++) {
        const struct field *f = &w->type->fields[i];
        if (f->presence || f->oneof || f->extension || bits_add(&w->seen, f->index))
            continue;
        if (!wire_to_json_key(p, f) || !wire_to_json_default(p, f) || !wire_printer_comma(p))
            return false;
    }
    return true;
}

static bool print_field(struct wire_printer *p, struct walk *w, const struct field *f, uint32_t tag)
{
    if (bits_add(&w->seen, f->index) ||
        (f->oneof && bits_add(&w->seen, w->type->field_count + f->oneof - 1u)))
        return wire_printer_retry(p);
    if (p->options->emit_defaults) {
        if (f->index < w->next)
            return wire_printer_retry(p);
        if (!print_defaults(p, w, f->index))
            return false;
    }
    w->next = (uint16_t)(f->index + 1);
    if (wire_scalar_is_unset(p, f, w->at, w->end)) {
        w->at = wire_skip(w->at, w->end, tag, 0);
        return w->at != NULL;
    }
    size_t before = sink_offset(&p->out);
    if (!wire_to_json_key(p, f))
        return false;
    if (f->repeated)
        w->at = wire_to_json_run(p, f, tag, w->at, w->end);
    else
        w->at = wire_to_json_value(p, f, w->at, w->end);
    return w->at && wire_to_json_end_field(p, f, before);
}

static bool print_fields(struct wire_printer *p, struct walk *w)
{
    while (w->at < w->end) {
        uint32_t tag;
        w->at = wire_tag(w->at, w->end, &tag);
        if (!w->at)
            return wire_printer_malformed(p, w->type);
        const struct field *f = find_field(w, wire_tag_number(tag));
        if (!f || !wire_field_accepts(f, tag) ||
            (!f->repeated && wire_field_is_unknown_enum(f, w->at, w->end))) {
            w->at = wire_skip(w->at, w->end, tag, WIRE_DEPTH_MAX);
            if (!w->at)
                return wire_printer_malformed(p, w->type);
        } else if (!print_field(p, w, f, tag)) {
            return false;
        }
    }
    return !p->options->emit_defaults || print_defaults(p, w, w->type->field_count);
}

bool wire_to_json_members(struct wire_printer *p, const struct message_type *type,
                          struct fragments pieces)
{
    struct slice wire = pieces.count ? pieces.list[0] : (struct slice){(const uint8_t *)"", 0};
    if (p->careful) {
        int ordinary = pieces.count > 1 ? 0 : wire_merge_is_ordinary(p, type, wire);
        if (ordinary < 0)
            return wire_printer_malformed(p, type);
        if (ordinary == 0)
            return wire_merge_members(p, type, pieces);
    } else if (pieces.count > 1) {
        return wire_printer_retry(p);
    }
    struct walk w = {.type = type, .at = wire.data, .end = wire.data + wire.len};
    if (!bits_init(&w.seen, (size_t)type->field_count + type->oneof_count))
        return wire_printer_full(p);
    bool ok = print_fields(p, &w);
    bits_fini(&w.seen);
    return ok;
}

bool wire_to_json_message(struct wire_printer *p, const struct message_type *type,
                          struct fragments pieces)
{
    if (type->well_known != WELL_KNOWN_NONE)
        return wire_well_known(p, type, pieces);
    return wire_printer_open(p, '{') && wire_to_json_members(p, type, pieces) &&
           wire_printer_close(p, '}');
}

static bool print_root(struct wire_printer *p, const struct message_type *type,
                       const struct field *f, struct slice wire)
{
    struct fragments pieces = {&wire, 1};
    return f ? wire_merge_field(p, type, f, pieces) : wire_to_json_message(p, type, pieces);
}

/* Runs one conversion: of a message, or of its field `f` when there is one. */
static bool convert(const struct message_type *type, const struct field *f, struct slice wire,
                    const struct transcode_options *options, struct buf *out, struct status *st)
{
    enum { ELEMENTS_MAX = 100000 };
    struct transcode_options limits = *options;
    if (limits.max_elements == 0)
        limits.max_elements = ELEMENTS_MAX;
    struct wire_printer start = {
        .options = &limits,
        .st = st,
        .elements_left = limits.max_elements,
        .occurrences_left = limits.max_elements,
        .depth_left = WIRE_DEPTH_MAX,
        .out.max_len = out->max_len,
    };
    struct wire_printer p = start;
    if (!wire.data)
        wire = SLICE("");
    if (!sink_init(&p.out, out, wire.len * 2 + 64, 256))
        return wire_printer_full(&p);
    bool ok = print_root(&p, type, f, wire);
    if (!ok && p.retry) {
        struct sink sink = p.out;
        p = start;
        p.out = sink;
        sink_rewind(&p.out, sink.start_len);
        p.careful = true;
        ok = print_root(&p, type, f, wire);
    }
    return (sink_finish(&p.out, ok) || !ok) ? ok : wire_printer_full(&p);
}

bool wire_to_json(const struct message_type *type, struct slice wire,
                  const struct transcode_options *options, struct buf *out, struct status *st)
{
    return convert(type, NULL, wire, options, out, st);
}

bool wire_field_to_json(const struct message_type *type, const struct field *field,
                        struct slice wire, const struct transcode_options *options, struct buf *out,
                        struct status *st)
{
    return convert(type, field, wire, options, out, st);
}
