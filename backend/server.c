#include "backend/server.h"

#include "backend/descriptors.h"
#include "backend/worker.h"
#include "base/loop.h"
#include "base/net.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_WORKERS = 256 };

struct server {
    const struct server_config *config;
    struct loop *loop; /* the main thread's: signals, and the end of workers */
    struct net_address addresses[OPTION_LIST_MAX];
    struct worker *workers[MAX_WORKERS];
    size_t workers_len;
    atomic_size_t finished; /* workers that have nothing left to do */
    bool draining;
};

static int report(const char *what, const char *address, int error)
{
    const char *why = strerror(-error);
    if (error == -EADDRINUSE)
        why = "the port is in use by another program";
    else if (error == -ENOENT)
        why = "unknown host";
    fprintf(stderr, "calculator: %s %s: %s\n", what, address, why);
    return error;
}

/* Checks every address before the first worker binds one. */
static int server_probe(struct server *s)
{
    for (size_t i = 0; i < s->config->listen->count; i++) {
        const char *text = s->config->listen->items[i];
        int result = net_parse(text, &s->addresses[i]);
        if (result == -EINVAL) {
            fprintf(stderr,
                    "calculator: \"%s\" is not an address: write HOST:PORT, [IPV6]:PORT, "
                    ":PORT or unix:PATH\n",
                    text);
            return result;
        }
        if (result == 0)
            result = net_probe_bind(&s->addresses[i]);
        if (result < 0)
            return report("cannot listen on", text, result);
    }
    return 0;
}

/* One listener of one worker.  Workers share one unix socket (`first`, -1 for the first worker);
 * for TCP each has its own, on the port that the first one picked. */
static int listen_on(struct net_address *address, int first)
{
    if (address->storage.ss_family != AF_UNIX || first < 0)
        return net_listen(address, NET_LISTEN_SHARED);
    int fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* The listeners of one worker; first_fds is NULL for the first worker. */
static int server_listen(struct server *s, const int *first_fds, int fds[static OPTION_LIST_MAX])
{
    for (size_t i = 0; i < s->config->listen->count; i++) {
        int fd = listen_on(&s->addresses[i], first_fds ? first_fds[i] : -1);
        if (fd < 0) {
            report("cannot listen on", s->config->listen->items[i], fd);
            while (i > 0)
                close(fds[--i]);
            return fd;
        }
        fds[i] = fd;
    }
    return 0;
}

static void on_worker_finished(void *arg)
{
    struct server *s = arg;
    atomic_fetch_add(&s->finished, 1);
    loop_wake(s->loop);
}

static void on_wake(void *arg)
{
    struct server *s = arg;
    if (atomic_load(&s->finished) == s->workers_len)
        loop_stop(s->loop);
}

static void on_signal(void *arg, int signum)
{
    struct server *s = arg;
    (void)signum;
    for (size_t i = 0; i < s->workers_len; i++) {
        if (s->draining)
            worker_stop(s->workers[i]);
        else
            worker_drain(s->workers[i]);
    }
    s->draining = true;
}

/* Starts one worker after the other; the signals go to the main thread's loop only. */
static int server_start_workers(struct server *s)
{
    const struct worker_config config = {.drain_timeout_ms = s->config->drain_timeout_ms,
                                         .log_level = s->config->log_level,
                                         .log_format = s->config->log_format,
                                         .on_finished = on_worker_finished,
                                         .arg = s};
    int first_fds[OPTION_LIST_MAX] = {0}, fds[OPTION_LIST_MAX];
    size_t count = s->config->listen->count;
    for (size_t i = 0; i < s->config->workers; i++) {
        int result = server_listen(s, i == 0 ? NULL : first_fds, fds);
        if (result < 0)
            return result;
        if (i == 0)
            memcpy(first_fds, fds, count * sizeof *fds);
        s->workers[i] = worker_start(&config, fds, count);
        if (!s->workers[i]) {
            fprintf(stderr,
                    "calculator: cannot start a worker: no memory, threads or descriptors\n");
            return -ENOMEM;
        }
        s->workers_len++;
    }
    return 0;
}

static void server_announce(const struct server *s)
{
    for (size_t i = 0; i < s->config->listen->count; i++) {
        char text[NET_TEXT_LEN];
        net_format(&s->addresses[i], text);
        fprintf(stderr, "listening on %s (grpc)\n", text);
    }
}

static void server_remove_sockets(const struct server *s)
{
    for (size_t i = 0; i < s->config->listen->count; i++) {
        char text[NET_TEXT_LEN];
        net_format(&s->addresses[i], text);
        if (s->addresses[i].storage.ss_family == AF_UNIX)
            unlink(text + strlen("unix:"));
    }
}

int server_run(const struct server_config *config)
{
    struct server *s = calloc(1, sizeof *s);
    assert(config->workers > 0 && config->workers <= MAX_WORKERS);
    if (!s)
        return -ENOMEM;
    s->config = config;
    s->loop = loop_new();
    int result = s->loop ? server_probe(s) : -ENOMEM;
    if (result == 0) {
        signal(SIGPIPE, SIG_IGN);
        net_raise_file_limit();
        descriptors_load();
        loop_on_wake(s->loop, on_wake, s);
        loop_on_signal(s->loop, SIGTERM, on_signal, s);
        loop_on_signal(s->loop, SIGINT, on_signal, s);
        result = server_start_workers(s);
        if (result == 0) {
            server_announce(s);
            loop_run(s->loop);
        }
        for (size_t i = 0; i < s->workers_len; i++) {
            if (result < 0)
                worker_stop(s->workers[i]);
            worker_join(s->workers[i]);
        }
        server_remove_sockets(s);
    }
    loop_free(s->loop);
    free(s);
    return result;
}
