/* well_known: the text forms of google.protobuf.Timestamp, Duration and FieldMask (timestamp.proto,
 * duration.proto, field_mask.proto, "JSON Mapping").  Text and numbers only; json_well_known and
 * wire_well_known do the rest. */
#pragma once
#include "base/slice.h"

enum { TIMESTAMP_LEN = 30, DURATION_LEN = 24 }; /* longest texts */

/* RFC 3339 with any offset, up to nine digits of fraction, years 1 to 9999. */
bool timestamp_parse(struct slice text, int64_t *seconds, int32_t *nanos);
/* Returns the bytes written; 0: out of range. */
size_t timestamp_format(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_LEN]);

/* "-1.5s"; up to 315,576,000,000 seconds either way. */
bool duration_parse(struct slice text, int64_t *seconds, int32_t *nanos);
/* Returns the bytes written; 0: out of range or of two signs. */
size_t duration_format(int64_t seconds, int32_t nanos, char out[static DURATION_LEN]);

/* One path, lowerCamelCase to snake_case and back.  `out` holds 2 * path.len bytes.  False when the
 * way back would not lead to the same path; *len: bytes written. */
bool field_mask_parse(struct slice path, uint8_t *out, size_t *len);
bool field_mask_format(struct slice path, uint8_t *out, size_t *len);
