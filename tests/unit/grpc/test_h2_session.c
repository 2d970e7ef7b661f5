/* h2_session and h2_stream: both roles back to back, whole and one byte at a time. */
#include "unit/cmocka_all.h"
#include "unit/grpc/h2_pair.h"

#include <stdlib.h>

static const size_t steps[] = {0, 1, 7};

#define EACH_STEP(p, client, server)                                                               \
    for (size_t i_ = 0; i_ < sizeof steps / sizeof *steps; i_++)                                   \
        for (bool once_ = (pair_init(p, steps[i_], client, server), true); once_;                  \
             once_ = (pair_fini(p), false))

static struct h2_pair pair; /* too large for the stack */

static void reply(struct pair_stream *ps)
{
    pair_respond(ps, "200", false);
    h2_stream_write2(ps->stream, SLICE("head "), SLICE("answer"));
    pair_trailers(ps, "0");
}

static void test_unary(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        pair.on_server_end = reply;
        struct pair_stream *ps = pair_request(&pair, "/Calculator/Add", false);
        assert_true(h2_stream_write(ps->stream, SLICE("question")));
        h2_stream_end(ps->stream);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdtc");
        assert_string_equal(ps->status, "200");
        assert_string_equal(ps->trailer, "0");
        assert_true(slice_equal(buf_slice(&ps->body), SLICE("head answer")));
        assert_int_equal(ps->error, H2_NO_ERROR);
        assert_int_equal(pair.servers_len, 1);
        assert_string_equal(pair.servers[0].log, "hdec");
        assert_string_equal(pair.servers[0].status, "/Calculator/Add");
        assert_true(slice_equal(buf_slice(&pair.servers[0].body), SLICE("question")));
        assert_int_equal(pair.settings, 1);
        assert_int_equal(pair.max_streams, 100);
        assert_int_equal(h2_session_stream_count(pair.client), 0);
        assert_int_equal(h2_session_stream_count(pair.server), 0);
    }
}

static void test_client_stream(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        pair.on_server_end = reply;
        struct pair_stream *ps = pair_request(&pair, "/x", false);
        for (int i = 0; i < 10; i++) {
            h2_stream_write(ps->stream, SLICE("piece"));
            pair_run(&pair);
        }
        h2_stream_end(ps->stream);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdtc");
        assert_string_equal(pair.servers[0].log, "hdec");
        assert_int_equal(pair.servers[0].bytes, 50);
    }
}

static void test_trailers_only(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = pair_request(&pair, "/x", true);
        pair_run(&pair);
        assert_string_equal(pair.servers[0].log, "H");
        pair_respond(&pair.servers[0], "200", true);
        pair_run(&pair);
        assert_string_equal(ps->log, "Hc");
        assert_string_equal(ps->trailer, "12");
        assert_string_equal(pair.servers[0].log, "Hc");
    }
}

static void test_response_without_trailers(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = pair_request(&pair, "/x", true);
        pair_run(&pair);
        pair_respond(&pair.servers[0], "415", false);
        h2_stream_write(pair.servers[0].stream, SLICE("sorry"));
        h2_stream_end(pair.servers[0].stream);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdec");
        assert_string_equal(ps->status, "415");
    }
}

enum { STREAM_TOTAL = 3 << 20, PIECE = 10000 };
static size_t left;

static void send_pieces(struct pair_stream *ps)
{
    static const uint8_t piece[PIECE];
    bool room = true;
    while (room && left > 0) {
        size_t len = left < PIECE ? left : PIECE;
        left -= len;
        room = h2_stream_write(ps->stream, slice_from(piece, len));
        assert_true(h2_stream_queued(ps->stream) <
                    h2_session_config_default.max_send_buffer + PIECE);
    }
    if (left == 0)
        pair_trailers(ps, "0");
}

static const struct h2_session_config small_windows = {.max_streams = 100,
                                                       .stream_window = 65535,
                                                       .connection_window = 65535,
                                                       .max_header_bytes = 16 << 10,
                                                       .max_send_buffer = 64 << 10};

static void test_server_stream(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        pair_init(&pair, whole ? 0 : 1000, &small_windows, NULL);
        pair.on_writable = send_pieces;
        struct pair_stream *ps = pair_request(&pair, "/x", true);
        pair_run(&pair);
        left = STREAM_TOTAL;
        pair_respond(&pair.servers[0], "200", false);
        send_pieces(&pair.servers[0]);
        pair_run(&pair);
        assert_int_equal(ps->bytes, STREAM_TOTAL);
        assert_int_equal(ps->log[strlen(ps->log) - 1], 'c');
        assert_string_equal(ps->trailer, "0");
        assert_non_null(strchr(pair.servers[0].log, 'w'));
        pair_fini(&pair);
    }
}

/* A reader that gives nothing back stops its own stream at one window and nobody else's. */
static void test_stalled_stream_stops_nobody(void **state)
{
    (void)state;
    pair_init(&pair, 0, &small_windows, NULL);
    struct pair_stream *stalled = pair_request(&pair, "/stalled", true);
    stalled->hold = true;
    pair_run(&pair);
    pair.on_writable = send_pieces;
    left = STREAM_TOTAL;
    pair_respond(&pair.servers[0], "200", false);
    send_pieces(&pair.servers[0]);
    pair_run(&pair);
    assert_int_equal(stalled->bytes, 65535);
    size_t left_stalled = left;
    pair.on_server_end = NULL;
    struct pair_stream *other = pair_request(&pair, "/other", true);
    pair_run(&pair);
    reply(&pair.servers[1]);
    pair_run(&pair);
    assert_string_equal(other->log, "hdtc");
    left = left_stalled;
    stalled->hold = false;
    h2_stream_consume(stalled->stream, stalled->held);
    pair_run(&pair);
    assert_int_equal(stalled->bytes, STREAM_TOTAL);
    assert_int_equal(stalled->closes, 1);
    pair_fini(&pair);
}

/* The states of an exchange, in order; each is reached from the one before. */
enum {
    AT_QUEUED,
    AT_REQUEST,
    AT_REQUEST_BODY,
    AT_REQUEST_END,
    AT_RESPONSE,
    AT_RESPONSE_BODY,
    AT_STATES
};

static struct pair_stream *reach(int wanted)
{
    struct pair_stream *ps = pair_request(&pair, "/x", false);
    for (int at = AT_REQUEST; at <= wanted; at++) {
        struct pair_stream *server = &pair.servers[0];
        if (at == AT_REQUEST_BODY)
            h2_stream_write(ps->stream, SLICE("body"));
        else if (at == AT_REQUEST_END)
            h2_stream_end(ps->stream);
        else if (at == AT_RESPONSE)
            pair_respond(server, "200", false);
        else if (at == AT_RESPONSE_BODY)
            h2_stream_write(server->stream, SLICE("body"));
        pair_run(&pair);
    }
    return ps;
}

static void test_reset_by_client(void **state)
{
    (void)state;
    for (int at = AT_QUEUED; at < AT_STATES; at++) {
        EACH_STEP(&pair, NULL, NULL)
        {
            struct pair_stream *ps = reach(at);
            h2_stream_reset(ps->stream, H2_CANCEL);
            assert_int_equal(ps->closes, 0);
            h2_stream_reset(ps->stream, H2_INTERNAL_ERROR); /* the first counts */
            h2_stream_write(ps->stream, SLICE("late"));
            h2_stream_consume(ps->stream, 1);
            pair_run(&pair);
            assert_int_equal(ps->error, H2_CANCEL);
            assert_int_equal(ps->closes, 1);
            assert_int_equal(pair.servers_len, at == AT_QUEUED ? 0 : 1);
            if (at != AT_QUEUED)
                assert_int_equal(pair.servers[0].error, H2_CANCEL);
            assert_int_equal(h2_session_stream_count(pair.server), 0);
            assert_int_equal(h2_session_stream_count(pair.client), 0);
            assert_false(pair.client_dead || pair.server_dead);
        }
    }
}

static void test_reset_by_server(void **state)
{
    (void)state;
    for (int at = AT_REQUEST; at < AT_STATES; at++) {
        EACH_STEP(&pair, NULL, NULL)
        {
            struct pair_stream *ps = reach(at);
            h2_stream_reset(pair.servers[0].stream, H2_ENHANCE_YOUR_CALM);
            pair_run(&pair);
            assert_int_equal(ps->error, H2_ENHANCE_YOUR_CALM);
            assert_int_equal(ps->closes, 1);
            assert_int_equal(pair.servers[0].closes, 1);
            assert_int_equal(pair.servers[0].error, H2_ENHANCE_YOUR_CALM);
        }
    }
}

/* An early answer: it arrives whole, then the rest of the request is refused. */
static void test_early_response(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = reach(AT_REQUEST_BODY);
        struct pair_stream *server = &pair.servers[0];
        reply(server);
        h2_stream_reset(server->stream, H2_NO_ERROR);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdtc");
        assert_int_equal(ps->error, H2_NO_ERROR);
        assert_string_equal(server->log, "hdc");
    }
}

static void reset_now(struct pair_stream *ps)
{
    h2_stream_reset(ps->stream, H2_CANCEL);
}

static void reset_at_request(struct pair_stream *ps, bool end)
{
    (void)end;
    reset_now(ps);
}

static void test_reset_in_events(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        EACH_STEP(&pair, NULL, NULL)
        {
            pair.on_request = which == 0 ? reset_at_request : NULL;
            pair.on_server_data = which == 1 ? reset_now : NULL;
            pair.on_server_end = which == 2 ? reset_now : which == 3 ? reply : NULL;
            pair.on_client_headers = which == 3 ? reset_now : NULL;
            struct pair_stream *ps = pair_request(&pair, "/x", false);
            h2_stream_write(ps->stream, SLICE("body"));
            h2_stream_end(ps->stream);
            pair_run(&pair);
            assert_int_equal(ps->closes, 1);
            assert_int_equal(pair.servers[0].closes, 1);
            const char *logs[] = {"hc", "hdc", "hdec", "hdec"};
            assert_string_equal(pair.servers[0].log, logs[which]);
            assert_string_equal(ps->log, which == 3 ? "hc" : "c");
        }
    }
}

static void again(struct pair_stream *ps)
{
    if (ps->pair->clients_len < 20)
        assert_non_null(pair_request(ps->pair, "/again", true));
}

static void answer(struct pair_stream *ps, bool end)
{
    (void)end;
    reply(ps);
}

static void test_request_in_on_close(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        pair.on_request = answer;
        pair.on_client_close = again;
        pair_request(&pair, "/x", true);
        pair_run(&pair);
        assert_int_equal(pair.clients_len, 20);
        for (int i = 0; i < 20; i++)
            assert_string_equal(pair.clients[i].log, "hdtc");
    }
}

static void test_drain(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = reach(AT_REQUEST_END);
        h2_session_shutdown_notice(pair.server);
        pair_run(&pair);
        assert_int_equal(pair.goaways, 1);
        assert_false(h2_session_can_start(pair.client));
        assert_null(pair_request(&pair, "/y", true));
        h2_session_goaway(pair.server);
        pair_run(&pair);
        assert_int_equal(pair.goaways, 2);
        assert_false(h2_session_done(pair.server) || h2_session_done(pair.client));
        reply(&pair.servers[0]);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdtc");
        assert_true(h2_session_done(pair.server));
        assert_true(h2_session_done(pair.client));
    }
}

/* A request that crosses the GOAWAY is refused, so that it may be tried elsewhere. */
static void test_goaway_race(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *first = reach(AT_REQUEST_END);
        h2_session_goaway(pair.server);
        struct buf lost;
        buf_init(&lost, SIZE_MAX);
        struct pair_stream *late = pair_request(&pair, "/late", true);
        h2_session_output(pair.client, &lost, 1 << 16); /* on its way when GOAWAY arrives */
        pair_run(&pair);
        pair_inject(&pair, H2_SERVER, buf_slice(&lost).data, buf_len(&lost));
        pair_run(&pair);
        buf_fini(&lost);
        assert_int_equal(late->error, H2_REFUSED_STREAM);
        assert_string_equal(late->log, "c");
        assert_int_equal(pair.servers_len, 1);
        reply(&pair.servers[0]);
        pair_run(&pair);
        assert_string_equal(first->log, "hdtc");
    }
}

static void test_terminate(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = reach(AT_RESPONSE);
        h2_session_terminate(pair.server, H2_CANCEL, "enough");
        assert_int_equal(pair.servers[0].closes, 0);
        pair_run(&pair);
        assert_int_equal(pair.servers[0].closes, 1);
        assert_int_equal(pair.servers[0].error, H2_CANCEL);
        assert_int_equal(pair.goaway_error, H2_CANCEL);
        assert_string_equal(pair.goaway_debug, "enough");
        assert_true(h2_session_done(pair.server));
        assert_int_equal(ps->closes, 0); /* the client's connection ends it */
    }
}

static void test_stream_limit(void **state)
{
    (void)state;
    struct h2_session_config two = h2_session_config_default;
    two.max_streams = 2;
    EACH_STEP(&pair, NULL, &two)
    {
        struct pair_stream *ps[3];
        for (int i = 0; i < 3; i++) /* before the limit is known */
            ps[i] = pair_request(&pair, "/x", true);
        pair_run(&pair);
        assert_int_equal(pair.max_streams, 2);
        assert_int_equal(ps[2]->error, H2_REFUSED_STREAM);
        assert_int_equal(pair.servers_len, 2);
        assert_false(h2_session_can_start(pair.client));
        reply(&pair.servers[0]);
        pair_run(&pair);
        assert_true(h2_session_can_start(pair.client));
        assert_non_null(pair_request(&pair, "/x", true));
        pair_run(&pair);
        assert_int_equal(pair.servers_len, 3);
        assert_false(pair.server_dead);
    }
}

static void test_no_streams_at_all(void **state)
{
    (void)state;
    struct h2_session_config none = h2_session_config_default;
    none.max_streams = 0;
    EACH_STEP(&pair, NULL, &none)
    {
        pair_run(&pair);
        assert_int_equal(pair.settings, 1);
        assert_int_equal(pair.max_streams, 0);
        assert_false(h2_session_can_start(pair.client));
    }
}

static void test_informational_is_skipped(void **state)
{
    (void)state;
    static const char early[] = "\0\0\5\1\4\0\0\0\1\x8\3"
                                "100"
                                "\0\0\5\1\4\0\0\0\1\x8\3"
                                "103";
    EACH_STEP(&pair, NULL, NULL)
    {
        struct pair_stream *ps = reach(AT_REQUEST_END);
        pair_inject(&pair, H2_CLIENT, early, sizeof early - 1);
        assert_string_equal(ps->log, "");
        reply(&pair.servers[0]);
        pair_run(&pair);
        assert_string_equal(ps->log, "hdtc");
        assert_string_equal(ps->status, "200");
    }
}

static struct h2_stream *request_with(size_t extra_len)
{
    static char value[64 << 10];
    memset(value, 'v', sizeof value);
    value[extra_len] = 0;
    const char *fields[] = {":method",    "POST", ":scheme", "http", ":path", "/x",
                            ":authority", "a",    "x-large", value,  NULL};
    return h2_session_request(pair.client, pair_fields(fields), true);
}

static void test_request_header_limits(void **state)
{
    (void)state;
    struct h2_session_config small = h2_session_config_default;
    small.max_header_bytes = 1000;
    static const size_t lens[] = {500, 1500, 3500, 4500, 30000};
    EACH_STEP(&pair, NULL, &small)
    {
        pair_run(&pair);
        for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
            size_t before = pair.servers_len;
            struct pair_stream *ps = &pair.clients[pair.clients_len];
            struct h2_stream *stream = request_with(lens[i]);
            pair_attach(&pair, &pair.clients[pair.clients_len++], stream);
            pair_run(&pair);
            assert_int_equal(pair.servers_len - before, lens[i] < 1000);
            assert_int_equal(ps->closes, lens[i] > 1000);
            if (ps->closes)
                assert_int_equal(ps->error, H2_ENHANCE_YOUR_CALM);
        }
        assert_false(pair.server_dead);
        reply(&pair.servers[0]);
        pair_run(&pair);
        assert_string_equal(pair.clients[0].log, "hdtc");
    }
}

static void test_response_header_limit(void **state)
{
    (void)state;
    struct h2_session_config small = h2_session_config_default;
    small.max_header_bytes = 1000;
    EACH_STEP(&pair, &small, NULL)
    {
        static char value[1200];
        memset(value, 'v', sizeof value - 1);
        const char *fields[] = {":status", "200", "x-large", value, NULL};
        struct pair_stream *ps = reach(AT_REQUEST_END);
        h2_stream_respond(pair.servers[0].stream, pair_fields(fields), false);
        pair_run(&pair);
        assert_string_equal(ps->log, "c");
        assert_int_equal(ps->error, H2_ENHANCE_YOUR_CALM);
        assert_int_equal(pair.servers[0].closes, 1);
    }
}

/* Small writes of one turn leave as one DATA frame. */
static void test_writes_share_frames(void **state)
{
    (void)state;
    pair_init(&pair, 0, NULL, NULL);
    struct pair_stream *ps = reach(AT_REQUEST);
    for (int i = 0; i < 100; i++)
        h2_stream_write2(ps->stream, SLICE("12345"), SLICE("67890"));
    assert_int_equal(h2_stream_queued(ps->stream), 1000);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    h2_session_output(pair.client, &out, 1 << 16);
    assert_int_equal(buf_len(&out), 9 + 1000);
    buf_fini(&out);
    pair_fini(&pair);
}

static size_t request_len(const char *name, const char *value)
{
    const char *fields[] = {":method",    "POST", ":scheme", "http", ":path", "/x",
                            ":authority", "a",    name,      value,  NULL};
    struct buf out;
    buf_init(&out, SIZE_MAX);
    assert_non_null(h2_session_request(pair.client, pair_fields(fields), true));
    h2_session_output(pair.client, &out, 1 << 16);
    size_t len = buf_len(&out);
    pair_inject(&pair, H2_SERVER, buf_slice(&out).data, len);
    buf_fini(&out);
    return len;
}

/* Secrets are literals every time; other fields shrink to an index. */
static void test_secrets_are_never_indexed(void **state)
{
    (void)state;
    static const char *const secrets[] = {"authorization", "cookie", "set-cookie", "x-api-key",
                                          "proxy-authorization"};
    pair_init(&pair, 0, NULL, NULL);
    pair_run(&pair);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        request_len("x-warm", "up");
        size_t first = request_len(secrets[i], "a-value-of-some-length");
        assert_int_equal(request_len(secrets[i], "a-value-of-some-length"), first);
    }
    size_t first = request_len("x-plain", "a-value-of-some-length");
    assert_true(request_len("x-plain", "a-value-of-some-length") + 10 < first);
    pair_fini(&pair);
}

static int outputs;

static void count_output(void *arg)
{
    (void)arg;
    outputs++;
}

static void test_on_output_once(void **state)
{
    (void)state;
    const struct h2_session_events events = {.on_output = count_output};
    struct h2_session *s = h2_session_new(H2_CLIENT, &h2_session_config_default, &events, NULL);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    h2_session_output(s, &out, 1 << 16);
    outputs = 0;
    h2_session_ping(s);
    h2_session_ping(s);
    assert_int_equal(outputs, 1);
    h2_session_output(s, &out, 1 << 16);
    h2_session_ping(s);
    assert_int_equal(outputs, 2);
    buf_fini(&out);
    h2_session_free(s);
}

static void test_ping(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, NULL)
    {
        h2_session_ping(pair.client);
        pair_run(&pair);
        assert_int_equal(pair.pings, 1);
    }
}

/* pair_fini() asserts that each had its on_close once. */
static void test_free_with_open_streams(void **state)
{
    (void)state;
    for (int at = AT_QUEUED; at < AT_STATES; at++) {
        pair_init(&pair, 0, NULL, NULL);
        for (int i = 0; i < 80; i++)
            pair_request(&pair, "/x", false);
        reach(at);
        pair_fini(&pair);
        assert_int_equal(pair.clients[0].error, H2_INTERNAL_ERROR);
    }
}

static void forget(struct pair_stream *ps, bool end)
{
    (void)end;
    h2_stream_set_events(ps->stream, NULL, NULL);
    pair_respond(ps, "200", true);
    ps->closes = 1; /* nobody will tell us */
}

/* Without an owner the stream goes on: its data is dropped and its window given back. */
static void test_stream_without_owner(void **state)
{
    (void)state;
    EACH_STEP(&pair, NULL, &small_windows)
    {
        pair.on_request = forget;
        struct pair_stream *ps = pair_request(&pair, "/x", false);
        pair_run(&pair);
        for (int i = 0; i < 20; i++) {
            static const uint8_t piece[20000];
            h2_stream_write(ps->stream, slice_from(piece, sizeof piece));
            pair_run(&pair);
        }
        assert_int_equal(h2_stream_queued(ps->stream), 0);
        h2_stream_end(ps->stream);
        pair_run(&pair);
        assert_string_equal(ps->log, "Hc");
        assert_int_equal(h2_session_stream_count(pair.server), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_client_stream),
        cmocka_unit_test(test_trailers_only),
        cmocka_unit_test(test_response_without_trailers),
        cmocka_unit_test(test_server_stream),
        cmocka_unit_test(test_stalled_stream_stops_nobody),
        cmocka_unit_test(test_reset_by_client),
        cmocka_unit_test(test_reset_by_server),
        cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_reset_in_events),
        cmocka_unit_test(test_request_in_on_close),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_goaway_race),
        cmocka_unit_test(test_terminate),
        cmocka_unit_test(test_stream_limit),
        cmocka_unit_test(test_no_streams_at_all),
        cmocka_unit_test(test_informational_is_skipped),
        cmocka_unit_test(test_request_header_limits),
        cmocka_unit_test(test_response_header_limit),
        cmocka_unit_test(test_writes_share_frames),
        cmocka_unit_test(test_secrets_are_never_indexed),
        cmocka_unit_test(test_on_output_once),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_free_with_open_streams),
        cmocka_unit_test(test_stream_without_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
