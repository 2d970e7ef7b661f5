#include "gateway/gateway.h"

#include "gateway/front/front.h"
#include "gateway/protocol.h"
#include "gateway/schema/routes.h"
#include "gateway/schema_source.h"
#include "gateway/upstream/upstream.h"
#include "gateway/upstreams.h"
#include "gateway/worker.h"
#include "grpc/h2_conn.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MAX_WORKERS = 256,
    ADMIN_CONNECTIONS = 64,
    SPARE_FILES = 128,    /* descriptors that no worker's connections may take */
    LOOP_FILES = 8,       /* those of one thread's loop, log and listeners, and a look-up */
    MIN_CONNECTIONS = 16, /* per worker, however few descriptors there are */
    CANCEL_GRACE_MS = 5000,
    IDLE_POLL_MS = 10,
};

struct gateway {
    struct context ctx; /* of the main thread: admin listener, reflection */
    struct config *config;
    gateway_ready_fn *on_ready;
    struct worker *workers[MAX_WORKERS];
    unsigned worker_count;
    struct h2_conn_set conns;
    struct loop_hook log_hook;
    struct front *admin;
    struct metrics metrics;
    struct schema_source *source;
    struct timer drain_step;
    uint64_t drain_end_ms; /* when draining turns into cancelling */
    bool cancelled;
};

static int failed(const char *what, const char *where, int error)
{
    if (error == -EADDRINUSE)
        fprintf(stderr,
                "drawbridge: %s %s: the port is in use by another process; choose another with "
                "--listen, or stop it\n",
                what, where);
    else
        fprintf(stderr, "drawbridge: %s %s: %s\n", what, where, strerror(-error));
    return -1;
}

/* The listeners of one address for all workers: shared ports for TCP, one socket for a unix path.
 */
static int listen_for_all(struct net_address *address, int fds[], unsigned count)
{
    int error = net_probe_bind(address);
    if (error)
        return error;
    for (unsigned made = 0; made < count; made++) {
        bool again = made > 0 && address->storage.ss_family == AF_UNIX;
        int fd = again ? dup(fds[0]) : net_listen(address, NET_LISTEN_SHARED);
        if (fd < 0) {
            error = again ? -errno : fd;
            while (made > 0)
                close(fds[--made]);
            return error;
        }
        fds[made] = fd;
    }
    return 0;
}

static int gateway_listen(struct gateway *g, int fds[][CONFIG_MAX_LISTEN])
{
    char text[NET_TEXT_LEN];
    int column[MAX_WORKERS] = {0};
    for (size_t i = 0; i < g->config->listen_count; i++) {
        int error = listen_for_all(&g->config->listen[i], column, g->worker_count);
        net_format(&g->config->listen[i], text);
        if (error) {
            for (unsigned w = 0; w < g->worker_count; w++)
                for (size_t k = 0; k < i; k++)
                    close(fds[w][k]);
            return failed("cannot listen on", text, error);
        }
        for (unsigned w = 0; w < g->worker_count; w++)
            fds[w][i] = column[w];
    }
    return 0;
}

static void on_routes(void *arg, struct routes *routes)
{
    struct gateway *g = arg;
    bool first = !g->ctx.routes;
    routes_unref(g->ctx.routes);
    g->ctx.routes = routes;
    g->ctx.schema = routes_schema(routes);
    for (unsigned i = 0; i < g->worker_count; i++)
        worker_set_routes(g->workers[i], routes_ref(routes));
    log_flush(g->ctx.log);
    if (first && g->on_ready)
        g->on_ready(g->config, g->ctx.schema);
}

static bool gateway_start_schema(struct gateway *g)
{
    g->source = schema_source_new(&g->ctx, on_routes, g);
    if (g->source && schema_source_start(g->source))
        return true;
    log_flush(g->ctx.log);
    fprintf(stderr, "drawbridge: %s\n",
            g->source ? schema_source_failure(g->source) : "out of memory");
    return false;
}

static void on_reload(void *arg, int signum)
{
    (void)signum;
    struct gateway *g = arg;
    if (g->source && !g->ctx.draining)
        schema_source_refresh(g->source);
}

static void gateway_cancel(struct gateway *g)
{
    if (!g->cancelled)
        log_message(g->ctx.log, LOG_LEVEL_WARN, "drain", "ending what is still open");
    g->cancelled = true;
    for (unsigned i = 0; i < g->worker_count; i++)
        worker_cancel(g->workers[i]);
}

static void on_drain_step(void *arg)
{
    struct gateway *g = arg;
    uint64_t now_ms = loop_now_ms(g->ctx.loop);
    bool idle = true;
    for (unsigned i = 0; i < g->worker_count; i++)
        idle = idle && worker_idle(g->workers[i]);
    if (idle || now_ms >= g->drain_end_ms + CANCEL_GRACE_MS) {
        loop_stop(g->ctx.loop);
        return;
    }
    if (now_ms >= g->drain_end_ms)
        gateway_cancel(g);
    loop_timer_set(g->ctx.loop, &g->drain_step, now_ms + IDLE_POLL_MS);
}

static void on_terminate(void *arg, int signum)
{
    struct gateway *g = arg;
    uint64_t now_ms = loop_now_ms(g->ctx.loop);
    if (g->ctx.draining) {
        g->drain_end_ms = now_ms;
        gateway_cancel(g);
        return;
    }
    g->ctx.draining = true;
    log_message(g->ctx.log, LOG_LEVEL_INFO, "drain",
                "%s: no new connections, finishing what runs (at most %llu ms)",
                signum == SIGINT ? "SIGINT" : "SIGTERM",
                (unsigned long long)g->config->limits.drain_timeout_ms);
    for (unsigned i = 0; i < g->worker_count; i++)
        worker_drain(g->workers[i]);
    g->drain_end_ms = now_ms + g->config->limits.drain_timeout_ms;
    g->drain_step = (struct timer){.on_expire = on_drain_step, .arg = g};
    loop_timer_set(g->ctx.loop, &g->drain_step, now_ms + 1);
}

static int on_turn_end(void *arg)
{
    struct gateway *g = arg;
    log_flush(g->ctx.log);
    return -1;
}

static bool gateway_new_admin(struct gateway *g)
{
    const struct front_options options = {
        .protocols = protocols_admin,
        .max_connections = ADMIN_CONNECTIONS,
        .loopback_only = net_is_loopback(&g->config->admin),
        .quiet = true,
    };
    g->admin = front_new(&g->ctx, &options);
    return g->admin != NULL;
}

static bool gateway_init(struct gateway *g, struct config *config, gateway_ready_fn *on_ready)
{
    g->config = config;
    g->on_ready = on_ready;
    g->worker_count = config->workers < MAX_WORKERS ? config->workers : MAX_WORKERS;
    g->ctx = (struct context){.config = config, .metrics = &g->metrics, .gateway = g};
    g->ctx.loop = loop_new();
    g->ctx.log = log_new(STDERR_FILENO, config->log_format, config->log_level);
    if (!g->ctx.loop || !g->ctx.log)
        return false;
    if (config->admin_on && !gateway_new_admin(g))
        return false;
    h2_conn_set_init(&g->conns, g->ctx.loop);
    bool good = upstreams_open(&g->ctx, &g->conns);
    g->log_hook = (struct loop_hook){.on_turn_end = on_turn_end, .arg = g};
    loop_hook_add(g->ctx.loop, &g->log_hook);
    loop_on_signal(g->ctx.loop, SIGTERM, on_terminate, g);
    loop_on_signal(g->ctx.loop, SIGINT, on_terminate, g);
    loop_on_signal(g->ctx.loop, SIGHUP, on_reload, g);
    return good;
}

static int gateway_open_admin(struct gateway *g)
{
    char text[NET_TEXT_LEN];
    if (!g->config->admin_on)
        return 0;
    int error = net_probe_bind(&g->config->admin);
    int fd = error ? error : net_listen(&g->config->admin, NET_LISTEN_SHARED);
    net_format(&g->config->admin, text);
    if (fd < 0)
        return failed("cannot listen (admin) on", text, fd);
    return front_listen_fd(g->admin, fd);
}

/* A worker's share of the descriptors that are left when every thread, the main one too, has what
 * it needs with one connection to each upstream. */
static size_t share_of_files(const struct gateway *g, size_t files)
{
    size_t threads = g->worker_count + 1;
    size_t needed = SPARE_FILES + threads * (LOOP_FILES + g->config->upstreams_count);
    size_t share = files > needed ? (files - needed) / g->worker_count : 0;
    return share > MIN_CONNECTIONS ? share : MIN_CONNECTIONS;
}

static int gateway_open_workers(struct gateway *g, size_t files)
{
    size_t max_connections = share_of_files(g, files);
    static int fds[MAX_WORKERS][CONFIG_MAX_LISTEN];
    if (gateway_listen(g, fds) < 0)
        return -1;
    for (unsigned i = 0; i < g->worker_count; i++) {
        g->workers[i] = worker_new(g->config, g, max_connections, fds[i], g->config->listen_count);
        if (!g->workers[i])
            return failed("cannot start", "a worker", -ENOMEM);
    }
    return 0;
}

static int gateway_start_workers(struct gateway *g)
{
    for (unsigned i = 0; i < g->worker_count; i++) {
        int error = worker_start(g->workers[i]);
        if (error)
            return failed("cannot start", "a thread", error);
    }
    return 0;
}

static void print_listeners(const struct config *config)
{
    char text[NET_TEXT_LEN];
    for (size_t i = 0; i < config->listen_count; i++) {
        net_format(&config->listen[i], text);
        fprintf(stderr, "listening on %s (http)\n", text);
    }
    net_format(&config->admin, text);
    if (config->admin_on)
        fprintf(stderr, "listening on %s (admin)\n", text);
}

static void gateway_fini(struct gateway *g)
{
    for (unsigned i = 0; i < g->worker_count; i++) {
        if (g->workers[i])
            worker_cancel(g->workers[i]);
        worker_free(g->workers[i]);
    }
    schema_source_free(g->source);
    front_free(g->admin);
    upstreams_close(&g->ctx);
    if (g->conns.loop)
        h2_conn_set_fini(&g->conns);
    if (g->log_hook.arg)
        loop_hook_remove(&g->log_hook);
    loop_free(g->ctx.loop);
    log_free(g->ctx.log);
    routes_unref(g->ctx.routes);
    free(g);
}

/* The buffers of a large message come and go with each call: given back to the kernel, they cost
 * more in page faults than the copying of the message does.  Each worker may keep this much. */
static void keep_freed_memory(void)
{
#ifdef M_TRIM_THRESHOLD
    enum { KEEP = 32 << 20 };
    mallopt(M_MMAP_THRESHOLD, KEEP);
    mallopt(M_TRIM_THRESHOLD, KEEP);
#endif
}

int gateway_serve(struct config *config, gateway_ready_fn *on_ready)
{
    signal(SIGPIPE, SIG_IGN);
    keep_freed_memory();
    size_t files = net_raise_file_limit();
    struct gateway *g = calloc(1, sizeof *g);
    if (!g || !gateway_init(g, config, on_ready)) {
        fprintf(stderr, "drawbridge: out of memory or descriptors at start\n");
        if (g)
            gateway_fini(g);
        return 1;
    }
    int status = 1;
    if (gateway_open_admin(g) == 0 && gateway_open_workers(g, files) == 0) {
        print_listeners(config);
        /* Descriptor files are read before the first request is: clients that come now wait in the
         * listeners. */
        if (gateway_start_schema(g) && gateway_start_workers(g) == 0) {
            loop_run(g->ctx.loop);
            status = 0;
        }
    }
    gateway_fini(g);
    return status;
}

/* By every worker; else says why not. */
static bool gateway_is_connected(const struct gateway *g, size_t place, struct buf *why)
{
    bool connected = true;
    for (unsigned i = 0; i < g->worker_count; i++)
        connected = connected && worker_upstream_ready(g->workers[i], place);
    if (connected)
        return true;
    struct slice reason = status_message(upstream_last_failure(g->ctx.upstreams[place]));
    buf_printf(why, "upstream %s is not connected%s%.*s\n", g->config->upstreams[place].target.text,
               reason.len ? ": " : "", SLICE_PRINT(reason));
    return false;
}

bool gateway_is_ready(const struct gateway *g, struct buf *why)
{
    bool connected = true;
    if (g->ctx.draining) {
        buf_printf(why, "draining\n");
        return false;
    }
    for (size_t i = 0; i < g->config->upstreams_count; i++)
        connected &= gateway_is_connected(g, i, why);
    if (connected && (!g->ctx.schema || !schema_source_complete(g->source))) {
        buf_printf(why, "no schema: %s\n", schema_source_failure(g->source));
    } else if (connected) {
        buf_printf(why, "ready\n");
        return true;
    }
    return false;
}

int gateway_write_metrics(struct gateway *g, struct buf *out)
{
    struct metrics *all[MAX_WORKERS + 1];
    for (unsigned i = 0; i < g->worker_count; i++)
        all[i] = worker_metrics(g->workers[i]);
    /* The control loop's own upstream serves reflection only; its admin front must not count as
     * live work. */
    return metrics_write(all, g->worker_count, out);
}
