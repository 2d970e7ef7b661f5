/* addresses: the addresses of one target and which of them is in turn: tried in order until one
 * connects (pick_first of gRPC load-balancing.md), those of a name looked up before the first round
 * and again after each round that failed.  It connects nothing and knows no pauses: upstream.c
 * does. */
#pragma once
#include "gateway/upstream/resolver.h"

struct addresses {
    struct loop *loop;
    const struct target *target; /* borrowed */
    struct net_address list[TARGET_MAX_ADDRESSES];
    size_t count;
    size_t place;              /* of the address in turn */
    bool stale;                /* a name that is to be looked up first */
    struct resolver *resolver; /* while that runs */
    /* A look-up is over.  `why` is NULL, or a phrase when it failed: the addresses that were known
     * stay, to be tried again; `changed` tells whether they are others now. */
    void (*on_looked_up)(void *arg, const char *why, bool changed);
    void *arg;
};

void addresses_init(struct addresses *a, struct loop *loop, const struct target *target,
                    void (*on_looked_up)(void *arg, const char *why, bool changed), void *arg);
void addresses_fini(struct addresses *a);
/* The address in turn, borrowed until the next call here; NULL while a name must be, or is being,
 * looked up. */
const struct net_address *addresses_current(const struct addresses *a);
/* Starts that; on_looked_up follows, not inside this call.  False when memory is out. */
bool addresses_look_up(struct addresses *a, uint64_t timeout_ms);
/* The one in turn failed.  True: the next is in turn; false: that was the last of this round, and
 * the first is again. */
bool addresses_next(struct addresses *a);
/* It served: the next round begins with the first. */
void addresses_restart(struct addresses *a);
