#include "base/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void timers_init(struct timers *ts)
{
    *ts = (struct timers){0};
}

void timers_fini(struct timers *ts)
{
    free(ts->heap);
    *ts = (struct timers){0};
}

static void timers_put(struct timers *ts, size_t i, struct timer *t)
{
    ts->heap[i] = t;
    t->place = i + 1;
}

static void timers_sift_up(struct timers *ts, size_t i, struct timer *t)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (ts->heap[parent]->at_ms <= t->at_ms)
            break;
        timers_put(ts, i, ts->heap[parent]);
        i = parent;
    }
    timers_put(ts, i, t);
}

static void timers_sift_down(struct timers *ts, size_t i, struct timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= ts->len)
            break;
        if (child + 1 < ts->len && ts->heap[child + 1]->at_ms < ts->heap[child]->at_ms)
            child++;
        if (ts->heap[child]->at_ms >= t->at_ms)
            break;
        timers_put(ts, i, ts->heap[child]);
        i = child;
    }
    timers_put(ts, i, t);
}

int timers_set(struct timers *ts, struct timer *t, uint64_t at_ms)
{
    assert(t->on_expire);
    timers_cancel(ts, t);
    if (ts->len == ts->cap) {
        size_t cap = ts->cap ? ts->cap * 2 : 64;
        struct timer **heap = realloc(ts->heap, cap * sizeof(struct timer *));
        if (!heap)
            return -ENOMEM;
        ts->heap = heap;
        ts->cap = cap;
    }
    t->at_ms = at_ms;
    timers_sift_up(ts, ts->len++, t);
    return 0;
}

void timers_cancel(struct timers *ts, struct timer *t)
{
    if (!t->place)
        return;
    size_t i = t->place - 1;
    assert(i < ts->len && ts->heap[i] == t);
    t->place = 0;
    struct timer *last = ts->heap[--ts->len];
    if (last == t)
        return;
    if (i > 0 && ts->heap[(i - 1) / 2]->at_ms > last->at_ms)
        timers_sift_up(ts, i, last);
    else
        timers_sift_down(ts, i, last);
}

bool timers_next(const struct timers *ts, uint64_t *at_ms)
{
    if (ts->len == 0)
        return false;
    *at_ms = ts->heap[0]->at_ms;
    return true;
}

void timers_run(struct timers *ts, uint64_t now_ms)
{
    while (ts->len > 0 && ts->heap[0]->at_ms <= now_ms) {
        struct timer *t = ts->heap[0];
        timers_cancel(ts, t);
        t->on_expire(t->arg);
    }
}
