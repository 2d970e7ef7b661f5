/* loop: one thread's event loop (on libev): descriptors, timers, turn hooks, deferred work, wake-up
 * from other threads. A turn is: wait; descriptor callbacks; timers; hooks in the order they were
 * added; deferred tasks. Everything but loop_wake() belongs to the thread that runs the loop. */
#pragma once
#include "base/list.h"
#include "base/timers.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;

/* One watched descriptor.  The descriptor itself stays its owner's. */
struct loop_io;

/* Called at the end of each turn.  Returns how long the loop may wait before it calls the hook
 * again: milliseconds, 0 = do not wait, -1 = no bound. */
struct loop_hook {
    int (*on_turn_end)(void *arg);
    void *arg;
    struct list node; /* the loop's */
};

/* Work for the end of the turn, after the hooks: freeing what callers may still stand on. */
struct loop_task {
    void (*run)(void *arg);
    void *arg;
    struct loop_task *next; /* the loop's */
};

/* NULL when memory or descriptors are out. */
struct loop *loop_new(void);
/* Runs the deferred tasks, then frees.  Every loop_io must have been freed. */
void loop_free(struct loop *loop);
/* Runs turns until loop_stop(). */
void loop_run(struct loop *loop);
/* One turn, waiting max_wait_ms at most (-1: no bound). */
void loop_turn(struct loop *loop, int max_wait_ms);
/* loop_run() returns after the present turn. */
void loop_stop(struct loop *loop);

/* Monotonic milliseconds (CLOCK_MONOTONIC), read once per turn. */
uint64_t loop_now_ms(const struct loop *loop);
/* Monotonic microseconds of the same reading. */
uint64_t loop_now_us(const struct loop *loop);

/* Watches fd for `events` (LOOP_READ | LOOP_WRITE, may be 0).  NULL when memory is out. */
struct loop_io *loop_io_new(struct loop *loop, int fd, int events,
                            void (*on_ready)(void *arg, int events), void *arg);
void loop_io_set(struct loop_io *io, int events);
/* Stops watching; must come before the descriptor is closed.  The callback does not come again. */
void loop_io_free(struct loop_io *io);

/* Sets or moves a timer; see timers.h.  Memory running out here aborts: a call without a deadline
 * is worse. */
void loop_timer_set(struct loop *loop, struct timer *t, uint64_t at_ms);
void loop_timer_cancel(struct loop *loop, struct timer *t);

/* The hook stays the caller's; it is removed with loop_hook_remove() before it goes. */
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop_hook *hook);

/* The next turn will not wait, so that the hooks run again soon: for whoever makes work for a hook
 * that may already have run in this turn.  Costs nothing before the hooks. */
void loop_again(struct loop *loop);

/* Runs the task once at the end of this turn.  The task stays the caller's memory and may free
 * itself in run(). */
void loop_defer(struct loop *loop, struct loop_task *task);

/* Called in the loop's thread, in its next turn, after loop_wake() from any thread or from a signal
 * handler. */
void loop_on_wake(struct loop *loop, void (*on_wake)(void *arg), void *arg);
void loop_wake(struct loop *loop);
/* Called in the loop's thread when the process receives the signal.  At most one callback per
 * signal number. */
int loop_on_signal(struct loop *loop, int signum, void (*on_signal)(void *arg, int signum),
                   void *arg);
