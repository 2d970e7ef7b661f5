/* param_writer: writes values that stand in a URL as protobuf: the field that a path leads to, in
 * the messages around it.  Each value becomes a chain of its own; parsers merge messages that occur
 * several times (Protobuf encoding, "Last One Wins").  Texts are the JSON forms of the values
 * without quotes. */
#pragma once
#include "gateway/schema/field_path.h"
#include "gateway/transcode/json_parser.h"

struct param_writer {
    struct json_parser parser;
    struct json_path place;
    struct transcode_options options;
    struct buf json;     /* the value as JSON text */
    struct status *st;   /* of the caller */
    struct status error; /* the parser's, about the value alone */
};

/* Appends to `out` until param_writer_finish().  max_text: the longest value that will come.
 * False with *st. */
bool param_writer_init(struct param_writer *w, const struct transcode_options *options,
                       size_t max_text, struct buf *out, struct status *st);
/* With keep the bytes stay in `out`, else they are dropped.  False with *st when they pass its
 * limit; false also without keep. */
bool param_writer_finish(struct param_writer *w, bool keep);

/* Writes a singular field, or one element of a list.  `name` stands in errors.  False with *st. */
bool param_writer_put(struct param_writer *w, struct field_path path, struct slice name,
                      struct slice text);
/* Writes one entry of a map. */
bool param_writer_put_entry(struct param_writer *w, struct field_path path, struct slice name,
                            struct slice key, struct slice text);
/* Fails with INVALID_ARGUMENT: `parameter "name": reason`.  Returns false. */
bool param_fail(struct status *st, struct slice name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether one value of the field can be written at all. */
bool param_is_value(const struct field *f);
