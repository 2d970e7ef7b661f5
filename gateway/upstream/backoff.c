#include "gateway/upstream/backoff.h"

enum { JITTER_PERCENT = 20 };

void backoff_init(struct backoff *b, uint64_t min_ms, uint64_t max_ms, uint64_t seed)
{
    b->min_ms = min_ms > 0 ? min_ms : 1;
    b->max_ms = max_ms > b->min_ms ? max_ms : b->min_ms;
    b->next_ms = b->min_ms;
    b->random = seed ? seed : 0x9e3779b97f4a7c15;
}

/* xorshift64: spreads reconnects, protects nothing. */
static uint64_t backoff_random(struct backoff *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

uint64_t backoff_next(struct backoff *b)
{
    uint64_t pause = b->next_ms;
    b->next_ms = pause > b->max_ms / 2 ? b->max_ms : pause + pause * 6 / 10;
    if (b->next_ms > b->max_ms)
        b->next_ms = b->max_ms;
    uint64_t spread = pause * JITTER_PERCENT / 100;
    return pause - spread + backoff_random(b) % (2 * spread + 1);
}

void backoff_reset(struct backoff *b)
{
    b->next_ms = b->min_ms;
}
