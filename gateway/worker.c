#include "gateway/worker.h"

#include "gateway/front/front.h"
#include "gateway/protocol.h"
#include "gateway/schema/routes.h"
#include "gateway/upstream/upstream.h"
#include "gateway/upstreams.h"
#include "grpc/h2_conn.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* What other threads ask of a worker; flags of worker.asked. */
enum { ASK_DRAIN = 1, ASK_CANCEL = 2 };

enum { FAREWELL_MS = 500 }; /* for last words to reach the clients */

struct worker {
    struct context ctx;
    struct h2_conn_set conns;
    struct loop_hook log_hook;
    struct front *front;
    struct metrics metrics;
    pthread_t thread;
    bool started;
    atomic_uint asked;
    _Atomic(struct routes *) next_routes; /* mailbox of worker_set_routes() */
    atomic_bool upstream_ready[CONFIG_MAX_UPSTREAMS];
    atomic_bool idle;
    uint64_t lines_lost;   /* already counted in the metrics */
    struct routes *routes; /* the reference behind ctx.routes */
    struct timer farewell;
    bool going_away;
};

static void on_farewell_over(void *arg)
{
    struct worker *w = arg;
    loop_stop(w->ctx.loop);
}

/* Ends what the drain did not wait for; on_turn_end() stops the loop when nothing is open. */
static void worker_go_away(struct worker *w)
{
    w->going_away = true;
    w->farewell = (struct timer){.on_expire = on_farewell_over, .arg = w};
    if (front_go_away(w->front))
        loop_timer_set(w->ctx.loop, &w->farewell, loop_now_ms(w->ctx.loop) + FAREWELL_MS);
    else
        loop_stop(w->ctx.loop);
}

static void on_wake(void *arg)
{
    struct worker *w = arg;
    struct routes *routes = atomic_exchange(&w->next_routes, NULL);
    if (routes) {
        routes_unref(w->routes);
        w->ctx.routes = w->routes = routes;
        w->ctx.schema = routes_schema(routes);
    }
    unsigned asked = atomic_load(&w->asked);
    if ((asked & ASK_DRAIN) && !w->ctx.draining) {
        w->ctx.draining = true;
        front_drain(w->front);
    }
    if ((asked & ASK_CANCEL) && !w->going_away)
        worker_go_away(w);
}

/* Last hook of a turn: the log leaves in one write; a drained worker with nothing open ends. */
static int on_turn_end(void *arg)
{
    struct worker *w = arg;
    log_flush(w->ctx.log);
    uint64_t lost = log_lost(w->ctx.log) - w->lines_lost;
    if (lost) {
        metrics_add(&w->metrics, METRIC_LOG_LINES_LOST, lost);
        w->lines_lost += lost;
    }
    if (w->ctx.draining && front_idle(w->front))
        loop_stop(w->ctx.loop);
    return -1;
}

static void on_upstream_state(void *arg, bool ready)
{
    atomic_store((atomic_bool *)arg, ready);
}

struct worker *worker_new(const struct config *config, struct gateway *gateway,
                          size_t max_connections, const int *listeners, size_t listener_count)
{
    struct worker *w = calloc(1, sizeof *w);
    size_t taken = 0;
    if (!w)
        goto fail;
    w->ctx = (struct context){.config = config, .metrics = &w->metrics, .gateway = gateway};
    w->ctx.loop = loop_new();
    w->ctx.log = log_new(STDERR_FILENO, config->log_format, config->log_level);
    if (!w->ctx.loop || !w->ctx.log)
        goto fail;
    loop_on_wake(w->ctx.loop, on_wake, w);
    /* Hooks in order: the front reads requests and writes responses, then what it caused leaves
     * upstream. */
    w->front = front_new(&w->ctx, &(struct front_options){
                                      .protocols = protocols_public,
                                      .path_prefix = config->path_prefix,
                                      .max_connections = max_connections,
                                      .loopback_only = config->loopback_only,
                                  });
    if (!w->front)
        goto fail;
    h2_conn_set_init(&w->conns, w->ctx.loop);
    if (!upstreams_open(&w->ctx, &w->conns))
        goto fail;
    for (size_t i = 0; i < config->upstreams_count; i++)
        upstream_on_state(w->ctx.upstreams[i], on_upstream_state, &w->upstream_ready[i]);
    w->log_hook = (struct loop_hook){.on_turn_end = on_turn_end, .arg = w};
    loop_hook_add(w->ctx.loop, &w->log_hook);
    for (; taken < listener_count; taken++)
        if (front_listen_fd(w->front, listeners[taken]) < 0)
            goto fail;
    return w;
fail:
    for (; taken < listener_count; taken++)
        close(listeners[taken]);
    worker_free(w);
    return NULL;
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    on_wake(w); /* what was asked before the thread ran: a schema from files */
    loop_run(w->ctx.loop);
    atomic_store(&w->idle, true);
    return NULL;
}

int worker_start(struct worker *w)
{
    int error = pthread_create(&w->thread, NULL, worker_run, w);
    w->started = error == 0;
    return -error;
}

void worker_set_routes(struct worker *w, struct routes *routes)
{
    routes_unref(atomic_exchange(&w->next_routes, routes));
    loop_wake(w->ctx.loop);
}

static void worker_ask(struct worker *w, unsigned what)
{
    atomic_fetch_or(&w->asked, what);
    loop_wake(w->ctx.loop);
}

void worker_drain(struct worker *w)
{
    worker_ask(w, ASK_DRAIN);
}

void worker_cancel(struct worker *w)
{
    worker_ask(w, ASK_CANCEL);
}

bool worker_upstream_ready(const struct worker *w, size_t place)
{
    return atomic_load(&w->upstream_ready[place]);
}

bool worker_idle(const struct worker *w)
{
    return atomic_load(&w->idle);
}

struct metrics *worker_metrics(struct worker *w)
{
    return &w->metrics;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->started)
        pthread_join(w->thread, NULL);
    front_free(w->front);
    upstreams_close(&w->ctx);
    if (w->conns.loop)
        h2_conn_set_fini(&w->conns);
    if (w->log_hook.arg)
        loop_hook_remove(&w->log_hook);
    loop_free(w->ctx.loop);
    log_free(w->ctx.log);
    routes_unref(atomic_load(&w->next_routes));
    routes_unref(w->routes);
    free(w);
}
