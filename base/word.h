/* word: eight bytes of text looked at as one number whose lowest byte is the first (SIMD within a
 * register).  Reads and writes need not be aligned. */
#pragma once
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WORD_LEN = 8 };

/* A word of eight times the same byte. */
#define WORD_EACH(c) (0x0101010101010101u * (c))

static inline uint64_t word_load(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

static inline void word_store(void *to, uint64_t word)
{
    word = htole64(word);
    memcpy(to, &word, sizeof word);
}

/* 0x80 in place of each byte from `low` to `high`, 0 in place of the others; both below 0x80. */
static inline uint64_t word_between(uint64_t word, uint8_t low, uint8_t high)
{
    uint64_t seven = word & WORD_EACH(0x7f);
    return (seven + WORD_EACH(0x80u - low)) & ~(seven + WORD_EACH(0x7fu - high)) & ~word &
           WORD_EACH(0x80);
}
