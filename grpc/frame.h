/* frame: the Length-Prefixed-Message of gRPC and gRPC-Web: flags(1) | length(4, big endian) |
 * payload (gRPC PROTOCOL-HTTP2.md; PROTOCOL-WEB.md).  Two readers of the same bytes: frame_reader
 * assembles whole messages; frame_walker follows the prefixes of bytes that pass through and
 * assembles nothing. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

enum {
    FRAME_PREFIX_LEN = 5,
    FRAME_COMPRESSED = 0x01, /* PROTOCOL-HTTP2.md, Compressed-Flag */
    FRAME_TRAILERS = 0x80,   /* PROTOCOL-WEB.md: the trailers follow as payload */
};

void frame_write_prefix(uint8_t out[static FRAME_PREFIX_LEN], uint8_t flags, uint32_t len);

enum frame_result {
    FRAME_READY,     /* *frame is filled */
    FRAME_NEED_MORE, /* the input is used up */
    FRAME_TOO_LARGE, /* the prefix announces more than the limit (frame.payload.len tells how much);
                        final */
    FRAME_BAD_FLAGS, /* flag bits outside allowed_flags (frame.flags tells); final */
    FRAME_NO_MEMORY, /* final */
};

struct frame {
    uint8_t flags;
    struct slice payload;
};

struct frame_reader {
    uint8_t allowed_flags;
    uint8_t prefix_len; /* bytes of prefix held */
    uint8_t prefix[FRAME_PREFIX_LEN];
    uint32_t need;      /* payload length, once the prefix is whole */
    bool delivered;     /* `partial` was handed out by the last call */
    struct buf partial; /* payload of a message that came in pieces */
};

/* max_len bounds a payload.  Allocates nothing until a message comes in pieces. */
void frame_reader_init(struct frame_reader *r, uint8_t allowed_flags, size_t max_len);
void frame_reader_fini(struct frame_reader *r);
/* Takes from *input what it needs for the next message.  The payload is borrowed from the input
 * when it lies there whole, else from the reader, until the next call. */
enum frame_result frame_reader_next(struct frame_reader *r, struct slice *input,
                                    struct frame *frame);
/* Whether the bytes so far end in the middle of a frame. */
bool frame_reader_mid_frame(const struct frame_reader *r);

struct frame_walker {
    uint8_t allowed_flags;
    uint8_t prefix_len;
    uint8_t prefix[FRAME_PREFIX_LEN];
    uint32_t left; /* payload bytes still to come */
    uint32_t max_len;
    uint64_t messages; /* frames begun (prefix whole) so far */
    size_t whole;      /* of the last feed: bytes up to the end of its last complete frame */
};

void frame_walker_init(struct frame_walker *w, uint8_t allowed_flags, size_t max_len);
/* Follows the bytes.  FRAME_NEED_MORE: all good; FRAME_TOO_LARGE or FRAME_BAD_FLAGS: what it says,
 * with *bad = the offending prefix; final, and w->whole tells what came before. */
enum frame_result frame_walker_feed(struct frame_walker *w, struct slice bytes, struct frame *bad);
bool frame_walker_mid_frame(const struct frame_walker *w);
