/* wire_printer: the state of one conversion from protobuf wire to JSON, and what its parts share.
 * Private to the folder: wire_to_json.c (messages as ordinary serialisers write them), wire_merge.c
 * (messages whose fields must be merged first), wire_scalar.c, wire_well_known.c.
 *
 * The first attempt prints fields as they come.  When something must be merged it is given up and
 * all is printed again, `careful`: then each message is looked through before it is printed, so
 * that the work stays linear however messages are nested. */
#pragma once
#include "gateway/transcode/sink.h"
#include "gateway/transcode/transcode.h"
#include "gateway/transcode/wire.h"

struct wire_printer {
    struct sink out;
    const struct transcode_options *options;
    struct status *st;
    size_t elements_left;
    size_t occurrences_left; /* fields that may still be collected for merging */
    unsigned depth_left;
    bool careful;
    bool retry; /* failed for want of care, not for an error */
};

/* A message in pieces: its fields are those of all pieces in order. */
struct fragments {
    const struct slice *list;
    size_t count;
};

/* One after the other, the fields of a message in pieces. */
struct wire_walk {
    struct fragments pieces;
    size_t i;
    const uint8_t *at, *end;
};

/* All return false.  INTERNAL: the bytes are no message of that type, or mean nothing in JSON. */
bool wire_printer_malformed(struct wire_printer *p, const struct message_type *type);
bool wire_printer_unprintable(struct wire_printer *p, const char *what);
bool wire_printer_full(struct wire_printer *p);
bool wire_printer_retry(struct wire_printer *p);

/* `{` or `[`, one level down; members and elements each end with a comma, and the last comma
 * becomes the closing bracket. */
bool wire_printer_open(struct wire_printer *p, uint8_t bracket);
bool wire_printer_close(struct wire_printer *p, uint8_t bracket);
static inline bool wire_printer_comma(struct wire_printer *p)
{
    return sink_append_byte(&p->out, ',') || wire_printer_full(p);
}
/* Counts one list element or map entry against the limit. */
bool wire_printer_count(struct wire_printer *p);
static inline bool wire_printer_raw(struct wire_printer *p, struct slice text)
{
    return sink_append(&p->out, text.data, text.len) || wire_printer_full(p);
}
bool wire_printer_string(struct wire_printer *p, struct slice text);

void wire_walk_init(struct wire_walk *w, struct fragments pieces);
/* Moves to the next field: *tag is read and w->at stands on the value, which the caller passes.
 * 0: no more; -1: malformed. */
int wire_walk_next(struct wire_walk *w, uint32_t *tag);
/* Passes the value. */
bool wire_walk_skip(struct wire_walk *w, uint32_t tag);

/* Does a value of that wire type belong to the field?  If not it is an unknown field. */
static inline bool wire_field_accepts(const struct field *f, uint32_t tag)
{
    enum wire_type type = wire_tag_type(tag);
    return type == (enum wire_type)f->wire_type ||
           (type == WIRE_LEN && f->repeated && f->wire_type != WIRE_SGROUP);
}
/* Is it a list of scalars that are packed into one value here? */
static inline bool wire_field_is_packed(const struct field *f, uint32_t tag)
{
    return wire_tag_type(tag) == WIRE_LEN && f->wire_type != WIRE_LEN;
}
/* A closed enum's value that is none of its own is an unknown field (enum behaviour of proto2). */
bool wire_field_is_closed_unknown(const struct field *f, const uint8_t *at, const uint8_t *end);
static inline bool wire_field_is_unknown_enum(const struct field *f, const uint8_t *at,
                                              const uint8_t *end)
{
    return f->enumeration && f->enumeration->closed && wire_field_is_closed_unknown(f, at, end);
}

/* wire_scalar.c: one scalar; returns where it ends, NULL: failed and said so.  And the default of a
 * scalar, and a map key that is quoted whatever it is. */
const uint8_t *wire_scalar(struct wire_printer *p, const struct field *f, const uint8_t *at,
                           const uint8_t *end);
bool wire_scalar_default(struct wire_printer *p, const struct field *f);
bool wire_scalar_is_default(const struct field *f, const uint8_t *at, const uint8_t *end);
/* A value that is as good as none: the default of a field without presence. */
static inline bool wire_scalar_is_unset(const struct wire_printer *p, const struct field *f,
                                        const uint8_t *at, const uint8_t *end)
{
    /* Only a value whose first byte is 0, or a needlessly long varint, can be one. */
    if (f->presence || f->repeated || f->oneof || at == end || (*at & 0x7f) != 0)
        return false;
    return !p->options->emit_defaults && wire_scalar_is_default(f, at, end);
}
bool wire_scalar_key(struct wire_printer *p, const struct field *f, const uint8_t *at,
                     const uint8_t *end);

/* wire_to_json.c */
bool wire_to_json_message(struct wire_printer *p, const struct message_type *type,
                          struct fragments pieces);
/* The members alone, each followed by a comma. */
bool wire_to_json_members(struct wire_printer *p, const struct message_type *type,
                          struct fragments pieces);
bool wire_to_json_key(struct wire_printer *p, const struct field *f);
/* The comma after a field that began at the offset `before`; an empty list or map is as good as
 * none and taken back. */
bool wire_to_json_end_field(struct wire_printer *p, const struct field *f, size_t before);
/* One value; the tag was read. */
const uint8_t *wire_to_json_value(struct wire_printer *p, const struct field *f, const uint8_t *at,
                                  const uint8_t *end);
/* Elements of a list from one occurrence of its field, each followed by a comma. */
const uint8_t *wire_to_json_elements(struct wire_printer *p, const struct field *f, uint32_t tag,
                                     const uint8_t *at, const uint8_t *end);
/* One map entry, followed by a comma. */
bool wire_to_json_entry(struct wire_printer *p, const struct field *f, struct slice entry);
/* What an unset field prints as. */
bool wire_to_json_default(struct wire_printer *p, const struct field *f);
/* Fields as they are written by serialisers: f's occurrences that follow each other from `at`,
 * which stands behind the first tag, printed with brackets as a list or map. */
const uint8_t *wire_to_json_run(struct wire_printer *p, const struct field *f, uint32_t tag,
                                const uint8_t *at, const uint8_t *end);

/* wire_merge.c: the members of a message that is in pieces or out of order, each followed by a
 * comma; the value of one of its fields; whether one piece can be printed as it comes (1 or 0, -1:
 * malformed); the set field of the only oneof, NULL: none. */
bool wire_merge_members(struct wire_printer *p, const struct message_type *type,
                        struct fragments pieces);
bool wire_merge_field(struct wire_printer *p, const struct message_type *type,
                      const struct field *f, struct fragments pieces);
bool wire_merge_value(struct wire_printer *p, const struct message_type *type,
                      struct fragments pieces);
int wire_merge_is_ordinary(const struct wire_printer *p, const struct message_type *type,
                           struct slice wire);

/* wire_well_known.c: a message that has a JSON form of its own. */
bool wire_well_known(struct wire_printer *p, const struct message_type *type,
                     struct fragments pieces);
/* google.protobuf.Value: the member that is set; the tag was read. */
const uint8_t *wire_well_known_kind(struct wire_printer *p, const struct field *f,
                                    const uint8_t *at, const uint8_t *end);
