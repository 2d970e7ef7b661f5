/* One RPC: its request, its stream, its deadline, its end.  The response half is reply.c. */
#include "gateway/call.h"

#include "gateway/upstream/upstream_private.h"
#include "grpc/compression.h"
#include "grpc/timeout.h"

#include <assert.h>

enum { MAX_REPLAY = 64 * 1024 };

static void call_enter(struct call *c, enum call_place place)
{
    assert(c->place != CALL_OVER && c->place != place);
    if (c->place == CALL_QUEUED)
        upstream_unqueue(c->up, c);
    c->place = place;
}

static void call_schedule(struct call *c)
{
    list_remove(&c->wait);
    list_append(&c->up->work, &c->wait);
    upstream_wake(c->up);
}

void call_fail_soon(struct call *c, const struct status *st)
{
    if (c->place == CALL_QUEUED)
        call_enter(c, CALL_NEW);
    reply_fail(&c->reply, st);
    call_schedule(c);
}

/* Leaves the stream to the channel; whatever of it is not finished is reset. */
static void call_leave_stream(struct call *c)
{
    struct h2_stream *stream = c->stream;
    if (!stream)
        return;
    c->stream = NULL;
    bool complete = c->peer_ended && c->half_closed && h2_stream_queued(stream) == 0;
    channel_abandon(c->channel, stream, complete, c->peer_ended ? H2_NO_ERROR : H2_CANCEL);
}

/* What waits for a paused caller counts like what waits in the front. */
static void call_count_held(struct call *c)
{
    size_t held = c->place == CALL_OVER ? 0 : buf_len(&c->reply.held);
    if (held == c->held_counted)
        return;
    metrics_add(c->up->metrics, METRIC_BUFFERED_BYTES, (uint64_t)held - (uint64_t)c->held_counted);
    c->held_counted = held;
}

void call_drop(struct call *c)
{
    call_leave_stream(c);
    call_enter(c, CALL_OVER);
    call_count_held(c);
    reply_stop(&c->reply);
    list_remove(&c->wait);
    list_remove(&c->open);
    loop_timer_cancel(c->up->loop, &c->deadline);
    c->end_us = loop_now_us(c->up->loop);
    metrics_sub(c->up->metrics, METRIC_CALLS_OPEN, 1);
    upstream_bury(c->up, c);
}

static bool call_expired(const struct call *c)
{
    return c->deadline_ms && loop_now_ms(c->up->loop) >= c->deadline_ms;
}

static void call_finish(struct call *c)
{
    struct reply *r = &c->reply;
    assert(reply_done(r));
    if (r->status.code == STATUS_CANCELLED && call_expired(c))
        status_set(&r->status, STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
    call_drop(c);
    r->events->on_status(r->arg, &r->status, &r->trailers);
}

static void on_deadline(void *arg)
{
    struct call *c = arg;
    struct status st;
    status_set(&st, STATUS_DEADLINE_EXCEEDED, "deadline exceeded%s",
               c->place == CALL_QUEUED ? " while waiting for the upstream" : "");
    reply_fail(&c->reply, &st);
    call_finish(c);
}

/* After anything that may have had events: gives the window back, ends what is complete. */
static void call_go_on(struct call *c, size_t taken)
{
    if (c->place == CALL_OVER)
        return;
    call_count_held(c);
    if (reply_done(&c->reply))
        call_finish(c);
    else if (taken > 0 && c->stream)
        h2_stream_consume(c->stream, taken);
}

static void on_stream_headers(void *arg, const struct metadata *headers, bool end)
{
    struct call *c = arg;
    c->channel->answered = true;
    c->peer_ended = end;
    c->replayable = false;
    buf_reset(&c->out, MAX_REPLAY);
    reply_headers(&c->reply, headers, end);
    call_go_on(c, 0);
}

static void on_stream_data(void *arg, struct slice data)
{
    struct call *c = arg;
    call_go_on(c, reply_data(&c->reply, data));
}

static void on_stream_end(void *arg, const struct metadata *trailers)
{
    struct call *c = arg;
    c->peer_ended = true;
    reply_end(&c->reply, trailers);
    call_go_on(c, 0);
}

static void call_unblock(struct call *c)
{
    if (!c->blocked || c->half_closed || c->peer_ended)
        return;
    c->blocked = false;
    if (c->reply.events->on_writable)
        c->reply.events->on_writable(c->reply.arg);
}

static void on_stream_writable(void *arg)
{
    call_unblock(arg);
}

/* Whether the whole connection is lost shows only after this event: call_work() judges. */
static void on_stream_close(void *arg, uint32_t error_code)
{
    struct call *c = arg;
    c->stream = NULL;
    c->close_code = error_code;
    c->unwritten = channel_bytes_out(c->channel) == c->bytes_before;
    channel_stream_closed(c->channel);
    if (c->reply.phase == REPLY_ENDING) {
        call_enter(c, CALL_LINGERING);
        return;
    }
    call_enter(c, CALL_FALLEN);
    call_schedule(c);
}

static const struct h2_stream_events stream_events = {
    .on_headers = on_stream_headers,
    .on_data = on_stream_data,
    .on_end = on_stream_end,
    .on_writable = on_stream_writable,
    .on_close = on_stream_close,
};

/* The remaining time, never more than what was asked for (PROTOCOL-HTTP2.md, Timeout). */
static void call_stamp_timeout(struct call *c)
{
    if (!c->timeout_entry)
        return;
    uint64_t now_us = loop_now_us(c->up->loop);
    uint64_t end_us = c->deadline_ms > UINT64_MAX / 1000 ? UINT64_MAX : c->deadline_ms * 1000;
    size_t len = timeout_format(end_us > now_us ? end_us - now_us : 1, c->timeout_text);
    c->headers.entries[c->timeout_entry - 1].value = slice_from(c->timeout_text, len);
}

/* What is too large to be sent again is not kept. */
static void call_trim_replay(struct call *c)
{
    if (c->replayable && buf_len(&c->out) <= MAX_REPLAY)
        return;
    c->replayable = false;
    buf_reset(&c->out, MAX_REPLAY);
}

void call_open_stream(struct call *c, struct channel *ch)
{
    call_stamp_timeout(c);
    bool end = c->half_closed && buf_len(&c->out) == 0;
    c->bytes_before = channel_bytes_out(ch);
    c->stream = channel_request(ch, &c->headers, end, &stream_events, c);
    if (!c->stream) {
        struct status st;
        status_set(&st, STATUS_UNAVAILABLE, "upstream %s: no memory for a stream", c->up->name);
        call_fail_soon(c, &st);
        return;
    }
    call_enter(c, CALL_STREAMING);
    c->channel = ch;
    if (!c->start_us)
        c->start_us = loop_now_us(c->up->loop);
    /* "Full" begins at the same length here and there: a blocked call stays blocked. */
    if (buf_len(&c->out) > 0)
        h2_stream_write(c->stream, buf_slice(&c->out));
    if (c->half_closed && !end)
        h2_stream_end(c->stream);
    call_trim_replay(c);
}

static const char *h2_error_name(uint32_t code)
{
    /* RFC 9113 section 7 */
    static const char *const names[] = {
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    };
    return code < sizeof names / sizeof *names ? names[code] : "an unknown error";
}

static void call_fallen_status(const struct call *c, struct status *st)
{
    const struct channel *ch = c->channel;
    if (ch->state == CHANNEL_CLOSED && ch->why.code != STATUS_OK)
        *st = ch->why;
    else if (ch->state == CHANNEL_CLOSED || c->close_code == H2_CONNECTION_LOST)
        status_set(st, STATUS_UNAVAILABLE, "upstream %s: connection lost", c->up->name);
    else if (c->close_code == H2_NO_ERROR)
        status_set(st, STATUS_INTERNAL, "upstream %s: stream closed without a status", c->up->name);
    else
        status_set(st, status_from_h2_error(c->close_code), "upstream %s: stream reset with %s",
                   c->up->name, h2_error_name(c->close_code));
}

/* The stream fell: once more when the upstream surely did nothing (gRPC A6, transparent retries),
 * else that is the status. */
static void call_settle(struct call *c)
{
    bool unprocessed =
        c->close_code == H2_REFUSED_STREAM || (c->close_code == H2_CONNECTION_LOST && c->unwritten);
    if (unprocessed && !c->retried && c->replayable && !call_expired(c)) {
        c->retried = true;
        c->channel = NULL;
        call_enter(c, CALL_NEW);
        metrics_add(c->up->metrics, METRIC_CALLS_RETRIED, 1);
        upstream_dispatch(c->up, c);
        return;
    }
    struct status st;
    call_fallen_status(c, &st);
    reply_fail(&c->reply, &st);
}

void call_work(struct call *c)
{
    if (c->place == CALL_FALLEN && !reply_done(&c->reply))
        call_settle(c);
    if (c->place == CALL_QUEUED)
        return;
    call_go_on(c, reply_deliver_held(&c->reply));
}

static int call_add(struct call *c, struct slice name, struct slice value)
{
    return metadata_add_borrowed(&c->headers, name, value);
}

/* But for the user agent, which stands elsewhere. */
static int call_add_metadata(struct call *c, const struct metadata *md)
{
    int bad = metadata_reserve(&c->headers, md->count);
    for (uint32_t i = 0; i < md->count && !bad; i++) {
        const struct metadata_entry *e = &md->entries[i];
        if (!slice_equal(e->name, SLICE("user-agent")))
            bad = metadata_add_borrowed(&c->headers, e->name, e->value);
    }
    return bad;
}

static struct slice call_content_type(struct call *c, struct slice format)
{
    static const struct slice plain = {(const uint8_t *)"application/grpc+", 17};
    if (format.len == 0 || slice_equal(format, SLICE("proto")))
        return slice_first(plain, plain.len - 1);
    uint8_t *text = arena_alloc(&c->arena, plain.len + format.len);
    if (!text)
        return slice_first(plain, plain.len - 1);
    memcpy(text, plain.data, plain.len);
    memcpy(text + plain.len, format.data, format.len);
    return slice_from(text, plain.len + format.len);
}

/* The order is PROTOCOL-HTTP2.md's: call definition, then custom metadata.  Negative: too large. */
static int call_build_headers(struct call *c, const struct call_request *req)
{
    static const struct slice our_agent = {(const uint8_t *)"drawbridge/" DRAWBRIDGE_VERSION,
                                           sizeof "drawbridge/" DRAWBRIDGE_VERSION - 1};
    struct slice agent = {NULL, 0};
    if (req->metadata)
        agent = metadata_get(req->metadata, SLICE("user-agent"));
    int bad = 0;
    metadata_init(&c->headers, &c->arena, UPSTREAM_MAX_METADATA);
    c->headers.entries = c->entries;
    c->headers.cap = CALL_ENTRIES;
    bad |= call_add(c, SLICE(":method"), SLICE("POST"));
    bad |= call_add(c, SLICE(":scheme"), SLICE("http"));
    bad |= call_add(c, SLICE(":path"), req->path);
    bad |= call_add(c, SLICE(":authority"), slice_from_string(c->up->config.authority));
    bad |= call_add(c, SLICE("te"), SLICE("trailers"));
    bad |= call_add(c, SLICE("content-type"), call_content_type(c, req->format));
    if (c->deadline_ms) {
        bad |= call_add(c, SLICE("grpc-timeout"), SLICE("0m"));
        c->timeout_entry = c->headers.count;
    }
    if (req->encoding.len > 0)
        bad |= call_add(c, SLICE("grpc-encoding"), req->encoding);
    bad |= call_add(c, SLICE("grpc-accept-encoding"),
                    req->accept_gzip ? SLICE(COMPRESSION_ACCEPT) : SLICE("identity"));
    bad |= call_add(c, SLICE("user-agent"), agent.data ? agent : our_agent);
    if (req->metadata)
        bad |= call_add_metadata(c, req->metadata);
    return bad;
}

struct call *call_start(struct upstream *up, const struct call_request *req,
                        const struct call_events *events, void *arg)
{
    struct call *c = upstream_take_call(up);
    if (!c)
        return NULL;
    c->deadline_ms = req->deadline_ms;
    c->replayable = true;
    c->reply.accept_gzip = req->accept_gzip;
    c->reply.max_message_len = req->max_reply_len;
    reply_start(&c->reply, events, arg, h2_session_config_default.stream_window);
    metrics_add(up->metrics, METRIC_CALLS_STARTED, 1);
    metrics_add(up->metrics, METRIC_CALLS_OPEN, 1);
    if (c->deadline_ms) {
        c->deadline = (struct timer){.on_expire = on_deadline, .arg = c};
        loop_timer_set(up->loop, &c->deadline, c->deadline_ms);
    }
    if (call_build_headers(c, req) < 0) {
        struct status st;
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "metadata of the request is too large");
        call_fail_soon(c, &st);
    } else if (!call_expired(c)) {
        upstream_dispatch(up, c);
    }
    return c;
}

/* Keeps a copy as long as a retry may want it. */
static void call_keep_replay(struct call *c, struct slice first, struct slice second)
{
    if (!c->replayable)
        return;
    c->replayable = buf_len(&c->out) + first.len + second.len <= MAX_REPLAY &&
                    buf_append_slice(&c->out, first) == 0 && buf_append_slice(&c->out, second) == 0;
    call_trim_replay(c);
}

static bool call_write(struct call *c, struct slice first, struct slice second)
{
    if (c->half_closed || c->peer_ended || c->place == CALL_OVER)
        return true;
    bool room;
    if (c->place == CALL_STREAMING) {
        call_keep_replay(c, first, second);
        room = h2_stream_write2(c->stream, first, second);
    } else {
        struct status st;
        room = buf_append_slice(&c->out, first) == 0 && buf_append_slice(&c->out, second) == 0;
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
        if (!room)
            call_fail_soon(c, &st);
        room = room && buf_len(&c->out) < h2_session_config_default.max_send_buffer;
    }
    c->blocked = c->blocked || !room;
    return room;
}

bool call_send(struct call *c, struct slice message)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, 0, (uint32_t)message.len);
    return call_write(c, slice_from(prefix, sizeof prefix), message);
}

bool call_send_frames(struct call *c, struct slice bytes)
{
    return call_write(c, bytes, (struct slice){NULL, 0});
}

void call_half_close(struct call *c)
{
    if (c->half_closed || c->place == CALL_OVER)
        return;
    c->half_closed = true;
    if (c->stream && !c->peer_ended)
        h2_stream_end(c->stream);
}

void call_pause(struct call *c)
{
    c->reply.paused = true;
}

void call_resume(struct call *c)
{
    c->reply.paused = false;
    bool held = buf_len(&c->reply.held) > 0 || c->reply.phase == REPLY_ENDING;
    if (held && c->place != CALL_OVER)
        call_schedule(c);
}

void call_cancel(struct call *c)
{
    if (c->place == CALL_OVER)
        return;
    metrics_add(c->up->metrics, METRIC_CALLS_CANCELLED, 1);
    call_drop(c);
}

struct slice call_reply_encoding(const struct call *c)
{
    const struct reply *r = &c->reply;
    return r->mode == REPLY_MEASURE ? r->encoding : (struct slice){NULL, 0};
}

struct slice call_reply_format(const struct call *c)
{
    return c->reply.format;
}

bool call_reply_mid_frame(const struct call *c)
{
    return c->reply.mid_frame;
}

uint64_t call_upstream_us(const struct call *c)
{
    if (!c->start_us)
        return 0;
    return (c->end_us ? c->end_us : loop_now_us(c->up->loop)) - c->start_us;
}
