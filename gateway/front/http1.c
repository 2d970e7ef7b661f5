/* Late suspension: suspending takes a connection out of the daemon's epoll set and resuming puts it
 * back, three system calls for nothing when the answer is there within a millisecond.  So a handler
 * that has no answer yet returns without one; the daemon then keeps the connection in its ready
 * list and asks again at each run.  Only who waits longer than MAX_WAIT_MS, or stands behind
 * MAX_WAITING others, is suspended ("parked").  While connections wait, the daemon's time-out of 0
 * means "again within a millisecond" once IDLE_RUNS runs in a row had nothing to do. */
#include "gateway/front/http1.h"

#include "gateway/front/http1_response.h"
#include "gateway/front/tunnel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_WAITING = 100,
    MAX_WAIT_MS = 4,
    IDLE_RUNS = 3,
    SPIN_RUNS = 1000,
    MAX_RUNS_PER_TURN = 2,
    DISCARD_SLACK = 1 << 20
};

struct http1 {
    struct connections *all;
    struct exchanges *exchanges;
    struct tunnels *tunnels; /* owned */
    struct MHD_Daemon *daemon;
    struct loop_io *io;
    struct loop_hook hook;
    struct connection *adding; /* during MHD_add_connection() */
    uint32_t waiting;          /* connections waiting unsuspended */
    uint32_t idle_runs;        /* runs in a row without a callback that got on */
    bool ready;                /* run in this turn */
    bool due;                  /* run at due_us */
    bool progress, queued;     /* of the present run: got on; a response was queued */
    uint64_t due_us;
};

/* Until the handler's first call the request's context is not an exchange but a note: bit 0 set,
 * bit 1 "has a query", bits 8-15 the query's first byte, the rest the length of the target. */
enum { NOTE = 1, NOTE_QUERY = 2, NOTE_BYTE_SHIFT = 8, NOTE_LEN_SHIFT = 16 };

static struct exchange *exchange_of(void *context)
{
    return ((uintptr_t)context & NOTE) ? NULL : context;
}

/* The daemon would split the query into parameters and fill its pool with them: hide it.  This
 * callback may be the only one of a connection, so it leaves nothing to free. */
static void *on_target(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    (void)arg, (void)mhd;
    size_t len = uri ? strlen(uri) : 0;
    uintptr_t note = NOTE | (uintptr_t)len << NOTE_LEN_SHIFT;
    char *query = len ? memchr(uri, '?', len) : NULL;
    if (query) {
        note |= NOTE_QUERY | (uintptr_t)(uint8_t)query[1] << NOTE_BYTE_SHIFT;
        query[1] = 0;
    }
    return (void *)note;
}

static struct slice restore_target(uintptr_t note, const char *url)
{
    if (note & NOTE_QUERY) {
        char *mark = (char *)(uintptr_t)url + strlen(url);
        mark[0] = '?';
        mark[1] = (char)(uint8_t)(note >> NOTE_BYTE_SHIFT);
    }
    return slice_from(url, note >> NOTE_LEN_SHIFT);
}

/* "%2F" and "%00" mean what the protocol makes of them. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg, (void)mhd;
    return strlen(text);
}

/* In this turn, or in the next when this one's hook has run. */
static void http1_run_soon(struct http1 *h)
{
    h->ready = true;
    loop_again(h->all->ctx->loop);
}

static void http1_unwait(struct http1 *h, struct connection *conn)
{
    if (conn->waiting)
        h->waiting--;
    conn->waiting = false;
}

/* Only from a callback of this very connection. */
static void http1_park(struct http1 *h, struct connection *conn)
{
    http1_unwait(h, conn);
    if (conn->left) {
        conn->gone = true; /* nobody would wake it */
        http1_run_soon(h);
        return;
    }
    MHD_suspend_connection(conn->handle);
    conn->parked = true;
    connection_watch(conn);
}

static void http1_unpark(struct connection *conn)
{
    struct http1 *h = conn->all->http1;
    if (conn->tunnel) {
        tunnel_wake(conn->tunnel);
        return;
    }
    conn->parked = false;
    MHD_resume_connection(conn->handle);
    http1_run_soon(h);
}

/* What the limits of an upload have to know.  One that nobody wants has a limit of its own, which
 * counts from here. */
static void note_upload(struct connection *conn, const struct exchange *ex)
{
    if (ex->upload == UPLOAD_DISCARD && conn->phase == CONNECTION_BODY && !conn->discarding) {
        connection_set_phase(conn, CONNECTION_BODY);
        conn->discarding = true;
    }
    conn->slow_allowed = ex->upload_slow;
    conn->held = ex->upload_paused;
    conn->stuck = exchange_stuck(ex);
}

/* Servers may stop reading while their replies are not read. */
static void on_stuck(struct connection *conn)
{
    struct status st;
    status_set(&st, STATUS_RESOURCE_EXHAUSTED,
               "replies wait for the end of the request, as they do over HTTP/1.1, and the "
               "upstream takes no more of it meanwhile: send less at once, or use a WebSocket");
    if (!exchange_fail(conn->ex, &st))
        connection_cut(conn, "request and response wait for each other");
}

static void on_wake(struct exchange *ex)
{
    struct connection *conn = ex->connection;
    note_upload(conn, ex);
    if (conn->parked || conn->tunnel)
        http1_unpark(conn);
    else if (conn->waiting)
        http1_run_soon(conn->all->http1);
}

static void http1_wait(struct http1 *h, struct connection *conn)
{
    if (conn->phase != CONNECTION_WAITING)
        connection_set_phase(conn, CONNECTION_WAITING);
    if (!conn->waiting) {
        conn->waiting = true;
        h->waiting++;
    }
    if (h->waiting > MAX_WAITING ||
        loop_now_ms(conn->all->ctx->loop) - conn->since_ms >= MAX_WAIT_MS)
        http1_park(h, conn);
}

/* Ends a response that cannot be completed.  The daemon would forget the connection when it has
 * been resumed and awaits no event of its socket yet: one more resumption makes it look and close.
 */
static ssize_t http1_break(struct http1 *h, struct connection *conn)
{
    h->progress = true;
    MHD_suspend_connection(conn->handle);
    MHD_resume_connection(conn->handle);
    http1_run_soon(h);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The daemon asks for up to `room` bytes of a chunked (HTTP/1.0: unframed) body. */
static ssize_t on_read(void *arg, uint64_t at, char *to, size_t room)
{
    (void)at;
    struct exchange *ex = arg;
    struct connection *conn = ex->connection;
    struct http1 *h = conn->all->http1;
    if (conn->gone)
        return http1_break(h, conn);
    if (!ex->body_end_seen)
        exchange_take_body_end(ex);
    size_t len = exchange_take_output(ex, to, room);
    if (len == 0 && (ex->reply == REPLY_NONE || ex->reply == REPLY_HEAD)) {
        http1_wait(h, conn);
        return 0;
    }
    h->progress = true;
    http1_unwait(h, conn);
    if (len > 0) {
        if (conn->phase != CONNECTION_SENDING)
            connection_set_phase(conn, CONNECTION_SENDING);
        conn->bytes += len;
        return (ssize_t)len;
    }
    if (ex->reply == REPLY_ENDED) {
        http1_response_trailers(conn->response, ex);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (ex->firewall.http_1_0)
        connection_reset(conn); /* the end of the stream would look complete */
    return http1_break(h, conn);
}

/* The library gives the socket away but goes on walking its lists for it; so the connection leaves
 * it at once, with a descriptor of its own, and the library closes the other.
 * NOLINTNEXTLINE(readability-function-size): the library dictates the parameters */
static void on_upgrade(void *arg, struct MHD_Connection *mhd, void *context, const char *early,
                       size_t early_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    (void)mhd, (void)context;
    struct exchange *ex = arg;
    struct connection *conn = ex->connection;
    struct http1 *h = conn->all->http1;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0 && !tunnel_prepare(h->tunnels, conn, own, slice_from(early, early_len)))
        close(own);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    h->progress = h->queued = true;
    http1_run_soon(h);
}

static enum MHD_Result http1_commit(struct http1 *h, struct exchange *ex)
{
    struct connection *conn = ex->connection;
    exchange_commit(ex);
    exchange_limit_head(ex, http1_response_room(ex));
    struct MHD_Response *response = http1_response_new(ex, on_read, on_upgrade);
    if (!response)
        return MHD_NO;
    conn->response = response;
    http1_unwait(h, conn);
    connection_set_phase(conn, CONNECTION_SENDING);
    h->progress = h->queued = true;
    enum MHD_Result result = MHD_queue_response(conn->handle, (unsigned)ex->http_status, response);
    MHD_destroy_response(response);
    return result;
}

/* There is nothing to send.  A response that broke off behind its head leaves all the same: what it
 * holds may say why, and a connection that ends without a byte looks to a browser as if the request
 * might be sent again. */
static bool is_cut(const struct exchange *ex)
{
    return ex->reply == REPLY_ABORTED &&
           (!ex->http_status || ex->upgraded || ex->request.method == METHOD_HEAD);
}

/* A HEAD response carries the length of the whole body: it waits for the end. */
static bool can_commit(const struct exchange *ex)
{
    if (ex->reply == REPLY_HEAD)
        return !ex->hold && ex->request.method != METHOD_HEAD;
    return ex->reply != REPLY_NONE;
}

static enum MHD_Result http1_answer(struct http1 *h, struct exchange *ex)
{
    if (!ex->body_end_seen) {
        exchange_take_body_end(ex);
        h->progress |= ex->body_end_seen;
    }
    if (is_cut(ex))
        return MHD_NO;
    if (can_commit(ex))
        return http1_commit(h, ex);
    http1_wait(h, ex->connection);
    return MHD_YES;
}

static enum MHD_Result on_field(void *arg, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    exchange_add_field(arg, (uint8_t *)(uintptr_t)name, name_len, slice_from(value, value_len));
    return MHD_YES;
}

/* Answering in the first call makes the daemon close the connection without reading the body:
 * right when the framing cannot be trusted, when the client waits for a "100 Continue" that it
 * need not get, and when the body is longer than we are willing to drop. */
static bool answers_unread(const struct exchange *ex)
{
    if (ex->reply != REPLY_ENDED)
        return false;
    uint64_t len = ex->request.content_length;
    bool body = ex->firewall.chunked || (len != UINT64_MAX && len > 0);
    size_t most = ex->all->ctx->config->limits.max_message_bytes + DISCARD_SLACK;
    return ex->must_close ||
           (body && (ex->firewall.seen[FIREWALL_EXPECT] > 0 || (len != UINT64_MAX && len > most)));
}

static void http1_start_phase(struct connection *conn, const struct exchange *ex)
{
    bool body = ex->firewall.chunked ||
                (ex->firewall.content_length != UINT64_MAX && ex->firewall.content_length > 0);
    connection_set_phase(conn, body ? CONNECTION_BODY : CONNECTION_WAITING);
    if (body)
        connection_watch(conn);
    conn->discarding = false;
    note_upload(conn, ex);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result http1_begin(struct http1 *h, struct MHD_Connection *mhd,
                                   const char *const line[3], void **context)
{
    struct connection *conn = connection_of(mhd);
    struct slice target = restore_target((uintptr_t)*context, line[1]);
    h->progress = true;
    *context = NULL;
    struct exchange *ex = conn->gone ? NULL : exchange_open(h->exchanges);
    if (!ex)
        return MHD_NO;
    *context = ex;
    conn->ex = ex;
    conn->requests++;
    ex->connection = conn;
    ex->request.peer = slice_from_string(conn->peer);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, ex);
    exchange_begin(ex, slice_from_string(line[0]), target, slice_from_string(line[2]));
    http1_start_phase(conn, ex);
    if (is_cut(ex))
        return MHD_NO;
    return answers_unread(ex) ? http1_commit(h, ex) : MHD_YES;
}

static enum MHD_Result http1_body(struct http1 *h, struct exchange *ex, struct slice data,
                                  size_t *left)
{
    struct connection *conn = ex->connection;
    size_t taken = exchange_take_body(ex, data);
    *left = data.len - taken;
    note_upload(conn, ex);
    if (is_cut(ex) || exchange_discarded_too_much(ex))
        return MHD_NO;
    if (taken == 0) {
        http1_park(h, conn); /* unread bytes in a full buffer would spin */
        return MHD_YES;
    }
    h->progress = true;
    connection_progress(conn, taken);
    return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the library dictates the parameters */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **context)
{
    struct http1 *h = arg;
    struct exchange *ex = exchange_of(*context);
    if (!ex)
        return http1_begin(h, mhd, (const char *const[]){method, url, version}, context);
    struct connection *conn = ex->connection;
    if (conn->gone)
        return MHD_NO;
    if (*len)
        return http1_body(h, ex, slice_from(data, *len), len);
    return http1_answer(h, ex);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)mhd;
    struct http1 *h = arg;
    struct exchange *ex = exchange_of(*context);
    h->progress = true;
    /* A connection that ends with its request is closed by the next run, which nothing else calls
     * for. */
    h->queued |= code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    *context = NULL;
    if (!ex)
        return;
    struct connection *conn = ex->connection;
    http1_unwait(h, conn);
    if (conn->tunnel)
        return;
    exchange_close(ex);
    conn->ex = NULL;
    conn->parked = false;
    connection_set_phase(conn, CONNECTION_IDLE);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http1 *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = h->adding;
        h->adding->handle = mhd;
        return;
    }
    if (*context == h->adding)
        h->adding = NULL;
    struct connection *conn = *context;
    if (conn->tunnel)
        tunnel_start(conn->tunnel);
    else
        connection_release(conn);
    *context = NULL;
}

void http1_add(struct http1 *h, struct connection *conn)
{
    static const struct sockaddr nobody = {
        .sa_family = AF_UNSPEC}; /* only its per-address limits would look */
    connection_set_phase(conn, CONNECTION_HEAD);
    h->adding = conn;
    enum MHD_Result added = MHD_add_connection(h->daemon, conn->fd, &nobody, sizeof nobody);
    /* On failure the library has closed the descriptor. */
    if (added != MHD_YES && h->adding)
        connection_release(conn);
    h->adding = NULL;
    http1_run_soon(h);
}

/* Runs without an end and without progress: a request body that the daemon can neither deliver nor
 * make room for, as a chunk extension longer than its buffer.  Such a connection has bytes waiting
 * in the kernel which nobody reads. */
static void http1_break_spin(struct http1 *h)
{
    LIST_EACH(node, &h->all->busy)
    {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        int unread = 0;
        bool stuck = conn->phase == CONNECTION_BODY && !conn->parked && !conn->gone;
        if (stuck && ioctl(conn->fd, FIONREAD, &unread) == 0 && unread > 0)
            connection_cut(conn, "request body cannot be read");
    }
}

static void http1_run(struct http1 *h)
{
    int runs = 0;
    do {
        h->progress = h->queued = false;
        MHD_run(h->daemon);
        h->idle_runs = h->progress ? 0 : h->idle_runs + 1;
        /* A response that was queued late is written by the next run. */
    } while (h->queued && ++runs < MAX_RUNS_PER_TURN);
}

static int on_turn_end(void *arg)
{
    struct http1 *h = arg;
    uint64_t now_us = loop_now_us(h->all->ctx->loop);
    if (!h->ready && !h->due)
        return -1;
    if (!h->ready && h->due_us > now_us)
        return 1;
    h->ready = h->due = false;
    http1_run(h);
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (MHD_get_timeout(h->daemon, &wait_ms) != MHD_YES) {
        h->idle_runs = 0;
        return h->ready ? 0 : -1;
    }
    if (h->idle_runs >= SPIN_RUNS && h->idle_runs % SPIN_RUNS == 0)
        http1_break_spin(h);
    bool rest = h->idle_runs >= (h->waiting ? IDLE_RUNS : SPIN_RUNS);
    h->due = true;
    h->due_us = now_us + (rest ? 1000 : 0);
    return rest && !h->ready ? 1 : 0;
}

static void on_epoll_ready(void *arg, int events)
{
    (void)events;
    struct http1 *h = arg;
    h->ready = true;
}

struct http1 *http1_new(struct connections *all, struct exchanges *exchanges)
{
    struct http1 *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->all = all;
    h->exchanges = exchanges;
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0,
        NULL, NULL, on_request, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)all->max + 64, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP1_POOL_BYTES,
        MHD_OPTION_END);
    if (h->daemon) {
        int fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
        h->io = loop_io_new(all->ctx->loop, fd, LOOP_READ, on_epoll_ready, h);
    }
    h->hook = (struct loop_hook){.on_turn_end = on_turn_end, .arg = h};
    loop_hook_add(all->ctx->loop, &h->hook);
    h->tunnels = tunnels_new(all); /* their hook comes behind ours, which starts them */
    all->http1 = h;
    if (!h->io || !h->tunnels) {
        http1_free(h);
        return NULL;
    }
    all->on_unpark = http1_unpark;
    all->on_stuck = on_stuck;
    exchanges->wake = on_wake;
    return h;
}

/* The library aborts the process when it is stopped with a suspended connection: all are resumed
 * and their callbacks end them. */
static void http1_end_all(struct http1 *h, struct list *connections)
{
    LIST_EACH(node, connections)
    {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        conn->gone = true;
        if (conn->tunnel && !conn->handle)
            tunnel_close(conn->tunnel);
        else if (conn->parked)
            http1_unpark(conn);
    }
    MHD_run(h->daemon);
}

void http1_free(struct http1 *h)
{
    if (!h)
        return;
    if (h->daemon) {
        http1_end_all(h, &h->all->busy);
        http1_end_all(h, &h->all->idle);
    }
    tunnels_free(h->tunnels);
    loop_hook_remove(&h->hook);
    loop_io_free(h->io);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    free(h);
}
