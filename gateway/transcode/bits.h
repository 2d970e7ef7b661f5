/* bits: a set of small integers, to remember which fields of a message were seen.  Inside itself
 * for ordinary messages, on the heap for very wide ones. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { BITS_SMALL = 128 };

struct bits {
    uint64_t small[BITS_SMALL / 64];
    uint64_t *words; /* small, or owned */
};

/* Empty, for members 0 to count - 1.  False: out of memory. */
static inline bool bits_init(struct bits *b, size_t count)
{
    b->small[0] = b->small[1] = 0;
    b->words = b->small;
    if (count > BITS_SMALL)
        b->words = calloc((count + 63) / 64, sizeof *b->words);
    return b->words != NULL;
}

static inline void bits_fini(struct bits *b)
{
    if (b->words != b->small)
        free(b->words);
}

static inline bool bits_has(const struct bits *b, size_t i)
{
    return b->words[i / 64] >> (i % 64) & 1;
}

/* Adds i; true when it was there already. */
static inline bool bits_add(struct bits *b, size_t i)
{
    uint64_t bit = (uint64_t)1 << (i % 64);
    bool had = b->words[i / 64] & bit;
    b->words[i / 64] |= bit;
    return had;
}
