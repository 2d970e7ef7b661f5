#include "gateway/upstream/upstream.h"

/* A gateway in front of a few upstreams must be back within seconds of theirs: shorter pauses than
 * gRPC's connection-backoff.md, the same factor and jitter. */
enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 3000 };

/* Long enough for the next burst to find the connections of the last one. */
enum { IDLE_TIMEOUT_MS = 30000 };

void upstream_config_init(struct upstream_config *up, const struct config *config, size_t place)
{
    *up = (struct upstream_config){
        .target = &config->upstreams[place].target,
        .authority = config->upstreams[place].authority,
        .connect_timeout_ms = config->limits.connect_timeout_ms,
        .backoff_min_ms = BACKOFF_MIN_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .max_in_flight = config->limits.max_in_flight,
        .max_queued = config->limits.max_queued,
    };
}
