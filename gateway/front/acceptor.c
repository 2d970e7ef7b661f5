#include "gateway/front/acceptor.h"

#include "gateway/front/http1.h"

#include <errno.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 64, END_IDLE_BATCH = 16, RETRY_MS = 100, HINT_MS = 1000, PEEK_LEN = 24 };

enum greeting { GREETING_HTTP1, GREETING_TLS, GREETING_HTTP2 };

/* A TLS record with a handshake message (RFC 8446 section 5.1) or the HTTP/2 client preface
 * (RFC 9113 section 3.4). */
static enum greeting recognise(const uint8_t *data, size_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (data[0] == 0x16 && (len < 2 || data[1] == 3))
        return GREETING_TLS;
    size_t compared = len < sizeof preface - 1 ? len : sizeof preface - 1;
    if (compared >= 4 && memcmp(data, preface, compared) == 0)
        return GREETING_HTTP2;
    return GREETING_HTTP1;
}

static void acceptor_hint(struct acceptor *a, const struct connection *conn, const char *event,
                          const char *text)
{
    struct context *ctx = a->all->ctx;
    uint64_t now = loop_now_ms(ctx->loop);
    if (a->told_ms && now - a->told_ms < HINT_MS)
        return;
    a->told_ms = now;
    if (!log_begin(ctx->log, LOG_LEVEL_WARN, event))
        return;
    log_text(ctx->log, "peer", conn->peer);
    log_text(ctx->log, "message", text);
    log_end(ctx->log);
}

/* Empty SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED (0xd) and a text as debug data (RFC 9113
 * sections 6.5, 6.8 and 7). */
static void tell_http2(int fd)
{
    static const char text[] = "this port speaks HTTP/1.1 (gRPC-Web, JSON); send native gRPC to "
                               "the upstream server itself";
    uint8_t out[9 + 9 + 8 + sizeof text - 1] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    uint8_t *goaway = out + 9;
    goaway[2] = (uint8_t)(8 + sizeof text - 1);
    goaway[3] = 7;
    goaway[9 + 7] = 0xd;
    memcpy(goaway + 9 + 8, text, sizeof text - 1);
    (void)!send(fd, out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell_tls(int fd)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                               "Connection: close\r\nContent-Length: 55\r\n\r\n"
                               "this port speaks plain HTTP, without TLS: use http://\n\n";
    (void)!send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void acceptor_turn_away(struct acceptor *a, struct connection *conn, enum greeting greeting)
{
    uint8_t unread[4096];
    /* Closing with unread bytes would reset the connection before the answer is read. */
    while (recv(conn->fd, unread, sizeof unread, MSG_DONTWAIT) == sizeof unread)
        continue;
    if (greeting == GREETING_HTTP2) {
        tell_http2(conn->fd);
        acceptor_hint(a, conn, "http2_client",
                      "a client spoke HTTP/2 to an HTTP/1.1 port; native gRPC clients connect to "
                      "the upstream server itself");
    } else {
        tell_tls(conn->fd);
        acceptor_hint(a, conn, "tls_client",
                      "a client spoke TLS to a plain HTTP port; use http:// or end TLS in front "
                      "of the gateway");
    }
    metrics_add(a->all->ctx->metrics, METRIC_REQUESTS_REFUSED, 1);
    connection_close(conn);
}

/* Looks at the first bytes without taking them. */
static void acceptor_greet(struct acceptor *a, struct connection *conn)
{
    uint8_t head[PEEK_LEN];
    ssize_t len = recv(conn->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!conn->watched)
            connection_await_byte(conn);
        return;
    }
    if (len <= 0) {
        connection_close(conn);
        return;
    }
    enum greeting greeting = recognise(head, (size_t)len);
    if (greeting == GREETING_HTTP1)
        http1_add(a->all->http1, conn);
    else
        acceptor_turn_away(a, conn, greeting);
}

static void on_first_byte(void *arg, struct connection *conn)
{
    acceptor_greet(arg, conn);
}

static void acceptor_set_paused(struct acceptor *a, bool paused)
{
    if (a->paused == paused)
        return;
    a->paused = paused;
    for (size_t i = 0; i < a->count; i++)
        loop_io_set(a->listeners[i].io, paused ? 0 : LOOP_READ);
}

static void on_release(void *arg)
{
    acceptor_set_paused(arg, false);
}

static void on_retry(void *arg)
{
    acceptor_set_paused(arg, false);
}

/* At a limit: nobody new until somebody leaves, and who serves nothing leaves first. */
static void acceptor_pause(struct acceptor *a, const char *why)
{
    acceptor_set_paused(a, true);
    size_t ended = connections_end_idle(a->all, END_IDLE_BATCH, false);
    metrics_add(a->all->ctx->metrics, METRIC_CONNECTIONS_REFUSED, ended);
    loop_timer_set(a->all->ctx->loop, &a->retry, loop_now_ms(a->all->ctx->loop) + RETRY_MS);
    uint64_t now = loop_now_ms(a->all->ctx->loop);
    if (a->told_ms == 0 || now - a->told_ms >= HINT_MS) {
        a->told_ms = now;
        log_message(a->all->ctx->log, LOG_LEVEL_WARN, "accept_paused", "%s: %zu connections open",
                    why, a->all->count);
    }
}

/* True: more may wait. */
static bool acceptor_accept(struct acceptor *a, int listener)
{
    struct net_address peer;
    int fd = net_accept(listener, &peer);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
        acceptor_pause(a, "out of descriptors");
        return false;
    }
    if (fd < 0)
        return false;
    struct connection *conn = connection_open(a->all, fd, &peer);
    metrics_add(a->all->ctx->metrics, METRIC_CONNECTIONS_ACCEPTED, 1);
    if (conn)
        acceptor_greet(a, conn);
    return true;
}

static void on_listener(void *arg, int events)
{
    (void)events;
    struct listener *l = arg;
    struct acceptor *a = l->acceptor;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if (a->all->count >= a->all->max) {
            acceptor_pause(a, "connection limit reached");
            return;
        }
        if (!acceptor_accept(a, l->fd))
            return;
    }
}

void acceptor_init(struct acceptor *a, struct connections *all)
{
    *a = (struct acceptor){.all = all, .retry = {.on_expire = on_retry, .arg = a}};
    all->on_first_byte = on_first_byte;
    all->on_release = on_release;
    all->arg = a;
}

static void acceptor_close(struct acceptor *a)
{
    for (size_t i = 0; i < a->count; i++) {
        loop_io_free(a->listeners[i].io);
        close(a->listeners[i].fd);
    }
    a->count = 0;
    loop_timer_cancel(a->all->ctx->loop, &a->retry);
}

void acceptor_fini(struct acceptor *a)
{
    acceptor_close(a);
}

int acceptor_listen(struct acceptor *a, int listener)
{
    if (a->count == ACCEPTOR_MAX_LISTENERS) {
        close(listener);
        return -ENOBUFS;
    }
    struct listener *l = &a->listeners[a->count];
    *l = (struct listener){.acceptor = a, .fd = listener};
    l->io = loop_io_new(a->all->ctx->loop, listener, LOOP_READ, on_listener, l);
    if (!l->io) {
        close(listener);
        return -ENOMEM;
    }
    a->count++;
    return 0;
}

void acceptor_drain(struct acceptor *a)
{
    for (size_t i = 0; i < a->count; i++)
        while (acceptor_accept(a, a->listeners[i].fd))
            continue;
    acceptor_close(a);
}
