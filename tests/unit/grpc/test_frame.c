#include "unit/cmocka_all.h"

#include "grpc/frame.h"

#include <stdlib.h>

/* Two messages, "abc" plain and "" compressed, then one of 300 bytes. */
static size_t sample(uint8_t *out)
{
    frame_write_prefix(out, 0, 3);
    memcpy(out + 5, "abc", 3);
    frame_write_prefix(out + 8, FRAME_COMPRESSED, 0);
    frame_write_prefix(out + 13, 0, 300);
    memset(out + 18, 'x', 300);
    return 318;
}

static void read_in_steps_of(size_t step)
{
    uint8_t bytes[400];
    size_t len = sample(bytes);
    struct frame_reader r;
    frame_reader_init(&r, FRAME_COMPRESSED, 1000);
    size_t lens[3], count = 0;
    for (size_t at = 0; at < len; at += step) {
        struct slice input = slice_from(bytes + at, len - at < step ? len - at : step);
        struct frame frame;
        while (frame_reader_next(&r, &input, &frame) == FRAME_READY) {
            assert_true(count < 3);
            if (count == 0)
                assert_memory_equal(frame.payload.data, "abc", 3);
            assert_int_equal(frame.flags, count == 1 ? FRAME_COMPRESSED : 0);
            lens[count++] = frame.payload.len;
        }
        assert_int_equal(input.len, 0);
    }
    assert_int_equal(count, 3);
    assert_int_equal(lens[0], 3);
    assert_int_equal(lens[1], 0);
    assert_int_equal(lens[2], 300);
    assert_false(frame_reader_mid_frame(&r));
    frame_reader_fini(&r);
}

static void reader_takes_any_split(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 320; step++)
        read_in_steps_of(step);
}

static void walker_takes_any_split(void **state)
{
    (void)state;
    uint8_t bytes[400];
    size_t len = sample(bytes);
    for (size_t step = 1; step <= len; step++) {
        struct frame_walker w;
        struct frame bad;
        frame_walker_init(&w, FRAME_COMPRESSED, 300);
        for (size_t at = 0; at < len; at += step) {
            assert_int_equal(
                frame_walker_feed(&w, slice_from(bytes + at, len - at < step ? len - at : step),
                                  &bad),
                FRAME_NEED_MORE);
            assert_int_equal(frame_walker_mid_frame(&w),
                             at + step < len && at + step != 8 && at + step != 13);
        }
        assert_int_equal(w.messages, 3);
    }
}

static void limits_and_flags_are_judged_from_the_prefix(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0, 0xff, 0xff, 0xff, 0xff}, odd[] = {0x82, 0, 0, 0, 1};
    struct frame_reader r;
    struct frame frame;
    struct frame_walker w;
    frame_reader_init(&r, FRAME_COMPRESSED, 4096);
    frame_walker_init(&w, FRAME_COMPRESSED, 4096);
    struct slice input = slice_from(huge, sizeof huge);
    assert_int_equal(frame_walker_feed(&w, input, &frame), FRAME_TOO_LARGE);
    assert_int_equal(frame_reader_next(&r, &input, &frame), FRAME_TOO_LARGE);
    assert_true(frame.payload.len == UINT32_MAX);
    assert_int_equal(r.partial.cap, 0); /* nothing allocated for it */
    frame_reader_init(&r, FRAME_COMPRESSED, 4096);
    frame_walker_init(&w, 0, 4096);
    input = slice_from(odd, sizeof odd);
    assert_int_equal(frame_walker_feed(&w, input, &frame), FRAME_BAD_FLAGS);
    assert_int_equal(frame_reader_next(&r, &input, &frame), FRAME_BAD_FLAGS);
    assert_int_equal(frame.flags, 0x82);
    frame_reader_fini(&r);
}

static void truncation_shows(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame frame;
    frame_reader_init(&r, 0, 100);
    struct slice input = slice_from("\0\0\0\0\5ab", 7);
    assert_int_equal(frame_reader_next(&r, &input, &frame), FRAME_NEED_MORE);
    assert_true(frame_reader_mid_frame(&r));
    frame_reader_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_takes_any_split),
        cmocka_unit_test(walker_takes_any_split),
        cmocka_unit_test(limits_and_flags_are_judged_from_the_prefix),
        cmocka_unit_test(truncation_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
