/* grpc_websocket: one gRPC-Web call of any kind over one WebSocket, in the form that the browser
 * clients @improbable-eng/grpc-web and nice-grpc-web speak.  Client: a binary message with the
 * metadata as "name: value" lines, then messages 0x00 + bytes of frames, and the single byte 0x01
 * for half close.  Server: messages with the response stream: a header block (0x80), data frames, a
 * trailer block (0x80), then Close.  A 0x80 block is always alone in its message, because clients
 * read nothing behind one; alone in the stream it means "trailers only". */
#include "gateway/call.h"
#include "gateway/protocol.h"
#include "gateway/protocol/frames_upload.h"
#include "gateway/protocol/request_metadata.h"
#include "gateway/protocol/trailer_frame.h"
#include "gateway/protocol/websocket.h"
#include "gateway/protocol/websocket_handshake.h"
#include "gateway/protocol/websocket_metadata.h"
#include "gateway/schema/schema.h"

enum { MAX_BLOCK = 256 << 10, KEEP = 4 << 10, SLACK = 64 << 10, CLOSE_WAIT_MS = 5000 };

enum phase {
    PHASE_METADATA, /* the first message is not complete */
    PHASE_OPEN,
    PHASE_HALF_CLOSED,
    PHASE_FINISHED, /* Close has been sent, or the client's came */
};

struct grpc_websocket {
    struct exchange *ex;
    struct call *call;
    struct websocket ws;
    struct frames_upload upload;
    struct timer timer; /* metadata due; client silent; client's Close due */
    enum phase phase;
    uint8_t kind;      /* first byte of the present message */
    bool kind_known;   /* it has come */
    bool half_close;   /* asked for in this feed */
    bool headers_sent; /* the header block */
    bool accept_gzip;
    bool call_full;        /* the call wants no more: the upload is paused */
    bool pong_waits;       /* so it is when pings cannot be answered */
    bool output_full;      /* the client is slow: its silence proves nothing */
    bool pinged;           /* nothing heard since */
    bool ended;            /* the exchange */
    uint64_t heard_ms;     /* when the client last sent something, or was pinged */
    struct slice format;   /* of the messages */
    struct buf first;      /* the metadata message */
    struct buf pending;    /* frames of this feed */
    struct status failure; /* scratch for what goes wrong here */
};

static const struct config_limits *limits_of(const struct grpc_websocket *gw)
{
    return &exchange_context(gw->ex)->config->limits;
}

static uint64_t now_of(const struct grpc_websocket *gw)
{
    return loop_now_ms(exchange_context(gw->ex)->loop);
}

static void set_timer(struct grpc_websocket *gw, uint64_t wait_ms)
{
    loop_timer_set(exchange_context(gw->ex)->loop, &gw->timer, now_of(gw) + wait_ms);
}

/* What has been written still leaves, then the connection ends. */
static void end(struct grpc_websocket *gw)
{
    if (!gw->ended)
        exchange_end(gw->ex);
    gw->ended = true;
}

/* Gives a call that still runs up; the outcome is gw->failure. */
static void give_up(struct grpc_websocket *gw)
{
    uint64_t upstream_us = gw->call ? call_upstream_us(gw->call) : 0;
    if (gw->call)
        call_cancel(gw->call);
    gw->call = NULL;
    request_metadata_outcome(gw->ex, &gw->failure, upstream_us);
}

/* The same when the client is to blame and hears nothing of it. */
static void abandon(struct grpc_websocket *gw, const char *why)
{
    if (gw->call || gw->phase == PHASE_METADATA) {
        status_set(&gw->failure, STATUS_CANCELLED, "%s", why);
        give_up(gw);
    }
    gw->phase = PHASE_FINISHED;
}

static bool send_message(struct grpc_websocket *gw, struct slice message)
{
    bool room = websocket_send(&gw->ws, message);
    gw->output_full = !room;
    return room;
}

static void send_headers(struct grpc_websocket *gw, const struct metadata *headers)
{
    struct metadata head;
    struct buf block;
    struct slice encoding = gw->accept_gzip ? call_reply_encoding(gw->call) : SLICE("");
    struct slice format = call_reply_format(gw->call);
    char *type = arena_printf(exchange_arena(gw->ex), "application/grpc-web+%.*s",
                              SLICE_PRINT(format.len ? format : gw->format));
    metadata_init(&head, exchange_arena(gw->ex), SIZE_MAX);
    metadata_add_borrowed(&head, SLICE("content-type"), slice_from_string(type));
    request_metadata_to_front(headers, &head);
    if (encoding.len > 0)
        metadata_add_borrowed(&head, SLICE("grpc-encoding"), encoding);
    buf_init(&block, MAX_BLOCK);
    if (trailer_frame_append_headers(&block, &head) == 0)
        send_message(gw, buf_slice(&block));
    buf_fini(&block);
    gw->headers_sent = true;
}

static void send_trailers(struct grpc_websocket *gw, const struct status *st,
                          const struct metadata *trailers)
{
    struct buf block;
    struct status bare = *st;
    buf_init(&block, MAX_BLOCK);
    if (trailer_frame_append(&block, st, trailers) < 0) {
        /* Too large for one block: the code at least must arrive. */
        bare.details = bare.message = (struct slice){NULL, 0};
        trailer_frame_append(&block, &bare, NULL);
    }
    send_message(gw, buf_slice(&block));
    buf_fini(&block);
}

/* The end of the call.  A reply that broke off inside a long message takes no trailer block: the
 * client would read it as the rest of the message. */
static void finish(struct grpc_websocket *gw, const struct status *st,
                   const struct metadata *trailers, bool mid_frame)
{
    gw->phase = PHASE_FINISHED;
    if (mid_frame) {
        websocket_close(&gw->ws, WEBSOCKET_INTERNAL_ERROR, "the reply broke off inside a message");
        end(gw);
        return;
    }
    send_trailers(gw, st, trailers);
    websocket_close(&gw->ws, WEBSOCKET_NORMAL, NULL);
    set_timer(gw, CLOSE_WAIT_MS);
}

/* A failure found here, described by gw->failure: tells the client. */
static void fail(struct grpc_websocket *gw)
{
    bool mid_frame = gw->call && call_reply_mid_frame(gw->call);
    give_up(gw);
    finish(gw, &gw->failure, NULL, mid_frame);
}

/* --- the call's events --- */

static void on_call_headers(void *arg, const struct metadata *headers)
{
    send_headers(arg, headers);
}

static void on_call_frames(void *arg, struct slice bytes)
{
    struct grpc_websocket *gw = arg;
    if (!send_message(gw, bytes))
        call_pause(gw->call);
}

static void resume_upload(struct grpc_websocket *gw)
{
    if (!gw->call_full && !gw->pong_waits)
        exchange_resume_upload(gw->ex);
}

static void on_call_writable(void *arg)
{
    struct grpc_websocket *gw = arg;
    gw->call_full = false;
    resume_upload(gw);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    struct grpc_websocket *gw = arg;
    uint64_t upstream_us = call_upstream_us(gw->call);
    bool mid_frame = call_reply_mid_frame(gw->call);
    gw->call = NULL;
    gw->call_full = false;
    request_metadata_outcome(gw->ex, st, upstream_us);
    finish(gw, st, trailers, mid_frame);
    resume_upload(gw); /* the client's Close is still to come */
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_frames = on_call_frames,
    .on_writable = on_call_writable,
    .on_status = on_call_status,
};

/* --- the first message --- */

/* "application/grpc-web", "+proto" or "+json"; without one "+proto" is meant. */
static bool read_content_type(struct grpc_websocket *gw, struct slice type)
{
    struct slice name = slice_trim(slice_cut(&type, ';'));
    gw->format = SLICE("proto");
    if (name.len == 0 || slice_equal_ignore_case(name, SLICE("application/grpc-web")) ||
        slice_equal_ignore_case(name, SLICE("application/grpc-web+proto")))
        return true;
    gw->format = SLICE("json");
    if (slice_equal_ignore_case(name, SLICE("application/grpc-web+json")))
        return true;
    status_set(&gw->failure, STATUS_UNIMPLEMENTED,
               "content type \"%.*s\" is not supported here: use application/grpc-web+proto",
               name.len > 80 ? 80 : (int)name.len, (const char *)name.data);
    return false;
}

static bool read_encoding(struct grpc_websocket *gw, const struct metadata *fields)
{
    struct slice encoding = metadata_get(fields, SLICE("grpc-encoding"));
    gw->upload.encoding = compression_parse(encoding);
    gw->accept_gzip = compression_accepts_gzip(metadata_get(fields, SLICE("grpc-accept-encoding")));
    if (gw->upload.encoding != COMPRESSION_UNKNOWN)
        return true;
    status_set(&gw->failure, STATUS_UNIMPLEMENTED,
               "grpc-encoding \"%.*s\" is not supported: use one of " COMPRESSION_ACCEPT,
               encoding.len > 40 ? 40 : (int)encoding.len, (const char *)encoding.data);
    return false;
}

static void look_up(struct grpc_websocket *gw, struct slice path)
{
    const struct schema *schema = exchange_context(gw->ex)->schema;
    const struct method *method = schema ? schema_method(schema, path) : NULL;
    gw->upload.one_request = method && !method->client_streaming;
    exchange_outcome(gw->ex)->upstream = method ? method->upstream : 0;
}

/* The first message is complete: starts the call.  False with gw->failure. */
static bool start_call(struct grpc_websocket *gw)
{
    struct context *ctx = exchange_context(gw->ex);
    struct slice text = arena_copy(exchange_arena(gw->ex), buf_slice(&gw->first));
    struct metadata fields, md;
    buf_reset(&gw->first, 0);
    if (!websocket_metadata_collect(gw->ex, text, &fields, &gw->failure))
        return false;
    struct call_request request = {
        .path = exchange_request(gw->ex)->path,
        .metadata = &md,
        .max_reply_len = ctx->config->limits.max_reply_bytes,
    };
    if (!read_content_type(gw, metadata_get(&fields, SLICE("content-type"))) ||
        !read_encoding(gw, &fields) ||
        !request_metadata_collect_from(gw->ex, &fields, &md, &gw->failure) ||
        !request_metadata_deadline_from(gw->ex, &fields, &request.deadline_ms, &gw->failure))
        return false;
    request.encoding = gw->upload.encoding == COMPRESSION_GZIP ? SLICE("gzip") : SLICE("");
    request.accept_gzip = gw->accept_gzip;
    request.format = gw->format;
    look_up(gw, request.path);
    gw->call = call_start(exchange_upstream(gw->ex), &request, &call_events, gw);
    if (!gw->call)
        status_set(&gw->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return gw->call != NULL;
}

static void take_metadata(struct grpc_websocket *gw, struct slice bytes, bool end)
{
    bool ok = buf_append_slice(&gw->first, bytes) == 0;
    if (!ok)
        status_set(&gw->failure, STATUS_RESOURCE_EXHAUSTED,
                   "request metadata is larger than %zu bytes", limits_of(gw)->max_header_bytes);
    else if (end)
        ok = start_call(gw);
    if (!ok)
        fail(gw);
    else if (end)
        gw->phase = PHASE_OPEN;
}

/* --- the WebSocket's events --- */

static void bad_message(struct grpc_websocket *gw, const char *what)
{
    status_set(&gw->failure, STATUS_INTERNAL, "%s", what);
    fail(gw);
}

static void take_frames(struct grpc_websocket *gw, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    if (gw->phase == PHASE_HALF_CLOSED || gw->half_close) {
        bad_message(gw, "a message follows the half close");
    } else if (buf_append_slice(&gw->pending, bytes) < 0) {
        status_set(&gw->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        fail(gw);
    }
}

static void on_data(void *arg, struct slice bytes, bool start, bool end)
{
    struct grpc_websocket *gw = arg;
    if (gw->phase == PHASE_FINISHED)
        return;
    if (gw->phase == PHASE_METADATA) {
        take_metadata(gw, bytes, end);
        return;
    }
    if (start)
        gw->kind_known = false;
    if (!gw->kind_known && bytes.len > 0) {
        gw->kind = bytes.data[0];
        gw->kind_known = true;
        bytes = slice_skip(bytes, 1);
    }
    if ((end && !gw->kind_known) || (gw->kind_known && gw->kind > 1))
        bad_message(gw, "a message must begin with byte 0x00 (frames) or 0x01 (half close)");
    else if (gw->kind_known && gw->kind == 1 && bytes.len > 0)
        bad_message(gw, "the half close is a message of one byte");
    else if (gw->kind_known && gw->kind == 0)
        take_frames(gw, bytes);
    else if (end)
        gw->half_close = gw->phase == PHASE_OPEN;
}

static bool on_write(void *arg, struct slice bytes)
{
    struct grpc_websocket *gw = arg;
    return exchange_write(gw->ex, bytes);
}

/* Ends the call with gw->failure; Close is still to be sent. */
static void fail_before_close(struct grpc_websocket *gw, bool tell)
{
    bool mid_frame = gw->call && call_reply_mid_frame(gw->call);
    give_up(gw);
    gw->phase = PHASE_FINISHED;
    if (tell && !mid_frame)
        send_trailers(gw, &gw->failure, NULL);
}

/* Only a message that is too large deserves a status: its sender speaks the protocol. */
static void on_fail(void *arg, enum websocket_code code, const char *reason)
{
    struct grpc_websocket *gw = arg;
    if (gw->phase == PHASE_FINISHED)
        return;
    status_set(&gw->failure,
               code == WEBSOCKET_TOO_BIG ? STATUS_RESOURCE_EXHAUSTED : STATUS_INTERNAL, "%s",
               reason);
    fail_before_close(gw, code == WEBSOCKET_TOO_BIG);
}

static void on_close(void *arg, uint16_t code)
{
    (void)code;
    abandon(arg, "the client closed the WebSocket");
}

static const struct websocket_events websocket_events = {
    .write = on_write,
    .on_data = on_data,
    .on_fail = on_fail,
    .on_close = on_close,
};

/* --- time limits --- */

/* A client that is silent is pinged; one that does not answer is gone. */
static void check_silence(struct grpc_websocket *gw)
{
    uint64_t limit = limits_of(gw)->stall_timeout_ms, now = now_of(gw);
    if (gw->call_full || gw->pong_waits || gw->output_full) {
        gw->heard_ms = now;
        gw->pinged = false;
    }
    if (now - gw->heard_ms >= limit) {
        if (gw->pinged) {
            abandon(gw, "the client does not answer pings");
            exchange_abort(gw->ex);
            return;
        }
        gw->output_full = !websocket_ping(&gw->ws);
        gw->pinged = true;
        gw->heard_ms = now;
    }
    set_timer(gw, gw->heard_ms + limit - now);
}

static void on_timer(void *arg)
{
    struct grpc_websocket *gw = arg;
    switch (gw->phase) {
    case PHASE_METADATA:
        status_set(&gw->failure, STATUS_CANCELLED, "no metadata came in time");
        give_up(gw);
        gw->phase = PHASE_FINISHED;
        websocket_close(&gw->ws, WEBSOCKET_POLICY_VIOLATION, "no metadata came in time");
        end(gw);
        break;
    case PHASE_OPEN:
    case PHASE_HALF_CLOSED:
        check_silence(gw);
        break;
    case PHASE_FINISHED:
        end(gw); /* the client owes its Close */
        break;
    }
}

/* --- the exchange --- */

static bool grpc_websocket_matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)ctx;
    return websocket_handshake_asked(req);
}

static void refuse(struct exchange *ex, const struct websocket_handshake *shake)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(ex), 1024);
    metadata_add_borrowed(&head, SLICE("content-type"), SLICE("text/plain; charset=utf-8"));
    if (shake->http_status == 426)
        metadata_add_borrowed(&head, SLICE("sec-websocket-version"), SLICE("13"));
    exchange_head(ex, shake->http_status, &head);
    exchange_write(ex, slice_from_string(shake->reason));
    exchange_write(ex, SLICE("\n"));
    exchange_end(ex);
}

static void upgrade(struct exchange *ex, const struct websocket_handshake *shake)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(ex), 1024);
    metadata_add_borrowed(&head, SLICE("sec-websocket-accept"),
                          slice_from(shake->accept, sizeof shake->accept));
    metadata_add_borrowed(&head, SLICE("sec-websocket-protocol"), SLICE(WEBSOCKET_SUBPROTOCOL));
    exchange_upgrade(ex, SLICE("websocket"), &head);
}

static void *grpc_websocket_open(struct exchange *ex)
{
    struct websocket_handshake shake = websocket_handshake_judge(exchange_request(ex));
    if (shake.http_status != 101) {
        refuse(ex, &shake);
        return NULL;
    }
    const struct config_limits *limits = &exchange_context(ex)->config->limits;
    struct grpc_websocket *gw = exchange_alloc(ex, sizeof *gw);
    if (gw)
        *gw = (struct grpc_websocket){.ex = ex, .timer = {.on_expire = on_timer, .arg = gw}};
    /* Around the largest message: the kind and the prefix of its frame. */
    if (!gw || websocket_init(&gw->ws, &websocket_events, gw,
                              limits->max_message_bytes + 1 + FRAME_PREFIX_LEN) < 0) {
        exchange_abort(ex);
        return NULL;
    }
    buf_init(&gw->first, limits->max_header_bytes);
    buf_init(&gw->pending, limits->max_message_bytes + SLACK);
    frames_upload_init(&gw->upload, limits->max_message_bytes, COMPRESSION_IDENTITY);
    upgrade(ex, &shake);
    exchange_outcome(ex)->rpc = exchange_request(ex)->path;
    gw->heard_ms = now_of(gw);
    set_timer(gw, limits->header_timeout_ms);
    return gw;
}

/* What a feed collected goes upstream in one piece. */
static bool pass_pending(struct grpc_websocket *gw)
{
    enum frames_upload_result passed = FRAMES_UPLOAD_ROOM;
    if (buf_len(&gw->pending) > 0)
        passed = frames_upload_pass(&gw->upload, gw->call, buf_slice(&gw->pending), &gw->failure);
    gw->call_full = passed == FRAMES_UPLOAD_FULL;
    if (passed == FRAMES_UPLOAD_FAILED)
        return false;
    if (!gw->half_close)
        return true;
    gw->half_close = false;
    gw->phase = PHASE_HALF_CLOSED;
    if (!frames_upload_end(&gw->upload, &gw->failure))
        return false;
    call_half_close(gw->call);
    return true;
}

static void grpc_websocket_on_body(struct exchange *ex, void *state, struct slice data)
{
    struct grpc_websocket *gw = state;
    enum phase before = gw->phase;
    gw->heard_ms = now_of(gw);
    gw->pinged = false;
    gw->pong_waits = !websocket_feed(&gw->ws, data);
    if (gw->call && !pass_pending(gw))
        fail(gw);
    buf_reset(&gw->pending, KEEP);
    if (gw->ws.read_over)
        end(gw);
    else if (gw->call_full || gw->pong_waits)
        exchange_pause_upload(ex);
    if (before == PHASE_METADATA && gw->call)
        set_timer(gw, limits_of(gw)->stall_timeout_ms);
}

static void grpc_websocket_on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct grpc_websocket *gw = state;
    gw->output_full = gw->pong_waits = false;
    resume_upload(gw);
    if (gw->call)
        call_resume(gw->call);
}

/* The front fails a WebSocket only when the gateway goes away (RFC 6455 section 7.4.1). */
static void grpc_websocket_on_fail(struct exchange *ex, void *state, const struct status *st)
{
    (void)ex;
    struct grpc_websocket *gw = state;
    if (gw->phase != PHASE_FINISHED) {
        gw->failure = *st;
        fail_before_close(gw, true);
        websocket_close(&gw->ws, WEBSOCKET_GOING_AWAY, st->text);
    }
    end(gw);
}

static void grpc_websocket_close(struct exchange *ex, void *state)
{
    struct grpc_websocket *gw = state;
    if (!gw)
        return;
    abandon(gw, "the client went away");
    loop_timer_cancel(exchange_context(ex)->loop, &gw->timer);
    websocket_fini(&gw->ws);
    frames_upload_fini(&gw->upload);
    buf_fini(&gw->first);
    buf_fini(&gw->pending);
}

const struct protocol protocol_websocket = {
    .name = "websocket",
    .matches = grpc_websocket_matches,
    .open = grpc_websocket_open,
    .on_body = grpc_websocket_on_body,
    .on_writable = grpc_websocket_on_writable,
    .on_fail = grpc_websocket_on_fail,
    .close = grpc_websocket_close,
};
