/* An upstream that speaks raw bytes: silence, garbage, HTTP/1, frames out of order, RST_STREAM and
 * GOAWAY at every point, streams cut at every byte.  Each call ends exactly once with a proper
 * status and nothing stays open. */
#include "unit/gateway/upstream/peer.h"

enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, PUSH_PROMISE, GOAWAY = 7, WINDOW_UPDATE };
enum { END_STREAM = 1, END_HEADERS = 4 };

static void frame(struct buf *b, uint8_t type, uint8_t flags, uint8_t stream, struct slice payload)
{
    uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                       (uint8_t)(payload.len >> 8),
                       (uint8_t)payload.len,
                       type,
                       flags,
                       0,
                       0,
                       0,
                       stream};
    assert_int_equal(buf_append(b, head, sizeof head), 0);
    assert_int_equal(buf_append_slice(b, payload), 0);
}

/* HPACK: index 8 is ":status: 200"; 31 the name content-type; others literal, never huffman. */
#define OK_HEADERS                                                                                 \
    "\x88\x0f\x10\x10"                                                                             \
    "application/grpc"
#define STATUS_FIELD(digit) "\0\x0bgrpc-status\x01" digit
#define PONG "\0\0\0\0\4pong"

struct attack {
    const char *name;
    void (*write)(struct buf *b);
    uint32_t code;
    unsigned messages;
};

static void good(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, DATA, 0, 1, SLICE(PONG));
    frame(b, HEADERS, END_HEADERS | END_STREAM, 1, SLICE(STATUS_FIELD("0")));
}

static void trailers_only(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS | END_STREAM, 1, SLICE(OK_HEADERS STATUS_FIELD("5")));
}

static void garbage(struct buf *b)
{
    for (int i = 0; i < 100; i++)
        buf_append_slice(b, SLICE("\xde\xad\xbe\xef"));
}

static void data_first(struct buf *b)
{
    frame(b, DATA, 0, 1, SLICE(PONG));
    frame(b, HEADERS, END_HEADERS | END_STREAM, 1, SLICE(OK_HEADERS STATUS_FIELD("0")));
}

static void headers_twice(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
}

static void status_without_end(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS STATUS_FIELD("5")));
    frame(b, DATA, 0, 1, SLICE(PONG));
    frame(b, HEADERS, END_HEADERS | END_STREAM, 1, SLICE(STATUS_FIELD("0")));
}

static void data_end(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, DATA, END_STREAM, 1, SLICE(PONG));
}

static void informational(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1,
          SLICE("\x08\x03"
                "103"));
    good(b);
}

static void flagged(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, DATA, 0, 1, SLICE("\1\0\0\0\4pong"));
}

static void huge(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, DATA, 0, 1, SLICE("\0\xff\xff\xff\xff"));
}

static void reset_refused_after_headers(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 1, SLICE(OK_HEADERS));
    frame(b, RST_STREAM, 0, 1, SLICE("\0\0\0\7"));
}

static void reset_after_trailers(struct buf *b)
{
    good(b);
    frame(b, RST_STREAM, 0, 1, SLICE("\0\0\0\0"));
}

static void reset_unknown_code(struct buf *b)
{
    frame(b, RST_STREAM, 0, 1, SLICE("\xff\xff\xff\xff"));
}

static void push(struct buf *b)
{
    frame(b, SETTINGS, 1, 0, SLICE("")); /* ACK: now our ENABLE_PUSH 0 counts */
    frame(b, PUSH_PROMISE, END_HEADERS, 1, SLICE("\0\0\0\2\x88"));
}

static void even_stream(struct buf *b)
{
    frame(b, HEADERS, END_HEADERS, 2, SLICE(OK_HEADERS));
}

static void window_overflow(struct buf *b)
{
    frame(b, WINDOW_UPDATE, 0, 0, SLICE("\x7f\xff\xff\xff"));
}

static void goaway_error(struct buf *b)
{
    frame(b, GOAWAY, 0, 0,
          SLICE("\0\0\0\1\0\0\0\2"
                "bye"));
    garbage(b);
}

static const struct attack attacks[] = {
    {"good", good, STATUS_OK, 1},
    {"trailers only", trailers_only, STATUS_NOT_FOUND, 0},
    {"garbage", garbage, STATUS_UNAVAILABLE, 0},
    {"DATA first", data_first, STATUS_UNAVAILABLE, 0},
    {"HEADERS twice", headers_twice, STATUS_INTERNAL, 0},
    {"grpc-status without END_STREAM", status_without_end, STATUS_OK, 1},
    {"END_STREAM on DATA", data_end, STATUS_INTERNAL, 1},
    {"1xx first", informational, STATUS_OK, 1},
    {"compressed flag", flagged, STATUS_INTERNAL, 0},
    {"huge message", huge, STATUS_RESOURCE_EXHAUSTED, 0},
    {"REFUSED_STREAM after headers", reset_refused_after_headers, STATUS_UNAVAILABLE, 0},
    {"RST_STREAM after trailers", reset_after_trailers, STATUS_OK, 1},
    {"RST_STREAM, unknown code", reset_unknown_code, STATUS_INTERNAL, 0},
    {"PUSH_PROMISE", push, STATUS_UNAVAILABLE, 0},
    {"a stream of the server's", even_stream, STATUS_UNAVAILABLE, 0},
    {"connection window overflow", window_overflow, STATUS_UNAVAILABLE, 0},
    {"GOAWAY, then garbage", goaway_error, STATUS_UNAVAILABLE, 0},
};

static struct peer *raw_peer(void)
{
    struct peer *p = peer_new();
    p->raw = true;
    p->config.backoff_min_ms = 60000;
    p->config.backoff_max_ms = 60000;
    peer_start(p);
    STEP_UNTIL(p, p->accepted == 1);
    return p;
}

static void say(struct peer *p, size_t i, struct slice bytes)
{
    assert_int_equal(send(p->fd[i], bytes.data, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static void greet(struct peer *p, size_t i)
{
    struct buf b;
    buf_init(&b, 100);
    frame(&b, SETTINGS, 0, 0, SLICE(""));
    say(p, i, buf_slice(&b));
    buf_fini(&b);
    STEP_UNTIL(p, upstream_ready(p->up));
}

/* Waits until the request is on its way, so that no attack meets a stream that does not exist. */
static void open_call(struct peer *p, struct heard *h, const struct call_events *events)
{
    uint8_t drop[4096];
    ping(p, h, events);
    peer_settle(p);
    assert_true(recv(p->fd[0], drop, sizeof drop, MSG_DONTWAIT) > 24);
}

static void attack_once(const struct attack *a, const struct call_events *events, size_t piece)
{
    struct peer *p = raw_peer();
    struct heard h = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    a->write(&b);
    greet(p, 0);
    open_call(p, &h, events);
    while (buf_len(&b) > 0) {
        size_t n = buf_len(&b) < piece ? buf_len(&b) : piece;
        if (send(p->fd[0], buf_slice(&b).data, n, MSG_NOSIGNAL) < 0)
            break; /* it hung up on us */
        buf_consume(&b, n);
        loop_turn(p->loop, 0);
    }
    STEP_UNTIL(p, h.statuses);
    unsigned messages = events == &message_events ? h.messages : h.frame_bytes / 9 > 0;
    if (h.status.code != a->code || messages != a->messages)
        fail_msg("%s: code %u, %u messages, \"%s\"", a->name, h.status.code, messages, h.message);
    peer_settle(p);
    assert_int_equal(h.statuses, 1);
    buf_fini(&b);
    peer_free(p);
}

static void every_attack(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        attack_once(&attacks[i], &message_events, SIZE_MAX);
        attack_once(&attacks[i], &frame_events, 1);
    }
}

/* The connection breaks off after every possible byte of a good reply. */
static void cut_at_every_byte(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    good(&b);
    for (size_t len = 0; len <= buf_len(&b); len++) {
        struct peer *p = raw_peer();
        struct heard h = {0};
        greet(p, 0);
        open_call(p, &h, &message_events);
        say(p, 0, slice_first(buf_slice(&b), len));
        close(p->fd[0]);
        p->fd[0] = -1;
        STEP_UNTIL(p, h.statuses);
        assert_int_equal(h.status.code, len < buf_len(&b) ? STATUS_UNAVAILABLE : STATUS_OK);
        peer_free(p);
    }
    buf_fini(&b);
}

static void silence_times_out(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->raw = true;
    p->config.connect_timeout_ms = 20;
    p->config.backoff_min_ms = p->config.backoff_max_ms = 60000;
    peer_start(p);
    struct heard h = {0};
    ping(p, &h, &message_events);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(h.message, "no HTTP/2 answer within 20 ms"));
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 1);
    peer_free(p);
}

static void speaks_http1(void **state)
{
    (void)state;
    struct peer *p = raw_peer();
    struct heard h = {0};
    ping(p, &h, &message_events);
    say(p, 0, SLICE("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 1);
    assert_false(upstream_ready(p->up));
    peer_free(p);
}

static void closes_before_settings(void **state)
{
    (void)state;
    struct peer *p = raw_peer();
    struct heard h = {0};
    ping(p, &h, &message_events);
    close(p->fd[0]);
    p->fd[0] = -1;
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 1);
    peer_free(p);
}

/* GOAWAY with a last id below the call: it is retried on the next connection, which answers. */
static void goaway_below_the_call(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->raw = true;
    peer_start(p);
    STEP_UNTIL(p, p->accepted == 1);
    struct heard h = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    greet(p, 0);
    open_call(p, &h, &message_events);
    frame(&b, GOAWAY, 0, 0, SLICE("\0\0\0\0\0\0\0\0"));
    say(p, 0, buf_slice(&b));
    STEP_UNTIL(p, p->accepted == 2);
    assert_int_equal(h.statuses, 0);
    greet(p, 1);
    peer_settle(p);
    buf_reset(&b, 0);
    good(&b);
    say(p, 1, buf_slice(&b));
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(peer_metric(p, METRIC_CALLS_RETRIED), 1);
    buf_fini(&b);
    peer_free(p);
}

/* The stream limit falls to 0 while calls are open, then rises again. */
static void stream_limit_changes(void **state)
{
    (void)state;
    struct peer *p = raw_peer();
    struct heard open = {0}, waits = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    greet(p, 0);
    open_call(p, &open, &message_events);
    frame(&b, SETTINGS, 0, 0, SLICE("\0\3\0\0\0\0"));
    say(p, 0, buf_slice(&b));
    peer_settle(p);
    ping(p, &waits, &message_events);
    peer_settle(p);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 1);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTS), 1);
    buf_reset(&b, 0);
    frame(&b, SETTINGS, 0, 0, SLICE("\0\3\0\0\0\5"));
    say(p, 0, buf_slice(&b));
    STEP_UNTIL(p, peer_metric(p, METRIC_STREAMS_OPEN) == 2);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 0);
    call_cancel(open.call);
    call_cancel(waits.call);
    buf_fini(&b);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attack),           cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(silence_times_out),      cmocka_unit_test(speaks_http1),
        cmocka_unit_test(closes_before_settings), cmocka_unit_test(goaway_below_the_call),
        cmocka_unit_test(stream_limit_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
