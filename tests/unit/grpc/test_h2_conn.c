/* h2_conn: a client and a server on the two ends of a socket pair, driven by turns of one loop. */
#include "grpc/h2_conn.h"
#include "unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    struct h2_conn *conn;
    struct h2_stream *stream;
    size_t bytes, to_send;
    int closes, closed;
    uint32_t error;
    struct status why;
    bool close_in_data;
};

struct fixture {
    struct loop *loop;
    struct h2_conn_set set;
    struct end client, server;
    int raw; /* the client's end when a test plays the client itself; else -1 */
};

static void on_data(void *arg, struct slice data)
{
    struct end *end = arg;
    end->bytes += data.len;
    h2_stream_consume(end->stream, data.len);
    if (end->close_in_data)
        h2_conn_close(end->conn);
}

static void on_close(void *arg, uint32_t error_code)
{
    struct end *end = arg;
    assert_int_equal(end->closed, 0);
    end->closes++;
    end->error = error_code;
    end->stream = NULL;
}

static void send_more(void *arg)
{
    static const uint8_t piece[32 << 10];
    struct end *end = arg;
    bool room = true;
    while (room && end->to_send > 0) {
        size_t len = end->to_send < sizeof piece ? end->to_send : sizeof piece;
        end->to_send -= len;
        room = h2_stream_write(end->stream, slice_from(piece, len));
    }
    if (end->to_send == 0)
        h2_stream_end(end->stream);
}

static const struct h2_stream_events stream_events = {
    .on_data = on_data, .on_writable = send_more, .on_close = on_close};

static void add(struct metadata *md, const char *name, const char *value)
{
    assert_int_equal(metadata_add(md, slice_from_string(name), slice_from_string(value)), 0);
}

static void on_request(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end)
{
    (void)headers, (void)end;
    struct end *server = arg;
    server->stream = stream;
    h2_stream_set_events(stream, &stream_events, server);
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 14);
    add(&md, ":status", "200");
    h2_stream_respond(stream, &md, false);
    arena_fini(&arena);
    send_more(server);
}

static void on_closed(void *arg, const struct status *why)
{
    struct end *end = arg;
    assert_null(end->stream);
    end->closed++;
    end->why = *why;
    end->conn = NULL;
}

static const struct h2_conn_events conn_events = {.session = {.on_request = on_request},
                                                  .on_closed = on_closed};

static void start(struct fixture *f, bool raw_client)
{
    int fds[2];
    *f = (struct fixture){.loop = loop_new(), .raw = -1};
    assert_non_null(f->loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    h2_conn_set_init(&f->set, f->loop);
    f->server.conn = h2_conn_new(&f->set, fds[1], H2_SERVER, &h2_session_config_default,
                                 &conn_events, &f->server);
    assert_non_null(f->server.conn);
    if (raw_client) {
        f->raw = fds[0];
        return;
    }
    f->client.conn = h2_conn_new(&f->set, fds[0], H2_CLIENT, &h2_session_config_default,
                                 &conn_events, &f->client);
    assert_non_null(f->client.conn);
}

static void stop(struct fixture *f)
{
    if (f->client.conn)
        h2_conn_close(f->client.conn);
    if (f->server.conn)
        h2_conn_close(f->server.conn);
    if (f->raw >= 0)
        close(f->raw);
    loop_turn(f->loop, 0);
    h2_conn_set_fini(&f->set);
    loop_free(f->loop);
}

static void turns(struct fixture *f, int count)
{
    while (count-- > 0)
        loop_turn(f->loop, 0);
}

static void request(struct fixture *f, size_t to_send)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 14);
    add(&md, ":method", "POST");
    add(&md, ":scheme", "http");
    add(&md, ":path", "/x");
    add(&md, ":authority", "a");
    f->client.stream = h2_session_request(h2_conn_session(f->client.conn), &md, false);
    assert_non_null(f->client.stream);
    h2_stream_set_events(f->client.stream, &stream_events, &f->client);
    arena_fini(&arena);
    f->client.to_send = to_send;
    send_more(&f->client);
}

static void test_both_directions(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, false);
    f.server.to_send = 3 << 20;
    request(&f, 5 << 20);
    turns(&f, 1000);
    assert_int_equal(f.client.bytes, 3 << 20);
    assert_int_equal(f.server.bytes, 5 << 20);
    assert_int_equal(f.client.closes, 1);
    assert_int_equal(f.server.closes, 1);
    assert_int_equal(f.client.error, H2_NO_ERROR);
    assert_true(h2_conn_bytes_in(f.server.conn) > 5 << 20);
    assert_int_equal(h2_conn_bytes_in(f.server.conn), h2_conn_bytes_out(f.client.conn));
    stop(&f);
    assert_int_equal(f.client.closed, 1);
    assert_int_equal(f.client.why.code, STATUS_OK);
}

static void test_drain_closes_both(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, false);
    request(&f, 100);
    turns(&f, 1);
    h2_session_goaway(h2_conn_session(f.server.conn));
    turns(&f, 20);
    assert_int_equal(f.client.closes, 1);
    assert_int_equal(f.client.closed, 1);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.client.why.code, STATUS_OK);
    assert_int_equal(f.server.why.code, STATUS_OK);
    stop(&f);
}

static void test_close_in_event(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, false);
    f.server.to_send = 1 << 20;
    f.client.close_in_data = true;
    request(&f, 1 << 20);
    turns(&f, 100);
    assert_int_equal(f.client.closed, 1);
    assert_int_equal(f.client.closes, 1);
    assert_int_equal(f.client.error, H2_CANCEL);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.error, H2_CONNECTION_LOST);
    assert_int_equal(f.server.why.code, STATUS_UNAVAILABLE);
    stop(&f);
}

static void test_peer_leaves_idle(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, true);
    turns(&f, 2);
    close(f.raw);
    f.raw = -1;
    turns(&f, 2);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.why.code, STATUS_OK);
    stop(&f);
}

/* Not HTTP/2: the peer sees our last words and then the end. */
static void test_bad_preface(void **state)
{
    (void)state;
    struct fixture f;
    char buffer[512];
    start(&f, true);
    assert_int_equal(send(f.raw, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 35, MSG_NOSIGNAL),
                     35);
    turns(&f, 4);
    ssize_t n = 0, total = 0;
    while ((n = recv(f.raw, buffer, sizeof buffer, 0)) > 0)
        total += n;
    assert_int_equal(n, 0);
    assert_true(total > 0);
    assert_int_equal(f.server.closed, 0); /* lingers until we close */
    close(f.raw);
    f.raw = -1;
    turns(&f, 2);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.why.code, STATUS_INTERNAL);
    stop(&f);
}

static void send_raw(const struct fixture *f, const char *bytes, size_t len)
{
    assert_int_equal(send(f->raw, bytes, len, MSG_NOSIGNAL), len);
}

#define SEND_RAW(f, literal) send_raw(f, literal, sizeof(literal) - 1)
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* A peer with huge windows that does not read: what waits is bounded; when it reads, it gets all.
 */
static void test_slow_reader(void **state)
{
    (void)state;
    static char buffer[256 << 10];
    struct fixture f;
    start(&f, true);
    f.server.to_send = 16 << 20;
    SEND_RAW(&f, PREFACE "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"
                         "\0\0\4\x8\0\0\0\0\0\x7f\0\0\0"
                         "\0\0\6\1\5\0\0\0\1\x83\x86\x84\x41\1a");
    turns(&f, 50);
    uint64_t out = h2_conn_bytes_out(f.server.conn);
    assert_true(out > 0 && out < 4 << 20);
    assert_true(h2_stream_queued(f.server.stream) <=
                h2_session_config_default.max_send_buffer + (32 << 10));
    turns(&f, 50);
    assert_int_equal(h2_conn_bytes_out(f.server.conn), out);
    size_t total = 0;
    for (int i = 0; i < 10000 && f.server.closes == 0; i++) {
        ssize_t n;
        while ((n = recv(f.raw, buffer, sizeof buffer, 0)) > 0)
            total += (size_t)n;
        turns(&f, 1);
    }
    assert_true(total > 15 << 20);
    assert_int_equal(f.server.closes, 1);
    assert_int_equal(f.server.error, H2_NO_ERROR);
    stop(&f);
}

/* Floods from a peer that does not read end the connection all the same. */
static void test_flood_without_reading(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, true);
    SEND_RAW(&f, PREFACE "\0\0\0\4\0\0\0\0\0");
    for (int i = 0; i < 200; i++)
        SEND_RAW(&f, "\0\0\x8\6\0\0\0\0\0flooding");
    turns(&f, 10);
    assert_int_equal(h2_conn_bytes_out(f.server.conn) > 0, 1);
    close(f.raw);
    f.raw = -1;
    turns(&f, 3);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.why.code, STATUS_INTERNAL);
    assert_non_null(strstr(f.server.why.text, "ENHANCE_YOUR_CALM"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions),       cmocka_unit_test(test_drain_closes_both),
        cmocka_unit_test(test_close_in_event),        cmocka_unit_test(test_peer_leaves_idle),
        cmocka_unit_test(test_bad_preface),           cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_flood_without_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
