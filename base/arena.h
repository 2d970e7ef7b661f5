/* arena: memory that dies together, so that error paths have nothing to free.
 * Small pieces come from blocks; a piece larger than a block gets one of its own.  The total is
 * bounded. */
#pragma once
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; the newest first */
    uint8_t *next, *end;        /* free room in the current block */
    size_t used;                /* bytes handed out and owned by blocks beyond the first room */
    size_t max_len;             /* limit of `used` */
};

/* Starts with `room_len` bytes at `room` (borrowed, may be NULL) before any block is allocated. */
void arena_init(struct arena *a, void *room, size_t room_len, size_t max_len);
/* Frees every block; what was allocated is gone. */
void arena_fini(struct arena *a);

/* Memory aligned for any type, uninitialised.  NULL when the limit is passed or memory is out. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, zeroed. */
void *arena_zalloc(struct arena *a, size_t size);
/* A copy with a terminating NUL that is not counted; data is NULL on failure. */
struct slice arena_copy(struct arena *a, struct slice s);
/* printf into the arena: a NUL-terminated string, NULL on failure. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
