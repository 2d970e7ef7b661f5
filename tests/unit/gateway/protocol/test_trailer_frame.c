#include "unit/cmocka_all.h"

#include "gateway/protocol/trailer_frame.h"

#include <errno.h>

static struct arena arena;
static struct metadata trailers;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&trailers, &arena, 1 << 16);
    buf_init(&out, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&out);
    arena_fini(&arena);
    return 0;
}

static void expect(const char *payload)
{
    struct slice s = buf_slice(&out);
    size_t len = strlen(payload);
    assert_int_equal(s.len, 5 + len);
    assert_int_equal(s.data[0], 0x80);
    assert_int_equal(s.data[3] << 8 | s.data[4], len);
    assert_memory_equal(s.data + 5, payload, len);
}

static void ok_is_one_line(void **state)
{
    (void)state;
    struct status st;
    status_ok(&st);
    assert_int_equal(trailer_frame_append(&out, &st, &trailers), 0);
    expect("grpc-status:0\r\n");
}

static void message_and_details_are_encoded(void **state)
{
    (void)state;
    struct status st;
    status_set(&st, STATUS_NOT_FOUND, "no\r\nway: %s", "100%");
    st.details = SLICE("\x08\x05");
    assert_int_equal(trailer_frame_append(&out, &st, NULL), 0);
    expect("grpc-status:5\r\ngrpc-message:no%0D%0Away: 100%25\r\ngrpc-status-details-bin:CAU\r\n");
}

static void duplicates_join_and_bad_fields_go(void **state)
{
    (void)state;
    struct status st;
    status_ok(&st);
    metadata_add(&trailers, SLICE("a"), SLICE("1"));
    metadata_add(&trailers, SLICE("grpc-status"), SLICE("7"));
    metadata_add(&trailers, SLICE("b"), SLICE(""));
    metadata_add(&trailers, SLICE("a"), SLICE("2"));
    metadata_add(&trailers, SLICE("connection"), SLICE("x"));
    metadata_add(&trailers, SLICE("evil"), SLICE("x\r\ngrpc-status:0"));
    metadata_add(&trailers, SLICE("a"), SLICE("3\r\nc:4"));
    metadata_add(&trailers, SLICE("a"), SLICE("5"));
    assert_int_equal(trailer_frame_append(&out, &st, &trailers), 0);
    expect("grpc-status:0\r\na:1, 2, 5\r\nb:\r\n");
}

static void a_peers_own_number_stays(void **state)
{
    (void)state;
    struct status st;
    status_ok(&st);
    st.code = STATUS_UNKNOWN;
    st.raw_code = 4711;
    assert_int_equal(trailer_frame_append(&out, &st, NULL), 0);
    expect("grpc-status:4711\r\n");
}

static void too_large_leaves_nothing(void **state)
{
    (void)state;
    struct status st;
    static char big[5000];
    memset(big, 'x', sizeof big);
    status_ok(&st);
    st.message = slice_from(big, sizeof big);
    buf_append(&out, "before", 6);
    assert_int_equal(trailer_frame_append(&out, &st, NULL), -ENOBUFS);
    assert_int_equal(buf_len(&out), 6);
}

static void headers_have_the_same_form(void **state)
{
    (void)state;
    metadata_add(&trailers, SLICE("content-type"), SLICE("application/grpc-web+proto"));
    metadata_add(&trailers, SLICE("x-a"), SLICE("1"));
    metadata_add(&trailers, SLICE("x-b"), SLICE("a\r\nb: c"));
    metadata_add(&trailers, SLICE("x-a"), SLICE("2"));
    assert_int_equal(trailer_frame_append_headers(&out, &trailers), 0);
    expect("content-type:application/grpc-web+proto\r\nx-a:1, 2\r\n");
    struct buf small;
    buf_init(&small, 40);
    buf_append(&small, "before", 6);
    assert_int_equal(trailer_frame_append_headers(&small, &trailers), -ENOBUFS);
    assert_true(slice_equal(buf_slice(&small), SLICE("before")));
    buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ok_is_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(message_and_details_are_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(duplicates_join_and_bad_fields_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peers_own_number_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_have_the_same_form, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
