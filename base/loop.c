/* The only file that knows libev.  Timers are ours (one heap), so libev keeps a single timer: the
 * bound of a wait. */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_SIGNALS = 8 };

struct loop_signal {
    ev_signal watcher;
    struct loop *loop;
    void (*on_signal)(void *arg, int signum);
    void *arg;
};

struct loop {
    struct ev_loop *ev;
    ev_timer bound;
    ev_check clock;
    ev_async wake;
    struct timers timers;
    struct list hooks;
    struct loop_task *tasks, **last_task;
    uint64_t now_us;
    int max_wait_ms; /* what the hooks of the last turn asked for */
    bool stopped;
    void (*on_wake)(void *arg);
    void *wake_arg;
    struct loop_signal signals[MAX_SIGNALS];
    size_t signals_len;
};

struct loop_io {
    ev_io watcher;
    struct loop *loop;
    void (*on_ready)(void *arg, int events);
    void *arg;
};

static void loop_read_clock(struct loop *loop)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    loop->now_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_bound(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev, (void)w, (void)events;
}

/* Before any other callback of the turn: a timer set by one counts from now, not from the time
 * before the wait. */
static void on_clock(struct ev_loop *ev, ev_check *w, int events)
{
    (void)ev, (void)events;
    loop_read_clock(w->data);
}

static void on_async(struct ev_loop *ev, ev_async *w, int events)
{
    (void)ev, (void)events;
    struct loop *loop = w->data;
    if (loop->on_wake)
        loop->on_wake(loop->wake_arg);
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOSIGMASK);
    if (!loop->ev) {
        free(loop);
        return NULL;
    }
    loop->max_wait_ms = 0;
    loop->last_task = &loop->tasks;
    timers_init(&loop->timers);
    list_init(&loop->hooks);
    ev_init(&loop->bound, on_bound);
    ev_async_init(&loop->wake, on_async);
    loop->wake.data = loop;
    ev_async_start(loop->ev, &loop->wake);
    ev_check_init(&loop->clock, on_clock);
    loop->clock.data = loop;
    ev_set_priority(&loop->clock, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->clock);
    loop_read_clock(loop);
    return loop;
}

static void loop_run_tasks(struct loop *loop)
{
    while (loop->tasks) {
        struct loop_task *task = loop->tasks;
        loop->tasks = task->next;
        if (!loop->tasks)
            loop->last_task = &loop->tasks;
        task->run(task->arg);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_run_tasks(loop);
    ev_async_stop(loop->ev, &loop->wake);
    ev_check_stop(loop->ev, &loop->clock);
    for (size_t i = 0; i < loop->signals_len; i++)
        ev_signal_stop(loop->ev, &loop->signals[i].watcher);
    ev_loop_destroy(loop->ev);
    timers_fini(&loop->timers);
    free(loop);
}

/* How long the next wait may be, in milliseconds; -1: no bound. */
static int loop_wait_ms(struct loop *loop, int max_wait_ms)
{
    int wait = max_wait_ms;
    if (loop->max_wait_ms >= 0 && (wait < 0 || loop->max_wait_ms < wait))
        wait = loop->max_wait_ms;
    uint64_t at_ms;
    if (timers_next(&loop->timers, &at_ms)) {
        uint64_t now = loop_now_ms(loop);
        uint64_t left = at_ms > now ? at_ms - now : 0;
        if (wait < 0 || left < (uint64_t)wait)
            wait = left > 3600000 ? 3600000 : (int)left;
    }
    return wait;
}

void loop_turn(struct loop *loop, int max_wait_ms)
{
    int wait = loop_wait_ms(loop, max_wait_ms);
    if (wait == 0) {
        ev_run(loop->ev, EVRUN_NOWAIT);
    } else if (wait < 0) {
        ev_run(loop->ev, EVRUN_ONCE);
    } else {
        ev_now_update(loop->ev);
        ev_timer_set(&loop->bound, (double)wait / 1000.0, 0.0);
        ev_timer_start(loop->ev, &loop->bound);
        ev_run(loop->ev, EVRUN_ONCE);
        ev_timer_stop(loop->ev, &loop->bound);
    }
    timers_run(&loop->timers, loop_now_ms(loop));
    loop->max_wait_ms = -1;
    LIST_EACH(node, &loop->hooks)
    {
        struct loop_hook *hook = LIST_ENTRY(node, struct loop_hook, node);
        int ms = hook->on_turn_end(hook->arg);
        if (ms >= 0 && (loop->max_wait_ms < 0 || ms < loop->max_wait_ms))
            loop->max_wait_ms = ms;
    }
    loop_run_tasks(loop);
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped)
        loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    loop->max_wait_ms = 0;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_us / 1000;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    struct loop_io *io = w->data;
    io->on_ready(io->arg,
                 ((events & EV_READ) ? LOOP_READ : 0) | ((events & EV_WRITE) ? LOOP_WRITE : 0));
}

static int ev_events(int events)
{
    return ((events & LOOP_READ) ? EV_READ : 0) | ((events & LOOP_WRITE) ? EV_WRITE : 0);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, int events,
                            void (*on_ready)(void *arg, int events), void *arg)
{
    struct loop_io *io = calloc(1, sizeof *io);
    if (!io)
        return NULL;
    io->loop = loop;
    io->on_ready = on_ready;
    io->arg = arg;
    ev_io_init(&io->watcher, on_io, fd, ev_events(events));
    io->watcher.data = io;
    if (events)
        ev_io_start(loop->ev, &io->watcher);
    return io;
}

void loop_io_set(struct loop_io *io, int events)
{
    int wanted = ev_events(events);
    bool active = ev_is_active(&io->watcher);
    if (active && (io->watcher.events & (EV_READ | EV_WRITE)) == wanted)
        return;
    if (active)
        ev_io_stop(io->loop->ev, &io->watcher);
    if (wanted) {
        ev_io_set(&io->watcher, io->watcher.fd, wanted);
        ev_io_start(io->loop->ev, &io->watcher);
    }
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    ev_io_stop(io->loop->ev, &io->watcher);
    free(io);
}

void loop_timer_set(struct loop *loop, struct timer *t, uint64_t at_ms)
{
    if (timers_set(&loop->timers, t, at_ms) < 0)
        abort();
}

void loop_timer_cancel(struct loop *loop, struct timer *t)
{
    timers_cancel(&loop->timers, t);
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    list_append(&loop->hooks, &hook->node);
    loop->max_wait_ms = 0;
}

void loop_hook_remove(struct loop_hook *hook)
{
    list_remove(&hook->node);
}

void loop_again(struct loop *loop)
{
    loop->max_wait_ms = 0;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    task->next = NULL;
    *loop->last_task = task;
    loop->last_task = &task->next;
}

void loop_on_wake(struct loop *loop, void (*on_wake)(void *arg), void *arg)
{
    loop->on_wake = on_wake;
    loop->wake_arg = arg;
}

void loop_wake(struct loop *loop)
{
    ev_async_send(loop->ev, &loop->wake);
}

static void on_ev_signal(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev, (void)events;
    struct loop_signal *s = w->data;
    s->on_signal(s->arg, w->signum);
}

int loop_on_signal(struct loop *loop, int signum, void (*on_signal)(void *arg, int signum),
                   void *arg)
{
    if (loop->signals_len == MAX_SIGNALS)
        return -ENOBUFS;
    struct loop_signal *s = &loop->signals[loop->signals_len++];
    *s = (struct loop_signal){.loop = loop, .on_signal = on_signal, .arg = arg};
    ev_signal_init(&s->watcher, on_ev_signal, signum);
    s->watcher.data = s;
    ev_signal_start(loop->ev, &s->watcher);
    return 0;
}
