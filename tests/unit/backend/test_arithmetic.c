#include "unit/cmocka_all.h"

#include "backend/arithmetic.h"

#include <float.h>
#include <math.h>

static unsigned factors_slowly(uint64_t n, uint64_t *factors)
{
    unsigned len = 0;
    for (uint64_t d = 2; d * d <= n; d++)
        for (; n % d == 0; n /= d)
            factors[len++] = d;
    if (n > 1)
        factors[len++] = n;
    return len;
}

static void expect_factors(uint64_t n, const uint64_t *expected, unsigned expected_len)
{
    uint64_t factors[FACTORS_MAX];
    unsigned len = factors_find(n, factors);
    assert_int_equal(len, expected_len);
    for (unsigned i = 0; i < len; i++)
        assert_true(factors[i] == expected[i]);
}

static void factor_like_trial_division(void **state)
{
    (void)state;
    uint64_t expected[FACTORS_MAX];
    for (uint64_t n = 2; n < 3000; n++)
        expect_factors(n, expected, factors_slowly(n, expected));
    for (uint64_t n = 65500; n < 68000; n++)
        expect_factors(n, expected, factors_slowly(n, expected));
    for (uint64_t n = UINT64_C(257) * 257 * 263; n < UINT64_C(257) * 257 * 263 + 300; n++)
        expect_factors(n, expected, factors_slowly(n, expected));
}

static void factor_large_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        unsigned len;
        uint64_t factors[64];
    } cases[] = {
        {UINT64_MAX, 7, {3, 5, 17, 257, 641, 65537, 6700417}},
        {UINT64_C(18446744073709551557), 1, {UINT64_C(18446744073709551557)}},
        {UINT64_C(18446743979220271189), 2, {UINT64_C(4294967279), UINT64_C(4294967291)}},
        {UINT64_C(18446744030759878681), 2, {UINT64_C(4294967291), UINT64_C(4294967291)}},
        {UINT64_C(3825123056546413051), 3, {149491, 747451, UINT64_C(34233211)}},
        {UINT64_C(4759123141), 2, {48781, 97561}},
        {UINT64_C(600851475143), 4, {71, 839, 1471, 6857}},
        {UINT64_C(18446724184312856125), 3, {2642245, 2642245, 2642245}},
    };
    for (size_t i = 0; i + 1 < sizeof cases / sizeof *cases; i++)
        expect_factors(cases[i].n, cases[i].factors, cases[i].len);
    uint64_t twos[63];
    for (int i = 0; i < 63; i++)
        twos[i] = 2;
    expect_factors(UINT64_C(1) << 63, twos, 63);
    /* 2642245 is not prime: only the product is checked. */
    uint64_t factors[FACTORS_MAX], product = 1;
    unsigned len = factors_find(cases[7].n, factors);
    for (unsigned i = 0; i < len; i++)
        product *= factors[i];
    assert_true(product == cases[7].n && len > 3);
}

static void newton_ends_for_every_value(void **state)
{
    (void)state;
    static const double values[] = {0, 5e-324, 1e-300, 0.25, 1, 2, 3, 1e300, DBL_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct newton n;
        newton_init(&n, values[i], 0);
        while (newton_next(&n))
            assert_true(n.step < 1200);
        double root = sqrt(values[i]);
        assert_true(fabs(n.estimate - root) <= root * 4 * DBL_EPSILON);
    }
    struct newton rough;
    newton_init(&rough, 2, 0.1);
    while (newton_next(&rough))
        continue;
    assert_int_equal(rough.step, 2);
}

static void statistics_keep_precision(void **state)
{
    (void)state;
    struct running_statistics s = {0};
    for (int i = 0; i < 1000; i++)
        running_statistics_add(&s, 1e9 + (i % 2));
    assert_int_equal(s.count, 1000);
    assert_true(fabs(s.mean - (1e9 + 0.5)) < 1e-6);
    assert_true(fabs(s.squares / 1000 - 0.25) < 1e-9);
    assert_true(s.min == 1e9 && s.max == 1e9 + 1);
}

static void refuse_what_has_no_result(void **state)
{
    (void)state;
    double result;
    const char *why;
    assert_false(arithmetic_apply(OPERATION__DIVIDE, 1, 0, &result, &why));
    assert_string_equal(why, "division by zero");
    assert_false(arithmetic_apply(OPERATION__SQUARE_ROOT, -1, 0, &result, &why));
    assert_false(arithmetic_apply((Operation)9, 1, 1, &result, &why));
    assert_string_equal(why, "unknown operation");
    assert_true(arithmetic_apply(OPERATION__SQUARE_ROOT, 9, -1, &result, &why));
    assert_true(result == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factor_like_trial_division),  cmocka_unit_test(factor_large_numbers),
        cmocka_unit_test(newton_ends_for_every_value), cmocka_unit_test(statistics_keep_precision),
        cmocka_unit_test(refuse_what_has_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
