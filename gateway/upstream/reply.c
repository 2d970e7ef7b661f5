#include "gateway/upstream/reply.h"

#include "gateway/upstream/reply_fields.h"
#include "grpc/compression.h"

#include <assert.h>

enum {
    MAX_METADATA = 64 * 1024, /* h2_session's hard limit of a header block */
    KEEP_INFLATED = 64 * 1024,
    KEEP_HELD = 4 * 1024,
    MAX_PARTIAL = 16 * 1024, /* a longer frame passes before its end is known */
};

static void reply_enter(struct reply *r, enum reply_phase phase)
{
    assert(phase > r->phase);
    r->phase = phase;
}

void reply_start(struct reply *r, const struct call_events *events, void *arg, size_t max_held)
{
    r->events = events;
    r->arg = arg;
    r->paused = r->mid_frame = false;
    r->phase = REPLY_NOTHING;
    r->mode = events->on_frames ? REPLY_PASS : REPLY_MESSAGES;
    r->encoding = r->format = (struct slice){NULL, 0};
    r->held.max_len = max_held;
    r->partial.max_len = MAX_PARTIAL + max_held;
    metadata_init(&r->trailers, r->arena, MAX_METADATA);
}

void reply_stop(struct reply *r)
{
    if (r->phase != REPLY_STOPPED)
        reply_enter(r, REPLY_STOPPED);
}

void reply_release(struct reply *r)
{
    frame_reader_fini(&r->reader);
    r->reader = (struct frame_reader){0};
    buf_reset(&r->held, KEEP_HELD);
    buf_reset(&r->partial, KEEP_HELD);
}

void reply_fini(struct reply *r)
{
    frame_reader_fini(&r->reader);
    buf_fini(&r->held);
    buf_fini(&r->partial);
}

static bool reply_gone(const struct reply *r)
{
    return r->phase >= REPLY_DONE;
}

void reply_fail(struct reply *r, const struct status *st)
{
    if (reply_gone(r))
        return;
    if (st != &r->status)
        r->status = *st;
    reply_enter(r, REPLY_DONE);
}

/* The kinds of frames to expect follow from grpc-encoding (gRPC compression.md). */
static void reply_open(struct reply *r, const struct reply_fields *f)
{
    enum compression encoding = compression_parse(f->encoding);
    uint8_t flags = encoding == COMPRESSION_GZIP ? FRAME_COMPRESSED : 0;
    if (f->encoding.len > 0 && encoding != COMPRESSION_IDENTITY)
        r->encoding = arena_copy(r->arena, f->encoding);
    struct slice format = reply_fields_format(f);
    if (format.len > 0)
        r->format = arena_copy(r->arena, format);
    if (r->mode == REPLY_PASS && flags)
        r->mode = r->accept_gzip ? REPLY_MEASURE : REPLY_DECODE;
    if (r->mode == REPLY_PASS)
        frame_walker_init(&r->walker, 0, r->max_message_len);
    else
        frame_reader_init(&r->reader, flags, r->max_message_len);
    reply_enter(r, REPLY_OPEN);
}

/* A block that carries grpc-status at the end of the stream. */
static void reply_finish(struct reply *r, const struct reply_fields *f)
{
    reply_fields_status(f, r->arena, &r->status);
    reply_enter(r, REPLY_DONE);
}

static bool reply_split(struct reply *r, struct reply_fields *f, const struct metadata *in,
                        struct metadata *rest)
{
    if (reply_fields_split(f, in, rest))
        return true;
    struct status st;
    status_set(&st, STATUS_RESOURCE_EXHAUSTED, "metadata of the reply is too large");
    reply_fail(r, &st);
    return false;
}

void reply_headers(struct reply *r, const struct metadata *headers, bool end)
{
    struct reply_fields f;
    struct metadata rest;
    if (r->phase != REPLY_NOTHING)
        return;
    if (end) {
        if (!reply_split(r, &f, headers, &r->trailers))
            return;
        /* HTTP says something only when gRPC does not. */
        if (f.grpc_status.data || reply_fields_accept(&f, &r->status))
            reply_finish(r, &f);
        else
            reply_enter(r, REPLY_DONE);
        return;
    }
    metadata_init(&rest, r->arena, MAX_METADATA);
    if (!reply_split(r, &f, headers, &rest))
        return;
    if (!reply_fields_accept(&f, &r->status)) {
        if (f.grpc_status.data && !slice_equal(f.grpc_status, SLICE("0")))
            reply_fields_status(&f, r->arena, &r->status);
        reply_enter(r, REPLY_DONE);
        return;
    }
    reply_open(r, &f);
    if (r->events->on_headers)
        r->events->on_headers(r->arg, &rest);
}

static void reply_bad_frame(struct reply *r, enum frame_result result, const struct frame *frame)
{
    struct status st;
    if (result == FRAME_TOO_LARGE)
        status_set(&st, STATUS_RESOURCE_EXHAUSTED,
                   "reply message of %zu bytes is larger than the limit of %zu", frame->payload.len,
                   r->max_message_len);
    else if (result == FRAME_NO_MEMORY)
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "out of memory for a reply message");
    else if (frame->flags == FRAME_COMPRESSED && r->encoding.len > 0)
        status_set(&st, STATUS_INTERNAL, "upstream compressed a message with the unknown \"%.32s\"",
                   (const char *)r->encoding.data);
    else if (frame->flags == FRAME_COMPRESSED)
        status_set(&st, STATUS_INTERNAL, "upstream compressed a message without grpc-encoding");
    else
        status_set(&st, STATUS_INTERNAL, "upstream sent a message with flags 0x%02x", frame->flags);
    reply_fail(r, &st);
}

/* One message to whichever event the caller has. */
static void reply_emit(struct reply *r, uint8_t flags, struct slice message)
{
    if (r->mode == REPLY_MESSAGES) {
        if (r->events->on_message)
            r->events->on_message(r->arg, message);
        return;
    }
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, flags, (uint32_t)message.len);
    r->events->on_frames(r->arg, slice_from(prefix, sizeof prefix));
    if (message.len > 0 && !reply_gone(r))
        r->events->on_frames(r->arg, message);
}

static void reply_emit_compressed(struct reply *r, struct slice payload)
{
    struct status st;
    if (r->mode == REPLY_MEASURE) {
        if (compression_fits(payload, r->max_message_len, &st))
            reply_emit(r, FRAME_COMPRESSED, payload);
        else
            reply_fail(r, &st);
        return;
    }
    r->inflated->max_len = r->max_message_len;
    if (compression_inflate(payload, r->inflated, &st))
        reply_emit(r, 0, buf_slice(r->inflated));
    else
        reply_fail(r, &st);
    buf_reset(r->inflated, KEEP_INFLATED);
}

/* Messages until the input is used up, the caller pauses or the call ends. */
static size_t reply_read(struct reply *r, struct slice data)
{
    size_t len = data.len;
    while (!r->paused && !reply_gone(r)) {
        struct frame frame;
        enum frame_result result = frame_reader_next(&r->reader, &data, &frame);
        if (result == FRAME_NEED_MORE)
            break;
        if (result != FRAME_READY)
            reply_bad_frame(r, result, &frame);
        else if (frame.flags & FRAME_COMPRESSED)
            reply_emit_compressed(r, frame.payload);
        else
            reply_emit(r, 0, frame.payload);
    }
    return len - data.len;
}

static void reply_no_memory(struct reply *r)
{
    struct status st;
    status_set(&st, STATUS_RESOURCE_EXHAUSTED, "out of memory for a held reply");
    reply_fail(r, &st);
}

/* Behind what is kept of the frame's begin, as one event. */
static void reply_emit_bytes(struct reply *r, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    if (buf_len(&r->partial) > 0) {
        if (buf_append_slice(&r->partial, bytes) < 0) {
            reply_no_memory(r);
            return;
        }
        bytes = buf_slice(&r->partial);
    }
    r->events->on_frames(r->arg, bytes);
    buf_reset(&r->partial, KEEP_HELD);
}

/* Bytes of a frame that has begun and not ended: kept as long as they are few. */
static void reply_pass_rest(struct reply *r, struct slice rest)
{
    bool few = !r->mid_frame && buf_len(&r->partial) + rest.len <= MAX_PARTIAL;
    if (rest.len == 0)
        return;
    if (few && buf_append_slice(&r->partial, rest) == 0)
        return;
    r->mid_frame = true;
    reply_emit_bytes(r, rest);
}

static size_t reply_pass(struct reply *r, struct slice data)
{
    struct frame bad;
    enum frame_result result = frame_walker_feed(&r->walker, data, &bad);
    struct slice rest = slice_skip(data, r->walker.whole);
    if (r->walker.whole > 0) {
        bool together = result == FRAME_NEED_MORE && rest.len > MAX_PARTIAL;
        r->mid_frame = together;
        reply_emit_bytes(r, slice_first(data, together ? data.len : r->walker.whole));
        if (together)
            return data.len;
    }
    if (result != FRAME_NEED_MORE)
        reply_bad_frame(r, result, &bad);
    else if (!reply_gone(r))
        reply_pass_rest(r, rest);
    return data.len;
}

static size_t reply_take(struct reply *r, struct slice data)
{
    return r->mode == REPLY_PASS ? reply_pass(r, data) : reply_read(r, data);
}

size_t reply_data(struct reply *r, struct slice data)
{
    if (reply_gone(r) || data.len == 0)
        return 0;
    bool behind = r->paused || buf_len(&r->held) > 0;
    size_t taken = behind ? 0 : reply_take(r, data);
    if (taken < data.len && !reply_gone(r) &&
        buf_append_slice(&r->held, slice_skip(data, taken)) < 0)
        reply_no_memory(r);
    return taken;
}

/* Everything that came is delivered and the trailers are read: the last check. */
static void reply_close(struct reply *r)
{
    bool partial = r->mode == REPLY_PASS ? frame_walker_mid_frame(&r->walker)
                                         : frame_reader_mid_frame(&r->reader);
    if (partial && r->status.code == STATUS_OK)
        status_set(&r->status, STATUS_INTERNAL, "upstream ended the reply inside a message");
    reply_enter(r, REPLY_DONE);
}

size_t reply_deliver_held(struct reply *r)
{
    size_t taken = 0;
    if (!r->paused && !reply_gone(r) && buf_len(&r->held) > 0) {
        taken = reply_take(r, buf_slice(&r->held));
        /* A call that ended in an event has emptied the buffer by itself. */
        if (!reply_gone(r))
            buf_consume(&r->held, taken);
    }
    if (r->phase == REPLY_ENDING && buf_len(&r->held) == 0)
        reply_close(r);
    return taken;
}

/* The block is gone after this turn: what must wait for a paused caller is copied. */
static void reply_keep_trailers(struct reply *r)
{
    struct metadata kept;
    metadata_init(&kept, r->arena, MAX_METADATA);
    for (uint32_t i = 0; i < r->trailers.count; i++)
        if (metadata_add(&kept, r->trailers.entries[i].name, r->trailers.entries[i].value) < 0)
            break;
    r->trailers = kept;
}

void reply_end(struct reply *r, const struct metadata *trailers)
{
    struct reply_fields f;
    if (reply_gone(r))
        return;
    if (!trailers) {
        struct status st;
        status_set(&st, STATUS_INTERNAL, "upstream ended the reply without trailers");
        reply_fail(r, &st);
        return;
    }
    if (!reply_split(r, &f, trailers, &r->trailers))
        return;
    reply_fields_status(&f, r->arena, &r->status);
    if (buf_len(&r->held) == 0) {
        reply_close(r);
        return;
    }
    reply_enter(r, REPLY_ENDING);
    reply_keep_trailers(r);
}
