/* query_reader: cuts the query of a URL (RFC 3986 section 3.4) into names and values, in the form
 * that HTML forms and all HTTP libraries write: `name=value&name=value`, "+" for a space. */
#pragma once
#include "base/slice.h"

#include <sys/types.h>

struct query_reader {
    struct slice rest;
};

/* The next pair, still encoded, borrowed from the query; the value is empty where there is no "=".
 * Empty pieces are passed over.  False at the end. */
bool query_reader_next(struct query_reader *r, struct slice *name, struct slice *value);
/* Without escapes; `out` holds raw.len bytes.  Returns the bytes written, -EINVAL: a malformed
 * escape. */
ssize_t query_decode(struct slice raw, uint8_t *out);
