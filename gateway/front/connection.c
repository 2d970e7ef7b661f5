#include "gateway/front/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WATCH_EVENTS = 64, DISCARD_MS = 2000, DRAIN_IDLE_MS = 100, LEFT_MS = 20 };

static const char keepalive_over[] = "keep-alive time is up";
static const char client_left[] = "the client left";
static const char head_late[] = "request head took too long";

static const struct config_limits *limits_of(const struct connection *conn)
{
    return &conn->all->ctx->config->limits;
}

static uint64_t now_of(const struct connection *conn)
{
    return loop_now_ms(conn->all->ctx->loop);
}

/* Parked: that is the end.  Else the library reads what may still be there and finds the end
 * itself; it misses one that came together with the last bytes, because a short read makes it wait
 * for another edge, which shutting down our reading side gives. */
static void connection_left(struct connection *conn)
{
    bool known = conn->left;
    conn->left = true;
    if (conn->parked) {
        conn->gone = true;
        conn->all->on_unpark(conn);
    } else if (!known) {
        shutdown(conn->fd, SHUT_RD); /* shows here again, too */
        connection_check_at(conn, now_of(conn) + LEFT_MS);
    }
}

static void on_watch(void *arg, int events)
{
    (void)events;
    struct connections *all = arg;
    struct epoll_event ready[WATCH_EVENTS];
    int count = epoll_wait(all->watch_fd, ready, WATCH_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        struct connection *conn = ready[i].data.ptr;
        if (conn->phase == CONNECTION_FRESH) {
            all->on_first_byte(all->arg, conn);
            continue;
        }
        connection_left(conn);
    }
}

int connections_init(struct connections *all, struct context *ctx, size_t max)
{
    *all = (struct connections){.ctx = ctx, .max = max};
    list_init(&all->idle);
    list_init(&all->busy);
    all->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (all->watch_fd < 0)
        return -errno;
    all->watch_io = loop_io_new(ctx->loop, all->watch_fd, LOOP_READ, on_watch, all);
    if (!all->watch_io) {
        close(all->watch_fd);
        return -ENOMEM;
    }
    return 0;
}

void connections_fini(struct connections *all)
{
    LIST_EACH(node, &all->idle)
    connection_close(LIST_ENTRY(node, struct connection, node));
    loop_io_free(all->watch_io);
    close(all->watch_fd);
}

/* The kernel's count of bytes, by direction; 0 on sockets that have none. */
static uint64_t kernel_bytes(const struct connection *conn, bool received)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (!conn->tcp || getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return received ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
}

static void take_mark(struct connection *conn, bool received)
{
    conn->mark = kernel_bytes(conn, received);
    conn->mark_ms = now_of(conn);
    conn->mark_requests = conn->requests;
}

/* A response whose head left before the drain did not say that the connection closes. */
static uint64_t idle_ms(const struct connection *conn)
{
    return conn->all->ctx->draining ? DRAIN_IDLE_MS : limits_of(conn)->keepalive_timeout_ms;
}

/* The client has ended its side and the library has had its time to read what there was. */
static bool left_for_good(const struct connection *conn)
{
    int unread = 0;
    return conn->left && (ioctl(conn->fd, FIONREAD, &unread) < 0 || unread == 0);
}

/* A head that arrives slowly behind an answered request shows only in the kernel's counter: bytes
 * came, but no request began. */
static uint64_t check_idle(struct connection *conn, const char **why)
{
    uint64_t now = now_of(conn), head_ms = limits_of(conn)->header_timeout_ms;
    uint64_t end = conn->since_ms + idle_ms(conn);
    if (now >= end)
        *why = keepalive_over;
    if (left_for_good(conn))
        *why = client_left;
    if (conn->mark_requests != conn->requests) {
        take_mark(conn, true);
    } else if (kernel_bytes(conn, true) == conn->mark) {
        conn->mark_ms = now;
    } else if (now - conn->mark_ms >= head_ms) {
        *why = head_late;
    }
    uint64_t look = now + (head_ms < 2000 ? head_ms / 2 + 1 : head_ms / 2);
    return look < end ? look : end;
}

static bool below_rate(const struct connection *conn, uint64_t bytes, uint64_t ms)
{
    return ms >= limits_of(conn)->body_grace_ms &&
           bytes < limits_of(conn)->min_body_rate * ms / 1000;
}

static uint64_t look_again(const struct connection *conn)
{
    uint64_t grace = limits_of(conn)->body_grace_ms, stall = limits_of(conn)->stall_timeout_ms;
    uint64_t step = grace < stall ? grace : stall;
    return now_of(conn) + (step < 20 ? 20 : step);
}

static uint64_t check_body(struct connection *conn, const char **why)
{
    uint64_t now = now_of(conn), age = now - conn->since_ms;
    uint64_t next = look_again(conn);
    if (conn->left) {
        if (left_for_good(conn))
            *why = client_left;
        return now + LEFT_MS;
    }
    if (conn->discarding) {
        if (age >= DISCARD_MS)
            *why = "unwanted upload took too long";
        return conn->since_ms + DISCARD_MS < next ? conn->since_ms + DISCARD_MS : next;
    }
    if (conn->stuck) {
        if (now - conn->progress_ms >= limits_of(conn)->stall_timeout_ms)
            conn->all->on_stuck(conn);
        return next;
    }
    if (conn->slow_allowed || conn->held) {
        conn->progress_ms = now;
        return next;
    }
    if (now - conn->progress_ms >= limits_of(conn)->stall_timeout_ms)
        *why = "request body stalled";
    else if (below_rate(conn, conn->bytes, age))
        *why = "request body below the minimum rate";
    return next;
}

/* What the client acknowledges is counted by the kernel; a unix socket only tells how much it still
 * holds. */
static uint64_t check_sending(struct connection *conn, const char **why)
{
    uint64_t now = now_of(conn), bytes = kernel_bytes(conn, false);
    int queued = 0;
    if (bytes == 0 && ioctl(conn->fd, SIOCOUTQ, &queued) == 0)
        bytes = conn->bytes + (uint64_t)queued;
    uint64_t passed = now - conn->mark_ms;
    bool tcp = conn->tcp;
    if (conn->mark_ms < conn->since_ms || conn->mark_requests != conn->requests) {
        conn->progress_ms = now;
    } else if (bytes != conn->mark) {
        conn->progress_ms = now;
        if (tcp && below_rate(conn, bytes - conn->mark, passed))
            *why = "response taken below the minimum rate";
    } else if (now - conn->progress_ms >= limits_of(conn)->stall_timeout_ms) {
        *why = "response not taken";
    }
    if (conn->mark_ms < conn->since_ms || bytes != conn->mark ||
        conn->mark_requests != conn->requests) {
        conn->mark = bytes;
        conn->mark_ms = now;
        conn->mark_requests = conn->requests;
    }
    return look_again(conn);
}

static void on_limit(void *arg)
{
    struct connection *conn = arg;
    const char *why = NULL;
    uint64_t next = 0;
    switch ((enum connection_phase)conn->phase) {
    case CONNECTION_FRESH:
        /* Browsers open connections that they may never use. */
        if (conn->all->ctx->draining) {
            why = keepalive_over;
            break;
        }
        /* fall through */
    case CONNECTION_HEAD:
        next = conn->since_ms + limits_of(conn)->header_timeout_ms;
        if (now_of(conn) >= next)
            why = head_late;
        break;
    case CONNECTION_IDLE:
        next = check_idle(conn, &why);
        break;
    case CONNECTION_BODY:
        next = check_body(conn, &why);
        break;
    case CONNECTION_WAITING:
        return; /* the next phase arms it */
    case CONNECTION_SENDING:
        next = check_sending(conn, &why);
        break;
    }
    if (why)
        connection_cut(conn, why);
    else
        loop_timer_set(conn->all->ctx->loop, &conn->timer, next);
}

void connection_check_at(struct connection *conn, uint64_t at_ms)
{
    if (conn->timer.place == 0 || conn->timer.at_ms > at_ms)
        loop_timer_set(conn->all->ctx->loop, &conn->timer, at_ms);
}

static int watch_set(struct connection *conn, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    return epoll_ctl(conn->all->watch_fd, op, conn->fd, &event) < 0 ? -errno : 0;
}

struct connection *connection_open(struct connections *all, int fd, const struct net_address *peer)
{
    struct connection *conn = calloc(1, sizeof *conn);
    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->all = all;
    conn->fd = fd;
    conn->tcp = peer->storage.ss_family != AF_UNIX;
    char text[NET_TEXT_LEN];
    net_format(peer, text);
    memcpy(conn->peer, text, sizeof conn->peer - 1);
    conn->timer.on_expire = on_limit;
    conn->timer.arg = conn;
    conn->since_ms = now_of(conn);
    list_init(&conn->node);
    list_append(&all->idle, &conn->node);
    all->count++;
    metrics_add(all->ctx->metrics, METRIC_CONNECTIONS_OPEN, 1);
    connection_check_at(conn, conn->since_ms + limits_of(conn)->header_timeout_ms);
    return conn;
}

void connection_await_byte(struct connection *conn)
{
    if (watch_set(conn, EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP) < 0)
        connection_close(conn);
    else
        conn->watched = true;
}

static void unwatch(struct connection *conn)
{
    if (conn->watched)
        epoll_ctl(conn->all->watch_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    conn->watched = false;
}

void connection_move(struct connection *conn, int fd)
{
    unwatch(conn);
    conn->fd = fd;
}

void connection_release(struct connection *conn)
{
    struct connections *all = conn->all;
    unwatch(conn);
    loop_timer_cancel(all->ctx->loop, &conn->timer);
    list_remove(&conn->node);
    all->count--;
    metrics_sub(all->ctx->metrics, METRIC_CONNECTIONS_OPEN, 1);
    free(conn);
    if (all->on_release)
        all->on_release(all->arg);
}

void connection_close(struct connection *conn)
{
    int fd = conn->fd;
    unwatch(conn);
    close(fd);
    connection_release(conn);
}

static bool is_idle_phase(uint8_t phase)
{
    return phase <= CONNECTION_IDLE;
}

void connection_set_phase(struct connection *conn, enum connection_phase phase)
{
    if (conn->phase == CONNECTION_FRESH)
        unwatch(conn);
    if (is_idle_phase(conn->phase) != is_idle_phase((uint8_t)phase)) {
        list_remove(&conn->node);
        list_append(phase == CONNECTION_IDLE ? &conn->all->idle : &conn->all->busy, &conn->node);
    }
    conn->phase = (uint8_t)phase;
    if (phase == CONNECTION_HEAD)
        return; /* its time counts from accept */
    conn->since_ms = conn->progress_ms = now_of(conn);
    conn->bytes = 0;
    if ((phase == CONNECTION_BODY || phase == CONNECTION_IDLE) && conn->left)
        connection_check_at(conn, conn->since_ms + LEFT_MS);
    else if (phase == CONNECTION_BODY || phase == CONNECTION_SENDING)
        connection_check_at(conn, look_again(conn));
    else if (phase == CONNECTION_IDLE)
        connection_check_at(conn, conn->since_ms + (conn->all->ctx->draining
                                                        ? DRAIN_IDLE_MS
                                                        : limits_of(conn)->header_timeout_ms));
}

void connection_watch(struct connection *conn)
{
    /* One registration serves every later parking: it is edge-triggered. */
    if (!conn->watched && watch_set(conn, EPOLL_CTL_ADD, EPOLLRDHUP | EPOLLET) == 0)
        conn->watched = true;
}

void connection_reset(struct connection *conn)
{
    /* Dissolving the association is what sends RST before any FIN; SO_LINGER would send it after
     * the FIN of the library's shutdown(). */
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    (void)!connect(conn->fd, &none, sizeof none);
}

void connection_cut(struct connection *conn, const char *reason)
{
    struct context *ctx = conn->all->ctx;
    if (log_begin(ctx->log, LOG_LEVEL_DEBUG, "connection_cut")) {
        log_text(ctx->log, "peer", conn->peer);
        log_text(ctx->log, "reason", reason);
        log_end(ctx->log);
    }
    if (reason != keepalive_over && reason != client_left)
        metrics_add(ctx->metrics, METRIC_CONNECTIONS_CUT, 1);
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";
    if (reason == head_late)
        (void)!send(conn->fd, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    conn->gone = true;
    shutdown(conn->fd, SHUT_RDWR);
    if (conn->phase == CONNECTION_FRESH)
        connection_close(conn);
    else if (conn->parked)
        conn->all->on_unpark(conn);
}

size_t connections_end_idle(struct connections *all, size_t count, bool kept_alive)
{
    size_t ended = 0;
    LIST_EACH(node, &all->idle)
    {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        if (ended == count)
            break;
        if (conn->gone || (kept_alive && conn->phase != CONNECTION_IDLE))
            continue;
        ended++;
        conn->gone = true;
        shutdown(conn->fd, SHUT_RDWR);
        if (conn->phase == CONNECTION_FRESH)
            connection_close(conn);
    }
    return ended;
}

void connections_drain(struct connections *all)
{
    connections_end_idle(all, SIZE_MAX, true);
    LIST_EACH(node, &all->idle)
    {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        if (conn->phase == CONNECTION_FRESH)
            connection_check_at(conn, now_of(conn) + DRAIN_IDLE_MS);
    }
}
