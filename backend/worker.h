/* worker: one thread that serves: its own loop, listeners, connections and calls.  Nothing is
 * shared with other workers. */
#pragma once
#include "base/log.h"

struct worker;

struct worker_config {
    uint64_t drain_timeout_ms; /* how long running calls may go on once draining starts */
    enum log_level log_level;
    enum log_format log_format;
    /* The worker has nothing left to do, once and last; called in its thread. */
    void (*on_finished)(void *arg);
    void *arg;
};

/* Starts to serve on `listeners`, which it takes over, also on failure.  NULL when memory or
 * descriptors are out. */
struct worker *worker_start(const struct worker_config *config, const int *listeners,
                            size_t listeners_len);
/* From any thread.  No new connections; GOAWAY twice (RFC 9113 section 6.8); running calls finish
 * or, after the drain timeout, end with UNAVAILABLE; then the worker finishes. */
void worker_drain(struct worker *w);
/* From any thread: every connection is closed at once, and the worker finishes. */
void worker_stop(struct worker *w);
/* Waits for a worker that has been told to drain or stop, and frees it. */
void worker_join(struct worker *w);
