/* rig: the calculator's calls against a real HTTP/2 client session, back to back in memory: no
 * socket, no thread, and a clock that tests set.  It defines the loop functions that server_call
 * needs, so that base/loop.c is not linked. */
#pragma once
#include "unit/cmocka_all.h"

#include "backend/server_call.h"
#include "base/text.h"
#include "grpc/frame.h"
#include "grpc/proto_unpack.h"

#include <stdio.h>
#include <stdlib.h>

struct loop {
    struct timers timers;
    struct list hooks;
    uint64_t now_ms;
};

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_ms * 1000;
}

void loop_timer_set(struct loop *loop, struct timer *t, uint64_t at_ms)
{
    assert_int_equal(timers_set(&loop->timers, t, at_ms), 0);
}

void loop_timer_cancel(struct loop *loop, struct timer *t)
{
    timers_cancel(&loop->timers, t);
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    list_append(&loop->hooks, &hook->node);
}

void loop_hook_remove(struct loop_hook *hook)
{
    list_remove(&hook->node);
}

struct rig {
    struct loop loop;
    struct server_call_pool pool;
    struct h2_session *client, *server;
};

/* A call as its client sees it. */
struct rig_call {
    struct rig *rig;
    struct h2_stream *stream;
    bool stalled; /* the client does not give window back */
    struct buf body;
    bool has_headers, trailers_only, closed;
    uint32_t error_code; /* of the stream, once closed */
    char http_status[8], status[8], message[512], details[1024], encoding[32], accept[64];
    char echo_initial[64], echo_trailing[64], content_type[64];
};

static inline void rig_on_request(void *arg, struct h2_stream *stream,
                                  const struct metadata *headers, bool end)
{
    struct rig *rig = arg;
    server_call_start(&rig->pool, stream, headers, end);
}

static inline void rig_open(struct rig *rig)
{
    static const struct h2_session_events server_events = {.on_request = rig_on_request};
    static const struct h2_session_events client_events = {.on_request = NULL};
    memset(rig, 0, sizeof *rig);
    timers_init(&rig->loop.timers);
    list_init(&rig->loop.hooks);
    rig->loop.now_ms = 1000000;
    server_call_pool_init(&rig->pool, &rig->loop, NULL);
    rig->server = h2_session_new(H2_SERVER, &h2_session_config_default, &server_events, rig);
    rig->client = h2_session_new(H2_CLIENT, &h2_session_config_default, &client_events, rig);
    assert_non_null(rig->server);
    assert_non_null(rig->client);
}

/* Ends both sessions; nothing may be left behind. */
static inline void rig_close(struct rig *rig)
{
    h2_session_free(rig->client);
    h2_session_free(rig->server);
    assert_int_equal(rig->pool.live_len, 0);
    assert_true(list_empty(&rig->pool.live));
    assert_true(list_empty(&rig->pool.runnable));
    assert_int_equal(rig->loop.timers.len, 0);
    server_call_pool_fini(&rig->pool);
    timers_fini(&rig->loop.timers);
}

static inline bool rig_move(struct rig *rig, struct h2_session *from, struct h2_session *to)
{
    struct buf out;
    struct status why;
    buf_init(&out, 64 << 20);
    h2_session_output(from, &out, 1 << 20);
    size_t len = buf_len(&out);
    if (len > 0)
        assert_true(h2_session_input(to, buf_slice(&out), rig->loop.now_ms, &why));
    buf_fini(&out);
    return len > 0;
}

/* Turns until neither side has anything to say and no call is runnable. */
static inline void rig_turn(struct rig *rig)
{
    bool busy = true;
    while (busy) {
        timers_run(&rig->loop.timers, rig->loop.now_ms);
        int wait = rig->pool.hook.on_turn_end(rig->pool.hook.arg);
        bool sent = rig_move(rig, rig->client, rig->server);
        bool answered = rig_move(rig, rig->server, rig->client);
        busy = sent || answered || wait == 0;
    }
}

static inline void rig_advance(struct rig *rig, uint64_t ms)
{
    rig->loop.now_ms += ms;
    rig_turn(rig);
}

static inline void rig_keep(char *to, size_t size, const struct metadata *md, const char *name)
{
    struct slice value = metadata_get(md, slice_from_string(name));
    if (value.data)
        snprintf(to, size, "%.*s", SLICE_PRINT(value));
}

static inline void rig_take(struct rig_call *call, const struct metadata *md)
{
    rig_keep(call->http_status, sizeof call->http_status, md, ":status");
    rig_keep(call->content_type, sizeof call->content_type, md, "content-type");
    rig_keep(call->status, sizeof call->status, md, "grpc-status");
    rig_keep(call->message, sizeof call->message, md, "grpc-message");
    rig_keep(call->details, sizeof call->details, md, "grpc-status-details-bin");
    rig_keep(call->encoding, sizeof call->encoding, md, "grpc-encoding");
    rig_keep(call->accept, sizeof call->accept, md, "grpc-accept-encoding");
    rig_keep(call->echo_initial, sizeof call->echo_initial, md, "x-grpc-test-echo-initial");
    rig_keep(call->echo_trailing, sizeof call->echo_trailing, md, "x-grpc-test-echo-trailing-bin");
}

static inline void rig_on_headers(void *arg, const struct metadata *headers, bool end)
{
    struct rig_call *call = arg;
    assert_false(call->has_headers);
    call->has_headers = true;
    call->trailers_only = end;
    rig_take(call, headers);
}

static inline void rig_on_data(void *arg, struct slice data)
{
    struct rig_call *call = arg;
    assert_int_equal(buf_append_slice(&call->body, data), 0);
    if (!call->stalled)
        h2_stream_consume(call->stream, data.len);
}

static inline void rig_on_end(void *arg, const struct metadata *trailers)
{
    if (trailers)
        rig_take(arg, trailers);
}

static inline void rig_on_close(void *arg, uint32_t error_code)
{
    struct rig_call *call = arg;
    assert_false(call->closed);
    call->closed = true;
    call->error_code = error_code;
    call->stream = NULL;
}

enum { RIG_MAX_BODY = 256 << 20 };

/* Extra headers: name, value, ..., NULL; a name that is there already is replaced. */
static inline void rig_start(struct rig *rig, struct rig_call *call, const char *path,
                             const char *const *extra)
{
    static const struct h2_stream_events events = {.on_headers = rig_on_headers,
                                                   .on_data = rig_on_data,
                                                   .on_end = rig_on_end,
                                                   .on_close = rig_on_close};
    static const char *const base[] = {":method", "POST",     ":scheme",      "http",
                                       ":path",   NULL,       ":authority",   "test",
                                       "te",      "trailers", "content-type", "application/grpc"};
    struct arena arena;
    struct metadata md;
    *call = (struct rig_call){.rig = rig};
    buf_init(&call->body, RIG_MAX_BODY);
    arena_init(&arena, NULL, 0, 1 << 20);
    metadata_init(&md, &arena, 1 << 20);
    for (size_t i = 0; i < sizeof base / sizeof *base; i += 2) {
        const char *value = base[i + 1] ? base[i + 1] : path;
        for (const char *const *e = extra; e && *e; e += 2)
            if (strcmp(e[0], base[i]) == 0)
                value = e[1];
        metadata_add(&md, slice_from_string(base[i]), slice_from_string(value));
    }
    for (const char *const *e = extra; e && *e; e += 2)
        if (!metadata_get(&md, slice_from_string(e[0])).data)
            metadata_add(&md, slice_from_string(e[0]), slice_from_string(e[1]));
    call->stream = h2_session_request(rig->client, &md, false);
    assert_non_null(call->stream);
    h2_stream_set_events(call->stream, &events, call);
    arena_fini(&arena);
}

static inline void rig_send_frame(struct rig_call *call, uint8_t flags, struct slice payload)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, flags, (uint32_t)payload.len);
    h2_stream_write2(call->stream, slice_from(prefix, sizeof prefix), payload);
}

static inline void rig_send(struct rig_call *call, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    protobuf_c_message_pack(message, packed);
    rig_send_frame(call, 0, slice_from(packed, len));
    free(packed);
}

static inline void rig_half_close(struct rig_call *call)
{
    h2_stream_end(call->stream);
}

/* A whole call with one request message. */
static inline void rig_call(struct rig *rig, struct rig_call *call, const char *path,
                            const ProtobufCMessage *request)
{
    rig_start(rig, call, path, NULL);
    rig_send(call, request);
    rig_half_close(call);
    rig_turn(rig);
}

/* The next uncompressed reply, to be freed by protobuf_c_message_free_unpacked(); NULL when there
 * is none. */
static inline void *rig_reply(struct rig_call *call, const ProtobufCMessageDescriptor *type)
{
    struct status st;
    struct slice body = buf_slice(&call->body);
    if (body.len < FRAME_PREFIX_LEN)
        return NULL;
    size_t len = (size_t)body.data[1] << 24 | (size_t)body.data[2] << 16 |
                 (size_t)body.data[3] << 8 | body.data[4];
    assert_int_equal(body.data[0], 0);
    if (body.len < FRAME_PREFIX_LEN + len)
        return NULL;
    void *reply = proto_unpack(type, slice_first(slice_skip(body, FRAME_PREFIX_LEN), len), &st);
    assert_non_null(reply);
    buf_consume(&call->body, FRAME_PREFIX_LEN + len);
    return reply;
}

static inline void rig_free_reply(void *reply)
{
    protobuf_c_message_free_unpacked(reply, NULL);
}

/* The call has ended with this status and every reply has been looked at. */
static inline void rig_end(struct rig_call *call, enum status_code code)
{
    char expected[8];
    snprintf(expected, sizeof expected, "%d", (int)code);
    assert_string_equal(call->status, expected);
    assert_string_equal(call->http_status, "200");
    assert_string_equal(call->content_type, "application/grpc");
    assert_true(call->closed);
    assert_int_equal(call->error_code, H2_NO_ERROR);
    assert_int_equal(buf_len(&call->body), 0);
    assert_int_equal(call->rig->pool.live_len, 0);
    buf_fini(&call->body);
}
