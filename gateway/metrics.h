/* metrics: counters and gauges of one worker, and their sum over workers in Prometheus text.  A new
 * metric is one row. Each worker writes only its own (relaxed atomics with one writer); a scrape in
 * another thread reads all. */
#pragma once
#include "base/buf.h"
#include "grpc/status.h"

#include <stdatomic.h>

/* X(symbol, Prometheus name, type, help) */
#define METRICS(X)                                                                                 \
    X(CONNECTIONS_ACCEPTED, "drawbridge_connections_accepted_total", "counter",                    \
      "Connections accepted.")                                                                     \
    X(CONNECTIONS_OPEN, "drawbridge_connections_open", "gauge", "Connections open now.")           \
    X(CONNECTIONS_REFUSED, "drawbridge_connections_refused_total", "counter",                      \
      "Connections closed at a limit.")                                                            \
    X(REQUESTS_REFUSED, "drawbridge_requests_refused_total", "counter",                            \
      "Requests refused before a protocol saw them.")                                              \
    X(CONNECTIONS_CUT, "drawbridge_connections_cut_total", "counter",                              \
      "Connections ended by a time limit or the spin guard.")                                      \
    X(EXCHANGES_OPEN, "drawbridge_exchanges_open", "gauge", "HTTP requests in progress.")          \
    X(BYTES_IN, "drawbridge_front_received_bytes_total", "counter",                                \
      "Body bytes received from clients.")                                                         \
    X(BYTES_OUT, "drawbridge_front_sent_bytes_total", "counter", "Body bytes sent to clients.")    \
    X(BUFFERED_BYTES, "drawbridge_buffered_bytes", "gauge", "Response bytes waiting for clients.") \
    X(CALLS_STARTED, "drawbridge_upstream_calls_total", "counter", "Calls started upstream.")      \
    X(CALLS_OPEN, "drawbridge_upstream_calls_open", "gauge", "Calls in progress upstream.")        \
    X(CALLS_QUEUED, "drawbridge_upstream_calls_queued", "gauge",                                   \
      "Calls waiting for a connection or a stream.")                                               \
    X(CALLS_CANCELLED, "drawbridge_upstream_calls_cancelled_total", "counter",                     \
      "Calls given up by the client.")                                                             \
    X(CALLS_RETRIED, "drawbridge_upstream_calls_retried_total", "counter",                         \
      "Calls retried transparently.")                                                              \
    X(STREAMS_OPEN, "drawbridge_upstream_streams_open", "gauge", "HTTP/2 streams open upstream.")  \
    X(UPSTREAM_CONNECTIONS, "drawbridge_upstream_connections_open", "gauge",                       \
      "HTTP/2 connections open upstream.")                                                         \
    X(UPSTREAM_CONNECTS, "drawbridge_upstream_connects_total", "counter",                          \
      "Connection attempts upstream.")                                                             \
    X(UPSTREAM_FAILURES, "drawbridge_upstream_connect_failures_total", "counter",                  \
      "Connection attempts that failed.")                                                          \
    X(LOG_LINES_LOST, "drawbridge_log_lines_lost_total", "counter",                                \
      "Log lines that could not be written.")

enum metric {
#define X(symbol, name, type, help) METRIC_##symbol,
    METRICS(X)
#undef X
        METRIC_COUNT
};

enum { METRICS_MAX_PROTOCOLS = 8, METRICS_BUCKETS = 14 };

/* Calls of one protocol. */
struct metrics_protocol {
    const char *_Atomic name; /* NULL: row not in use; a literal */
    atomic_uint_least64_t handled[STATUS_CODE_COUNT];
    atomic_uint_least64_t
        bucket[METRICS_BUCKETS]; /* by upper bound (metrics.c), not cumulative; the last is +Inf */
    atomic_uint_least64_t sum_us, upstream_sum_us;
};

struct metrics {
    atomic_uint_least64_t values[METRIC_COUNT];
    struct metrics_protocol protocols[METRICS_MAX_PROTOCOLS];
};

static inline void metrics_add(struct metrics *m, enum metric metric, uint64_t n)
{
    if (m)
        atomic_store_explicit(&m->values[metric],
                              atomic_load_explicit(&m->values[metric], memory_order_relaxed) + n,
                              memory_order_relaxed);
}

/* For gauges: n may be at most the present value. */
static inline void metrics_sub(struct metrics *m, enum metric metric, uint64_t n)
{
    metrics_add(m, metric, 0 - n);
}

/* What this worker has counted so far; the limit on waiting bytes is judged by it. */
static inline uint64_t metrics_get(const struct metrics *m, enum metric metric)
{
    return m ? atomic_load_explicit(&m->values[metric], memory_order_relaxed) : 0;
}

/* One call finished.  `protocol` is a literal. */
void metrics_call(struct metrics *m, const char *protocol, uint32_t code, uint64_t us,
                  uint64_t upstream_us);
/* The sum over `count` workers as Prometheus text exposition format 0.0.4, with the gRPC names
 * grpc_server_handled_total and grpc_server_handling_seconds.  0 or -ENOBUFS. */
int metrics_write(struct metrics *const *all, size_t count, struct buf *out);
/* The sum of one value over `count` workers. */
uint64_t metrics_sum(struct metrics *const *all, size_t count, enum metric metric);
