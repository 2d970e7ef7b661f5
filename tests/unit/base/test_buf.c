#include "unit/cmocka_all.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void append_consume_keeps_order(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    uint8_t next_in = 0, next_out = 0;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < round % 37; i++)
            assert_int_equal(buf_append_byte(&b, next_in++), 0);
        size_t take = buf_len(&b) / 2;
        for (size_t i = 0; i < take; i++)
            assert_int_equal(buf_slice(&b).data[i], next_out++);
        buf_consume(&b, take);
    }
    buf_fini(&b);
}

static void limit_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_int_equal(buf_append(&b, "12345678", 8), 0);
    assert_int_equal(buf_append(&b, "abc", 3), -ENOBUFS);
    assert_int_equal(buf_len(&b), 8);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_consume(&b, 8);
    assert_int_equal(buf_append(&b, "0123456789", 10), 0);
    assert_int_equal(buf_append_byte(&b, 'x'), -ENOBUFS);
    buf_fini(&b);
}

static void expected_content_is_made_room_for_once_believed(void **state)
{
    (void)state;
    struct buf b;
    uint8_t piece[1000] = {0};
    buf_init(&b, 100000);
    assert_int_equal(buf_append(&b, piece, 1000), 0);
    buf_expect(&b, 16100); /* a sixteenth is not there */
    assert_true(b.cap < 16000);
    buf_expect(&b, 16000);
    assert_int_equal(b.cap, 16000);
    const uint8_t *data = b.data;
    for (int i = 1; i < 16; i++) {
        assert_int_equal(buf_append(&b, piece, 1000), 0);
        buf_expect(&b, 16000);
    }
    assert_ptr_equal(b.data, data);
    assert_int_equal(buf_append(&b, "more than was said", 18), 0);
    assert_int_equal(buf_len(&b), 16018);
    size_t cap = b.cap;
    volatile size_t unknown = SIZE_MAX; /* of a constant the compiler would warn */
    buf_expect(&b, 100001);             /* past the limit */
    buf_expect(&b, unknown);            /* never announced */
    assert_int_equal(b.cap, cap);
    buf_fini(&b);
}

static void printf_appends_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(buf_printf(&b, "%d-%s", 42, "x"), 0);
    assert_int_equal(buf_printf(&b, "!"), 0);
    assert_true(slice_equal(buf_slice(&b), SLICE("42-x!")));
    assert_int_equal(buf_printf(&b, "%*d", 100, 1), -ENOBUFS);
    assert_int_equal(buf_len(&b), 5);
    buf_fini(&b);
}

static void reset_drops_large_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_non_null(buf_reserve(&b, 100000));
    buf_commit(&b, 100000);
    buf_reset(&b, 1024);
    assert_int_equal(b.cap, 0);
    assert_int_equal(buf_append_byte(&b, 1), 0);
    buf_reset(&b, 1024);
    assert_true(b.cap > 0);
    assert_int_equal(buf_len(&b), 0);
    buf_fini(&b);
}

static void a_file_is_read_up_to_the_limit(void **state)
{
    (void)state;
    char path[] = "/tmp/test_buf_XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    for (int i = 0; i < 10000; i++)
        fputs("0123456789", file);
    fclose(file);
    struct buf b;
    buf_init(&b, 100000);
    assert_int_equal(buf_read_file(&b, path), 0);
    assert_int_equal(buf_len(&b), 100000);
    assert_int_equal(buf_slice(&b).data[99999], '9');
    buf_fini(&b);
    buf_init(&b, 99999);
    assert_int_equal(buf_read_file(&b, path), -ENOBUFS);
    unlink(path);
    assert_int_equal(buf_read_file(&b, path), -ENOENT);
    assert_int_equal(buf_read_file(&b, "/"), -EISDIR);
    buf_fini(&b);
}

static void arena_serves_room_then_blocks(void **state)
{
    (void)state;
    char room[128];
    struct arena a;
    arena_init(&a, room, sizeof room, 1 << 16);
    char *first = arena_alloc(&a, 40);
    assert_true(first >= room && first + 40 <= room + sizeof room);
    for (int i = 0; i < 1000; i++) {
        char *p = arena_alloc(&a, 24);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, i, 24);
    }
    struct slice copy = arena_copy(&a, SLICE("hello"));
    assert_string_equal((const char *)copy.data, "hello");
    assert_string_equal(arena_printf(&a, "%s %d", "n", 7), "n 7");
    arena_fini(&a);
}

static void arena_limit_holds(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0, 10000);
    size_t got = 0;
    while (arena_alloc(&a, 512))
        got += 512;
    assert_true(got >= 4096 && got <= 10000);
    assert_null(arena_alloc(&a, 1 << 20));
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_consume_keeps_order),
        cmocka_unit_test(limit_refuses_and_changes_nothing),
        cmocka_unit_test(expected_content_is_made_room_for_once_believed),
        cmocka_unit_test(printf_appends_text),
        cmocka_unit_test(reset_drops_large_memory),
        cmocka_unit_test(a_file_is_read_up_to_the_limit),
        cmocka_unit_test(arena_serves_room_then_blocks),
        cmocka_unit_test(arena_limit_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
