#include "gateway/protocol/frames_upload.h"

enum { SLACK = 64 << 10, KEEP = 4 << 10 };

void frames_upload_init(struct frames_upload *up, size_t max_message_bytes,
                        enum compression encoding)
{
    *up = (struct frames_upload){.max_message_bytes = max_message_bytes, .encoding = encoding};
    frame_walker_init(&up->walker, 0, max_message_bytes);
    frame_reader_init(&up->reader, FRAME_COMPRESSED, max_message_bytes);
    buf_init(&up->checked, max_message_bytes + 2 * SLACK);
}

void frames_upload_fini(struct frames_upload *up)
{
    frame_reader_fini(&up->reader);
    buf_fini(&up->checked);
}

/* True when all is well. */
static bool frames_upload_judge(const struct frames_upload *up, enum frame_result result,
                                const struct frame *bad, struct status *st)
{
    switch (result) {
    case FRAME_TOO_LARGE:
        status_set(
            st, STATUS_RESOURCE_EXHAUSTED,
            "request message of %zu bytes is larger than the limit of %zu (--max-message-bytes)",
            bad->payload.len, up->max_message_bytes);
        return false;
    case FRAME_BAD_FLAGS:
        status_set(st, STATUS_INTERNAL, "request frame has flags 0x%02x%s", bad->flags,
                   bad->flags == FRAME_COMPRESSED
                       ? ": compressed, but the request names no grpc-encoding"
                       : "");
        return false;
    case FRAME_NO_MEMORY:
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory for a request message");
        return false;
    default:
        break;
    }
    if (up->one_request && up->messages > 1) {
        status_set(st, STATUS_UNIMPLEMENTED,
                   "the method takes one request message, more were sent");
        return false;
    }
    return true;
}

/* A compressed message is decoded only to be measured; what goes upstream is the client's own
 * frame. */
static bool frames_upload_measure(const struct frames_upload *up, const struct frame *frame,
                                  struct status *st)
{
    if (!(frame->flags & FRAME_COMPRESSED))
        return true;
    struct buf plain;
    buf_init(&plain, up->max_message_bytes);
    bool ok = compression_inflate(frame->payload, &plain, st);
    buf_fini(&plain);
    return ok;
}

static bool frames_upload_keep(struct frames_upload *up, const struct frame *frame,
                               struct status *st)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, frame->flags, (uint32_t)frame->payload.len);
    if (buf_append(&up->checked, prefix, sizeof prefix) == 0 &&
        buf_append_slice(&up->checked, frame->payload) == 0)
        return true;
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory for a request message");
    return false;
}

static enum frames_upload_result send_frames(struct call *call, struct slice bytes)
{
    return bytes.len == 0 || call_send_frames(call, bytes) ? FRAMES_UPLOAD_ROOM
                                                           : FRAMES_UPLOAD_FULL;
}

static enum frames_upload_result frames_upload_pass_compressed(struct frames_upload *up,
                                                               struct call *call,
                                                               struct slice bytes,
                                                               struct status *st)
{
    struct frame frame;
    enum frame_result result;
    while ((result = frame_reader_next(&up->reader, &bytes, &frame)) == FRAME_READY) {
        up->messages++;
        if (!frames_upload_judge(up, result, &frame, st) ||
            !frames_upload_measure(up, &frame, st) || !frames_upload_keep(up, &frame, st))
            return FRAMES_UPLOAD_FAILED;
    }
    if (!frames_upload_judge(up, result, &frame, st))
        return FRAMES_UPLOAD_FAILED;
    enum frames_upload_result sent = send_frames(call, buf_slice(&up->checked));
    buf_reset(&up->checked, KEEP);
    return sent;
}

enum frames_upload_result frames_upload_pass(struct frames_upload *up, struct call *call,
                                             struct slice bytes, struct status *st)
{
    if (up->encoding == COMPRESSION_GZIP)
        return frames_upload_pass_compressed(up, call, bytes, st);
    struct frame bad;
    enum frame_result result = frame_walker_feed(&up->walker, bytes, &bad);
    up->messages = up->walker.messages;
    return frames_upload_judge(up, result, &bad, st) ? send_frames(call, bytes)
                                                     : FRAMES_UPLOAD_FAILED;
}

bool frames_upload_end(const struct frames_upload *up, struct status *st)
{
    if (frame_walker_mid_frame(&up->walker) || frame_reader_mid_frame(&up->reader)) {
        status_set(st, STATUS_INTERNAL, "the request ends inside a message");
        return false;
    }
    if (up->one_request && up->messages == 0) {
        status_set(st, STATUS_UNIMPLEMENTED, "the method takes one request message, none was sent");
        return false;
    }
    return true;
}
