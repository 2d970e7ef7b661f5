/* percent: percent-encoding of grpc-message (gRPC PROTOCOL-HTTP2.md, Percent-Encoded) and of URL
 * parts (RFC 3986). */
#pragma once
#include "base/slice.h"

#include <sys/types.h>

/* Most bytes that encoding may yield. */
static inline size_t percent_encoded_max(size_t len)
{
    return len * 3;
}
/* Encodes bytes < 0x20, > 0x7e and '%', upper-case hex.  Returns the bytes written. */
size_t percent_encode_message(struct slice in, char *out);
/* Never fails: a '%' without two hex digits stays as it is.  `out` holds in.len bytes, may be
 * in.data. */
size_t percent_decode_message(struct slice in, char *out);
/* Strict (RFC 3986 section 2.1): -EINVAL on a malformed escape.  With keep_slash "%2F" stays
 * encoded, as multi-segment path variables need.  `out` holds in.len bytes, may be in.data. */
ssize_t percent_decode_url(struct slice in, bool keep_slash, char *out);
