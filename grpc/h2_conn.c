#include "grpc/h2_conn.h"

#include "grpc/h2_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_LEN = 64 << 10,      /* one read per readiness: no connection starves the others */
    OUTPUT_LEN = 128 << 10,   /* per connection and turn */
    STUCK_READ_LEN = 1 << 20, /* beyond the connection window; see may_read() */
    LINGER_MS = 1000,
    SETTINGS_ACK_MS = 10000,
    LINGER_READ_LEN = 4 << 20,
};

enum conn_state {
    CONN_OPEN,
    CONN_LINGER, /* the session is done: last bytes go out, then we wait for the peer to close */
    CONN_OVER,
};

struct h2_conn {
    struct h2_conn_set *set;
    struct h2_session *session;
    struct loop_io *io;
    int fd;
    enum h2_role role;
    enum conn_state state;
    bool write_dead;     /* writing failed; reading tells the rest */
    bool shut;           /* SHUT_WR was done */
    struct list node;    /* in set->dirty, or alone */
    struct buf stuck;    /* output that the socket did not take */
    uint64_t stuck_read; /* bytes read since output is stuck */
    uint64_t max_stuck_read;
    uint64_t bytes_in, bytes_out;
    void (*on_closed)(void *arg, const struct status *why);
    void *arg;
    struct timer timer; /* the acknowledgement of our SETTINGS; the end of CONN_LINGER */
    bool greeted;       /* that acknowledgement came */
    struct loop_task reap;
};

static int on_turn_end(void *arg);

void h2_conn_set_init(struct h2_conn_set *set, struct loop *loop)
{
    *set = (struct h2_conn_set){.loop = loop, .hook = {.on_turn_end = on_turn_end, .arg = set}};
    list_init(&set->dirty);
    buf_init(&set->out, SIZE_MAX);
    loop_hook_add(loop, &set->hook);
}

void h2_conn_set_fini(struct h2_conn_set *set)
{
    assert(list_empty(&set->dirty));
    loop_hook_remove(&set->hook);
    buf_fini(&set->out);
    free(set->read_room);
}

static void mark_dirty(void *arg)
{
    struct h2_conn *conn = arg;
    if (conn->state == CONN_OVER || !list_empty(&conn->node))
        return;
    list_append(&conn->set->dirty, &conn->node);
    loop_again(conn->set->loop);
}

static void free_conn(void *arg)
{
    struct h2_conn *conn = arg;
    h2_session_free(conn->session);
    buf_fini(&conn->stuck);
    free(conn);
}

/* The one way out: whatever ended the connection. */
static void conn_end(struct h2_conn *conn, uint32_t error, const struct status *why)
{
    if (conn->state == CONN_OVER)
        return;
    conn->state = CONN_OVER;
    list_remove(&conn->node);
    loop_timer_cancel(conn->set->loop, &conn->timer);
    loop_io_free(conn->io);
    close(conn->fd);
    h2_session_end_streams(conn->session, error);
    if (conn->on_closed)
        conn->on_closed(conn->arg, why);
    conn->reap = (struct loop_task){.run = free_conn, .arg = conn};
    loop_defer(conn->set->loop, &conn->reap);
}

/* Reading goes on while output is stuck, or two ends that both wait to write would wait for ever;
 * but no further than a peer that keeps to flow control can need. */
static bool may_read(const struct h2_conn *conn)
{
    return buf_len(&conn->stuck) == 0 || conn->stuck_read < conn->max_stuck_read;
}

static void arm(struct h2_conn *conn)
{
    if (conn->state == CONN_OVER)
        return;
    bool stuck = buf_len(&conn->stuck) > 0;
    loop_io_set(conn->io, (stuck ? LOOP_WRITE : 0) | (may_read(conn) ? LOOP_READ : 0));
}

static void linger_end(struct h2_conn *conn)
{
    struct status why;
    h2_session_reason(conn->session, &why);
    conn_end(conn, H2_CONNECTION_LOST, &why);
}

/* Either the peer never said HTTP/2 (RFC 9113 section 6.5.3), or it does not close. */
static void on_timer(void *arg)
{
    struct h2_conn *conn = arg;
    if (conn->state == CONN_OPEN)
        h2_session_fail(conn->session, NGHTTP2_SETTINGS_TIMEOUT,
                        "SETTINGS are not acknowledged within 10 s");
    if (conn->state == CONN_LINGER || buf_len(&conn->stuck) > 0)
        linger_end(conn);
}

/* The session is done.  Closing a socket with unread input resets the connection, which may destroy
 * our last frames on their way: a server says FIN and waits a little for the peer's. */
static void finish(struct h2_conn *conn)
{
    if (conn->state == CONN_OPEN) {
        conn->state = CONN_LINGER;
        loop_timer_set(conn->set->loop, &conn->timer, loop_now_ms(conn->set->loop) + LINGER_MS);
    }
    if (buf_len(&conn->stuck) > 0 || conn->shut)
        return;
    if (conn->role == H2_CLIENT || conn->write_dead) {
        linger_end(conn);
        return;
    }
    conn->shut = true;
    shutdown(conn->fd, SHUT_WR);
}

/* Bytes that went out; less than asked when the socket is full or broken. */
static size_t send_bytes(struct h2_conn *conn, struct slice bytes)
{
    size_t sent = 0;
    while (sent < bytes.len && !conn->write_dead) {
        ssize_t n = send(conn->fd, bytes.data + sent, bytes.len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            conn->write_dead = true;
        if (n >= 0 && sent < bytes.len)
            break; /* a short write: the next one would only say EAGAIN */
    }
    conn->bytes_out += sent;
    return sent;
}

static void write_stuck(struct h2_conn *conn)
{
    buf_consume(&conn->stuck, send_bytes(conn, buf_slice(&conn->stuck)));
    if (buf_len(&conn->stuck) > 0 && !conn->write_dead)
        return;
    buf_fini(&conn->stuck);
    conn->stuck_read = 0;
    mark_dirty(conn);
}

static void flush(struct h2_conn *conn)
{
    struct buf *out = &conn->set->out;
    if (buf_len(&conn->stuck) > 0)
        return;
    buf_reset(out, 2 * OUTPUT_LEN);
    h2_session_output(conn->session, out, OUTPUT_LEN);
    if (conn->state == CONN_OVER)
        return;
    struct slice rest = slice_skip(buf_slice(out), send_bytes(conn, buf_slice(out)));
    if (!conn->write_dead && buf_append_slice(&conn->stuck, rest) < 0)
        conn->write_dead = true;
    if (h2_session_done(conn->session))
        finish(conn);
    else if (buf_len(out) >= OUTPUT_LEN && buf_len(&conn->stuck) == 0)
        mark_dirty(conn);
    arm(conn);
}

/* Connections that turn dirty meanwhile wait for the next turn, which then comes at once. */
static int on_turn_end(void *arg)
{
    struct h2_conn_set *set = arg;
    struct list due;
    list_init(&due);
    LIST_EACH(node, &set->dirty)
    {
        list_remove(node);
        list_append(&due, node);
    }
    while (!list_empty(&due)) {
        struct h2_conn *conn = LIST_ENTRY(due.next, struct h2_conn, node);
        list_remove(&conn->node);
        flush(conn);
    }
    return list_empty(&set->dirty) ? -1 : 0;
}

/* A client may leave a server whenever nothing is open; a server owes its client a reason. */
static bool may_leave(const struct h2_conn *conn, int error)
{
    return h2_session_stream_count(conn->session) == 0 &&
           (conn->role == H2_SERVER || (error == 0 && conn->session->got_settings));
}

static void peer_gone(struct h2_conn *conn, int error)
{
    struct status why;
    h2_session_reason(conn->session, &why);
    if (why.code == STATUS_OK && !may_leave(conn, error))
        status_set(&why, STATUS_UNAVAILABLE, "connection closed by the peer%s%s", error ? ": " : "",
                   error ? strerror(error) : "");
    conn_end(conn, H2_CONNECTION_LOST, &why);
}

static void take_input(struct h2_conn *conn, struct slice bytes)
{
    conn->bytes_in += bytes.len;
    if (buf_len(&conn->stuck) > 0 || conn->state == CONN_LINGER)
        conn->stuck_read += bytes.len;
    if (conn->state == CONN_LINGER) {
        if (conn->stuck_read > LINGER_READ_LEN)
            linger_end(conn);
        return;
    }
    struct status why;
    if (!h2_session_input(conn->session, bytes, loop_now_ms(conn->set->loop), &why) ||
        h2_session_done(conn->session))
        mark_dirty(conn);
    if (!conn->greeted && conn->session->settings_acked && conn->state == CONN_OPEN) {
        conn->greeted = true;
        loop_timer_cancel(conn->set->loop, &conn->timer);
    }
}

static void read_some(struct h2_conn *conn)
{
    ssize_t n = recv(conn->fd, conn->set->read_room, READ_LEN, 0);
    if (n > 0)
        take_input(conn, slice_from(conn->set->read_room, (size_t)n));
    else if (n == 0)
        peer_gone(conn, 0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        peer_gone(conn, errno);
}

static void on_ready(void *arg, int events)
{
    struct h2_conn *conn = arg;
    if (events & LOOP_WRITE)
        write_stuck(conn);
    if ((events & LOOP_READ) && may_read(conn))
        read_some(conn);
    arm(conn);
}

static bool conn_start(struct h2_conn *conn, const struct h2_session_config *config,
                       const struct h2_conn_events *events)
{
    struct h2_conn_set *set = conn->set;
    if (!set->read_room)
        set->read_room = malloc(READ_LEN);
    if (!set->read_room)
        return false;
    conn->session = h2_session_new(conn->role, config, &events->session, conn->arg);
    if (!conn->session)
        return false;
    h2_session_set_output(conn->session, mark_dirty, conn);
    conn->io = loop_io_new(set->loop, conn->fd, LOOP_READ, on_ready, conn);
    return conn->io != NULL;
}

struct h2_conn *h2_conn_new(struct h2_conn_set *set, int fd, enum h2_role role,
                            const struct h2_session_config *config,
                            const struct h2_conn_events *events, void *arg)
{
    struct h2_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->set = set;
    conn->fd = fd;
    conn->role = role;
    conn->on_closed = events->on_closed;
    conn->arg = arg;
    conn->max_stuck_read = (uint64_t)config->connection_window + STUCK_READ_LEN;
    conn->timer = (struct timer){.on_expire = on_timer, .arg = conn};
    list_init(&conn->node);
    buf_init(&conn->stuck, SIZE_MAX);
    if (!conn_start(conn, config, events)) {
        close(fd);
        free_conn(conn);
        return NULL;
    }
    loop_timer_set(set->loop, &conn->timer, loop_now_ms(set->loop) + SETTINGS_ACK_MS);
    mark_dirty(conn);
    return conn;
}

struct h2_session *h2_conn_session(struct h2_conn *conn)
{
    return conn->session;
}

uint64_t h2_conn_bytes_in(const struct h2_conn *conn)
{
    return conn->bytes_in;
}

uint64_t h2_conn_bytes_out(const struct h2_conn *conn)
{
    return conn->bytes_out;
}

void h2_conn_close(struct h2_conn *conn)
{
    struct status ok;
    status_ok(&ok);
    conn_end(conn, H2_CANCEL, &ok);
}
