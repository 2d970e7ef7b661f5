/* upstream: the channels of one worker towards one gRPC target: connect to the first of its
 * addresses that answers, reconnect with backoff, spread calls over multiplexed HTTP/2 connections.
 * Implements call.h (in call.c).  Balancing and TLS come behind this header. */
#pragma once
#include "base/log.h"
#include "base/loop.h"
#include "gateway/call.h"
#include "gateway/config.h"
#include "gateway/metrics.h"
#include "gateway/upstream/target.h"
#include "grpc/h2_conn.h"

struct upstream_config {
    const struct target *target; /* borrowed */
    const char *authority;       /* ":authority", borrowed; NULL: the target's */
    uint64_t connect_timeout_ms; /* looking up the name; TCP connect and first SETTINGS */
    uint64_t backoff_min_ms; /* first pause after a failed connect; then x1.6 with 20 % jitter */
    uint64_t backoff_max_ms;
    uint64_t idle_timeout_ms; /* a connection beyond the first without calls is closed; 0: never */
    size_t max_in_flight;     /* calls on streams; above it they queue */
    size_t
        max_queued; /* calls waiting for a connection or a stream; above it UNAVAILABLE at once */
};

/* What the user configured for the upstream at that place. */
void upstream_config_init(struct upstream_config *up, const struct config *config, size_t place);

struct upstream;

/* Everything is borrowed and outlives the upstream; metrics and log may be NULL.  Connecting starts
 * with the first turn.  NULL when memory is out. */
struct upstream *upstream_new(struct h2_conn_set *conns, const struct upstream_config *config,
                              struct metrics *metrics, struct log *log);
/* Cancels every call without events and closes the connections. */
void upstream_free(struct upstream *up);
/* A connection is established and took its SETTINGS. */
bool upstream_ready(const struct upstream *up);
/* Called in the loop's thread whenever upstream_ready() changes.  One listener. */
void upstream_on_state(struct upstream *up, void (*on_state)(void *arg, bool ready), void *arg);
/* Why it is not ready: the last failure to look up or to connect; STATUS_OK when there was none. */
const struct status *upstream_last_failure(const struct upstream *up);
