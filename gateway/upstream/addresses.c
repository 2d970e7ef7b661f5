#include "gateway/upstream/addresses.h"

void addresses_init(struct addresses *a, struct loop *loop, const struct target *target,
                    void (*on_looked_up)(void *arg, const char *why, bool changed), void *arg)
{
    *a = (struct addresses){
        .loop = loop,
        .target = target,
        .count = target->count,
        .stale = target->kind == TARGET_NAME,
        .on_looked_up = on_looked_up,
        .arg = arg,
    };
    memcpy(a->list, target->addresses, sizeof a->list);
}

void addresses_fini(struct addresses *a)
{
    if (a->resolver)
        resolver_cancel(a->resolver);
    a->resolver = NULL;
}

const struct net_address *addresses_current(const struct addresses *a)
{
    return a->stale ? NULL : &a->list[a->place];
}

static bool take(struct addresses *a, const struct net_address *found, size_t count)
{
    size_t len = count * sizeof *found;
    bool changed = a->count != count || memcmp(a->list, found, len) != 0;
    memcpy(a->list, found, len);
    a->count = count;
    a->place = 0;
    return changed;
}

static void on_resolved(void *arg, const struct net_address *found, size_t count, const char *why)
{
    struct addresses *a = arg;
    a->resolver = NULL;
    bool changed = count > 0 && take(a, found, count);
    a->stale = a->count == 0;
    a->on_looked_up(a->arg, count > 0 ? NULL : why, changed);
}

bool addresses_look_up(struct addresses *a, uint64_t timeout_ms)
{
    if (!a->resolver)
        a->resolver = resolver_start(a->loop, a->target, timeout_ms, on_resolved, a);
    return a->resolver != NULL;
}

bool addresses_next(struct addresses *a)
{
    if (a->place + 1 < a->count) {
        a->place++;
        return true;
    }
    addresses_restart(a);
    a->stale = a->target->kind == TARGET_NAME;
    return false;
}

void addresses_restart(struct addresses *a)
{
    a->place = 0;
}
