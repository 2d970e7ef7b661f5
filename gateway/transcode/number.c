#include "gateway/transcode/number.h"

#include "gateway/transcode/digits.h"
#include "gateway/transcode/powers_of_ten.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

/* The digits behind 10^17: those that fit 64 bits are added, the others counted in *dropped. */
static const uint8_t *parse_late_digits(const uint8_t *at, const uint8_t *end, struct number *n,
                                        int64_t *dropped)
{
    for (; at < end && is_digit(*at); at++) {
        unsigned digit = *at - (unsigned)'0';
        uint64_t sum;
        if (*dropped == 0 && !__builtin_mul_overflow(n->mantissa, (uint64_t)10, &sum) &&
            !__builtin_add_overflow(sum, (uint64_t)digit, &sum)) {
            n->mantissa = sum;
        } else {
            ++*dropped;
            n->inexact |= digit != 0;
        }
    }
    return at;
}

/* Adds digits while they fit 64 bits; those that do not are counted in *dropped. */
static inline const uint8_t *parse_digits(const uint8_t *at, const uint8_t *end, struct number *n,
                                          int64_t *dropped)
{
    /* Below these bounds another digit, or eight of them, always fit. */
    const uint64_t limit = 100000000000000000u;
    uint64_t mantissa = n->mantissa;
    for (; end - at >= 8 && mantissa < limit / 1000000; at += 8) {
        uint64_t word = word_load(at);
        if (!digits_are_8(word))
            break;
        mantissa = mantissa * 100000000 + digits_value_8(word);
    }
    for (; at < end && is_digit(*at) && mantissa < limit; at++)
        mantissa = mantissa * 10 + (*at - (unsigned)'0');
    n->mantissa = mantissa;
    return at < end && is_digit(*at) ? parse_late_digits(at, end, n, dropped) : at;
}

static const uint8_t *parse_exponent(const uint8_t *at, const uint8_t *end, struct number *n)
{
    enum { EXPONENT_MAX = 1000000000 }; /* far beyond any text's number of digits */
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end || !is_digit(*at))
        return NULL;
    int64_t exponent = 0;
    for (; at < end && is_digit(*at); at++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*at - '0');
    n->exponent += negative ? -exponent : exponent;
    return at;
}

const uint8_t *number_parse(const uint8_t *at, const uint8_t *end, struct number *n)
{
    const uint8_t *start = at;
    *n = (struct number){.negative = at < end && *at == '-'};
    at += n->negative;
    if (at == end || !is_digit(*at))
        return NULL;
    int64_t dropped = 0;
    if (*at == '0')
        at++;
    else
        at = parse_digits(at, end, n, &dropped);
    n->exponent = dropped;
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        int64_t before = dropped;
        at = parse_digits(at, end, n, &dropped);
        if (at == fraction)
            return NULL;
        n->exponent -= (at - fraction) - (dropped - before);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = parse_exponent(at + 1, end, n);
        if (!at)
            return NULL;
    }
    n->text = slice_from(start, (size_t)(at - start));
    return at;
}

int number_to_uint64(const struct number *n, uint64_t max, uint64_t *value)
{
    uint64_t mantissa = n->mantissa;
    int64_t exponent = n->exponent;
    if (mantissa == 0 && !n->inexact)
        exponent = 0;
    for (; exponent < 0 && mantissa % 10 == 0 && mantissa && !n->inexact; exponent++)
        mantissa /= 10;
    if (exponent < 0)
        return -EINVAL;
    if (n->inexact)
        return -ERANGE;
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(mantissa, (uint64_t)10, &mantissa))
            return -ERANGE;
    if (mantissa > max || (n->negative && mantissa))
        return -ERANGE;
    *value = mantissa;
    return 0;
}

int number_to_int64(const struct number *n, int64_t min, int64_t max, int64_t *value)
{
    struct number magnitude = *n;
    magnitude.negative = false;
    uint64_t limit = n->negative ? -(uint64_t)min : (uint64_t)max;
    uint64_t bits;
    int rc = number_to_uint64(&magnitude, limit, &bits);
    if (rc == 0)
        *value = (int64_t)(n->negative ? -bits : bits);
    return rc;
}

/* The digits as an integer with an exponent: no decimal point, so no locale.  768 digits and one
 * that stands for the rest decide every rounding of a double. */
static void number_plain_text(const struct number *n, char out[static 832])
{
    enum { DIGITS_MAX = 768 };
    size_t len = 0;
    int64_t exponent = 0;
    bool rest = false, fraction = false;
    struct slice text = n->text;
    struct number written = {0};
    size_t i = 0;
    for (; i < text.len && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        uint8_t c = text.data[i];
        fraction |= c == '.';
        if (!is_digit(c) || (len == 0 && c == '0')) {
            exponent -= fraction && c == '0';
            continue;
        }
        if (len < DIGITS_MAX) {
            out[len++] = (char)c;
            exponent -= fraction;
        } else {
            exponent += !fraction;
            rest |= c != '0';
        }
    }
    if (i < text.len)
        parse_exponent(text.data + i + 1, text.data + text.len, &written);
    exponent += written.exponent;
    if (rest) {
        out[len++] = '1';
        exponent--;
    }
    /* Past these bounds the value is zero or infinite all the same, and strtod need not count. */
    exponent = exponent > 400 ? 400 : exponent < -1200 ? -1200 : exponent;
    snprintf(out + len, 832 - len, "%se%d", len ? "" : "0", (int)exponent);
}

/* The Eisel-Lemire algorithm (D. Lemire, "Number parsing at a gigabyte per second", 2021).
 * False: too close to a tie, subnormal or out of range; ask strtod. */
static bool eisel_lemire(uint64_t mantissa, int64_t exponent, double *value)
{
    if (mantissa == 0 || exponent < POWER_OF_TEN_MIN || exponent > 308)
        return false;
    struct power_of_ten power = power_of_ten((int)exponent);
    if (exponent < 0 || exponent > POWER_OF_TEN_EXACT_MAX)
        power.high -= power.low-- == 0; /* the algorithm wants it rounded down */
    int shift = __builtin_clzll(mantissa);
    mantissa <<= shift;
    int64_t exponent2 = power_of_ten_log2((int)exponent) + 64 + 1023 - shift;
    unsigned __int128 product = (unsigned __int128)mantissa * power.high;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1ff) == 0x1ff && low + mantissa < mantissa) {
        unsigned __int128 more = (unsigned __int128)mantissa * power.low;
        product += (uint64_t)(more >> 64);
        high = (uint64_t)(product >> 64);
        low = (uint64_t)product;
        if ((high & 0x1ff) == 0x1ff && low + 1 == 0 && (uint64_t)more + mantissa < mantissa)
            return false;
    }
    unsigned top = (unsigned)(high >> 63);
    uint64_t bits = high >> (top + 9);
    exponent2 -= 1 ^ top;
    if (low == 0 && (high & 0x1ff) == 0 && (bits & 3) == 1)
        return false;
    bits = (bits + (bits & 1)) >> 1;
    if (bits >> 53) {
        bits >>= 1;
        exponent2++;
    }
    if (exponent2 < 1 || exponent2 >= 0x7ff)
        return false;
    bits = (uint64_t)exponent2 << 52 | (bits & 0xfffffffffffffu);
    memcpy(value, &bits, sizeof bits);
    return true;
}

static double number_magnitude(const struct number *n)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both factors are exact doubles, so one rounding is made. */
    if (!n->inexact && n->mantissa <= (uint64_t)1 << 53) {
        double mantissa = (double)n->mantissa;
        if (n->mantissa == 0 || n->exponent == 0)
            return mantissa;
        if (n->exponent > 0 && n->exponent <= 22)
            return mantissa * exact[n->exponent];
        if (n->exponent < 0 && n->exponent >= -22)
            return mantissa / exact[-n->exponent];
    }
    double low, high;
    if (eisel_lemire(n->mantissa, n->exponent, &low) &&
        (!n->inexact || (n->mantissa < UINT64_MAX &&
                         eisel_lemire(n->mantissa + 1, n->exponent, &high) && low == high)))
        return low;
    char text[832];
    number_plain_text(n, text);
    return strtod(text, NULL);
}

int number_to_double(const struct number *n, double *value)
{
    double magnitude = number_magnitude(n);
    if (isinf(magnitude))
        return -ERANGE;
    *value = n->negative ? -magnitude : magnitude;
    return 0;
}

int number_to_float(const struct number *n, float *value)
{
    double magnitude = number_magnitude(n);
    float rounded = (float)magnitude;
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    /* Rounding twice is wrong when the first rounding may have made a tie of the second. */
    if ((bits & 0x1fffffff) == 0x10000000 || (magnitude < 0x1p-126 && n->mantissa)) {
        char text[832];
        number_plain_text(n, text);
        rounded = strtof(text, NULL);
    }
    if (isinf(rounded))
        return -ERANGE;
    *value = n->negative ? -rounded : rounded;
    return 0;
}
