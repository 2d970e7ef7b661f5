#include "unit/grpc/h2_pair.h"
#include "unit/cmocka_all.h"

#include <stdio.h>

static void note(struct pair_stream *ps, char event)
{
    size_t len = strlen(ps->log);
    if (event == 'd' && len > 0 && ps->log[len - 1] == 'd')
        return;
    assert_true(len + 1 < sizeof ps->log);
    assert_int_equal(ps->closes, 0);
    ps->log[len] = event;
}

static void copy_field(char *to, size_t room, const struct metadata *md, const char *name)
{
    struct slice value = metadata_get(md, slice_from_string(name));
    snprintf(to, room, "%.*s", SLICE_PRINT(value));
}

static void on_headers(void *arg, const struct metadata *headers, bool end)
{
    struct pair_stream *ps = arg;
    note(ps, end ? 'H' : 'h');
    copy_field(ps->status, sizeof ps->status, headers, ":status");
    copy_field(ps->trailer, sizeof ps->trailer, headers, "grpc-status");
    if (ps->pair->on_client_headers)
        ps->pair->on_client_headers(ps);
}

static void on_data(void *arg, struct slice data)
{
    struct pair_stream *ps = arg;
    note(ps, 'd');
    ps->bytes += data.len;
    if (buf_len(&ps->body) < 4096)
        assert_int_equal(buf_append_slice(&ps->body, data), 0);
    if (ps->hold)
        ps->held += data.len;
    else
        h2_stream_consume(ps->stream, data.len);
    if (h2_stream_session(ps->stream) == ps->pair->server && ps->pair->on_server_data)
        ps->pair->on_server_data(ps);
}

static void on_end(void *arg, const struct metadata *trailers)
{
    struct pair_stream *ps = arg;
    note(ps, trailers ? 't' : 'e');
    if (trailers)
        copy_field(ps->trailer, sizeof ps->trailer, trailers, "grpc-status");
    if (h2_stream_session(ps->stream) == ps->pair->server && ps->pair->on_server_end)
        ps->pair->on_server_end(ps);
}

static void on_writable(void *arg)
{
    struct pair_stream *ps = arg;
    note(ps, 'w');
    if (ps->pair->on_writable)
        ps->pair->on_writable(ps);
}

static void on_close(void *arg, uint32_t error_code)
{
    struct pair_stream *ps = arg;
    bool client = h2_stream_session(ps->stream) == ps->pair->client;
    note(ps, 'c');
    ps->closes++;
    ps->error = error_code;
    ps->stream = NULL;
    if (client && ps->pair->on_client_close)
        ps->pair->on_client_close(ps);
}

static const struct h2_stream_events stream_events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_close = on_close,
};

void pair_attach(struct h2_pair *p, struct pair_stream *ps, struct h2_stream *stream)
{
    *ps = (struct pair_stream){.pair = p, .stream = stream};
    buf_init(&ps->body, SIZE_MAX);
    h2_stream_set_events(stream, &stream_events, ps);
}

static void on_request(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end)
{
    struct h2_pair *p = arg;
    assert_true(p->servers_len < PAIR_STREAMS);
    struct pair_stream *ps = &p->servers[p->servers_len++];
    pair_attach(p, ps, stream);
    note(ps, end ? 'H' : 'h');
    copy_field(ps->status, sizeof ps->status, headers, ":path");
    if (p->on_request)
        p->on_request(ps, end);
}

static void on_settings(void *arg, uint32_t max_streams)
{
    struct h2_pair *p = arg;
    p->settings++;
    p->max_streams = max_streams;
}

static void on_goaway(void *arg, uint32_t error_code, struct slice debug_data)
{
    struct h2_pair *p = arg;
    p->goaways++;
    p->goaway_error = error_code;
    snprintf(p->goaway_debug, sizeof p->goaway_debug, "%.*s", SLICE_PRINT(debug_data));
}

static void on_ping_ack(void *arg)
{
    ((struct h2_pair *)arg)->pings++;
}

static const struct h2_session_events session_events = {
    .on_request = on_request,
    .on_settings = on_settings,
    .on_goaway = on_goaway,
    .on_ping_ack = on_ping_ack,
};

void pair_init(struct h2_pair *p, size_t step, const struct h2_session_config *client,
               const struct h2_session_config *server)
{
    *p = (struct h2_pair){.step = step, .now_ms = 1000};
    const struct h2_session_config *common = &h2_session_config_default;
    p->client = h2_session_new(H2_CLIENT, client ? client : common, &session_events, p);
    p->server = h2_session_new(H2_SERVER, server ? server : common, &session_events, p);
    assert_non_null(p->client);
    assert_non_null(p->server);
}

void pair_fini(struct h2_pair *p)
{
    h2_session_free(p->client);
    h2_session_free(p->server);
    for (size_t i = 0; i < p->clients_len; i++) {
        assert_int_equal(p->clients[i].closes, 1);
        buf_fini(&p->clients[i].body);
    }
    for (size_t i = 0; i < p->servers_len; i++) {
        assert_int_equal(p->servers[i].closes, 1);
        buf_fini(&p->servers[i].body);
    }
}

static void feed(struct h2_pair *p, struct h2_session *to, struct slice bytes)
{
    bool *dead = to == p->client ? &p->client_dead : &p->server_dead;
    struct status *why = to == p->client ? &p->client_why : &p->server_why;
    while (bytes.len > 0 && !*dead) {
        size_t n = p->step && p->step < bytes.len ? p->step : bytes.len;
        *dead = !h2_session_input(to, slice_first(bytes, n), p->now_ms, why);
        bytes = slice_skip(bytes, n);
    }
}

void pair_inject(struct h2_pair *p, enum h2_role to, const void *bytes, size_t len)
{
    feed(p, to == H2_SERVER ? p->server : p->client, slice_from(bytes, len));
}

/* Whether anything moved. */
static bool carry(struct h2_pair *p, struct h2_session *from, struct h2_session *to)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    h2_session_output(from, &out, 32 << 10);
    bool moved = buf_len(&out) > 0;
    feed(p, to, buf_slice(&out));
    buf_fini(&out);
    return moved;
}

void pair_run(struct h2_pair *p)
{
    bool moved = true;
    for (int turns = 0; moved; turns++) {
        assert_true(turns < 100000);
        moved = carry(p, p->client, p->server);
        moved = carry(p, p->server, p->client) || moved;
    }
}

struct metadata *pair_fields(const char *const *names_and_values)
{
    static uint8_t room[64 << 10];
    static struct arena arena;
    static struct metadata md;
    arena_fini(&arena);
    arena_init(&arena, room, sizeof room, 1 << 20);
    metadata_init(&md, &arena, 1 << 20);
    for (; names_and_values[0]; names_and_values += 2)
        assert_int_equal(metadata_add(&md, slice_from_string(names_and_values[0]),
                                      slice_from_string(names_and_values[1])),
                         0);
    return &md;
}

struct pair_stream *pair_request(struct h2_pair *p, const char *path, bool end)
{
    const char *fields[] = {":method",
                            "POST",
                            ":scheme",
                            "http",
                            ":path",
                            path,
                            ":authority",
                            "calculator.example",
                            "te",
                            "trailers",
                            "content-type",
                            "application/grpc+proto",
                            "user-agent",
                            "pair/1.0",
                            NULL};
    struct h2_stream *stream = h2_session_request(p->client, pair_fields(fields), end);
    if (!stream)
        return NULL;
    assert_true(p->clients_len < PAIR_STREAMS);
    struct pair_stream *ps = &p->clients[p->clients_len++];
    pair_attach(p, ps, stream);
    return ps;
}

void pair_respond(struct pair_stream *ps, const char *status, bool end)
{
    const char *fields[] = {":status", status, "content-type", "application/grpc", NULL,
                            NULL,      NULL};
    if (end) {
        fields[4] = "grpc-status";
        fields[5] = "12";
    }
    h2_stream_respond(ps->stream, pair_fields(fields), end);
}

void pair_trailers(struct pair_stream *ps, const char *grpc_status)
{
    const char *fields[] = {"grpc-status", grpc_status, NULL};
    h2_stream_trailers(ps->stream, pair_fields(fields));
}
