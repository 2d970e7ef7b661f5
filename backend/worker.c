#include "backend/worker.h"

#include "backend/server_call.h"
#include "base/net.h"
#include "grpc/h2_conn.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MAX_LISTENERS = 64,
    ACCEPTS_PER_TURN = 64,
    ACCEPT_PAUSE_MS = 100, /* when descriptors are out */
    DEAD_HOST_MS = 60000,
    NOTICE_MS = 1000,       /* longest wait for the answer to the first GOAWAY's ping */
    AFTER_CANCEL_MS = 2000, /* for the last statuses to leave */
    LOG_ERR_FD = STDERR_FILENO,
};

enum order { ORDER_SERVE, ORDER_DRAIN, ORDER_STOP };
enum stage { STAGE_SERVING, STAGE_NOTICE, STAGE_DRAINING, STAGE_CANCELLED, STAGE_STOPPED };

struct worker {
    struct worker_config config;
    pthread_t thread;
    atomic_int order; /* enum order; set by other threads, read after a wake-up */
    enum stage stage; /* only ever grows */
    struct loop *loop;
    struct log *log;
    struct server_call_pool calls;
    struct h2_conn_set conns;
    struct loop_hook log_hook;
    struct loop_io *listeners[MAX_LISTENERS];
    int fds[MAX_LISTENERS];
    size_t listeners_len;
    struct list connections;
    struct timer stage_timer; /* end of the present stage */
    struct timer accept_timer;
};

struct connection {
    struct list node;
    struct worker *worker;
    struct h2_conn *conn;
};

static void worker_enter(struct worker *w, enum stage stage);

/* ---- connections ---- */

static void on_request(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end)
{
    struct connection *c = arg;
    server_call_start(&c->worker->calls, stream, headers, end);
}

static void on_ping_ack(void *arg)
{
    struct connection *c = arg;
    if (c->worker->stage >= STAGE_NOTICE)
        h2_session_goaway(h2_conn_session(c->conn));
}

static void on_closed(void *arg, const struct status *why)
{
    struct connection *c = arg;
    struct worker *w = c->worker;
    if (why->code != STATUS_OK)
        log_message(w->log, LOG_LEVEL_DEBUG, "connection_lost", "%.*s",
                    SLICE_PRINT(status_message(why)));
    list_remove(&c->node);
    free(c);
    if (list_empty(&w->connections) && w->stage >= STAGE_NOTICE)
        loop_stop(w->loop);
}

static const struct h2_conn_events conn_events = {
    .session = {.on_request = on_request, .on_ping_ack = on_ping_ack}, .on_closed = on_closed};

static void worker_take_connection(struct worker *w, int fd)
{
    struct connection *c = malloc(sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->worker = w;
    list_init(&c->node);
    net_expect_life(fd, DEAD_HOST_MS);
    c->conn = h2_conn_new(&w->conns, fd, H2_SERVER, &h2_session_config_default, &conn_events, c);
    if (c->conn)
        list_append(&w->connections, &c->node);
    else
        free(c);
}

/* ---- accepting ---- */

static void worker_set_accepting(struct worker *w, bool accepting)
{
    for (size_t i = 0; i < w->listeners_len; i++)
        loop_io_set(w->listeners[i], accepting ? LOOP_READ : 0);
}

static void on_accept_pause_over(void *arg)
{
    worker_set_accepting(arg, true);
}

/* Accepts until none waits, `max` at most. */
static void worker_accept(struct worker *w, int listener, int max)
{
    for (int i = 0; i < max; i++) {
        struct net_address peer;
        int fd = net_accept(listener, &peer);
        if (fd == -EAGAIN)
            return;
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
            log_message(w->log, LOG_LEVEL_WARN, "accept_paused", "%s", strerror(-fd));
            worker_set_accepting(w, false);
            loop_timer_set(w->loop, &w->accept_timer, loop_now_ms(w->loop) + ACCEPT_PAUSE_MS);
            return;
        }
        if (fd >= 0)
            worker_take_connection(w, fd);
    }
}

/* The arg is the worker; which listener it was does not matter: the others answer EAGAIN. */
static void on_acceptable(void *arg, int events)
{
    struct worker *w = arg;
    (void)events;
    for (size_t i = 0; i < w->listeners_len; i++)
        worker_accept(w, w->fds[i], ACCEPTS_PER_TURN);
}

static void worker_close_listeners(struct worker *w)
{
    for (size_t i = 0; i < w->listeners_len; i++) {
        loop_io_free(w->listeners[i]);
        close(w->fds[i]);
    }
    w->listeners_len = 0;
}

/* ---- the end ---- */

static void worker_enter_notice(struct worker *w)
{
    /* What waits in the queue would be reset with the listener. */
    for (size_t i = 0; i < w->listeners_len; i++)
        worker_accept(w, w->fds[i], 1 << 16);
    loop_timer_cancel(w->loop, &w->accept_timer);
    worker_close_listeners(w);
    server_call_pool_drain(&w->calls);
    LIST_EACH(node, &w->connections)
    {
        struct h2_session *s = h2_conn_session(LIST_ENTRY(node, struct connection, node)->conn);
        h2_session_shutdown_notice(s);
        h2_session_ping(s);
    }
}

static void worker_goaway(struct worker *w)
{
    LIST_EACH(node, &w->connections)
    h2_session_goaway(h2_conn_session(LIST_ENTRY(node, struct connection, node)->conn));
}

static void on_stage_over(void *arg)
{
    struct worker *w = arg;
    worker_enter(w, w->stage + 1);
}

static void worker_enter(struct worker *w, enum stage stage)
{
    uint64_t drain = w->config.drain_timeout_ms;
    uint64_t notice = drain < NOTICE_MS ? drain : NOTICE_MS;
    uint64_t stay = 0;
    assert(stage > w->stage);
    w->stage = stage;
    switch (stage) {
    case STAGE_NOTICE:
        worker_enter_notice(w);
        stay = notice;
        break;
    case STAGE_DRAINING:
        worker_goaway(w);
        stay = drain - notice;
        break;
    case STAGE_CANCELLED:
        server_call_pool_cancel(&w->calls);
        stay = AFTER_CANCEL_MS;
        break;
    case STAGE_STOPPED:
        worker_close_listeners(w);
        LIST_EACH(node, &w->connections)
        h2_conn_close(LIST_ENTRY(node, struct connection, node)->conn);
        break;
    case STAGE_SERVING:
        break;
    }
    if (list_empty(&w->connections))
        loop_stop(w->loop);
    else if (stage != STAGE_STOPPED)
        loop_timer_set(w->loop, &w->stage_timer, loop_now_ms(w->loop) + stay);
}

static void on_wake(void *arg)
{
    struct worker *w = arg;
    int order = atomic_load_explicit(&w->order, memory_order_acquire);
    if (order == ORDER_STOP && w->stage < STAGE_STOPPED)
        worker_enter(w, STAGE_STOPPED);
    else if (order == ORDER_DRAIN && w->stage == STAGE_SERVING)
        worker_enter(w, STAGE_NOTICE);
}

static void worker_order(struct worker *w, enum order order)
{
    atomic_store_explicit(&w->order, (int)order, memory_order_release);
    loop_wake(w->loop);
}

void worker_drain(struct worker *w)
{
    worker_order(w, ORDER_DRAIN);
}

void worker_stop(struct worker *w)
{
    worker_order(w, ORDER_STOP);
}

/* ---- life ---- */

static int on_turn_end(void *arg)
{
    struct worker *w = arg;
    log_flush(w->log);
    return -1;
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    loop_run(w->loop);
    w->config.on_finished(w->config.arg);
    return NULL;
}

static void worker_free(struct worker *w)
{
    worker_close_listeners(w);
    if (w->loop) {
        loop_timer_cancel(w->loop, &w->stage_timer);
        loop_timer_cancel(w->loop, &w->accept_timer);
        /* Connections that closed in the last turn still hold streams' memory. */
        loop_turn(w->loop, 0);
        loop_hook_remove(&w->log_hook);
        h2_conn_set_fini(&w->conns);
        server_call_pool_fini(&w->calls);
        loop_free(w->loop);
    }
    if (w->log)
        log_free(w->log);
    free(w);
}

static bool worker_listen(struct worker *w, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        w->listeners[i] = loop_io_new(w->loop, w->fds[i], LOOP_READ, on_acceptable, w);
        if (!w->listeners[i]) {
            for (size_t k = i; k < len; k++)
                close(w->fds[k]);
            return false;
        }
        w->listeners_len++;
    }
    return true;
}

static void close_all(const int *fds, size_t len)
{
    for (size_t i = 0; i < len; i++)
        close(fds[i]);
}

struct worker *worker_start(const struct worker_config *config, const int *listeners,
                            size_t listeners_len)
{
    assert(listeners_len <= MAX_LISTENERS);
    struct worker *w = calloc(1, sizeof *w);
    if (!w) {
        close_all(listeners, listeners_len);
        return NULL;
    }
    w->config = *config;
    memcpy(w->fds, listeners, listeners_len * sizeof *listeners);
    list_init(&w->connections);
    w->log = log_new(LOG_ERR_FD, config->log_format, config->log_level);
    w->loop = w->log ? loop_new() : NULL;
    if (!w->loop) {
        close_all(listeners, listeners_len);
        worker_free(w);
        return NULL;
    }
    w->stage_timer = (struct timer){.on_expire = on_stage_over, .arg = w};
    w->accept_timer = (struct timer){.on_expire = on_accept_pause_over, .arg = w};
    w->log_hook = (struct loop_hook){.on_turn_end = on_turn_end, .arg = w};
    server_call_pool_init(&w->calls, w->loop, w->log);
    h2_conn_set_init(&w->conns, w->loop);
    loop_hook_add(w->loop, &w->log_hook);
    loop_on_wake(w->loop, on_wake, w);
    if (!worker_listen(w, listeners_len) || pthread_create(&w->thread, NULL, worker_run, w) != 0) {
        worker_free(w);
        return NULL;
    }
    return w;
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    worker_free(w);
}
