/* connect_error: a failed call as the Connect protocol writes it (connectrpc.com/docs/protocol,
 * "Error"): {"code":"not_found","message":"…","details":[{"type":"pkg.Message","value":"base64"}]},
 * and the payload of the message that ends a stream ("EndStreamResponse"). */
#pragma once
#include "base/buf.h"
#include "gateway/schema/schema.h"
#include "grpc/metadata.h"
#include "grpc/status.h"

/* Appends the object.  Details of types that the schema knows (it may be NULL) carry their JSON
 * form as "debug".  0, or -ENOBUFS. */
int connect_error_append(struct buf *out, const struct status *st, const struct schema *schema);
/* Appends {"error":…,"metadata":{"name":["value"]}}, without what there is not: no error for OK.
 * 0, or -ENOBUFS. */
int connect_error_append_end(struct buf *out, const struct status *st,
                             const struct metadata *trailers, const struct schema *schema);
