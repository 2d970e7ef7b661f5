/* powers_of_ten: the table that conversion between decimal text and binary floating point shares.
 */
#pragma once
#include <stdint.h>

enum { POWER_OF_TEN_MIN = -342, POWER_OF_TEN_MAX = 324, POWER_OF_TEN_EXACT_MAX = 55 };

/* 10^k rounded up to 128 bits, the topmost one set; exact for k from 0 to POWER_OF_TEN_EXACT_MAX.
 */
struct power_of_ten {
    uint64_t high, low;
};

/* Indexed by k - POWER_OF_TEN_MIN. */
extern const struct power_of_ten powers_of_ten[];

static inline struct power_of_ten power_of_ten(int k)
{
    return powers_of_ten[k - POWER_OF_TEN_MIN];
}

/* floor(log2(10^k)) for |k| up to 1233. */
static inline int power_of_ten_log2(int k)
{
    return (k * 1741647) >> 19;
}
