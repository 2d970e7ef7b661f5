/* connect_stream: streaming calls of the Connect protocol (connectrpc.com/docs/protocol): messages
 * in frames of flags, length and payload in both directions, the response always HTTP 200 and
 * always ended by a frame that says how the call went.  Requests that are not of the protocol are
 * refused in HTTP's own words (405, 415). */
#include "gateway/protocol/connect.h"
#include "gateway/protocol/connect_error.h"
#include "gateway/protocol/protocols.h"
#include "gateway/protocol/request_metadata.h"
#include "grpc/frame.h"

enum { FRAME_END_STREAM = 0x02, MAX_END_STREAM = 256 * 1024 };

struct connect_stream {
    struct connect c;
    bool one_request; /* the method is known and takes exactly one message */
    bool one_reply;   /* the method is known and replies with exactly one */
    bool opened;      /* nothing has failed yet: the upload is followed */
    uint64_t messages;
    struct frame_reader reader;
};

static bool connect_stream_matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)ctx;
    struct connect_media_type type;
    return connect_media_type_parse(req->content_type, &type) && type.stream;
}

static void stream_head(struct connect_stream *s)
{
    struct connect *c = &s->c;
    if (c->accept_gzip)
        metadata_add_borrowed(&c->head, SLICE("connect-content-encoding"), SLICE("gzip"));
    metadata_add_borrowed(&c->head, SLICE("connect-accept-encoding"), SLICE("gzip"));
    connect_head(c, 200,
                 c->codec == CONNECT_JSON ? SLICE("application/connect+json")
                                          : SLICE("application/connect+proto"));
}

/* False when full. */
static bool stream_write(struct connect_stream *s, uint8_t flags, struct slice payload)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, flags, (uint32_t)payload.len);
    exchange_write(s->c.ex, slice_from(prefix, sizeof prefix));
    return exchange_write(s->c.ex, payload);
}

/* The end of the response. */
static void stream_finish(struct connect_stream *s, const struct status *st,
                          const struct metadata *trailers)
{
    struct buf end;
    s->opened = false;
    exchange_discard_upload(s->c.ex);
    if (!s->c.head_sent)
        stream_head(s);
    buf_init(&end, MAX_END_STREAM);
    if (connect_error_append_end(&end, st, trailers, s->c.schema) < 0) {
        /* Too large for one frame: the code at least must arrive. */
        struct status bare = *st;
        bare.details = bare.message = (struct slice){NULL, 0};
        connect_error_append_end(&end, &bare, NULL, NULL);
    }
    stream_write(s, FRAME_END_STREAM, buf_slice(&end));
    buf_fini(&end);
    exchange_end(s->c.ex);
}

static void stream_fail(struct connect_stream *s)
{
    connect_give_up(&s->c);
    stream_finish(s, &s->c.failure, NULL);
}

static void on_call_headers(void *arg, const struct metadata *headers)
{
    struct connect_stream *s = arg;
    if (connect_headers(&s->c, headers))
        stream_head(s);
    else
        stream_fail(s);
}

static void on_call_message(void *arg, struct slice message)
{
    struct connect_stream *s = arg;
    struct slice payload;
    if (++s->c.replies > 1 && s->one_reply)
        return; /* judged at the end */
    if (!connect_message_from_wire(&s->c, message, &payload)) {
        stream_fail(s);
        return;
    }
    uint8_t flags = connect_message_pack(&s->c, &payload) ? FRAME_COMPRESSED : 0;
    if (!s->c.head_sent)
        stream_head(s);
    if (!stream_write(s, flags, payload))
        call_pause(s->c.call);
}

static void on_call_writable(void *arg)
{
    struct connect_stream *s = arg;
    exchange_resume_upload(s->c.ex);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    struct connect_stream *s = arg;
    stream_finish(s, connect_ended(&s->c, st, s->one_reply), trailers);
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_message = on_call_message,
    .on_writable = on_call_writable,
    .on_status = on_call_status,
};

static void stream_refuse(struct connect_stream *s, int http_status, const char *field,
                          const char *wanted)
{
    s->opened = false;
    status_set(&s->c.failure, STATUS_UNKNOWN, "the call does not fit the method: %s is wanted",
               wanted);
    connect_refuse(&s->c, http_status, field, slice_from_string(wanted));
}

/* Answers a request that cannot be served, whatever its body holds. */
static void stream_admit(struct connect_stream *s)
{
    const struct exchange_request *req = exchange_request(s->c.ex);
    const struct method *method = s->c.method;
    struct slice encoding = metadata_get(&req->headers, SLICE("connect-content-encoding"));
    struct slice accept = metadata_get(&req->headers, SLICE("connect-accept-encoding"));
    if (req->method != METHOD_POST)
        stream_refuse(s, 405, "allow", "POST");
    else if (s->c.codec == CONNECT_CODEC_UNKNOWN)
        stream_refuse(s, 415, "accept-post", "application/connect+proto, application/connect+json");
    else if (method && !method->client_streaming && !method->server_streaming)
        stream_refuse(s, 415, "accept-post", "application/proto, application/json");
    else if (!connect_negotiate(&s->c, encoding, accept))
        stream_fail(s);
}

static void *connect_stream_open(struct exchange *ex)
{
    struct connect_media_type type;
    struct connect_stream *s = exchange_alloc(ex, sizeof *s);
    if (!s) {
        exchange_abort(ex);
        return NULL;
    }
    *s = (struct connect_stream){.opened = true};
    connect_media_type_parse(exchange_request(ex)->content_type, &type);
    connect_open(&s->c, ex, type.codec);
    const struct method *method = s->c.method;
    s->one_request = method && !method->client_streaming;
    s->one_reply = method && !method->server_streaming;
    if (method && method->client_streaming)
        exchange_allow_slow_upload(ex);
    stream_admit(s);
    frame_reader_init(&s->reader, s->c.encoding == COMPRESSION_GZIP ? FRAME_COMPRESSED : 0,
                      connect_max_payload(&s->c));
    return s;
}

/* Fills the failure from what the reader found; true when all is well. */
static bool stream_judge(struct connect_stream *s, enum frame_result result,
                         const struct frame *frame)
{
    struct status *st = &s->c.failure;
    switch (result) {
    case FRAME_TOO_LARGE:
        status_set(
            st, STATUS_RESOURCE_EXHAUSTED,
            "request message of %zu bytes is larger than the limit of %zu (--max-message-bytes)",
            frame->payload.len, exchange_context(s->c.ex)->config->limits.max_message_bytes);
        return false;
    case FRAME_BAD_FLAGS:
        status_set(st, STATUS_INTERNAL, "request frame has flags 0x%02x%s", frame->flags,
                   frame->flags == FRAME_COMPRESSED
                       ? ": compressed, but the request names no connect-content-encoding"
                       : "");
        return false;
    case FRAME_NO_MEMORY:
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory for a request message");
        return false;
    case FRAME_READY:
        if (++s->messages == 1 || !s->one_request)
            return true;
        status_set(st, STATUS_UNIMPLEMENTED,
                   "the method takes one request message, more were sent");
        return false;
    default:
        return true;
    }
}

/* Sends the messages that the bytes complete; false with the failure. */
static bool stream_pass(struct connect_stream *s, struct slice data)
{
    enum frame_result result;
    struct frame frame;
    struct slice wire;
    bool room = true;
    while ((result = frame_reader_next(&s->reader, &data, &frame)) == FRAME_READY) {
        if (!stream_judge(s, result, &frame) ||
            !connect_message_to_wire(&s->c, frame.payload, frame.flags & FRAME_COMPRESSED, &wire))
            return false;
        room = call_send(s->c.call, wire);
    }
    if (!room)
        exchange_pause_upload(s->c.ex);
    return stream_judge(s, result, &frame);
}

static void connect_stream_on_body(struct exchange *ex, void *state, struct slice data)
{
    (void)ex;
    struct connect_stream *s = state;
    if (!s || !s->opened || data.len == 0)
        return;
    if (!(s->c.call || connect_call(&s->c, &call_events, s)) || !stream_pass(s, data))
        stream_fail(s);
}

/* Whether the request may end here. */
static bool stream_complete(struct connect_stream *s)
{
    if (frame_reader_mid_frame(&s->reader)) {
        status_set(&s->c.failure, STATUS_INTERNAL, "the request body ends inside a message");
        return false;
    }
    if (s->one_request && s->messages == 0) {
        status_set(&s->c.failure, STATUS_UNIMPLEMENTED,
                   "the method takes one request message, none was sent");
        return false;
    }
    return true;
}

static void connect_stream_on_body_end(struct exchange *ex, void *state)
{
    (void)ex;
    struct connect_stream *s = state;
    if (!s || !s->opened)
        return;
    if (stream_complete(s) && (s->c.call || connect_call(&s->c, &call_events, s)))
        call_half_close(s->c.call);
    else
        stream_fail(s);
}

static void connect_stream_on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct connect_stream *s = state;
    if (s && s->c.call)
        call_resume(s->c.call);
}

static void connect_stream_on_fail(struct exchange *ex, void *state, const struct status *st)
{
    (void)ex;
    struct connect_stream *s = state;
    s->c.failure = *st;
    stream_fail(s);
}

static void connect_stream_close(struct exchange *ex, void *state)
{
    (void)ex;
    struct connect_stream *s = state;
    if (!s)
        return;
    frame_reader_fini(&s->reader);
    connect_close(&s->c);
}

const struct protocol protocol_connect_stream = {
    .name = "connect",
    .matches = connect_stream_matches,
    .open = connect_stream_open,
    .on_body = connect_stream_on_body,
    .on_body_end = connect_stream_on_body_end,
    .on_writable = connect_stream_on_writable,
    .on_fail = connect_stream_on_fail,
    .close = connect_stream_close,
};
