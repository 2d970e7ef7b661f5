#include "gateway/transcode/shortest.h"

#include "gateway/transcode/digits.h"
#include "gateway/transcode/powers_of_ten.h"

#include <stdbool.h>
#include <string.h>

static size_t digit_count(uint64_t value)
{
    static const uint64_t powers[] = {0,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u,
                                      10000000000000000000u};
    size_t guess = (size_t)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;
    return guess + 1 - (value < powers[guess]);
}

enum { EIGHT_DIGITS = 100000000 };

/* Exactly len digits, at least one; up to seven bytes behind them are overwritten. */
static void write_digits(uint64_t value, char *out, size_t len)
{
    size_t head = len;
    uint64_t rest = value;
    for (; head > 8; head -= 8)
        rest /= EIGHT_DIGITS;
    word_store(out, digits_text_8((uint32_t)rest) >> (64 - 8 * head));
    for (size_t end = len; end > 8; end -= 8) {
        word_store(out + end - 8, digits_text_8((uint32_t)(value % EIGHT_DIGITS)));
        value /= EIGHT_DIGITS;
    }
}

static size_t write_uint64(uint64_t value, char *out)
{
    size_t len = digit_count(value);
    write_digits(value, out, len);
    return len;
}

size_t shortest_uint64(uint64_t value, char out[static SHORTEST_LEN])
{
    return write_uint64(value, out);
}

size_t shortest_int64(int64_t value, char out[static SHORTEST_LEN])
{
    if (value >= 0)
        return write_uint64((uint64_t)value, out);
    *out = '-';
    return 1 + write_uint64(-(uint64_t)value, out + 1);
}

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* The upper 64 bits of a 192-bit product, with the lowest bit telling whether anything was cut off.
 */
static uint64_t round_to_odd(struct power_of_ten g, uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g.low * c;
    unsigned __int128 high = (unsigned __int128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* c * 2^q by the Schubfach algorithm (R. Giulietti, "The Schubfach way to render doubles", 2020).
 * `closer`: the lower neighbour is half as far away as the upper one. */
static struct decimal schubfach(uint64_t c, int q, bool closer)
{
    int k = closer ? (q * 1262611 - 524031) >> 22 : (q * 1262611) >> 22;
    int shift = q + power_of_ten_log2(-k) + 1;
    struct power_of_ten g = power_of_ten(-k);
    uint64_t odd = c & 1;
    uint64_t lower = round_to_odd(g, (4 * c - 2 + closer) << shift) + odd;
    uint64_t value = round_to_odd(g, (4 * c) << shift);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << shift) - odd;
    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = lower <= 40 * tens;
        bool up = 40 * tens + 40 <= upper;
        if (down != up)
            return (struct decimal){tens + up, k + 1};
    }
    bool down = lower <= 4 * s;
    bool up = 4 * s + 4 <= upper;
    if (down != up)
        return (struct decimal){s + up, k};
    uint64_t middle = 4 * s + 2;
    return (struct decimal){s + (value > middle || (value == middle && (s & 1))), k};
}

/* Digits at the end that are 0 become part of the exponent; there are 19 at most. */
static void strip_zeros(struct decimal *d)
{
    static const struct {
        uint32_t power;
        int zeros;
    } steps[] = {{EIGHT_DIGITS, 8}, {EIGHT_DIGITS, 8}, {10000, 4}, {100, 2}, {10, 1}};
    if (d->digits % 10 != 0)
        return;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (d->digits % steps[i].power != 0)
            continue;
        d->digits /= steps[i].power;
        d->exponent += steps[i].zeros;
    }
}

/* Number::toString of ECMA-262 with k = len digits and n = point. */
static size_t place_digits(struct decimal d, char *out)
{
    strip_zeros(&d);
    int len = (int)digit_count(d.digits);
    int point = len + d.exponent;
    char *at = out;
    if (point > 0 && point <= 21) {
        if (point >= len) {
            write_digits(d.digits, at, (size_t)len);
            memset(at + len, '0', (size_t)(point - len));
            return (size_t)point;
        }
        write_digits(d.digits, at + 1, (size_t)len);
        memmove(at, at + 1, (size_t)point);
        at[point] = '.';
        return (size_t)len + 1;
    }
    if (point <= 0 && point > -6) {
        memcpy(at, "0.00000", 7);
        at += 2 - point;
        write_digits(d.digits, at, (size_t)len);
        return (size_t)(at + len - out);
    }
    write_digits(d.digits, at + 1, (size_t)len);
    at[0] = at[1];
    at[1] = '.';
    at += len > 1 ? len + 1 : 1;
    int exponent = point - 1;
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    at += write_uint64((uint64_t)(exponent < 0 ? -exponent : exponent), at);
    return (size_t)(at - out);
}

/* A value of `bits` fraction bits: its fraction, its biased exponent and the bias of an integer
 * significand. */
static size_t write_binary(uint64_t fraction, int exponent, int bits, int bias, char *out)
{
    if (exponent == 0 && fraction == 0) {
        *out = '0';
        return 1;
    }
    uint64_t c = exponent ? (uint64_t)1 << bits | fraction : fraction;
    int q = (exponent ? exponent : 1) - bias;
    if (q <= 0 && -q <= bits && (c & (((uint64_t)1 << -q) - 1)) == 0)
        return write_uint64(c >> -q, out); /* an integer that is exact */
    return place_digits(schubfach(c, q, fraction == 0 && exponent > 1), out);
}

size_t shortest_double(double value, char out[static SHORTEST_LEN])
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t sign = bits >> 63;
    *out = '-';
    uint64_t fraction = bits & 0xfffffffffffffu;
    return sign + write_binary(fraction, (int)(bits >> 52 & 0x7ff), 52, 1075, out + sign);
}

size_t shortest_float(float value, char out[static SHORTEST_LEN])
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t sign = bits >> 31;
    *out = '-';
    return sign + write_binary(bits & 0x7fffff, (int)(bits >> 23 & 0xff), 23, 150, out + sign);
}
