/* frames_upload: the request stream of a gRPC-Web call on its way upstream (gRPC PROTOCOL-WEB.md),
 * whatever carried it.  Frames pass without being assembled, only their prefixes are followed;
 * compressed messages are assembled and decoded to hold the limit on uncompressed bytes.  It judges
 * flags, lengths, truncation and how many messages the method takes. */
#pragma once
#include "gateway/call.h"
#include "gateway/config.h"
#include "grpc/compression.h"
#include "grpc/frame.h"

struct frames_upload {
    size_t max_message_bytes;
    enum compression encoding;  /* of flagged frames */
    bool one_request;           /* the method is known and takes exactly one message */
    uint64_t messages;          /* whole or begun */
    struct frame_walker walker; /* identity: bytes pass through */
    struct frame_reader reader; /* gzip */
    struct buf checked;         /* gzip: frames that may pass */
};

/* encoding is IDENTITY or GZIP. */
void frames_upload_init(struct frames_upload *up, size_t max_message_bytes,
                        enum compression encoding);
void frames_upload_fini(struct frames_upload *up);

enum frames_upload_result {
    FRAMES_UPLOAD_ROOM,
    FRAMES_UPLOAD_FULL,  /* sent, but the call wants no more until its on_writable */
    FRAMES_UPLOAD_FAILED /* *st says why; the call is to be given up */
};

/* Checks bytes of the stream, which may end anywhere, and sends them to the call at once. */
enum frames_upload_result frames_upload_pass(struct frames_upload *up, struct call *call,
                                             struct slice bytes, struct status *st);
/* The stream is complete: whether it may end here, else *st. */
bool frames_upload_end(const struct frames_upload *up, struct status *st);
