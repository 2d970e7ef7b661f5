#include "grpc/h2_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

enum { NOT_KEPT = H2_MEMORY_SIZES };

/* In front of every piece; its size keeps the alignment of malloc. */
struct h2_piece {
    alignas(max_align_t) struct h2_piece *next; /* in a free list */
    uint32_t class;                             /* size H2_MEMORY_SMALLEST << class, or NOT_KEPT */
};

static uint32_t class_of(size_t size)
{
    uint32_t class = 0;
    while (class < NOT_KEPT && size > (size_t)H2_MEMORY_SMALLEST << class)
        class ++;
    return WATCHED ? NOT_KEPT : class;
}

static void *memory_malloc(size_t size, void *arg)
{
    struct h2_memory *m = arg;
    uint32_t class = class_of(size);
    struct h2_piece *piece;
    if (class != NOT_KEPT && m->spare[class]) {
        piece = m->spare[class];
        m->spare[class] = piece->next;
        m->spare_count[class]--;
        return piece + 1;
    }
    if (size > SIZE_MAX / 2)
        return NULL;
    piece =
        malloc(sizeof *piece + (class == NOT_KEPT ? size : (size_t)H2_MEMORY_SMALLEST << class));
    if (!piece)
        return NULL;
    piece->class = class;
    return piece + 1;
}

static void memory_free(void *at, void *arg)
{
    struct h2_memory *m = arg;
    if (!at)
        return;
    struct h2_piece *piece = (struct h2_piece *)at - 1;
    if (piece->class == NOT_KEPT || m->spare_count[piece->class] >= H2_MEMORY_KEEP) {
        free(piece);
        return;
    }
    piece->next = m->spare[piece->class];
    m->spare[piece->class] = piece;
    m->spare_count[piece->class]++;
}

static void *memory_calloc(size_t count, size_t size, void *arg)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    void *at = memory_malloc(count * size, arg);
    if (at)
        memset(at, 0, count * size);
    return at;
}

static void *memory_realloc(void *at, size_t size, void *arg)
{
    if (!at)
        return memory_malloc(size, arg);
    struct h2_piece *piece = (struct h2_piece *)at - 1;
    if (piece->class == NOT_KEPT) {
        piece = size <= SIZE_MAX / 2 ? realloc(piece, sizeof *piece + size) : NULL;
        return piece ? piece + 1 : NULL;
    }
    size_t room = (size_t)H2_MEMORY_SMALLEST << piece->class;
    if (size <= room)
        return at;
    void *to = memory_malloc(size, arg);
    if (to) {
        memcpy(to, at, room);
        memory_free(at, arg);
    }
    return to;
}

void h2_memory_init(struct h2_memory *m)
{
    *m = (struct h2_memory){.mem = {.mem_user_data = m,
                                    .malloc = memory_malloc,
                                    .free = memory_free,
                                    .calloc = memory_calloc,
                                    .realloc = memory_realloc}};
}

void h2_memory_fini(struct h2_memory *m)
{
    for (size_t i = 0; i < H2_MEMORY_SIZES; i++) {
        while (m->spare[i]) {
            struct h2_piece *piece = m->spare[i];
            m->spare[i] = piece->next;
            free(piece);
        }
    }
}
