/* rest_values: cuts the JSON text of a client stream into its messages as it arrives: the elements
 * of one array, or values that stand one after the other (NDJSON, or a single one).  It follows
 * strings and brackets only; whether a value is right is found by whoever reads it.  Of a value in
 * several pieces a copy is kept, up to a limit. */
#pragma once
#include "base/buf.h"

struct rest_values {
    struct buf partial; /* the value that has begun in an earlier piece */
    const char *error;  /* of REST_VALUES_BAD; a constant text */
    uint8_t place;      /* what may come next */
    uint8_t value;      /* the kind of value that is being read */
    bool array;         /* the text is one array */
    bool in_string, escaped;
    unsigned depth; /* open brackets of the value */
};

enum rest_values_result {
    REST_VALUES_MORE,     /* all was read, no value is complete */
    REST_VALUES_READY,    /* *value is complete */
    REST_VALUES_BAD,      /* the text is no stream of values: see error */
    REST_VALUES_TOO_LARGE /* one value passes the limit */
};

void rest_values_init(struct rest_values *v, size_t max_value_len);
void rest_values_fini(struct rest_values *v);
/* Reads from the front of *data.  *value is borrowed from it or from v until the next call. */
enum rest_values_result rest_values_next(struct rest_values *v, struct slice *data,
                                         struct slice *value);
/* The text has ended: READY for a last value that only its end completes, else MORE or BAD. */
enum rest_values_result rest_values_end(struct rest_values *v, struct slice *value);
