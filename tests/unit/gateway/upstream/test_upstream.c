/* Connections: failure and backoff, the queue, stream limits, GOAWAY, transparent retries, a killed
 * upstream. */
#include "unit/gateway/upstream/peer.h"

static void refused_fails_fast_with_the_reason(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    char text[NET_TEXT_LEN + 40], address[NET_TEXT_LEN];
    net_format(peer_address(p), address);
    snprintf(text, sizeof text, "upstream %s: connection refused", address);
    peer_unlisten(p);
    p->config.backoff_min_ms = 60000;
    p->config.backoff_max_ms = 60000;
    peer_start(p);
    assert_int_equal(upstream_last_failure(p->up)->code, STATUS_OK);
    struct heard queued = {0}, fast = {0};
    ping(p, &queued, &message_events);
    STEP_UNTIL(p, queued.statuses);
    assert_int_equal(queued.status.code, STATUS_UNAVAILABLE);
    assert_string_equal(queued.message, text);
    ping(p, &fast, &message_events);
    loop_turn(p->loop, 0);
    assert_int_equal(fast.status.code, STATUS_UNAVAILABLE);
    assert_string_equal(fast.message, text);
    assert_int_equal(fast.upstream_us, 0);
    assert_false(upstream_ready(p->up));
    assert_int_equal(upstream_last_failure(p->up)->code, STATUS_UNAVAILABLE);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTS), 1);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 1);
    assert_int_equal(p->ready_changes, 0);
    peer_free(p);
}

static void comes_back_by_itself(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    peer_unlisten(p);
    peer_start(p);
    STEP_UNTIL(p, peer_metric(p, METRIC_UPSTREAM_FAILURES) >= 4);
    peer_listen(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct heard h = {0};
    ping(p, &h, &message_events);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(p->ready_changes, 1);
    /* The failures are forgotten: a call in the gap of the next loss waits. */
    struct heard gap = {0};
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, !upstream_ready(p->up));
    ping(p, &gap, &message_events);
    STEP_UNTIL(p, gap.statuses);
    assert_int_equal(gap.status.code, STATUS_OK);
    peer_free(p);
}

/* Two dead ones before the one that serves: tried in order, without the pause of a failure. */
static void the_addresses_of_a_target_are_tried_in_order(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct net_address dead = *peer_address(p), other = dead;
    peer_unlisten(p);
    p->target.addresses[0] = p->target.addresses[1] = dead;
    assert_int_equal(net_parse("127.0.0.1:0", &other), 0);
    p->target.addresses[2] = other;
    p->target.count = 3;
    p->target.text = "ipv4:list";
    peer_listen(p);
    p->config.backoff_min_ms = p->config.backoff_max_ms = 60000;
    peer_start(p);
    struct heard h = {0}, again = {0}, none = {0};
    ping(p, &h, &message_events);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 2);
    /* After the loss of one that served the first is in turn again. */
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, !upstream_ready(p->up));
    ping(p, &again, &message_events);
    STEP_UNTIL(p, again.statuses);
    assert_int_equal(again.status.code, STATUS_OK);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 4);
    /* All dead: calls fail once the last has failed, and say so. */
    peer_unlisten(p);
    h2_conn_close(p->conn[1]);
    STEP_UNTIL(p, !upstream_ready(p->up));
    ping(p, &none, &message_events);
    STEP_UNTIL(p, none.statuses);
    assert_int_equal(none.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 7);
    char text[NET_TEXT_LEN], wanted[2 * NET_TEXT_LEN];
    net_format(peer_address(p), text);
    snprintf(wanted, sizeof wanted, "upstream ipv4:list (%s): connection refused", text);
    assert_string_equal(none.message, wanted);
    peer_free(p);
}

static void unix_socket(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/test_upstream.%d", (int)getpid());
    peer_unlisten(p);
    assert_int_equal(net_parse(path, peer_address(p)), 0);
    peer_start(p);
    struct heard gone = {0}, h = {0};
    ping(p, &gone, &message_events);
    STEP_UNTIL(p, gone.statuses);
    assert_non_null(strstr(gone.message, "no such file"));
    peer_listen(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    ping(p, &h, &message_events);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    peer_free(p);
    unlink(path + 5);
}

static void killed_with_a_hundred_calls(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    struct peer *p = peer_new();
    struct heard h[CALLS] = {0};
    p->hold = true;
    peer_start(p);
    for (int i = 0; i < CALLS; i++)
        ping(p, &h[i], i % 2 ? &message_events : &frame_events);
    STEP_UNTIL(p, p->streams_len == CALLS && p->streams[CALLS - 1].ended);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), CALLS);
    peer_unlisten(p);
    h2_conn_close(p->conn[0]);
    for (int i = 0; i < CALLS; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, STATUS_UNAVAILABLE);
        assert_non_null(strstr(h[i].message, "connection"));
    }
    peer_settle(p);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(h[i].statuses, 1);
    assert_int_equal(peer_metric(p, METRIC_CALLS_OPEN), 0);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 0);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTIONS), 0);
    assert_int_equal(peer_metric(p, METRIC_CALLS_RETRIED), 0);
    peer_free(p);
}

/* Lost while idle: calls that come before it is noticed or replaced wait for the new one. */
static void idle_loss_is_not_noticed_by_calls(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->config.backoff_min_ms = p->config.backoff_max_ms = 60000; /* not for one that has served */
    peer_start(p);
    for (size_t i = 0; i < 5; i++) {
        struct heard first = {0}, second = {0};
        STEP_UNTIL(p, upstream_ready(p->up));
        ping(p, &first, &message_events);
        STEP_UNTIL(p, first.statuses);
        assert_int_equal(first.status.code, STATUS_OK);
        h2_conn_close(p->conn[i]);
        STEP_UNTIL(p, !upstream_ready(p->up));
        ping(p, &second, &message_events);
        STEP_UNTIL(p, second.statuses);
        assert_int_equal(second.status.code, STATUS_OK);
    }
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 0);
    peer_free(p);
}

/* The connection dies before the bytes of a call leave: it is safe to say it again. */
static void unwritten_calls_are_retried(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    peer_settle(p);
    h2_conn_close(p->conn[0]);
    struct heard h = {0};
    ping(p, &h,
         &message_events); /* the FIN is already there; the next turn reads before it writes */
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_OK);
    assert_int_equal(peer_metric(p, METRIC_CALLS_RETRIED), 1);
    assert_int_equal(p->streams_len, 1);
    assert_int_equal(p->streams[0].received, 9);
    peer_free(p);
}

static void queue_is_bounded(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->config.max_queued = 2;
    peer_start(p);
    struct heard h[4] = {0};
    for (int i = 0; i < 4; i++)
        ping(p, &h[i], &message_events);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), 2);
    for (int i = 0; i < 4; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, i < 2 ? STATUS_OK : STATUS_UNAVAILABLE);
    }
    assert_non_null(strstr(h[3].message, "too many calls"));
    peer_free(p);
}

static void in_flight_is_bounded(void **state)
{
    (void)state;
    enum { CALLS = 20 };
    struct peer *p = peer_new();
    p->config.max_in_flight = 3;
    p->hold = true;
    peer_start(p);
    struct heard h[CALLS] = {0};
    for (int i = 0; i < CALLS; i++)
        ping(p, &h[i], &message_events);
    STEP_UNTIL(p, p->streams_len == 3);
    peer_settle(p);
    assert_int_equal(p->streams_len, 3);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), CALLS - 3);
    p->hold = false;
    for (int i = 0; i < 3; i++)
        peer_answer(&p->streams[i]);
    for (int i = 0; i < CALLS; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, STATUS_OK);
    }
    assert_int_equal(p->accepted, 1);
    peer_free(p);
}

static void one_stream_per_connection(void **state)
{
    (void)state;
    enum { CALLS = 10 };
    struct peer *p = peer_new();
    p->session.max_streams = 1;
    p->hold = true;
    peer_start(p);
    struct heard h[CALLS] = {0};
    for (int i = 0; i < CALLS; i++)
        ping(p, &h[i], &message_events);
    STEP_UNTIL(p, p->streams_len == CALLS);
    assert_int_equal(p->accepted, CALLS);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTIONS), CALLS);
    for (int i = 0; i < CALLS; i++)
        peer_answer(&p->streams[i]);
    for (int i = 0; i < CALLS; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, STATUS_OK);
    }
    p->hold = false;
    struct heard again = {0};
    ping(p, &again, &message_events);
    STEP_UNTIL(p, again.statuses);
    assert_int_equal(p->accepted, CALLS);
    peer_free(p);
}

static void goaway_moves_new_calls(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->hold = true;
    peer_start(p);
    struct heard old = {0}, new = {0};
    ping(p, &old, &message_events);
    STEP_UNTIL(p, p->streams_len == 1 && p->streams[0].ended);
    h2_session_shutdown_notice(h2_conn_session(p->conn[0]));
    STEP_UNTIL(p, p->accepted == 2 && upstream_ready(p->up));
    ping(p, &new, &message_events);
    STEP_UNTIL(p, p->streams_len == 2 && p->streams[1].ended);
    assert_ptr_equal(h2_stream_session(p->streams[1].stream), h2_conn_session(p->conn[1]));
    peer_answer(&p->streams[0]);
    peer_answer(&p->streams[1]);
    STEP_UNTIL(p, old.statuses && new.statuses);
    assert_int_equal(old.status.code, STATUS_OK);
    assert_int_equal(new.status.code, STATUS_OK);
    h2_session_goaway(h2_conn_session(p->conn[0]));
    STEP_UNTIL(p, peer_metric(p, METRIC_UPSTREAM_CONNECTIONS) == 1);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 0);
    peer_free(p);
}

/* A drain under load, each connection after a few calls: nobody notices. */
static void goaway_under_load(void **state)
{
    (void)state;
    enum { CALLS = 400, PARALLEL = 8 };
    struct peer *p = peer_new();
    struct heard *h = calloc(CALLS, sizeof *h);
    peer_start(p);
    size_t drained = 0;
    for (int i = 0; i < CALLS; i += PARALLEL) {
        for (int k = i; k < i + PARALLEL; k++)
            ping(p, &h[k], &message_events);
        if (i % 40 == 0 && drained < p->accepted) {
            h2_session_goaway(h2_conn_session(p->conn[drained++]));
        }
        STEP_UNTIL(p, h[i].statuses);
    }
    for (int i = 0; i < CALLS; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, STATUS_OK);
    }
    assert_true(drained >= 5);
    free(h);
    peer_free(p);
}

static void refused_streams_are_retried_once(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    static const uint8_t big[80000];
    p->refuse = true;
    peer_start(p);
    struct heard h = {0}, large = {0}, good = {0};
    ping(p, &h, &message_events);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(h.message, "REFUSED_STREAM"));
    assert_int_equal(p->streams_len, 2);
    assert_int_equal(peer_metric(p, METRIC_CALLS_RETRIED), 1);
    /* What is too large to be kept is not said again. */
    large.call = call_start(p->up, &plain_request, &message_events, &large);
    call_send(large.call, slice_from(big, sizeof big));
    STEP_UNTIL(p, large.statuses);
    assert_int_equal(large.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(p->streams_len, 3);
    /* Refused once only: the call does not notice. */
    ping(p, &good, &message_events);
    STEP_UNTIL(p, p->streams_len == 4);
    p->refuse = false;
    STEP_UNTIL(p, good.statuses);
    assert_int_equal(good.status.code, STATUS_OK);
    assert_int_equal(p->streams[4].received, 9);
    peer_free(p);
}

/* A peer that takes connections and drops them at once is not hammered. */
static void flapping_is_paced(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    p->config.backoff_min_ms = 60000;
    p->config.backoff_max_ms = 60000;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, !upstream_ready(p->up));
    peer_settle(p);
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTS), 1);
    assert_int_equal(p->ready_changes, 2);
    peer_free(p);
}

/* A listener whose backlog is full answers no SYN. */
static void blackhole_times_out(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    int fill[4];
    loop_io_free(p->accept);
    p->accept = NULL;
    assert_int_equal(listen(p->listener, 0), 0);
    for (size_t i = 0; i < 4; i++)
        fill[i] = net_connect(peer_address(p));
    p->config.connect_timeout_ms = 20;
    p->config.backoff_min_ms = p->config.backoff_max_ms = 60000;
    peer_start(p);
    struct heard h = {0}, cancelled = {0};
    ping(p, &h, &message_events);
    ping(p, &cancelled, &message_events);
    call_cancel(cancelled.call);
    STEP_UNTIL(p, h.statuses);
    assert_int_equal(h.status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(h.message, "no connection within 20 ms"));
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_FAILURES), 1);
    for (size_t i = 0; i < 4; i++)
        close(fill[i]);
    peer_free(p);
}

/* More calls than streams, none answered: each ends at its deadline, in the queue or on a stream.
 */
static void short_deadlines_on_a_hanging_upstream(void **state)
{
    (void)state;
    enum { CALLS = 1000 };
    struct peer *p = peer_new();
    struct heard *h = calloc(CALLS, sizeof *h);
    p->hold = true;
    p->config.max_in_flight = 150;
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    struct call_request req = plain_request;
    req.deadline_ms = loop_now_ms(p->loop) + 50;
    for (int i = 0; i < CALLS; i++) {
        h[i].call = call_start(p->up, &req, &message_events, &h[i]);
        call_half_close(h[i].call);
    }
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 100);
    assert_int_equal(peer_metric(p, METRIC_CALLS_QUEUED), CALLS - 100);
    for (int i = 0; i < CALLS; i++) {
        STEP_UNTIL(p, h[i].statuses);
        assert_int_equal(h[i].status.code, STATUS_DEADLINE_EXCEEDED);
    }
    peer_settle(p);
    assert_true(p->streams_len <= 150);
    for (size_t i = 0; i < p->streams_len; i++)
        assert_true(p->streams[i].closed);
    assert_int_equal(peer_metric(p, METRIC_STREAMS_OPEN), 0);
    free(h);
    peer_free(p);
}

static void free_at_any_time(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 8; turns++) {
        struct peer *p = peer_new();
        peer_start(p);
        for (unsigned i = 0; i < turns; i++)
            loop_turn(p->loop, 0);
        peer_free(p);
    }
}

/* A burst leaves connections behind; all but the oldest go when nobody needs them. */
static void idle_connections_go(void **state)
{
    (void)state;
    enum { CALLS = 5 };
    struct peer *p = peer_new();
    p->session.max_streams = 1;
    p->config.idle_timeout_ms = 30;
    p->hold = true;
    peer_start(p);
    struct heard h[CALLS + 1] = {0};
    for (int i = 0; i < CALLS; i++)
        ping(p, &h[i], &message_events);
    STEP_UNTIL(p, p->streams_len == CALLS);
    for (int i = 1; i < CALLS; i++)
        peer_answer(&p->streams[i]);
    STEP_UNTIL(p, peer_metric(p, METRIC_UPSTREAM_CONNECTIONS) == 1);
    assert_int_equal(h[0].statuses, 0);
    peer_answer(&p->streams[0]);
    STEP_UNTIL(p, h[0].statuses);
    for (uint64_t end = loop_now_ms(p->loop) + 80; loop_now_ms(p->loop) < end;)
        loop_turn(p->loop, 10);
    assert_true(upstream_ready(p->up));
    p->hold = false;
    ping(p, &h[CALLS], &message_events);
    STEP_UNTIL(p, h[CALLS].statuses);
    assert_int_equal(h[CALLS].status.code, STATUS_OK);
    assert_int_equal(p->accepted, CALLS);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_fails_fast_with_the_reason),
        cmocka_unit_test(comes_back_by_itself),
        cmocka_unit_test(the_addresses_of_a_target_are_tried_in_order),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(killed_with_a_hundred_calls),
        cmocka_unit_test(idle_loss_is_not_noticed_by_calls),
        cmocka_unit_test(unwritten_calls_are_retried),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(in_flight_is_bounded),
        cmocka_unit_test(one_stream_per_connection),
        cmocka_unit_test(goaway_moves_new_calls),
        cmocka_unit_test(goaway_under_load),
        cmocka_unit_test(refused_streams_are_retried_once),
        cmocka_unit_test(flapping_is_paced),
        cmocka_unit_test(blackhole_times_out),
        cmocka_unit_test(short_deadlines_on_a_hanging_upstream),
        cmocka_unit_test(idle_connections_go),
        cmocka_unit_test(free_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
