/* The pauses between connection attempts. */
#include "unit/cmocka_all.h"

#include "gateway/upstream/backoff.h"

static void grows_to_its_cap(void **state)
{
    (void)state;
    static const uint64_t pauses[] = {100, 160, 256, 409, 654, 1046, 1673, 2676, 3000, 3000};
    struct backoff b;
    backoff_init(&b, 100, 3000, 42);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        uint64_t ms = backoff_next(&b);
        assert_in_range(ms, pauses[i] * 79 / 100, pauses[i] * 121 / 100 + 1);
    }
    backoff_reset(&b);
    assert_in_range(backoff_next(&b), 80, 120);
}

static void jitter_spreads(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct backoff b;
        backoff_init(&b, 1000, 1000, seed * 0x9e3779b97f4a7c15);
        backoff_next(&b);
        uint64_t ms = backoff_next(&b);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        assert_in_range(ms, 800, 1200);
    }
    assert_true(least < 850 && most > 1150);
}

static void odd_bounds(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 0, 0, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(backoff_next(&b), 1);
    backoff_init(&b, 1000, 10, 1);
    assert_in_range(backoff_next(&b), 800, 1200);
    backoff_init(&b, UINT64_MAX / 4, UINT64_MAX / 2, 1);
    for (int i = 0; i < 10; i++)
        assert_true(backoff_next(&b) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_cap),
        cmocka_unit_test(jitter_spreads),
        cmocka_unit_test(odd_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
