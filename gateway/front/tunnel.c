#include "gateway/front/tunnel.h"

#include "gateway/front/exchange_front.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* One tunnel moves no more than this in a turn, so that none delays the others. */
enum { READ_BYTES = 64 << 10, SENDS_PER_TURN = 4, UNSENT_BYTES = 128 << 10 };

struct tunnels {
    struct connections *all;
    struct list woken;
    struct loop_hook hook;
    uint8_t scratch[READ_BYTES]; /* what was just read; nobody keeps it */
};

struct tunnel {
    struct tunnels *tunnels;
    struct connection *conn;
    struct loop_io *io; /* NULL: the HTTP library still holds the connection */
    struct list node;   /* in tunnels->woken */
    struct buf early;   /* read before the upgrade, not delivered yet */
};

void tunnel_wake(struct tunnel *t)
{
    if (!t->io || !list_empty(&t->node))
        return;
    list_append(&t->tunnels->woken, &t->node);
    loop_again(t->tunnels->all->ctx->loop);
}

void tunnel_close(struct tunnel *t)
{
    struct connection *conn = t->conn;
    if (conn->ex)
        exchange_close(conn->ex);
    conn->ex = NULL;
    loop_io_free(t->io);
    list_remove(&t->node);
    buf_fini(&t->early);
    free(t);
    connection_close(conn);
}

/* The exchange is over: says so to the client, then reads and drops what it still sends. */
static void tunnel_linger(struct tunnel *t)
{
    struct connection *conn = t->conn;
    exchange_close(conn->ex);
    conn->ex = NULL;
    shutdown(conn->fd, SHUT_WR);
    connection_set_phase(conn, CONNECTION_BODY);
    conn->discarding = true;
    conn->parked = false;
    loop_io_set(t->io, LOOP_READ);
}

static void tunnel_deliver_early(struct tunnel *t)
{
    struct exchange *ex = t->conn->ex;
    if (buf_len(&t->early) == 0 || ex->upload_paused)
        return;
    buf_consume(&t->early, exchange_take_body(ex, buf_slice(&t->early)));
    buf_reset(&t->early, 0);
}

/* False: the connection is broken. */
static bool tunnel_send(struct tunnel *t)
{
    struct connection *conn = t->conn;
    struct slice out;
    for (int i = 0; (out = exchange_output(conn->ex)).len > 0; i++) {
        if (i == SENDS_PER_TURN) {
            tunnel_wake(t);
            return true;
        }
        ssize_t len = send(conn->fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR;
        conn->bytes += (uint64_t)len;
        exchange_drop_output(conn->ex, (size_t)len);
    }
    return true;
}

/* Limits count while the client has something to take; else they are the protocol's. */
static void tunnel_set_phase(struct connection *conn, bool waits)
{
    enum connection_phase phase = waits ? CONNECTION_SENDING : CONNECTION_WAITING;
    if (conn->phase != phase)
        connection_set_phase(conn, phase);
}

static void tunnel_update(struct tunnel *t)
{
    struct connection *conn = t->conn;
    struct exchange *ex = conn->ex;
    if (!ex)
        return; /* lingers */
    tunnel_deliver_early(t);
    bool whole = ex->reply != REPLY_ABORTED && tunnel_send(t);
    bool waits = exchange_output(ex).len > 0;
    conn->parked = ex->upload_paused;
    if (!whole || conn->gone || (conn->parked && conn->left)) {
        tunnel_close(t);
    } else if (ex->reply == REPLY_ENDED && !waits) {
        tunnel_linger(t);
    } else {
        if (conn->parked)
            connection_watch(conn);
        tunnel_set_phase(conn, waits);
        loop_io_set(t->io, (conn->parked ? 0 : LOOP_READ) | (waits ? LOOP_WRITE : 0));
    }
}

static void tunnel_read(struct tunnel *t)
{
    struct connection *conn = t->conn;
    uint8_t *to = t->tunnels->scratch;
    if (conn->ex && conn->ex->upload_paused)
        return;
    ssize_t len = recv(conn->fd, to, READ_BYTES, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0)
        tunnel_close(t);
    else if (conn->ex)
        exchange_take_body(conn->ex, slice_from(to, (size_t)len));
}

static void on_ready(void *arg, int events)
{
    struct tunnel *t = arg;
    tunnel_wake(t); /* what is read may pause the upload, or call for an answer */
    if (events & LOOP_READ)
        tunnel_read(t);
}

static int on_turn_end(void *arg)
{
    struct tunnels *tunnels = arg;
    struct list now;
    if (list_empty(&tunnels->woken))
        return -1;
    /* Who is woken meanwhile has its turn in the next. */
    list_init(&now);
    list_append(&tunnels->woken, &now);
    list_remove(&tunnels->woken);
    while (!list_empty(&now)) {
        struct tunnel *t = LIST_ENTRY(now.next, struct tunnel, node);
        list_remove(&t->node);
        tunnel_update(t);
    }
    return list_empty(&tunnels->woken) ? -1 : 0;
}

bool tunnel_prepare(struct tunnels *tunnels, struct connection *conn, int fd, struct slice early)
{
    struct tunnel *t = calloc(1, sizeof *t);
    if (!t)
        return false;
    *t = (struct tunnel){.tunnels = tunnels, .conn = conn};
    list_init(&t->node);
    buf_init(&t->early, READ_BYTES);
    if (buf_append_slice(&t->early, early) < 0) {
        free(t);
        return false;
    }
    conn->tunnel = t;
    connection_move(conn, fd);
    return true;
}

/* The HTTP library has turned TCP_NODELAY off.  Unsent bytes wait here rather than in the kernel:
 * here they count, and are paused for. */
static void tune_socket(int fd)
{
    int on = 1, unsent = UNSENT_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

void tunnel_start(struct tunnel *t)
{
    struct connection *conn = t->conn;
    conn->handle = NULL;
    t->io = loop_io_new(t->tunnels->all->ctx->loop, conn->fd, LOOP_READ, on_ready, t);
    if (!t->io || conn->gone) {
        tunnel_close(t);
        return;
    }
    if (conn->tcp)
        tune_socket(conn->fd);
    tunnel_wake(t);
}

struct tunnels *tunnels_new(struct connections *all)
{
    struct tunnels *tunnels = calloc(1, sizeof *tunnels);
    if (!tunnels)
        return NULL;
    tunnels->all = all;
    list_init(&tunnels->woken);
    tunnels->hook = (struct loop_hook){.on_turn_end = on_turn_end, .arg = tunnels};
    loop_hook_add(all->ctx->loop, &tunnels->hook);
    return tunnels;
}

void tunnels_free(struct tunnels *tunnels)
{
    if (!tunnels)
        return;
    loop_hook_remove(&tunnels->hook);
    free(tunnels);
}
