#include "unit/cmocka_all.h"

#include "backend/history.h"

#include <math.h>
#include <stdio.h>

static void repeat_themselves(void **state)
{
    (void)state;
    struct arena a, b;
    bool seen[6] = {false};
    int64_t last_seconds = 0;
    for (uint32_t i = 0; i < HISTORY_LEN; i++) {
        arena_init(&a, NULL, 0, 1 << 20);
        arena_init(&b, NULL, 0, 1 << 20);
        HistoryRecord *first = history_record(i, &a), *again = history_record(i, &b);
        assert_int_equal(first->sequence, i + 1);
        assert_string_equal(first->name, again->name);
        assert_true(first->result == again->result && isfinite(first->result));
        assert_int_equal(first->operation, again->operation);
        assert_true(first->time->seconds > last_seconds);
        assert_true(first->time->nanos >= 0 && first->time->nanos < 1000000000);
        last_seconds = first->time->seconds;
        seen[first->operation] = true;
        arena_fini(&a);
        arena_fini(&b);
    }
    for (int i = 1; i < 6; i++)
        assert_true(seen[i]);
    assert_false(seen[0]);
}

static void tokens_go_back_and_forth(void **state)
{
    (void)state;
    static const char *const bad[] = {"history-",
                                      "history-0",
                                      "history-10000",
                                      "history-01",
                                      "history-+1",
                                      "history-1 ",
                                      "History-1",
                                      "1",
                                      "history--1",
                                      "history-1x",
                                      "history-18446744073709551616"};
    char token[HISTORY_TOKEN_LEN];
    uint32_t index;
    for (uint32_t i = 1; i < HISTORY_LEN; i++) {
        history_token(i, token);
        assert_int_equal(history_parse_token(slice_from_string(token), &index), 0);
        assert_int_equal(index, i);
    }
    assert_int_equal(history_parse_token(SLICE(""), &index), 0);
    assert_int_equal(index, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(history_parse_token(slice_from_string(bad[i]), &index) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeat_themselves),
        cmocka_unit_test(tokens_go_back_and_forth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
