/* compression: gzip of gRPC messages (gRPC compression.md; the codings "identity" and "gzip") on
 * zlib. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"
#include "grpc/status.h"

enum compression { COMPRESSION_IDENTITY, COMPRESSION_GZIP, COMPRESSION_UNKNOWN };

/* The value of grpc-accept-encoding that says what we can read. */
#define COMPRESSION_ACCEPT "identity,gzip"

/* A grpc-encoding value; an absent one (data NULL) or an empty one is identity. */
enum compression compression_parse(struct slice encoding);
/* Whether a comma-separated grpc-accept-encoding (or HTTP accept-encoding) list names gzip with a
 * weight above 0. */
bool compression_accepts_gzip(struct slice accept);

/* Appends the gzip form (RFC 1952) of `in` to out.  0, or -ENOBUFS (the limit of out, or memory).
 */
int compression_deflate(struct slice in, struct buf *out);
/* Appends what the gzip data `in` holds to out, whose max_len bounds the uncompressed size.  False
 * with *st filled: RESOURCE_EXHAUSTED over the limit, INTERNAL when it is truncated or not gzip. */
bool compression_inflate(struct slice in, struct buf *out, struct status *st);
/* Whether the gzip data `in` is whole and holds no more than max_len bytes; keeps none of them.
 * False with *st filled as above. */
bool compression_fits(struct slice in, size_t max_len, struct status *st);
