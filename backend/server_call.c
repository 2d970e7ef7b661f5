#include "backend/server_call.h"

#include "backend/error_details.h"
#include "backend/request_head.h"
#include "backend/response.h"
#include "grpc/compression.h"
#include "grpc/frame.h"
#include "grpc/proto_unpack.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CALL_ROOM = 512,                   /* arena bytes inside the call: enough for small requests */
    CALL_MAX_ARENA = 64 * 1024 * 1024, /* a decoded request of 4 MiB in its worst shape fits */
    MAX_PENDING = 8 * 1024 * 1024,     /* unread request bytes; the stream window is smaller */
    MAX_IDLE_CALLS = 256,
    KEEP_INFLATED = 256 * 1024,
};

enum request_half { REQUEST_OPEN, REQUEST_ENDED, REQUEST_HANDLED };

struct server_call {
    struct list node; /* in the pool's live or idle list */
    struct list runnable;
    struct server_call_pool *pool;
    struct h2_stream *stream;
    const struct service *service; /* NULL: not known */
    const struct method *method;   /* NULL: the call has failed at its headers */
    enum request_half request_half;
    struct response response;
    bool full;     /* the send queue is full: nothing is produced and nothing taken in */
    bool yielded;  /* in the pool's runnable list */
    bool stepping; /* the request is complete enough for step() to run */
    enum compression encoding; /* of the requests */
    uint64_t requests;         /* messages so far */
    uint64_t start_us;
    struct frame_reader reader;
    struct buf pending;              /* bytes that came while full */
    const ProtobufCMessage *request; /* the one message of a call whose client does not stream */
    void *state;
    struct timer deadline, sleep;
    struct arena arena;
    max_align_t room[CALL_ROOM / sizeof(max_align_t)];
};

static void server_call_run(struct server_call *call);

static bool client_streams(const struct server_call *call)
{
    return call->method->kind == METHOD_CLIENT_STREAM || call->method->kind == METHOD_BIDI_STREAM;
}

/* ---- the response ---- */

static bool call_ended(const struct server_call *call)
{
    return call->response.phase == RESPONSE_ENDED;
}

/* No handler runs any more. */
static void call_stop(struct server_call *call)
{
    loop_timer_cancel(call->pool->loop, &call->deadline);
    loop_timer_cancel(call->pool->loop, &call->sleep);
    list_remove(&call->runnable);
    buf_fini(&call->pending);
}

static void call_end(struct server_call *call, const struct status *status)
{
    if (call_ended(call))
        return;
    response_end(&call->response, status);
    call_stop(call);
    /* What the client still sends is of no use (RFC 9113 section 8.1). */
    if (call->request_half == REQUEST_OPEN)
        h2_stream_reset(call->stream, H2_NO_ERROR);
}

void server_call_fail(struct server_call *call, const struct status *status)
{
    assert(status->code != STATUS_OK);
    call_end(call, status);
}

void server_call_fail_field(struct server_call *call, const char *field, const char *format, ...)
{
    char text[STATUS_TEXT_LEN];
    struct status st;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    status_set(&st, STATUS_INVALID_ARGUMENT, "%s", text);
    st.details = error_details_bad_request(&st, field, &call->arena);
    server_call_fail(call, &st);
}

void server_call_finish(struct server_call *call)
{
    struct status ok;
    status_ok(&ok);
    call_end(call, &ok);
}

/* Room for a reply of len bytes; NULL: the call has failed. */
static uint8_t *reply_room(struct server_call *call, size_t len)
{
    uint8_t *at = response_room(&call->response, len);
    if (!at) {
        struct status st;
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "no room for a reply of %zu bytes", len);
        server_call_fail(call, &st);
    }
    return at;
}

static bool reply_send(struct server_call *call, uint8_t *at, size_t len)
{
    call->full = !response_send(&call->response, at, len);
    return !call->full;
}

bool server_call_reply(struct server_call *call, const ProtobufCMessage *reply)
{
    size_t len = protobuf_c_message_get_packed_size(reply);
    uint8_t *at = reply_room(call, len);
    if (!at)
        return false;
    protobuf_c_message_pack(reply, at);
    return reply_send(call, at, len);
}

bool server_call_reply_encoded(struct server_call *call, struct slice message)
{
    uint8_t *at = reply_room(call, message.len);
    if (!at)
        return false;
    if (message.len)
        memcpy(at, message.data, message.len);
    return reply_send(call, at, message.len);
}

void server_call_answer(struct server_call *call, const ProtobufCMessage *reply)
{
    server_call_reply(call, reply);
    server_call_finish(call);
}

/* ---- running ---- */

void *server_call_state(struct server_call *call)
{
    return call->state;
}

struct arena *server_call_arena(struct server_call *call)
{
    return &call->arena;
}

bool server_call_draining(const struct server_call *call)
{
    return call->pool->draining;
}

static void on_sleep_over(void *arg)
{
    server_call_run(arg);
}

void server_call_sleep(struct server_call *call, uint64_t ms)
{
    if (ms > 0 && !call_ended(call))
        loop_timer_set(call->pool->loop, &call->sleep, loop_now_ms(call->pool->loop) + ms);
}

void server_call_yield(struct server_call *call)
{
    if (call_ended(call))
        return;
    call->yielded = true;
    list_append(&call->pool->runnable, &call->runnable);
}

static void server_call_run(struct server_call *call)
{
    while (call->stepping && !call_ended(call) && !call->full && !call->yielded &&
           !call->sleep.place)
        call->method->step(call);
}

/* Gives every call that yielded one turn; those that yield again wait for the next. */
static int on_turn_end(void *arg)
{
    struct server_call_pool *pool = arg;
    struct list now;
    list_init(&now);
    while (!list_empty(&pool->runnable)) {
        struct list *node = pool->runnable.next;
        list_remove(node);
        list_append(&now, node);
    }
    while (!list_empty(&now)) {
        struct server_call *call = LIST_ENTRY(now.next, struct server_call, runnable);
        list_remove(&call->runnable);
        call->yielded = false;
        server_call_run(call);
    }
    return list_empty(&pool->runnable) ? -1 : 0;
}

/* ---- the request ---- */

static void fail_frame(struct server_call *call, enum frame_result result,
                       const struct frame *frame)
{
    struct status st;
    if (result == FRAME_TOO_LARGE)
        status_set(&st, STATUS_RESOURCE_EXHAUSTED,
                   "request message of %zu bytes is larger than the limit of %d bytes",
                   frame->payload.len, SERVER_CALL_MAX_MESSAGE);
    else if (result == FRAME_BAD_FLAGS)
        status_set(&st, STATUS_INTERNAL, "request message has the unknown flags 0x%02x",
                   frame->flags);
    else
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "no memory for a request message");
    server_call_fail(call, &st);
}

/* The message without compression; false with *st filled. */
static bool inflate_frame(struct server_call *call, struct frame *frame, struct status *st)
{
    if (!(frame->flags & FRAME_COMPRESSED))
        return true;
    if (call->encoding != COMPRESSION_GZIP) {
        status_set(st, STATUS_INTERNAL,
                   "request message is flagged as compressed, but there is no grpc-encoding");
        return false;
    }
    struct buf *inflated = &call->pool->inflated;
    buf_reset(inflated, KEEP_INFLATED);
    bool ok = compression_inflate(frame->payload, inflated, st);
    frame->payload = buf_slice(inflated);
    return ok;
}

static void on_single_message(struct server_call *call, struct slice payload)
{
    struct status st;
    call->request = proto_unpack_in(call->method->request, payload, &call->arena, &st);
    if (!call->request)
        server_call_fail(call, &st);
}

static void on_streamed_message(struct server_call *call, struct slice payload)
{
    struct status st;
    struct arena *arena = &call->pool->messages;
    const ProtobufCMessage *m = proto_unpack_in(call->method->request, payload, arena, &st);
    if (m)
        call->method->on_message(call, m);
    else
        server_call_fail(call, &st);
    arena_fini(arena);
}

static void on_frame(struct server_call *call, struct frame *frame)
{
    struct status st;
    call->requests++;
    if (call->requests > 1 && !client_streams(call)) {
        status_set(&st, STATUS_UNIMPLEMENTED, "%s takes exactly one request message",
                   call->method->name);
        server_call_fail(call, &st);
    } else if (!inflate_frame(call, frame, &st)) {
        server_call_fail(call, &st);
    } else if (client_streams(call)) {
        on_streamed_message(call, frame->payload);
    } else {
        on_single_message(call, frame->payload);
    }
}

/* Handles the messages in `input` until the send queue is full; returns what is left.  The stream's
 * window is given back for what was taken only. */
static struct slice feed(struct server_call *call, struct slice input)
{
    size_t len = input.len;
    while (!call_ended(call) && !call->full) {
        struct frame frame;
        enum frame_result result = frame_reader_next(&call->reader, &input, &frame);
        if (result == FRAME_NEED_MORE)
            break;
        if (result == FRAME_READY)
            on_frame(call, &frame);
        else
            fail_frame(call, result, &frame);
    }
    if (call_ended(call))
        input = slice_skip(input, input.len);
    h2_stream_consume(call->stream, len - input.len);
    return input;
}

/* Everything the client sent has been taken in. */
static void handle_request_end(struct server_call *call)
{
    struct status st;
    call->request_half = REQUEST_HANDLED;
    if (call_ended(call))
        return;
    if (frame_reader_mid_frame(&call->reader)) {
        status_set(&st, STATUS_INTERNAL, "request ends in the middle of a message");
        server_call_fail(call, &st);
    } else if (client_streams(call)) {
        call->method->on_half_close(call);
    } else if (!call->request) {
        status_set(&st, STATUS_UNIMPLEMENTED, "%s takes exactly one request message, not none",
                   call->method->name);
        server_call_fail(call, &st);
    } else {
        call->method->on_message(call, call->request);
        call->stepping = call->method->step != NULL;
        server_call_run(call);
    }
}

static void on_data(void *arg, struct slice data)
{
    struct server_call *call = arg;
    if (call_ended(call)) {
        h2_stream_consume(call->stream, data.len);
        return;
    }
    struct slice rest = buf_len(&call->pending) ? data : feed(call, data);
    if (rest.len > 0 && buf_append_slice(&call->pending, rest) < 0) {
        struct status st;
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "no memory for the request");
        server_call_fail(call, &st);
    }
}

static void on_end(void *arg, const struct metadata *trailers)
{
    struct server_call *call = arg;
    (void)trailers;
    assert(call->request_half == REQUEST_OPEN);
    call->request_half = REQUEST_ENDED;
    if (buf_len(&call->pending) == 0)
        handle_request_end(call);
}

static void on_writable(void *arg)
{
    struct server_call *call = arg;
    call->full = false;
    if (call_ended(call))
        return;
    if (buf_len(&call->pending) > 0) {
        struct slice rest = feed(call, buf_slice(&call->pending));
        if (call_ended(call))
            return;
        buf_consume(&call->pending, buf_len(&call->pending) - rest.len);
        if (rest.len == 0 && call->request_half == REQUEST_ENDED)
            handle_request_end(call);
    }
    server_call_run(call);
}

static void log_call(struct server_call *call, uint32_t error_code)
{
    struct log *log = call->pool->log;
    if (!log || !log_begin(log, LOG_LEVEL_INFO, "call"))
        return;
    log_text(log, "service", call->service ? call->service->name : "");
    log_text(log, "method", call->method ? call->method->name : "");
    if (call_ended(call) && error_code == H2_NO_ERROR)
        log_text(log, "status", status_name(call->response.status));
    else
        log_text(log, "status", status_name(status_from_h2_error(error_code)));
    log_uint(log, "requests", call->requests);
    log_uint(log, "replies", call->response.messages);
    log_duration_us(log, "duration_ms", loop_now_us(call->pool->loop) - call->start_us);
    log_end(log);
}

static void on_close(void *arg, uint32_t error_code)
{
    struct server_call *call = arg;
    struct server_call_pool *pool = call->pool;
    log_call(call, error_code);
    response_abandon(&call->response);
    call_stop(call);
    frame_reader_fini(&call->reader);
    arena_fini(&call->arena);
    list_remove(&call->node);
    pool->live_len--;
    if (pool->idle_len == MAX_IDLE_CALLS) {
        free(call);
        return;
    }
    pool->idle_len++;
    list_append(&pool->idle, &call->node);
}

static const struct h2_stream_events stream_events = {
    .on_data = on_data, .on_end = on_end, .on_writable = on_writable, .on_close = on_close};

/* ---- the start ---- */

static struct server_call *server_call_new(struct server_call_pool *pool)
{
    struct server_call *call;
    if (list_empty(&pool->idle)) {
        call = malloc(sizeof *call);
        if (!call)
            return NULL;
    } else {
        call = LIST_ENTRY(pool->idle.prev, struct server_call, node);
        list_remove(&call->node);
        pool->idle_len--;
    }
    memset(call, 0, offsetof(struct server_call, room));
    call->pool = pool;
    call->start_us = loop_now_us(pool->loop);
    list_init(&call->runnable);
    list_append(&pool->live, &call->node);
    pool->live_len++;
    call->response.arena = &call->arena;
    call->response.scratch = &pool->scratch;
    arena_init(&call->arena, call->room, sizeof call->room, CALL_MAX_ARENA);
    frame_reader_init(&call->reader, FRAME_COMPRESSED, SERVER_CALL_MAX_MESSAGE);
    buf_init(&call->pending, MAX_PENDING);
    return call;
}

static void on_deadline(void *arg)
{
    struct status st;
    status_set(&st, STATUS_DEADLINE_EXCEEDED, "the deadline of the call has passed");
    server_call_fail(arg, &st);
}

/* Takes over what the head says; false with *st filled. */
static bool server_call_open(struct server_call *call, struct request_head *head, struct status *st)
{
    struct loop *loop = call->pool->loop;
    struct response *r = &call->response;
    bool ok = request_head_check(head, st);
    call->service = head->service;
    call->method = head->method;
    call->encoding = head->encoding;
    r->names_codings = head->encoding == COMPRESSION_UNKNOWN;
    if (head->echo_initial.data)
        r->echo_initial = arena_copy(&call->arena, head->echo_initial);
    if (head->echo_trailing.data)
        r->echo_trailing = arena_copy(&call->arena, head->echo_trailing);
    if (!ok)
        return false;
    r->gzip_allowed = head->accepts_gzip && !call->method->raw;
    r->streams = call->method->kind != METHOD_UNARY;
    if (call->method->state_len > 0) {
        call->state = arena_zalloc(&call->arena, call->method->state_len);
        if (!call->state) {
            status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory for the call");
            return false;
        }
    }
    call->sleep = (struct timer){.on_expire = on_sleep_over, .arg = call};
    call->deadline = (struct timer){.on_expire = on_deadline, .arg = call};
    if (head->timeout_us != UINT64_MAX)
        loop_timer_set(loop, &call->deadline, (loop_now_us(loop) + head->timeout_us + 999) / 1000);
    return true;
}

void server_call_start(struct server_call_pool *pool, struct h2_stream *stream,
                       const struct metadata *headers, bool end)
{
    struct status st;
    struct request_head head;
    request_head_read(&head, headers);
    enum request_refusal refusal = request_head_refusal(&head);
    if (refusal != REQUEST_IS_GRPC) {
        response_refuse(stream, refusal);
        return;
    }
    struct server_call *call = server_call_new(pool);
    if (!call) {
        h2_stream_reset(stream, H2_REFUSED_STREAM);
        return;
    }
    call->stream = call->response.stream = stream;
    call->request_half = end ? REQUEST_ENDED : REQUEST_OPEN;
    h2_stream_set_events(stream, &stream_events, call);
    if (!server_call_open(call, &head, &st))
        server_call_fail(call, &st);
    else if (end)
        handle_request_end(call);
}

/* ---- the pool ---- */

void server_call_pool_init(struct server_call_pool *pool, struct loop *loop, struct log *log)
{
    *pool = (struct server_call_pool){
        .loop = loop, .log = log, .hook = {.on_turn_end = on_turn_end, .arg = pool}};
    list_init(&pool->live);
    list_init(&pool->idle);
    list_init(&pool->runnable);
    response_scratch_init(&pool->scratch);
    buf_init(&pool->inflated, SERVER_CALL_MAX_MESSAGE);
    arena_init(&pool->messages, NULL, 0, CALL_MAX_ARENA);
    loop_hook_add(loop, &pool->hook);
}

void server_call_pool_fini(struct server_call_pool *pool)
{
    assert(list_empty(&pool->live));
    loop_hook_remove(&pool->hook);
    LIST_EACH(node, &pool->idle)
    free(LIST_ENTRY(node, struct server_call, node));
    response_scratch_fini(&pool->scratch);
    buf_fini(&pool->inflated);
    arena_fini(&pool->messages);
}

void server_call_pool_drain(struct server_call_pool *pool)
{
    pool->draining = true;
    LIST_EACH(node, &pool->live)
    {
        struct server_call *call = LIST_ENTRY(node, struct server_call, node);
        if (call->method && call->method->on_drain && !call_ended(call))
            call->method->on_drain(call);
    }
}

void server_call_pool_cancel(struct server_call_pool *pool)
{
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "the server is shutting down");
    LIST_EACH(node, &pool->live)
    server_call_fail(LIST_ENTRY(node, struct server_call, node), &st);
}
