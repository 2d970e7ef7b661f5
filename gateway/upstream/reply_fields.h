/* reply_fields: what the header fields of a gRPC reply say, and the status that they amount to
 * (gRPC PROTOCOL-HTTP2.md, Responses; http-grpc-status-mapping.md; statuscodes.md).  Pure: fields
 * in, struct status out. */
#pragma once
#include "grpc/metadata.h"
#include "grpc/status.h"

/* The fields that the protocol consumes; borrowed; data NULL when absent. */
struct reply_fields {
    struct slice status, content_type, encoding;
    struct slice grpc_status, grpc_message, details;
    bool status_conflict; /* grpc-status came twice with different values */
};

/* Sorts a header block into the fields above and the rest, which the caller gets as metadata:
 * borrowed values, "-bin" values without padding.  rest must be initialised.  False: its limit or
 * memory. */
bool reply_fields_split(struct reply_fields *f, const struct metadata *in, struct metadata *rest);
/* Whether the content type is "application/grpc", alone or with a "+format" or parameters. */
bool reply_fields_grpc(const struct reply_fields *f);
/* What follows the '+' of such a content type ("proto", "json"); empty when nothing does. */
struct slice reply_fields_format(const struct reply_fields *f);
/* The status of a block that should carry grpc-status.  Decoded text lives in the arena. */
void reply_fields_status(const struct reply_fields *f, struct arena *arena, struct status *st);
/* Whether these response headers start a gRPC reply; false with *st filled from the HTTP status or
 * the content type. */
bool reply_fields_accept(const struct reply_fields *f, struct status *st);
