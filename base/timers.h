/* timers: all deadlines of one loop in one binary heap.  It never reads a clock: the time is an
 * argument, so tests run on a time of their own.  Times are milliseconds of any monotonic clock. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded by its owner, who cancels it before it goes.  Zero-initialised is a timer that is not
 * set. */
struct timer {
    uint64_t at_ms;
    size_t place; /* index in the heap plus one; 0: not set */
    void (*on_expire)(void *arg);
    void *arg;
};

struct timers {
    struct timer **heap; /* owned array of borrowed timers, the earliest first */
    size_t len, cap;
};

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts);

/* Sets or moves the timer; on_expire and arg must be filled in.  0, or -ENOMEM (the timer is then
 * not set). */
int timers_set(struct timers *ts, struct timer *t, uint64_t at_ms);
/* Cancelling a timer that is not set does nothing. */
void timers_cancel(struct timers *ts, struct timer *t);
/* Whether any timer is set; the earliest time goes to *at_ms. */
bool timers_next(const struct timers *ts, uint64_t *at_ms);
/* Calls on_expire of each timer due at now_ms, each unset before its call.  A callback may set and
 * cancel any timer. */
void timers_run(struct timers *ts, uint64_t now_ms);
