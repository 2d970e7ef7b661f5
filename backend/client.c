#include "backend/client.h"

#include "base/loop.h"
#include "base/net.h"
#include "base/percent.h"
#include "base/text.h"
#include "grpc/frame.h"
#include "grpc/h2_conn.h"
#include "grpc/proto_unpack.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 5000,
    MAX_REPLY = 16 * 1024 * 1024,
    MAX_REQUEST = 64 * 1024 * 1024,
    HEADERS_MAX = 16 * 1024,
};

struct client {
    const char *target;
    struct loop *loop;
    struct h2_conn_set conns;
    struct h2_conn *conn; /* NULL: not connected */
    struct status lost;   /* why the connection ended */
    /* The call that runs now. */
    const struct client_call *call;
    struct h2_stream *stream;
    struct frame_reader reader;
    struct status *st;
    bool has_status, over;
};

static void on_conn_closed(void *arg, const struct status *why)
{
    struct client *c = arg;
    c->conn = NULL;
    c->lost = *why;
    c->over = true;
}

static const struct h2_conn_events conn_events = {.on_closed = on_conn_closed};

/* The first failure of a call is the one that is told. */
static void fail(struct client *c, const struct status *st)
{
    if (!c->has_status)
        *c->st = *st;
    c->has_status = true;
}

static int connect_to(const char *target)
{
    struct net_address address;
    int result = net_parse(target, &address);
    int fd = result < 0 ? result : net_connect(&address);
    if (fd < 0)
        return fd;
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    result = poll(&waiting, 1, CONNECT_TIMEOUT_MS) == 1 ? net_connect_result(fd) : -ETIMEDOUT;
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

static bool client_connect(struct client *c, struct status *st)
{
    if (c->conn)
        return true;
    int fd = connect_to(c->target);
    if (fd == -EINVAL) {
        status_set(st, STATUS_INVALID_ARGUMENT, "\"%s\" is not HOST:PORT", c->target);
        return false;
    }
    if (fd < 0) {
        status_set(st, STATUS_UNAVAILABLE, "cannot connect to %s: %s", c->target,
                   fd == -ENOENT ? "unknown host" : strerror(-fd));
        return false;
    }
    c->conn = h2_conn_new(&c->conns, fd, H2_CLIENT, &h2_session_config_default, &conn_events, c);
    if (!c->conn)
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    return c->conn != NULL;
}

/* grpc-status and grpc-message of trailers, or of the headers of a trailers-only reply. */
static void take_status(struct client *c, const struct metadata *md)
{
    struct status st;
    uint64_t code;
    struct slice number = metadata_get(md, SLICE("grpc-status"));
    struct slice message = metadata_get(md, SLICE("grpc-message"));
    if (!number.data || text_parse_uint64(number, &code) < 0 || code >= STATUS_CODE_COUNT) {
        status_set(&st, STATUS_UNKNOWN, "the reply has no valid grpc-status");
    } else {
        status_set(&st, (enum status_code)code, "%s", "");
        struct slice cut =
            slice_first(message, message.len < sizeof st.text ? message.len : sizeof st.text - 1);
        st.text[percent_decode_message(cut, st.text)] = 0;
    }
    fail(c, &st);
}

static void on_headers(void *arg, const struct metadata *headers, bool end)
{
    struct client *c = arg;
    struct slice code = metadata_get(headers, SLICE(":status"));
    struct slice type = metadata_get(headers, SLICE("content-type"));
    struct status st;
    if (!slice_equal(code, SLICE("200")) || !slice_has_prefix(type, SLICE("application/grpc"))) {
        status_set(&st, status_from_http(atoi(code.data ? (const char *)code.data : "0")),
                   "%s does not speak gRPC: HTTP status %.*s", c->target, SLICE_PRINT(code));
        fail(c, &st);
    } else if (end) {
        take_status(c, headers);
    }
}

static void on_message(struct client *c, struct slice payload)
{
    struct status st;
    ProtobufCMessage *reply = proto_unpack(c->call->reply, payload, &st);
    if (!reply) {
        st.code = STATUS_INTERNAL;
        fail(c, &st);
        return;
    }
    c->call->on_reply(c->call->arg, reply);
    protobuf_c_message_free_unpacked(reply, NULL);
}

static void on_data(void *arg, struct slice data)
{
    struct client *c = arg;
    struct status st;
    struct frame frame;
    h2_stream_consume(c->stream, data.len);
    while (!c->has_status) {
        enum frame_result result = frame_reader_next(&c->reader, &data, &frame);
        if (result == FRAME_NEED_MORE)
            return;
        if (result != FRAME_READY) {
            status_set(&st, STATUS_INTERNAL, "the reply is not a valid gRPC message");
            fail(c, &st);
            return;
        }
        on_message(c, frame.payload);
    }
}

static void on_end(void *arg, const struct metadata *trailers)
{
    struct client *c = arg;
    if (trailers)
        take_status(c, trailers);
}

static void on_close(void *arg, uint32_t error_code)
{
    struct client *c = arg;
    struct status st;
    status_set(&st, error_code == H2_NO_ERROR ? STATUS_INTERNAL : status_from_h2_error(error_code),
               "the call was broken off");
    if (c->lost.code != STATUS_OK)
        st = c->lost;
    fail(c, &st);
    c->stream = NULL;
    c->over = true;
}

static const struct h2_stream_events stream_events = {
    .on_headers = on_headers, .on_data = on_data, .on_end = on_end, .on_close = on_close};

static void send_requests(struct client *c)
{
    for (size_t i = 0; i < c->call->requests_len; i++) {
        const ProtobufCMessage *request = c->call->requests[i];
        struct buf packed;
        buf_init(&packed, MAX_REQUEST);
        size_t len = protobuf_c_message_get_packed_size(request);
        uint8_t *at = buf_reserve(&packed, FRAME_PREFIX_LEN + len);
        if (at) {
            frame_write_prefix(at, 0, (uint32_t)len);
            protobuf_c_message_pack(request, at + FRAME_PREFIX_LEN);
            h2_stream_write(c->stream, slice_from(at, FRAME_PREFIX_LEN + len));
        }
        buf_fini(&packed);
    }
    h2_stream_end(c->stream);
}

static bool client_start(struct client *c, struct status *st)
{
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, HEADERS_MAX);
    metadata_init(&md, &arena, HEADERS_MAX);
    metadata_add(&md, SLICE(":method"), SLICE("POST"));
    metadata_add(&md, SLICE(":scheme"), SLICE("http"));
    metadata_add(&md, SLICE(":path"), slice_from_string(c->call->path));
    bool is_unix = strncmp(c->target, "unix:", 5) == 0; /* a path is no authority */
    metadata_add(&md, SLICE(":authority"), slice_from_string(is_unix ? "localhost" : c->target));
    metadata_add(&md, SLICE("te"), SLICE("trailers"));
    metadata_add(&md, SLICE("content-type"), SLICE("application/grpc"));
    metadata_add(&md, SLICE("user-agent"), SLICE("calculator-client/" DRAWBRIDGE_VERSION));
    c->stream = h2_session_request(h2_conn_session(c->conn), &md, false);
    arena_fini(&arena);
    if (!c->stream) {
        status_set(st, STATUS_UNAVAILABLE, "the connection takes no more calls");
        return false;
    }
    h2_stream_set_events(c->stream, &stream_events, c);
    send_requests(c);
    return true;
}

uint32_t client_run(struct client *c, const struct client_call *call, struct status *st)
{
    status_ok(st);
    status_ok(&c->lost);
    c->call = call;
    c->st = st;
    c->has_status = c->over = false;
    frame_reader_init(&c->reader, 0, MAX_REPLY);
    if (client_connect(c, st) && client_start(c, st))
        while (!c->over)
            loop_turn(c->loop, -1);
    frame_reader_fini(&c->reader);
    return st->code;
}

struct client *client_new(const char *target)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->target = target;
    c->loop = loop_new();
    if (!c->loop) {
        free(c);
        return NULL;
    }
    h2_conn_set_init(&c->conns, c->loop);
    return c;
}

void client_free(struct client *c)
{
    if (c->conn)
        h2_conn_close(c->conn);
    loop_turn(c->loop, 0);
    h2_conn_set_fini(&c->conns);
    loop_free(c->loop);
    free(c);
}
