/* backoff: how long to wait before the next attempt after failures: exponential with jitter (gRPC
 * connection-backoff.md).  Pure arithmetic: it never reads a clock and owns nothing. */
#pragma once
#include <stdint.h>

struct backoff {
    uint64_t min_ms, max_ms; /* bounds of the pause before jitter */
    uint64_t next_ms;        /* the next pause before jitter */
    uint64_t random;         /* state of the jitter; never 0 */
};

/* `seed` sets the jitter apart from that of other workers. */
void backoff_init(struct backoff *b, uint64_t min_ms, uint64_t max_ms, uint64_t seed);
/* The pause after one more failure: min_ms at first, then x1.6 up to max_ms, each +-20 %. */
uint64_t backoff_next(struct backoff *b);
/* It worked: start over. */
void backoff_reset(struct backoff *b);
