#include "unit/cmocka_all.h"

#include "grpc/compression.h"

#include <errno.h>

static void encodings_parse(void **state)
{
    (void)state;
    assert_int_equal(compression_parse((struct slice){NULL, 0}), COMPRESSION_IDENTITY);
    assert_int_equal(compression_parse(SLICE("identity")), COMPRESSION_IDENTITY);
    assert_int_equal(compression_parse(SLICE("gzip")), COMPRESSION_GZIP);
    assert_int_equal(compression_parse(SLICE("snappy")), COMPRESSION_UNKNOWN);
    static const struct {
        const char *accept;
        bool yes;
    } rows[] = {{"gzip", true},           {"identity, deflate, gzip", true},
                {"GZIP;q=0.5", true},     {"gzip;q=0", false},
                {"gzip; q=0.000", false}, {"", false},
                {"xgzip, gzipx", false},  {"br", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(compression_accepts_gzip(slice_from_string(rows[i].accept)), rows[i].yes);
    assert_false(compression_accepts_gzip((struct slice){NULL, 0}));
}

static void round_trip_and_exact_limit(void **state)
{
    (void)state;
    static uint8_t in[200000];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i / 1000 * 7);
    struct buf packed, plain;
    struct status st;
    buf_init(&packed, 1 << 20);
    assert_int_equal(compression_deflate(slice_from(in, sizeof in), &packed), 0);
    assert_true(buf_len(&packed) < sizeof in / 10);
    buf_init(&plain, sizeof in);
    assert_true(compression_inflate(buf_slice(&packed), &plain, &st));
    assert_int_equal(buf_len(&plain), sizeof in);
    assert_memory_equal(buf_slice(&plain).data, in, sizeof in);
    buf_fini(&plain);
    buf_init(&plain, sizeof in - 1);
    assert_false(compression_inflate(buf_slice(&packed), &plain, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&plain);
    buf_fini(&packed);
}

static void damaged_input_is_internal(void **state)
{
    (void)state;
    struct buf packed, plain;
    struct status st;
    buf_init(&packed, 1 << 20);
    compression_deflate(SLICE("hello hello hello hello"), &packed);
    for (size_t len = 0; len < buf_len(&packed); len++) {
        buf_init(&plain, 1000);
        assert_false(compression_inflate(slice_first(buf_slice(&packed), len), &plain, &st));
        assert_int_equal(st.code, STATUS_INTERNAL);
        buf_fini(&plain);
        assert_false(compression_fits(slice_first(buf_slice(&packed), len), 1000, &st));
        assert_int_equal(st.code, STATUS_INTERNAL);
    }
    buf_append(&packed, "x", 1);
    buf_init(&plain, 1000);
    assert_false(compression_inflate(buf_slice(&packed), &plain, &st));
    assert_int_equal(st.code, STATUS_INTERNAL);
    assert_false(compression_fits(buf_slice(&packed), 1000, &st));
    assert_int_equal(st.code, STATUS_INTERNAL);
    buf_fini(&plain);
    buf_fini(&packed);
}

static void a_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    static uint8_t zeros[8 << 20];
    struct buf packed, plain;
    struct status st;
    buf_init(&packed, 1 << 20);
    assert_int_equal(compression_deflate(slice_from(zeros, 0), &packed), 0);
    buf_reset(&packed, 1 << 20);
    struct buf big;
    buf_init(&big, 16 << 20);
    assert_int_equal(compression_deflate(slice_from(zeros, sizeof zeros), &big), 0);
    buf_init(&plain, 4096);
    assert_false(compression_inflate(buf_slice(&big), &plain, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    assert_true(plain.cap <= 8192);
    assert_false(compression_fits(buf_slice(&big), sizeof zeros - 1, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    assert_true(compression_fits(buf_slice(&big), sizeof zeros, &st));
    assert_int_equal(st.code, STATUS_OK);
    buf_fini(&plain);
    buf_fini(&big);
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_parse),
        cmocka_unit_test(round_trip_and_exact_limit),
        cmocka_unit_test(damaged_input_is_internal),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
