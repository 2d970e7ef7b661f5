#include "gateway/schema/symbols.h"

#include "gateway/schema/name.h"

#include <errno.h>
#include <sys/random.h>

enum { FIRST_CAP = 256 };

void symbols_init(struct symbols *t, struct arena *arena)
{
    *t = (struct symbols){.arena = arena, .max = SYMBOLS_MAX};
    if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) < 0)
        t->seed = (uintptr_t)t; /* too early in the boot: the address space layout must do */
}

static struct symbol **find_slot(const struct symbols *t, struct slice scope, struct slice name)
{
    uint64_t hash = name_hash(name_hash(t->seed, scope), name);
    for (uint64_t i = hash;; i++) {
        struct symbol **slot = &t->slots[i & (t->cap - 1)];
        if (!*slot || (slice_equal((*slot)->name, name) && slice_equal((*slot)->scope, scope)))
            return slot;
    }
}

static bool grow(struct symbols *t)
{
    struct symbols wider = *t;
    wider.cap = t->cap ? t->cap * 2 : FIRST_CAP;
    wider.slots = arena_zalloc(t->arena, wider.cap * sizeof(struct symbol *));
    if (!wider.slots)
        return false;
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->slots[i])
            *find_slot(&wider, t->slots[i]->scope, t->slots[i]->name) = t->slots[i];
    *t = wider;
    return true;
}

int symbols_add(struct symbols *t, const struct symbol *new, struct symbol **entry)
{
    if (t->count >= t->cap / 2 && !grow(t))
        return -ENOMEM;
    struct symbol **slot = find_slot(t, new->scope, new->name);
    if (*slot) {
        *entry = *slot;
        return -EEXIST;
    }
    if (t->count >= t->max)
        return -ENOBUFS;
    struct symbol *copy = arena_alloc(t->arena, sizeof *copy);
    if (!copy)
        return -ENOMEM;
    *copy = *new;
    *slot = *entry = copy;
    t->count++;
    return 0;
}

struct symbol *symbols_find(const struct symbols *t, struct slice scope, struct slice name)
{
    return t->cap ? *find_slot(t, scope, name) : NULL;
}

struct symbol *symbols_find_full(const struct symbols *t, struct slice full_name)
{
    const uint8_t *dot = full_name.len ? memrchr(full_name.data, '.', full_name.len) : NULL;
    if (!dot)
        return symbols_find(t, (struct slice){NULL, 0}, full_name);
    size_t scope_len = (size_t)(dot - full_name.data);
    return symbols_find(t, slice_first(full_name, scope_len), slice_skip(full_name, scope_len + 1));
}
