/* Decimal text to binary and back: exact cases, and random values against the C library. */
#include "gateway/transcode/number.h"
#include "gateway/transcode/shortest.h"
#include "unit/cmocka_all.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 88172645463325252u;

/* Marsaglia's xorshift: the same values in every run. */
static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void parse(const char *text, struct number *n)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    assert_ptr_equal(number_parse(at, end, n), end);
}

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int len; /* what belongs to the number; -1: none */
    } rows[] = {
        {"0", 1},    {"-0", 2},    {"10", 2},    {"01", 1},   {"1.5", 3}, {"1.5e3", 5},
        {"1E+3", 4}, {"1e-03", 5}, {"1.", -1},   {".5", -1},  {"-", -1},  {"", -1},
        {"+1", -1},  {"1e", -1},   {"1e+", -1},  {"1x", 1},   {"0x1", 1}, {"1.5.5", 3},
        {"-.5", -1}, {"--1", -1},  {"1e1.5", 3}, {"NaN", -1}, {"1 ", 1},  {"00", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct number n;
        const uint8_t *at = (const uint8_t *)rows[i].text;
        const uint8_t *end = number_parse(at, at + strlen(rows[i].text), &n);
        assert_int_equal(end ? end - at : -1, rows[i].len);
    }
}

/* The printed text reads back as the same double by ours and by strtod, and no shorter one does. */
static void check_double(double value)
{
    char text[SHORTEST_LEN + 1], other[SHORTEST_LEN + 8];
    text[shortest_double(value, text)] = 0;
    struct number n;
    double back;
    parse(text, &n);
    assert_int_equal(number_to_double(&n, &back), 0);
    assert_memory_equal(&back, &value, sizeof value);
    back = strtod(text, NULL);
    assert_memory_equal(&back, &value, sizeof value);
    size_t digits = 0, zeros = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (digits == 0 && *p == '0'))
            continue;
        digits++;
        zeros = *p == '0' ? zeros + 1 : 0;
    }
    if (fabs(value) >= 9007199254740992.0 || digits - zeros < 2)
        return; /* large integers are exact instead */
    snprintf(other, sizeof other, "%.*e", (int)(digits - zeros) - 2, value);
    assert_true(strtod(other, NULL) != value);
}

static void test_shortest(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.25, "-1.25"},
        {0.1, "0.1"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e21, "1.5e+21"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {1e23, "1e+23"},
        {9007199254740993.0, "9007199254740992"},
        {0.30000000000000004, "0.30000000000000004"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SHORTEST_LEN + 1];
        text[shortest_double(rows[i].value, text)] = 0;
        assert_string_equal(text, rows[i].text);
    }
    char text[SHORTEST_LEN + 1];
    text[shortest_float(0.1f, text)] = 0;
    assert_string_equal(text, "0.1");
    text[shortest_float(16777216.0f, text)] = 0;
    assert_string_equal(text, "16777216");
    text[shortest_int64(INT64_MIN, text)] = 0;
    assert_string_equal(text, "-9223372036854775808");
    text[shortest_uint64(UINT64_MAX, text)] = 0;
    assert_string_equal(text, "18446744073709551615");
}

static void test_random_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        uint64_t bits = random_bits();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_double(value);
        check_double((double)(int64_t)(bits >> 24) / 1000);
        check_double(ldexp(1.0, (int)(bits % 2098) - 1074)); /* the lower neighbour is nearer */
    }
}

static void test_random_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        char text[64];
        size_t len = 0, digits = 1 + random_bits() % 25;
        text[len++] = (char)('1' + random_bits() % 9);
        while (len < digits)
            text[len++] = (char)('0' + random_bits() % 10);
        snprintf(text + len, sizeof text - len, "e%d", (int)(random_bits() % 700) - 360);
        struct number n;
        double value = 0, expected = strtod(text, NULL);
        float narrow = 0, narrow_expected = strtof(text, NULL);
        parse(text, &n);
        assert_int_equal(number_to_double(&n, &value), isinf(expected) ? -ERANGE : 0);
        if (!isinf(expected))
            assert_memory_equal(&value, &expected, sizeof value);
        assert_int_equal(number_to_float(&n, &narrow), isinf(narrow_expected) ? -ERANGE : 0);
        if (!isinf(narrow_expected))
            assert_memory_equal(&narrow, &narrow_expected, sizeof narrow);
    }
}

static void test_random_floats(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 65521) {
        char text[SHORTEST_LEN + 1];
        float value, back;
        memcpy(&value, &bits, sizeof value);
        text[shortest_float(value, text)] = 0;
        struct number n;
        parse(text, &n);
        assert_int_equal(number_to_float(&n, &back), 0);
        assert_memory_equal(&back, &value, sizeof value);
    }
}

/* Ties and near-ties of more digits than a double has. */
static void test_halfway(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "9007199254740993",
        "9007199254740993.00000000000000000000000000000000000000000001",
        "9007199254740992.99999999999999999999999999999999999999999999",
        "2.4703282292062327208e-324",
        "2.4703282292062328e-324",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977"
        "587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854"
        "845"
        "817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711"
        "559"
        "699508093042880177904174497791.999",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct number n;
        double value, expected = strtod(texts[i], NULL);
        parse(texts[i], &n);
        assert_int_equal(number_to_double(&n, &value), 0);
        assert_memory_equal(&value, &expected, sizeof value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_random_doubles), cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_random_floats),  cmocka_unit_test(test_halfway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
