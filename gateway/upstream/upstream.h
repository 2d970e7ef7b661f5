/* upstream: the channels of one worker towards one gRPC target: connect, reconnect with backoff,
 * spread calls over multiplexed HTTP/2 connections.  Implements call.h (in call.c).  Balancing, DNS
 * and TLS come behind this header. */
#pragma once
#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "gateway/call.h"
#include "gateway/config.h"
#include "gateway/metrics.h"
#include "grpc/h2_conn.h"

struct upstream_config {
    struct net_address address;
    const char *authority;       /* ":authority", borrowed */
    uint64_t connect_timeout_ms; /* TCP connect and first SETTINGS */
    uint64_t backoff_min_ms; /* first pause after a failed connect; then x1.6 with 20 % jitter */
    uint64_t backoff_max_ms;
    uint64_t idle_timeout_ms; /* a connection beyond the first without calls is closed; 0: never */
    size_t max_in_flight;     /* calls on streams; above it they queue */
    size_t
        max_queued; /* calls waiting for a connection or a stream; above it UNAVAILABLE at once */
};

/* What the user configured. */
void upstream_config_init(struct upstream_config *up, const struct config *config);

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
/* Why it is not ready: the last connection failure; STATUS_OK when there was none. */
const struct status *upstream_last_failure(const struct upstream *up);
