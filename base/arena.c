#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_LEN = 4096, ALIGN = alignof(max_align_t) };

struct arena_block {
    struct arena_block *next;
    max_align_t data[];
};

void arena_init(struct arena *a, void *room, size_t room_len, size_t max_len)
{
    *a = (struct arena){.max_len = max_len};
    uintptr_t misaligned = (uintptr_t)room % ALIGN;
    size_t skip = misaligned ? ALIGN - misaligned : 0;
    if (room && room_len > skip) {
        a->next = (uint8_t *)room + skip;
        a->end = (uint8_t *)room + room_len;
    }
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    *a = (struct arena){.max_len = a->max_len};
}

static void *arena_alloc_block(struct arena *a, size_t size)
{
    bool own = size > BLOCK_LEN / 4;
    size_t len = own ? size : BLOCK_LEN;
    if (a->used > a->max_len || len > a->max_len - a->used)
        return NULL;
    struct arena_block *block = malloc(sizeof *block + len);
    if (!block)
        return NULL;
    a->used += len;
    block->next = a->blocks;
    a->blocks = block;
    if (!own) {
        a->next = (uint8_t *)block->data + size;
        a->end = (uint8_t *)block->data + len;
    }
    return block->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (size <= (size_t)(a->end - a->next)) {
        void *at = a->next;
        a->next += size;
        return at;
    }
    return arena_alloc_block(a, size);
}

void *arena_zalloc(struct arena *a, size_t size)
{
    void *at = arena_alloc(a, size);
    if (at)
        memset(at, 0, size);
    return at;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *to = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
    if (!to)
        return (struct slice){NULL, 0};
    if (s.len)
        memcpy(to, s.data, s.len);
    to[s.len] = 0;
    return slice_from(to, s.len);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
    if (to)
        vsnprintf(to, (size_t)len + 1, format, again);
    va_end(again);
    return to;
}
