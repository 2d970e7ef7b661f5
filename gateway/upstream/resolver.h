/* resolver: looks up the addresses of one host name, once, on the loop (c-ares): /etc/hosts, then
 * the name servers of /etc/resolv.conf, or the one that the target names.  Both files are read for
 * each look-up, so that what changes in them counts.  It keeps nothing: when to look again, and
 * what to do without an answer, is its user's affair. */
#pragma once
#include "base/loop.h"
#include "gateway/upstream/target.h"

struct resolver;

/* Starts to look up the host of a TARGET_NAME; everything is borrowed for the call but `loop` and
 * `arg`.  on_done is called once, never inside resolver_start(), and the resolver is gone when it
 * returns: with at least one and at most TARGET_MAX_ADDRESSES addresses (borrowed), those of IPv4
 * first, each kind in the order of the answer; or with none and `why`, a phrase.  NULL when memory
 * is out. */
struct resolver *resolver_start(struct loop *loop, const struct target *target, uint64_t timeout_ms,
                                void (*on_done)(void *arg, const struct net_address *addresses,
                                                size_t count, const char *why),
                                void *arg);
/* on_done is not called any more. */
void resolver_cancel(struct resolver *r);
