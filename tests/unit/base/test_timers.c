#include "unit/cmocka_all.h"

#include "base/timers.h"

#include <stdlib.h>

static uint64_t last_ms;
static unsigned fired;

static void note(void *arg)
{
    const struct timer *t = arg;
    assert_true(t->at_ms >= last_ms);
    assert_int_equal(t->place, 0);
    last_ms = t->at_ms;
    fired++;
}

static void fire_in_order_of_time(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct timers ts;
    timers_init(&ts);
    static struct timer timer[COUNT];
    srand(7);
    last_ms = fired = 0;
    for (int i = 0; i < COUNT; i++) {
        timer[i] = (struct timer){.on_expire = note, .arg = &timer[i]};
        assert_int_equal(timers_set(&ts, &timer[i], (uint64_t)(rand() % 1000)), 0);
    }
    unsigned cancelled = 0;
    for (int i = 0; i < COUNT; i += 3, cancelled++)
        timers_cancel(&ts, &timer[i]);
    for (int i = 1; i < COUNT; i += 3)
        timers_set(&ts, &timer[i], (uint64_t)(rand() % 2000));
    uint64_t next;
    assert_true(timers_next(&ts, &next));
    for (uint64_t now = 0; now <= 2000; now++)
        timers_run(&ts, now);
    assert_int_equal(fired, COUNT - cancelled);
    assert_false(timers_next(&ts, &next));
    timers_fini(&ts);
}

static struct timers shared;
static struct timer again, other;

static void set_again(void *arg)
{
    fired++;
    timers_cancel(arg, &other);
    if (fired < 3)
        timers_set(arg, &again, again.at_ms + 10);
}

static void callbacks_may_set_and_cancel(void **state)
{
    (void)state;
    timers_init(&shared);
    fired = 0;
    again = (struct timer){.on_expire = set_again, .arg = &shared};
    other = (struct timer){.on_expire = note, .arg = &other};
    timers_set(&shared, &again, 5);
    timers_set(&shared, &other, 6);
    timers_run(&shared, 100);
    assert_int_equal(fired, 3);
    assert_int_equal(other.place, 0);
    timers_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fire_in_order_of_time),
        cmocka_unit_test(callbacks_may_set_and_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
