/* field_path: "book.author.name" as a chain of fields from a message inwards, as path templates and
 * query parameters name what they bind (google/api/http.proto).  Each hop is a proto name or a JSON
 * name. */
#pragma once
#include "gateway/schema/types.h"

enum { FIELD_PATH_MAX = 32 }; /* hops; types may contain themselves */

struct field_path {
    const struct field *const *fields; /* len of them; all but the last are messages */
    size_t len;                        /* at least 1 once it is resolved */
};

enum field_path_result {
    FIELD_PATH_OK,
    FIELD_PATH_UNKNOWN,  /* no such field */
    FIELD_PATH_SCALAR,   /* a hop leads through something that is no message */
    FIELD_PATH_REPEATED, /* a hop leads through a list or a map */
    FIELD_PATH_OPAQUE,   /* a hop leads into a well-known type that has a text form of its own */
    FIELD_PATH_DEEP      /* more than FIELD_PATH_MAX hops */
};

/* Writes the fields to `fields`; *len: how many were found before the text ended or failed. */
enum field_path_result field_path_resolve(const struct message_type *type, struct slice text,
                                          const struct field *fields[static FIELD_PATH_MAX],
                                          size_t *len);
/* For people; not of FIELD_PATH_OK. */
const char *field_path_reason(enum field_path_result result);
bool field_path_equal(struct field_path a, struct field_path b);
/* Whether `a` begins with all of `prefix`, or is equal to it. */
bool field_path_has_prefix(struct field_path a, struct field_path prefix);

/* Whether one value of the field has a JSON form that is a bare text: scalars, enums, Timestamp,
 * Duration, FieldMask, wrappers. */
bool field_is_text(const struct field *f);
