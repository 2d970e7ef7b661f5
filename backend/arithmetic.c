#include "backend/arithmetic.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

bool arithmetic_apply(Operation operation, double left, double right, double *result,
                      const char **why)
{
    switch (operation) {
    case OPERATION__ADD:
        *result = left + right;
        return true;
    case OPERATION__SUBTRACT:
        *result = left - right;
        return true;
    case OPERATION__MULTIPLY:
        *result = left * right;
        return true;
    case OPERATION__DIVIDE:
        *why = "division by zero";
        if (right == 0)
            return false;
        *result = left / right;
        return true;
    case OPERATION__SQUARE_ROOT:
        *why = "square root of a negative number";
        if (left < 0)
            return false;
        *result = sqrt(left);
        return true;
    default:
        *why = "unknown operation";
        return false;
    }
}

/* Arithmetic modulo an odd n with Montgomery's form, where a product costs no division: x stands
 * for x * 2^64 mod n. */
struct modulus {
    uint64_t n;
    uint64_t inverse; /* -n^-1 mod 2^64 */
    uint64_t one;     /* 2^64 mod n */
};

static struct modulus modulus_of(uint64_t n)
{
    uint64_t inverse = n; /* right for 3 bits; each round doubles them */
    for (int i = 0; i < 5; i++)
        inverse *= 2 - n * inverse;
    return (struct modulus){n, -inverse, -n % n};
}

static uint64_t multiply(const struct modulus *m, uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t low = (uint64_t)product, high = (uint64_t)(product >> 64);
    uint64_t factor = low * m->inverse;
    /* low + low(factor * n) is 0 or 2^64: only its carry counts. */
    uint64_t add = (uint64_t)(((unsigned __int128)factor * m->n) >> 64) + (low != 0);
    uint64_t sum = high + add;
    return sum < high || sum >= m->n ? sum - m->n : sum;
}

static uint64_t add_mod(uint64_t a, uint64_t b, uint64_t n)
{
    return a >= n - b ? a - (n - b) : a + b;
}

static uint64_t power(const struct modulus *m, uint64_t base, uint64_t exponent)
{
    uint64_t result = m->one;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = multiply(m, result, base);
        base = multiply(m, base, base);
    }
    return result;
}

/* Miller-Rabin with bases that decide every odd n below 2^64. */
static bool is_prime(uint64_t n)
{
    static const uint8_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    assert(n > 2 && n % 2 == 1);
    struct modulus m = modulus_of(n);
    unsigned twos = (unsigned)__builtin_ctzll(n - 1);
    uint64_t minus_one = n - m.one;
    for (size_t i = 0; i < sizeof bases; i++) {
        uint64_t base = (uint64_t)(((unsigned __int128)(bases[i] % n) << 64) % n);
        if (base == 0)
            continue;
        uint64_t x = power(&m, base, (n - 1) >> twos);
        bool witness = x != m.one && x != minus_one;
        for (unsigned k = 1; witness && k < twos; k++) {
            x = multiply(&m, x, x);
            witness = x != minus_one;
        }
        if (witness)
            return false;
    }
    return true;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Pollard's rho as Brent does it: a proper factor of an odd composite n, or n when this constant
 * has no luck. */
static uint64_t rho(uint64_t n, uint64_t constant)
{
    enum { BATCH = 128 };
    struct modulus m = modulus_of(n);
    uint64_t y = m.one, x = y, saved = y, product = m.one, found = 1;
    for (uint64_t length = 1; found == 1; length *= 2) {
        x = y;
        for (uint64_t i = 0; i < length; i++)
            y = add_mod(multiply(&m, y, y), constant, n);
        for (uint64_t done = 0; done < length && found == 1; done += BATCH) {
            saved = y;
            for (uint64_t i = 0; i < BATCH && i < length - done; i++) {
                y = add_mod(multiply(&m, y, y), constant, n);
                product = multiply(&m, product, distance(x, y));
            }
            found = gcd(product, n);
        }
    }
    if (found != n)
        return found;
    /* The whole batch fell together: go through it one by one. */
    do {
        saved = add_mod(multiply(&m, saved, saved), constant, n);
        found = gcd(distance(x, saved), n);
    } while (found == 1);
    return found;
}

/* Splits an odd n without small factors. */
static void split(uint64_t n, uint64_t *factors, unsigned *len)
{
    if (n == 1)
        return;
    if (is_prime(n)) {
        factors[(*len)++] = n;
        return;
    }
    uint64_t found = n;
    for (uint64_t constant = 1; found == n; constant++)
        found = rho(n, constant);
    split(found, factors, len);
    split(n / found, factors, len);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

unsigned factors_find(uint64_t n, uint64_t factors[static FACTORS_MAX])
{
    enum { SMALL = 256 };
    unsigned len = 0;
    for (uint64_t divisor = 2; divisor < SMALL && divisor * divisor <= n;
         divisor += divisor == 2 ? 1 : 2) {
        for (; n % divisor == 0; n /= divisor)
            factors[len++] = divisor;
    }
    if (n > 1 && n < (uint64_t)SMALL * SMALL)
        factors[len++] = n;
    else
        split(n, factors, &len);
    qsort(factors, len, sizeof *factors, ascending);
    return len;
}

void newton_init(struct newton *n, double value, double tolerance)
{
    *n = (struct newton){.value = value, .tolerance = tolerance, .estimate = value > 1 ? value : 1};
    if (value == 0)
        n->estimate = 0;
}

bool newton_next(struct newton *n)
{
    double before = n->estimate;
    if (before > 0)
        n->estimate = before / 2 + n->value / before / 2;
    n->error = fabs(n->estimate - before);
    n->step++;
    /* From above the estimates fall until rounding stops them. */
    bool fell = n->estimate < before;
    return fell && n->error > n->tolerance * n->estimate;
}

void running_statistics_add(struct running_statistics *s, double value)
{
    s->count++;
    s->sum += value;
    double before = value - s->mean;
    s->mean += before / (double)s->count;
    s->squares += before * (value - s->mean);
    s->min = s->count == 1 || value < s->min ? value : s->min;
    s->max = s->count == 1 || value > s->max ? value : s->max;
}
