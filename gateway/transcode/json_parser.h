/* json_parser: the state of one conversion from JSON to protobuf wire, and what all its parts need:
 * errors with line, column and field path, limits, length-delimited output.
 * Private to the folder: json_to_wire.c (messages), json_scalar.c, json_well_known.c. */
#pragma once
#include "gateway/transcode/json_reader.h"
#include "gateway/transcode/sink.h"
#include "gateway/transcode/transcode.h"
#include "gateway/transcode/wire.h"

/* Where in the message the parser is: one frame per JSON object or Struct list being read. */
struct json_path {
    struct json_path *up;
    const struct field *field; /* NULL: none yet */
    struct slice key;          /* of a map or object entry, as written; data NULL: none */
    size_t index;              /* 1 + place in a list; 0: not in a list */
};

struct json_parser {
    struct json_reader in;
    struct sink out;
    const struct transcode_options *options;
    struct status *st;
    struct json_path *path; /* innermost */
    size_t elements_left;
    size_t rescan_left; /* bytes that may still be read twice in search of "@type" */
    unsigned depth_left;
    bool bare;    /* the text is one value out of a URL: errors have no line and column */
    bool dropped; /* ignore_unknown: the value just read is to be left out */
};

/* INVALID_ARGUMENT with the path and the position of `at`; returns false. */
bool json_parser_fail(struct json_parser *p, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the reader's error. */
bool json_parser_fail_read(struct json_parser *p);
/* RESOURCE_EXHAUSTED: the output's limit, or memory; returns false. */
bool json_parser_full(struct json_parser *p);

/* Consumes `{` or `[` and goes one level down; json_parser_leave() comes back. */
bool json_parser_enter(struct json_parser *p, uint8_t open, const char *error);
static inline void json_parser_leave(struct json_parser *p)
{
    p->depth_left++;
}
/* Counts one list element or map entry against the limit. */
bool json_parser_count(struct json_parser *p);

/* A string, decoded.  Borrowed until the next write to p->out, except that up to text->len + 32
 * bytes may be written over it from the front (p->out.at) while it is read. */
bool json_parser_text(struct json_parser *p, struct slice *text);

/* Tag of a field, then whatever follows; room for WIRE_VARINT_LEN more bytes is asked for too. */
static inline bool json_parser_tag(struct json_parser *p, const uint8_t *tag, size_t len)
{
    if (!sink_need(&p->out, WIRE_TAG_LEN + WIRE_VARINT_LEN))
        return json_parser_full(p);
    memcpy(p->out.at, tag, WIRE_TAG_LEN); /* of constant length: a store or two */
    p->out.at += len;
    return true;
}
/* A length-delimited field: open, write the content, close.  *start marks the content. */
bool json_parser_open(struct json_parser *p, size_t *start);
bool json_parser_close(struct json_parser *p, size_t start);

/* Is `null` a value of this field's elements, and not the absence of one? */
static inline bool json_parser_takes_null(const struct field *f)
{
    return (f->message && f->message->well_known == WELL_KNOWN_VALUE) ||
           (f->enumeration && f->enumeration->null_value);
}

/* json_to_wire.c: the content of a message, or its members when `any` is set (an object in which
 * "@type" is passed over). */
bool json_to_wire_message(struct json_parser *p, const struct message_type *type);
bool json_to_wire_members(struct json_parser *p, const struct message_type *type, bool any);

/* json_to_wire.c: tag and value of one element, and one entry of a map (`"key": value`); nothing is
 * written when ignore_unknown leaves it out.  p->path is set. */
bool json_to_wire_element(struct json_parser *p, const struct field *f);
bool json_to_wire_entry(struct json_parser *p, const struct field *f);

/* json_scalar.c: one value that is no message, without its tag; and the key of a map entry, whose
 * text is `key`. */
bool json_scalar(struct json_parser *p, const struct field *f);
bool json_scalar_key(struct json_parser *p, const struct field *f, const struct json_string *key);

/* json_well_known.c: the content of a message that has a JSON form of its own. */
bool json_well_known(struct json_parser *p, const struct message_type *type);
