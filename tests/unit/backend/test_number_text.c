#include "unit/cmocka_all.h"

#include "backend/number_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_as_python_does(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {4, "4.0"},
        {0, "0.0"},
        {-0.0, "-0.0"},
        {0.3F, "0.30000001192092896"},
        {0.1, "0.1"},
        {100, "100.0"},
        {1.5, "1.5"},
        {-2.25, "-2.25"},
        {1.0 / 3, "0.3333333333333333"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e15, "1000000000000000.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {1e22, "1e+22"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_TEXT_LEN];
        number_format(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void round_trip(void **state)
{
    (void)state;
    srand(11);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();
        double value, back;
        char text[NUMBER_TEXT_LEN];
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        number_format(value, text);
        assert_true(number_parse(text, &back));
        assert_memory_equal(&value, &back, sizeof value);
    }
}

static void parse_whole_texts_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"", " ", "x", "1x", "1 2", "--1"};
    double value;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(number_parse(bad[i], &value));
    assert_true(number_parse("-.5\n", &value));
    assert_true(value == -0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(print_as_python_does),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(parse_whole_texts_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
