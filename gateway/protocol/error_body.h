/* error_body: the JSON form of a failed call: {"code":5,"message":"…","details":[{"@type":…}]}
 * (google.rpc.Status in proto3 JSON).  Details come from grpc-status-details-bin; a type that the
 * schema does not know degrades to
 * {"@type":url,"value":"<base64>"} instead of being lost. */
#pragma once
#include "base/buf.h"
#include "gateway/schema/schema.h"
#include "grpc/status.h"

#include <jansson.h>

/* Appends the object.  `schema` may be NULL.  0, or -ENOBUFS. */
int error_body_append(struct buf *out, const struct status *st, const struct schema *schema);
/* The same in the form that Google's client libraries read (Google AIP-193):
 * {"error":{"code":404,"message":"…","status":"NOT_FOUND","details":[…]}}, the code that of HTTP.
 */
int error_body_append_google(struct buf *out, const struct status *st, int http_status,
                             const struct schema *schema);
/* A peer's text as a JSON string, which wants UTF-8: in other text bytes above 0x7f become '?'.  A
 * new reference; NULL when memory is out. */
json_t *error_body_text(struct slice message);
