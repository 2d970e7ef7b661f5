#include "unit/cmocka_all.h"

#include "base/nearest.h"

static const char *const names[] = {"upstream",          "listen", "value", "value1", "cors-origin",
                                    "max-message-bytes", "x"};

static void the_name_that_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *meant;
    } rows[] = {
        {"upstraem", "upstream"},
        {"LISTEN", "listen"},
        {"valu", "value"},
        {"cors", "cors-origin"},
        {"max-mesage-byte", "max-message-bytes"},
        {"zzzzzz", NULL},
        {"", NULL},
        {"max-message-bytesss", "max-message-bytes"},
        {"lst", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nearest n = nearest_start(slice_from_string(rows[i].typed));
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            nearest_offer(&n, slice_from_string(names[k]));
        if (rows[i].meant)
            assert_string_equal((const char *)n.best.data, rows[i].meant);
        else
            assert_null(n.best.data);
    }
}

static void work_is_bounded(void **state)
{
    (void)state;
    static char longest[1000];
    memset(longest, 'a', sizeof longest);
    struct nearest n = nearest_start(slice_from(longest, sizeof longest));
    nearest_offer(&n, slice_from(longest, sizeof longest));
    assert_null(n.best.data);
    n = nearest_start(SLICE("abc"));
    for (int i = 0; i < NEAREST_MAX_OFFERS; i++)
        nearest_offer(&n, SLICE("zzzzzzz"));
    nearest_offer(&n, SLICE("abc"));
    assert_null(n.best.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_that_was_meant),
        cmocka_unit_test(work_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
