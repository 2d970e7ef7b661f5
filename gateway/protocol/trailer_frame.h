/* trailer_frame: the last frame of a gRPC-Web body: flag 0x80 and "name:value\r\n" lines (gRPC
 * PROTOCOL-WEB.md). */
#pragma once
#include "base/buf.h"
#include "grpc/metadata.h"
#include "grpc/status.h"

/* Appends the frame: grpc-status, grpc-message (percent-encoded, when there is one),
 * grpc-status-details-bin (when there are details) and the trailers that may pass.  Names in lower
 * case; a name that occurs more than once becomes one line "a, b", because the official JavaScript
 * client keeps only the last line of a name.  Values that could break a line are left out.  0, or
 * -ENOBUFS. */
int trailer_frame_append(struct buf *out, const struct status *st, const struct metadata *trailers);
/* The same form with the response headers, all of them, for transports without a head of their own
 * (the WebSocket transport sends it first).  0, or -ENOBUFS. */
int trailer_frame_append_headers(struct buf *out, const struct metadata *headers);
