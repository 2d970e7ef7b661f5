/* number: decimal text (the grammar of RFC 8259 section 6) to exact integers and correctly rounded
 * floating point, whatever the locale.  Digits are never lost silently: an integer is integral and
 * in range, or it is refused. */
#pragma once
#include "base/slice.h"

/* A number as it was written: (-1)^negative * mantissa * 10^exponent, plus less than one unit of
 * the mantissa when `inexact`. */
struct number {
    uint64_t mantissa;
    int64_t exponent;
    bool negative;
    bool inexact;      /* digits other than 0 did not fit the mantissa */
    struct slice text; /* borrowed */
};

/* Reads one number at `at`.  Returns where it ends, NULL when there is none. */
const uint8_t *number_parse(const uint8_t *at, const uint8_t *end, struct number *n);

/* 0; -EINVAL: not integral; -ERANGE: outside [min, max]. */
int number_to_int64(const struct number *n, int64_t min, int64_t max, int64_t *value);
int number_to_uint64(const struct number *n, uint64_t max, uint64_t *value);
/* 0, or -ERANGE when it is too large.  What is too small becomes zero or subnormal. */
int number_to_double(const struct number *n, double *value);
int number_to_float(const struct number *n, float *value);
