/* worker: one thread with one loop: its listeners, its front, its upstream connections, its
 * metrics.  Nothing is shared with other threads but the configuration and the schema snapshot,
 * both immutable. */
#pragma once
#include "gateway/config.h"
#include "gateway/context.h"

struct worker;

/* Prepares a worker in the calling thread: everything that can fail for lack of memory or
 * descriptors.  `listeners` are taken over, also on failure.  NULL when memory or descriptors are
 * out. */
struct worker *worker_new(const struct config *config, struct gateway *gateway,
                          size_t max_connections, const int *listeners, size_t listener_count);
/* Starts the thread.  0 or negative errno. */
int worker_start(struct worker *w);
/* From another thread: takes over one reference of `routes`, in the worker's next turn. */
void worker_set_routes(struct worker *w, struct routes *routes);
/* From another thread: stop accepting, finish what runs.  Cancelling ends what is still open. */
void worker_drain(struct worker *w);
void worker_cancel(struct worker *w);
/* From another thread: whether the upstream at that place is connected; whether the drained worker
 * has nothing open any more. */
bool worker_upstream_ready(const struct worker *w, size_t place);
bool worker_idle(const struct worker *w);
struct metrics *worker_metrics(struct worker *w);
/* Joins a started thread (which ends once it is drained or cancelled) and frees everything. */
void worker_free(struct worker *w);
