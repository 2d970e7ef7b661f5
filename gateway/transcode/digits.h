/* digits: eight decimal digits at a time, as one machine word (SIMD within a register).  Every
 * number, time and duration of a JSON text goes through these few lines.
 * The arithmetic is on words whose lowest byte is the first digit. */
#pragma once
#include "base/word.h"

/* Are all eight bytes '0' to '9'? */
static inline bool digits_are_8(uint64_t word)
{
    return ((word & WORD_EACH(0xf0)) | ((word + WORD_EACH(6)) & WORD_EACH(0xf0)) >> 4) ==
           WORD_EACH(0x33);
}

/* The number that eight digits say. */
static inline uint32_t digits_value_8(uint64_t word)
{
    const uint64_t mask = 0x000000ff000000ffu;
    word -= WORD_EACH('0');
    word = word * 10 + (word >> 8); /* pairs, in every other byte */
    word = (word & mask) * (100 + ((uint64_t)1000000 << 32)) +
           (word >> 16 & mask) * (1 + ((uint64_t)10000 << 32));
    return (uint32_t)(word >> 32);
}

/* Eight digits of a number below 10^8, leading zeros included. */
static inline uint64_t digits_text_8(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007fu;
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000fu;
    return (tens | (twos - 10 * tens) << 8) + WORD_EACH('0');
}

/* Two digits of a number below 100. */
static inline char *digits_put_2(char *to, unsigned value)
{
    unsigned tens = value * 103 >> 10;
    to[0] = (char)('0' + tens);
    to[1] = (char)('0' + value - 10 * tens);
    return to + 2;
}
