/* grpc_web_text: the base64 of application/grpc-web-text (gRPC PROTOCOL-WEB.md), as a stream.  A
 * body is any number of base64 texts one after the other: padding may stand at the end of each, so
 * also inside a frame, and pieces end anywhere, so also inside a quartet.  Standard alphabet only
 * (RFC 4648 section 4). */
#pragma once
#include "base/buf.h"

struct grpc_web_text_decoder {
    uint32_t bits;   /* of the digits of the quartet so far */
    uint8_t digits;  /* in the quartet so far, padding included */
    uint8_t padding; /* '=' in the quartet so far */
};

/* The zeroed decoder starts a body.  Appends what the text says to out.  0; -EINVAL for a character
 * that cannot stand there (final); -ENOBUFS. */
int grpc_web_text_decode(struct grpc_web_text_decoder *d, struct slice in, struct buf *out);
/* Whether the text so far ends inside a quartet. */
bool grpc_web_text_mid_quartet(const struct grpc_web_text_decoder *d);

struct grpc_web_text_encoder {
    uint8_t kept[2]; /* bytes that do not make a group of three yet */
    uint8_t len;
};

/* The zeroed encoder starts a body.  Appends the text of the bytes to out; with flush, of all bytes
 * so far, padded; without, one or two may wait.  0, or -ENOBUFS. */
int grpc_web_text_encode(struct grpc_web_text_encoder *e, struct slice in, bool flush,
                         struct buf *out);
