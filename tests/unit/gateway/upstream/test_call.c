/* Calls over a real connection to an h2_session in server role: life cycle, headers, deadlines,
 * cancellation, back-pressure, retries, metrics. */
#include "unit/gateway/upstream/peer.h"

#include <time.h>

static void unary(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    peer_start(p);
    struct heard h = {0};
    ping(p, &h, &message_events);
    assert_int_equal(peer_metric(p, METRIC_CALLS_OPEN), 1);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 1);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(h.headers, 1);
    assert_int_equal(h.messages, 1);
    assert_string_equal(h.last, "pong");
    assert_string_equal(h.header, "head");
    assert_string_equal(h.trailer, "tail");
    assert_string_equal(h.bin, "AAE");
    assert_false(h.consumed_visible);
    assert_int_equal(p->streams[0].received, 9);
    assert_int_equal(peer_metric(p, METRIC_CALLS_STARTED), 1);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTIONS), 1);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTS), 1);
    peer_free(p);
}

static void many_on_one_connection(void **state)
{
    (void)state;
    enum { CALLS = 90, ROUNDS = 4 };
    struct peer *p = peer_new();
    peer_start(p);
    for (int round = 0; round < ROUNDS; round++) {
        struct heard h[CALLS] = {0};
        for (int i = 0; i < CALLS; i++)
            ping(p, &h[i], i % 2 ? &message_events : &frame_events);
        for (int i = 0; i < CALLS; i++) {
            STEP_UNTIL(p, h[i].statuses);
            assert_int_equal(h[i].status.code, STATUS_OK);
            assert_int_equal(i % 2 ? h[i].messages : h[i].frame_bytes, i % 2 ? 1 : 9);
        }
    }
    assert_int_equal(p->accepted, 1);
    assert_int_equal(p->streams_len, CALLS * ROUNDS);
    peer_free(p);
}

static void request_headers(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 20);
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE("x-one"), SLICE("1"));
    metadata_add(&md, SLICE("user-agent"), SLICE("browser/1"));
    metadata_add(&md, SLICE("x-req-bin"), SLICE("AAE,AA"));
    metadata_add(&md, SLICE("x-empty"), SLICE(""));
    struct call_request req = plain_request;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    req.metadata = &md;
    req.deadline_ms = loop_now_ms(p->loop) + 5000;
    req.encoding = SLICE("gzip");
    req.accept_gzip = true;
    struct heard h = {0};
    h.call = call_start(p->up, &req, &message_events, &h);
    metadata_init(&md, NULL, 0); /* the list was copied */
    call_half_close(h.call);
    STEP_UNTIL(p, h.statuses);
    arena_fini(&arena); /* the text is borrowed until now */
    const struct peer_stream *s = &p->streams[0];
    assert_string_equal(s->order,
                        ":method :scheme :path :authority te content-type grpc-timeout "
                        "grpc-encoding grpc-accept-encoding user-agent x-one x-req-bin x-empty ");
    assert_in_range(strtoul(s->timeout, NULL, 10), 4900000, 5000000);
    assert_int_equal(s->timeout[strlen(s->timeout) - 1], 'u');
    assert_string_equal(s->encoding, "gzip");
    assert_string_equal(s->accept, "identity,gzip");
    assert_string_equal(s->agent, "browser/1");
    assert_string_equal(s->metadata, "AAE,AA");
    assert_true(h.upstream_us > 0 && h.upstream_us < 5000000);
    struct heard plain = {0};
    ping(p, &plain, &message_events);
    STEP_UNTIL(p, plain.statuses);
    assert_string_equal(p->streams[1].order, ":method :scheme :path :authority te content-type "
                                             "grpc-accept-encoding user-agent ");
    assert_string_equal(p->streams[1].accept, "identity");
    assert_string_equal(p->streams[1].agent, "drawbridge/" DRAWBRIDGE_VERSION);
    peer_free(p);
}

static void large_metadata_is_refused(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct arena arena;
    struct metadata md;
    static uint8_t value[70000];
    memset(value, 'v', sizeof value);
    arena_init(&arena, NULL, 0, 1 << 20);
    metadata_init(&md, &arena, 1 << 20);
    metadata_add(&md, SLICE("x-big"), slice_from(value, sizeof value));
    struct call_request req = plain_request;
    req.metadata = &md;
    peer_start(p);
    struct heard h = {0};
    h.call = call_start(p->up, &req, &message_events, &h);
    assert_int_equal(h.statuses, 0);
    loop_turn(p->loop, 0);
    assert_int_equal(h.status.code, STATUS_RESOURCE_EXHAUSTED);
    arena_fini(&arena);
    peer_free(p);
}

static void deadlines(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct call_request req = plain_request;
    struct heard h = {0}, late = {0};
    req.deadline_ms = loop_now_ms(p->loop) + 30;
    h.call = call_start(p->up, &req, &message_events, &h);
    call_half_close(h.call);
    req.deadline_ms = 1;
    late.call = call_start(p->up, &req, &message_events, &late);
    call_send(late.call, SLICE("x"));
    assert_int_equal(late.statuses, 0);
    loop_turn(p->loop, 0);
    assert_int_equal(late.status.code, STATUS_DEADLINE_EXCEEDED);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_DEADLINE_EXCEEDED);
    assert_string_equal(h.message, "deadline exceeded");
    STEP_UNTIL(p, p->streams[0].closed);
    assert_int_equal(p->streams[0].error, H2_CANCEL);
    assert_int_equal(p->streams_len, 1);
    peer_free(p);
}

static void wait_for_clock(uint64_t at_ms)
{
    struct timespec ts;
    do
        clock_gettime(CLOCK_MONOTONIC, &ts);
    while ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 < at_ms);
}

static void answer_cancelled(struct peer_stream *s)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE(":status"), SLICE("200"));
    metadata_add(&md, SLICE("content-type"), SLICE("application/grpc"));
    metadata_add(&md, SLICE("grpc-status"), SLICE("1"));
    h2_stream_respond(s->stream, &md, true);
    arena_fini(&arena);
}

/* The upstream's own CANCELLED, by status or by RST_STREAM, lies in the socket when our deadline
 * passes; without a deadline it is what it is. */
static void cancelled_after_the_deadline(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    for (size_t i = 0; i < 4; i++) {
        struct call_request req = plain_request;
        struct heard h = {0};
        req.deadline_ms = i < 2 ? loop_now_ms(p->loop) + 20 : 0;
        h.call = call_start(p->up, &req, &message_events, &h);
        call_half_close(h.call);
        STEP_UNTIL(p, p->streams_len == i + 1);
        if (i % 2)
            h2_stream_reset(p->streams[i].stream, H2_CANCEL);
        else
            answer_cancelled(&p->streams[i]);
        loop_turn(p->loop, 0);
        wait_for_clock(req.deadline_ms);
        STEP_UNTIL(p, h.statuses);
        assert_int_equal(h.status.code, i < 2 ? STATUS_DEADLINE_EXCEEDED : STATUS_CANCELLED);
    }
    peer_free(p);
}

static void deadline_in_the_queue(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->session.max_streams = 0;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct call_request req = plain_request;
    struct heard h = {0}, forever = {0};
    req.deadline_ms = loop_now_ms(p->loop) + 10;
    h.call = call_start(p->up, &req, &message_events, &h);
    ping(p, &forever, &message_events);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 2);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_DEADLINE_EXCEEDED);
    assert_string_equal(h.message, "deadline exceeded while waiting for the upstream");
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 1);
    assert_int_equal(p->accepted, 1); /* more connections would not help */
    call_cancel(forever.call);
    peer_free(p);
}

static void cancel_in_each_state(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct heard queued = {0}, new = {0}, open = {0}, at_headers = {.cancel_on_headers = true},
                 at_message = {.cancel_on_message = true};
    peer_start(p);
    ping(p, &queued, &message_events);
    call_cancel(queued.call);
    call_cancel(queued.call);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 0);
    STEP_UNTIL(p, upstream_ready(p->up));
    ping(p, &new, &message_events);
    call_cancel(new.call);
    ping(p, &at_headers, &message_events);
    ping(p, &at_message, &message_events);
    STEP_UNTIL(p, at_headers.headers && at_message.messages);
    p->hold = true;
    ping(p, &open, &message_events);
    STEP_UNTIL(p, p->streams_len == 3);
    call_cancel(open.call);
    STEP_UNTIL(p, p->streams[2].closed);
    assert_int_equal(p->streams[2].error, H2_CANCEL);
    peer_settle(p);
    assert_int_equal(queued.statuses + new.statuses + open.statuses + at_headers.statuses +
                         at_message.statuses,
                     0);
    assert_int_equal(at_headers.messages, 0);
    assert_int_equal(peer_metric(p, METRIC_CALLS_CANCELLED), 5);
    assert_int_equal(peer_metric(p, METRIC_CALLS_OPEN), 0);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 0);
    peer_free(p);
}

/* Response headers, then messages of 1000 bytes as long as asked. */
static void stream_head(struct peer_stream *s)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE(":status"), SLICE("200"));
    metadata_add(&md, SLICE("content-type"), SLICE("application/grpc"));
    h2_stream_respond(s->stream, &md, false);
    arena_fini(&arena);
}

static void stream_messages(struct peer_stream *s, unsigned count)
{
    static const uint8_t payload[1000];
    uint8_t prefix[FRAME_PREFIX_LEN];
    frame_write_prefix(prefix, 0, sizeof payload);
    for (unsigned i = 0; i < count; i++)
        h2_stream_write2(s->stream, slice_from(prefix, sizeof prefix),
                         slice_from(payload, sizeof payload));
}

static void stream_tail(struct peer_stream *s)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE("grpc-status"), SLICE("0"));
    metadata_add(&md, SLICE("x-tail"), SLICE("end"));
    h2_stream_trailers(s->stream, &md);
    arena_fini(&arena);
}

/* A paused call holds no more than its window; a neighbour on the connection goes on. */
static void pause_bounds_memory(void **state)
{
    (void)state;
    enum { MESSAGES = 3000 };
    for (int frames = 0; frames < 2; frames++) {
        struct peer *p = peer_new();
        p->hold = true;
        peer_start(p);
        STEP_UNTIL(p, upstream_ready(p->up));
        struct heard h = {.pause_on_message = true}, other = {0};
        ping(p, &h, frames ? &frame_events : &message_events);
        STEP_UNTIL(p, p->streams_len == 1 && p->streams[0].ended);
        stream_head(&p->streams[0]);
        stream_messages(&p->streams[0], MESSAGES);
        stream_tail(&p->streams[0]);
        STEP_UNTIL(p, h.messages + h.frame_bytes);
        p->hold = false;
        ping(p, &other, &message_events);
        STEP_UNTIL(p, other.statuses);
        for (int i = 0; i < 100; i++)
            loop_turn(p->loop, 0);
        size_t stuck = h2_stream_queued(p->streams[0].stream);
        assert_in_range(stuck, MESSAGES * 1005 - (1 << 20) - (64 << 10), MESSAGES * 1005);
        assert_int_equal(h.statuses, 0);
        /* What is held counts as waiting for the client. */
        assert_in_range(peer_metric(p, METRIC_BUFFERED_BYTES), (1 << 20) - (64 << 10), 1 << 20);
        if (!frames)
            assert_int_equal(h.messages, 1);
        /* One message a turn: each pauses again. */
        call_resume(h.call);
        STEP_UNTIL(p, h.messages > 1 || h.frame_bytes > 20000);
        assert_int_equal(h.statuses, 0);
        h.pause_on_message = false;
        call_resume(h.call);
        STEP_UNTIL(p, h.statuses);
        assert_int_equal(h.status.code, STATUS_OK);
        assert_int_equal(frames ? h.frame_bytes : h.message_bytes,
                         MESSAGES * (frames ? 1005 : 1000));
        assert_string_equal(h.trailer, "end");
        assert_int_equal(peer_metric(p, METRIC_BUFFERED_BYTES), 0);
        peer_free(p);
    }
}

/* Nothing is held for a call that is over, however it ended. */
static void held_bytes_stop_counting(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct peer *p = peer_new();
        p->hold = true;
        peer_start(p);
        STEP_UNTIL(p, upstream_ready(p->up));
        struct heard h = {0};
        ping(p, &h, &frame_events);
        call_pause(h.call);
        STEP_UNTIL(p, p->streams_len == 1);
        stream_head(&p->streams[0]);
        stream_messages(&p->streams[0], 3);
        STEP_UNTIL(p, peer_metric(p, METRIC_BUFFERED_BYTES) == 3 * 1005);
        if (way == 0)
            call_cancel(h.call);
        else
            h2_stream_reset(p->streams[0].stream, H2_INTERNAL_ERROR);
        STEP_UNTIL(p, way == 0 || h.statuses);
        assert_int_equal(peer_metric(p, METRIC_BUFFERED_BYTES), 0);
        peer_free(p);
    }
}

/* The status of a complete reply waits for the held bytes, even when the connection is gone. */
static void status_waits_for_held_bytes(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct heard h = {0};
    ping(p, &h, &message_events);
    call_pause(h.call);
    STEP_UNTIL(p, h.headers);
    peer_settle(p);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 0);
    assert_int_equal(h.messages + h.statuses, 0);
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, p->accepted == 2);
    call_resume(h.call);
    assert_int_equal(h.messages, 0); /* never inside the caller's stack */
    loop_turn(p->loop, 0);
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_string_equal(h.trailer, "tail");
    peer_free(p);
}

static void failure_does_not_wait(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct heard h = {0};
    ping(p, &h, &frame_events);
    call_pause(h.call);
    STEP_UNTIL(p, p->streams_len == 1);
    stream_head(&p->streams[0]);
    stream_messages(&p->streams[0], 3);
    STEP_UNTIL(p, h.headers);
    h2_stream_reset(p->streams[0].stream, H2_ENHANCE_YOUR_CALM);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(h.frame_bytes, 0);
    peer_free(p);
}

static void reset_statuses(void **state)
{
    (void)state;
    static const struct {
        enum h2_error error;
        uint32_t code;
    } map[] = {{H2_CANCEL, STATUS_CANCELLED},
               {H2_ENHANCE_YOUR_CALM, STATUS_RESOURCE_EXHAUSTED},
               {H2_INADEQUATE_SECURITY, STATUS_PERMISSION_DENIED},
               {H2_INTERNAL_ERROR, STATUS_INTERNAL},
               {H2_NO_ERROR, STATUS_INTERNAL},
               {H2_STREAM_CLOSED, STATUS_INTERNAL}};
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    for (size_t i = 0; i < 2 * sizeof map / sizeof *map; i++) {
        struct heard h = {0};
        ping(p, &h, &message_events);
        STEP_UNTIL(p, p->streams_len == i + 1 && p->streams[i].ended);
        if (i % 2) /* also when a part of the reply has come */
            stream_head(&p->streams[i]);
        if (i % 2)
            STEP_UNTIL(p, h.headers);
        h2_stream_reset(p->streams[i].stream, map[i / 2].error);
        STEP_UNTIL(p, h.statuses);
        assert_int_equal(h.status.code, map[i / 2].code);
    }
    assert_int_equal(peer_metric(p, METRIC_CALLS_RETRIED), 0);
    peer_free(p);
}

/* Everything was sent while the upstream answered early: the reply counts, the rest is stopped. */
static void early_reply(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    struct heard h = {0};
    h.call = call_start(p->up, &plain_request, &message_events, &h);
    call_send(h.call, SLICE("first"));
    STEP_UNTIL(p, p->streams_len && p->streams[0].received == 10);
    peer_answer(&p->streams[0]);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(h.messages, 1);
    STEP_UNTIL(p, p->streams[0].closed);
    assert_int_equal(p->streams[0].error, H2_NO_ERROR);
    peer_free(p);
}

static void large_request_waits_for_room(void **state)
{
    (void)state;
    static const uint8_t piece[10000];
    struct peer *p = peer_new();
    peer_start(p);
    struct heard h = {0};
    h.call = call_start(p->up, &plain_request, &message_events, &h);
    size_t sent = 0, wakes = 0;
    while (sent < 300) {
        bool room = true;
        while (room && sent < 300) {
            room = call_send(h.call, slice_from(piece, sizeof piece));
            sent++;
        }
        if (room)
            break;
        STEP_UNTIL(p, h.writable > wakes);
        assert_int_equal(h.writable, ++wakes);
    }
    call_half_close(h.call);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(p->streams[0].received, 300 * 10005);
    assert_true(wakes > 10);
    peer_free(p);
}

static void free_with_open_calls(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    struct heard h[3] = {0};
    ping(p, &h[0], &message_events);
    STEP_UNTIL(p, p->streams_len);
    ping(p, &h[1], &message_events);
    p->session.max_streams = 0;
    ping(p, &h[2], &message_events);
    peer_free(p);
    assert_int_equal(h[0].statuses + h[1].statuses + h[2].statuses, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary),
        cmocka_unit_test(many_on_one_connection),
        cmocka_unit_test(request_headers),
        cmocka_unit_test(large_metadata_is_refused),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(cancelled_after_the_deadline),
        cmocka_unit_test(deadline_in_the_queue),
        cmocka_unit_test(cancel_in_each_state),
        cmocka_unit_test(pause_bounds_memory),
        cmocka_unit_test(held_bytes_stop_counting),
        cmocka_unit_test(status_waits_for_held_bytes),
        cmocka_unit_test(failure_does_not_wait),
        cmocka_unit_test(reset_statuses),
        cmocka_unit_test(early_reply),
        cmocka_unit_test(large_request_waits_for_room),
        cmocka_unit_test(free_with_open_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
