/* peer: the other end for tests of upstream/: a listener on loopback in the same loop, served
 * either by an h2_session in server role that follows a script, or as raw bytes for hostile
 * behaviour; and a recorder of a call's events.  Nothing sleeps: the loop is stepped until a
 * condition holds or a bound of turns is reached. */
#pragma once
#include "unit/cmocka_all.h"

#include "gateway/upstream/upstream.h"
#include "grpc/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_MAX = 256, PEER_STEP_MS = 20, PEER_STEPS = 400 };

/* One call's record of events. */
struct heard {
    struct call *call;
    unsigned headers, messages, writable, statuses;
    size_t frame_bytes, message_bytes;
    struct status status;
    char message[300];     /* text of the status */
    char header[64];       /* value of "x-head" in the headers */
    char trailer[64];      /* value of "x-tail" in the trailers */
    char bin[64];          /* value of "x-data-bin" in headers or trailers */
    bool consumed_visible; /* a field came through that should not */
    bool mid_frame;
    uint64_t upstream_us;
    char last[64]; /* the last message */
    bool pause_on_message, cancel_on_message, cancel_on_headers;
    struct buf frames;
};

static inline void copy_text(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_PRINT(from));
}

static inline void heard_fields(struct heard *h, const struct metadata *md)
{
    static const char *const hidden[] = {
        ":status",      "content-type",         "grpc-encoding",          "grpc-status",
        "grpc-message", "grpc-accept-encoding", "grpc-status-details-bin"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (metadata_get(md, slice_from_string(hidden[i])).data)
            h->consumed_visible = true;
    struct slice bin = metadata_get(md, SLICE("x-data-bin"));
    if (bin.data)
        copy_text(h->bin, sizeof h->bin, bin);
}

static inline void heard_headers(void *arg, const struct metadata *headers)
{
    struct heard *h = arg;
    assert_int_equal(h->statuses, 0);
    assert_int_equal(h->messages, 0);
    assert_int_equal(h->headers++, 0);
    heard_fields(h, headers);
    copy_text(h->header, sizeof h->header, metadata_get(headers, SLICE("x-head")));
    if (h->cancel_on_headers)
        call_cancel(h->call);
}

static inline void heard_message(void *arg, struct slice message)
{
    struct heard *h = arg;
    assert_int_equal(h->statuses, 0);
    h->messages++;
    h->message_bytes += message.len;
    copy_text(h->last, sizeof h->last, message);
    if (h->pause_on_message)
        call_pause(h->call);
    if (h->cancel_on_message)
        call_cancel(h->call);
}

static inline void heard_frames(void *arg, struct slice bytes)
{
    struct heard *h = arg;
    assert_int_equal(h->statuses, 0);
    h->frame_bytes += bytes.len;
    if (h->frames.max_len)
        assert_int_equal(buf_append_slice(&h->frames, bytes), 0);
    if (h->pause_on_message)
        call_pause(h->call);
}

static inline void heard_writable(void *arg)
{
    struct heard *h = arg;
    assert_int_equal(h->statuses, 0);
    h->writable++;
}

static inline void heard_status(void *arg, const struct status *status,
                                const struct metadata *trailers)
{
    struct heard *h = arg;
    assert_non_null(trailers);
    assert_int_equal(h->statuses++, 0);
    h->status = *status;
    h->mid_frame = call_reply_mid_frame(h->call);
    h->upstream_us = call_upstream_us(h->call);
    copy_text(h->message, sizeof h->message, status_message(status));
    heard_fields(h, trailers);
    copy_text(h->trailer, sizeof h->trailer, metadata_get(trailers, SLICE("x-tail")));
    call_cancel(h->call); /* too late: must do nothing */
}

__attribute__((unused)) static const struct call_events message_events = {
    .on_headers = heard_headers,
    .on_message = heard_message,
    .on_writable = heard_writable,
    .on_status = heard_status,
};

__attribute__((unused)) static const struct call_events frame_events = {
    .on_headers = heard_headers,
    .on_frames = heard_frames,
    .on_writable = heard_writable,
    .on_status = heard_status,
};

struct peer;

/* One request as the peer's server saw it. */
struct peer_stream {
    struct peer *peer;
    struct h2_stream *stream;
    char path[64], timeout[16], encoding[16], accept[32], agent[64], metadata[64], order[400];
    size_t received;
    bool ended, closed;
    uint32_t error;
};

struct peer {
    struct loop *loop;
    struct h2_conn_set conns;
    struct upstream *up;
    struct target target;
    struct upstream_config config;
    struct metrics metrics;
    struct log *log; /* lines go to /dev/null */
    int log_fd;
    struct h2_session_config session; /* of the server role */
    int listener;
    struct loop_io *accept;
    bool raw,
        hold;    /* raw: connections stay plain descriptors; hold: requests are left unanswered */
    bool refuse; /* every stream is reset with REFUSED_STREAM */
    struct h2_conn *conn[PEER_MAX];
    int fd[PEER_MAX];
    size_t accepted, live;
    struct peer_stream streams[1200];
    size_t streams_len;
    void (*on_request)(struct peer_stream *s, bool end);
    unsigned ready_changes;
};

static inline void peer_data(void *arg, struct slice data)
{
    struct peer_stream *s = arg;
    s->received += data.len;
    h2_stream_consume(s->stream, data.len);
}

/* A unary reply of one message "pong" unless a test's script does something else. */
static inline void peer_answer(struct peer_stream *s)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE(":status"), SLICE("200"));
    metadata_add(&md, SLICE("content-type"), SLICE("application/grpc+proto"));
    metadata_add(&md, SLICE("x-head"), SLICE("head"));
    metadata_add(&md, SLICE("x-data-bin"), SLICE("AAE="));
    h2_stream_respond(s->stream, &md, false);
    h2_stream_write(s->stream, SLICE("\0\0\0\0\4pong"));
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE("grpc-status"), SLICE("0"));
    metadata_add(&md, SLICE("x-tail"), SLICE("tail"));
    h2_stream_trailers(s->stream, &md);
    arena_fini(&arena);
}

static inline void peer_end(void *arg, const struct metadata *trailers)
{
    (void)trailers;
    struct peer_stream *s = arg;
    s->ended = true;
    if (!s->peer->hold)
        peer_answer(s);
}

static inline void peer_close(void *arg, uint32_t error)
{
    struct peer_stream *s = arg;
    s->closed = true;
    s->error = error;
}

static const struct h2_stream_events peer_stream_events = {
    .on_data = peer_data, .on_end = peer_end, .on_close = peer_close};

static inline void peer_request(void *arg, struct h2_stream *stream, const struct metadata *md,
                                bool end)
{
    struct peer *p = arg;
    struct peer_stream *s = &p->streams[p->streams_len++];
    assert_true(p->streams_len < sizeof p->streams / sizeof *p->streams);
    *s = (struct peer_stream){.peer = p, .stream = stream, .ended = end};
    copy_text(s->path, sizeof s->path, metadata_get(md, SLICE(":path")));
    copy_text(s->timeout, sizeof s->timeout, metadata_get(md, SLICE("grpc-timeout")));
    copy_text(s->encoding, sizeof s->encoding, metadata_get(md, SLICE("grpc-encoding")));
    copy_text(s->accept, sizeof s->accept, metadata_get(md, SLICE("grpc-accept-encoding")));
    copy_text(s->agent, sizeof s->agent, metadata_get(md, SLICE("user-agent")));
    copy_text(s->metadata, sizeof s->metadata, metadata_get(md, SLICE("x-req-bin")));
    for (uint32_t i = 0; i < md->count; i++)
        snprintf(s->order + strlen(s->order), sizeof s->order - strlen(s->order), "%.*s ",
                 SLICE_PRINT(md->entries[i].name));
    h2_stream_set_events(stream, &peer_stream_events, s);
    if (p->refuse)
        h2_stream_reset(stream, H2_REFUSED_STREAM);
    else if (p->on_request)
        p->on_request(s, end);
    else if (end && !p->hold)
        peer_answer(s);
}

static inline void peer_closed(void *arg, const struct status *why)
{
    (void)why;
    struct peer *p = arg;
    p->live--;
}

static const struct h2_conn_events peer_conn_events = {
    .session = {.on_request = peer_request},
    .on_closed = peer_closed,
};

static inline void peer_accept(void *arg, int events)
{
    (void)events;
    struct peer *p = arg;
    struct net_address from;
    int fd = net_accept(p->listener, &from);
    if (fd < 0)
        return;
    assert_true(p->accepted < PEER_MAX);
    size_t i = p->accepted++;
    p->fd[i] = fd;
    if (p->raw)
        return;
    p->live++;
    p->conn[i] = h2_conn_new(&p->conns, fd, H2_SERVER, &p->session, &peer_conn_events, p);
}

/* Where it listens: the last address of the target. */
static inline struct net_address *peer_address(struct peer *p)
{
    return &p->target.addresses[p->target.count - 1];
}

static inline void peer_listen(struct peer *p)
{
    p->listener = net_listen(peer_address(p), NET_LISTEN_ALONE);
    assert_true(p->listener >= 0);
    p->accept = loop_io_new(p->loop, p->listener, LOOP_READ, peer_accept, p);
}

static inline void peer_unlisten(struct peer *p)
{
    loop_io_free(p->accept);
    p->accept = NULL;
    if (p->listener >= 0)
        close(p->listener);
    p->listener = -1;
}

static inline void peer_state(void *arg, bool ready)
{
    (void)ready;
    ((struct peer *)arg)->ready_changes++;
}

/* Everything but the upstream itself: a test may change p->config first. */
static inline struct peer *peer_new(void)
{
    struct peer *p = calloc(1, sizeof *p);
    p->loop = loop_new();
    h2_conn_set_init(&p->conns, p->loop);
    p->session = h2_session_config_default;
    p->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    p->log = log_new(p->log_fd, LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
    p->config = (struct upstream_config){
        .target = &p->target,
        .authority = "test.example",
        .connect_timeout_ms = 2000,
        .backoff_min_ms = 5,
        .backoff_max_ms = 40,
        .max_in_flight = 1024,
        .max_queued = 1024,
    };
    p->target.count = 1;
    assert_int_equal(net_parse("127.0.0.1:0", peer_address(p)), 0);
    peer_listen(p);
    return p;
}

static inline void peer_start(struct peer *p)
{
    p->up = upstream_new(&p->conns, &p->config, &p->metrics, p->log);
    assert_non_null(p->up);
    upstream_on_state(p->up, peer_state, p);
}

static inline uint64_t peer_metric(struct peer *p, enum metric metric)
{
    return atomic_load_explicit(&p->metrics.values[metric], memory_order_relaxed);
}

/* Ends everything and checks that no gauge is left. */
static inline void peer_free(struct peer *p)
{
    upstream_free(p->up);
    loop_turn(p->loop, 0);
    assert_int_equal(peer_metric(p, METRIC_CALLS_OPEN), 0);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 0);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 0);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTIONS), 0);
    peer_unlisten(p);
    for (unsigned i = 0; p->live > 0 && i < PEER_STEPS; i++)
        loop_turn(p->loop, PEER_STEP_MS);
    assert_int_equal(p->live, 0);
    if (p->raw)
        for (size_t i = 0; i < p->accepted; i++)
            if (p->fd[i] >= 0)
                close(p->fd[i]);
    h2_conn_set_fini(&p->conns);
    loop_free(p->loop);
    log_free(p->log);
    close(p->log_fd);
    free(p);
}

/* Steps the loop until the condition holds; fails the test when it does not. */
#define STEP_UNTIL(p, condition)                                                                   \
    do {                                                                                           \
        for (unsigned step_ = 0; !(condition) && step_ < PEER_STEPS; step_++)                      \
            loop_turn((p)->loop, PEER_STEP_MS);                                                    \
        assert_true(condition);                                                                    \
    } while (0)

/* Lets everything that is under way arrive. */
static inline void peer_settle(struct peer *p)
{
    for (unsigned i = 0; i < 12; i++)
        loop_turn(p->loop, 0);
}

__attribute__((unused)) static const struct call_request plain_request = {
    .path = {(const uint8_t *)"/t.S/M", 6},
    .max_reply_len = 4096,
};

/* One unary call with the message "ping". */
static inline void ping(struct peer *p, struct heard *h, const struct call_events *events)
{
    h->call = call_start(p->up, &plain_request, events, h);
    assert_non_null(h->call);
    assert_true(call_send(h->call, SLICE("ping")));
    call_half_close(h->call);
    assert_int_equal(h->statuses, 0);
}
