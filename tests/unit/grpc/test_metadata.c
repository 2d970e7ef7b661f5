#include "unit/cmocka_all.h"

#include "grpc/metadata.h"
#include "grpc/status.h"
#include "grpc/timeout.h"

#include <errno.h>

static void add_get_and_limit(void **state)
{
    (void)state;
    char room[512];
    struct arena arena;
    struct metadata md;
    arena_init(&arena, room, sizeof room, 1 << 16);
    metadata_init(&md, &arena, 32 * 20 + 400);
    assert_int_equal(metadata_add(&md, SLICE("X-Mixed"), SLICE("v")), 0);
    assert_int_equal(metadata_add_borrowed(&md, SLICE("empty"), SLICE("")), 0);
    assert_true(slice_equal(metadata_get(&md, SLICE("x-mixed")), SLICE("v")));
    assert_non_null(metadata_get(&md, SLICE("empty")).data);
    assert_null(metadata_get(&md, SLICE("none")).data);
    int added = 0;
    while (metadata_add(&md, SLICE("k"), SLICE("0123456789")) == 0)
        added++;
    assert_true(added >= 15 && md.bytes <= md.max_bytes);
    assert_int_equal(metadata_add(&md, SLICE("big"), slice_from("", SIZE_MAX)), -ENOBUFS);
    arena_fini(&arena);
}

static void names_and_values(void **state)
{
    (void)state;
    assert_true(metadata_name_valid(SLICE("x-a_b.c-9")));
    static const char *const bad[] = {"", ":path", "A", "a b", "a:", "\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(metadata_name_valid(slice_from_string(bad[i])));
    assert_true(metadata_value_valid(SLICE("a\tb ~\xff")));
    assert_false(metadata_value_valid(SLICE("a\r\nb")));
    assert_false(metadata_value_valid(slice_from("a\0b", 3)));
    assert_false(metadata_value_valid(SLICE("\x7f")));
}

/* Every byte at every place of names of every small length, among all the bytes that are fine. */
static void name_bytes_anywhere(void **state)
{
    (void)state;
    static const char fine[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    static const char given[] = "AbcdefghijklmnopqrstuvwxyZ0123456789-_.";
    uint8_t text[27], lower[27];
    for (size_t len = 1; len < sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c <= 0xff; c++) {
                memset(text, 'X', sizeof text);
                for (size_t i = 0; i < len; i++) {
                    text[i] = (uint8_t)given[(i * 7 + c) % (sizeof given - 1)];
                    lower[i] = (uint8_t)fine[(i * 7 + c) % (sizeof fine - 1)];
                }
                assert_true(metadata_name_valid(slice_from(lower, len)));
                text[at] = (uint8_t)c;
                lower[at] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
                bool ok = c != 0 && strchr(fine, lower[at]) != NULL;
                assert_int_equal(metadata_lower_name(text, len), ok);
                assert_memory_equal(text, lower, len);
                assert_int_equal(text[len], 'X');
                assert_int_equal(metadata_name_valid(slice_from(text, len)), ok);
            }
        }
    }
}

/* Every byte at every place of values of every small length: words are looked at as a whole. */
static void control_bytes_anywhere(void **state)
{
    (void)state;
    uint8_t text[27];
    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 'a', sizeof text);
        for (size_t i = 0; i < len; i++) {
            for (unsigned c = 0; c <= 0xff; c++) {
                text[i] = (uint8_t)c;
                bool good = c == '\t' || (c >= 0x20 && c != 0x7f);
                assert_int_equal(metadata_value_valid(slice_from(text, len)), good);
            }
            text[i] = i % 2 ? '\t' : 0xff; /* left standing: neighbours must not hide anything */
        }
    }
}

static void binary_values(void **state)
{
    (void)state;
    char room[512];
    struct arena arena;
    arena_init(&arena, room, sizeof room, 0);
    static const char *const good[] = {"", "AQID", "AQ==", "AQ", "AQ==, AQI=", "-_"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(metadata_binary_valid(slice_from_string(good[i])));
    static const char *const bad[] = {"A", "AQ=A", "AQ==x", "A$", "AQID,A"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(metadata_binary_valid(slice_from_string(bad[i])));
    assert_true(slice_equal(metadata_binary_unpadded(SLICE("AQ==,AQI="), &arena), SLICE("AQ,AQI")));
    char long_value[4001];
    memset(long_value, 'A', 4000);
    long_value[4000] = 0;
    assert_true(metadata_binary_valid(slice_from(long_value, 4000)));
    long_value[3999] = '=';
    assert_true(metadata_binary_valid(slice_from(long_value, 4000)));
    long_value[100] = '=';
    assert_false(metadata_binary_valid(slice_from(long_value, 4000)));
    arena_fini(&arena);
}

static void hop_by_hop_fields_stay(void **state)
{
    (void)state;
    static const char *const up[] = {":path",
                                     "te",
                                     "connection",
                                     "keep-alive",
                                     "proxy-x",
                                     "grpc-timeout",
                                     "accept",
                                     "expect",
                                     "trailer",
                                     "upgrade",
                                     "host",
                                     "sec-websocket-key",
                                     "access-control-request-method",
                                     "grpc-status",
                                     "grpc-message",
                                     "content-type",
                                     "grpc-encoding",
                                     "content-length",
                                     "http2-settings",
                                     "accept-encoding",
                                     "transfer-encoding",
                                     "grpc-accept-encoding",
                                     "grpc-status-details-bin"};
    for (size_t i = 0; i < sizeof up / sizeof *up; i++)
        assert_true(metadata_stripped_upstream(slice_from_string(up[i])));
    assert_false(metadata_stripped_upstream(SLICE("authorization")));
    assert_false(metadata_stripped_upstream(SLICE("tea")));
    static const char *const front[] = {"te",
                                        "host",
                                        "expect",
                                        "trailer",
                                        "upgrade",
                                        "connection",
                                        "keep-alive",
                                        "content-type",
                                        "grpc-encoding",
                                        "content-length",
                                        "http2-settings",
                                        "transfer-encoding",
                                        "grpc-accept-encoding",
                                        "proxy-status"};
    for (size_t i = 0; i < sizeof front / sizeof *front; i++)
        assert_true(metadata_stripped_front(slice_from_string(front[i])));
    assert_false(metadata_stripped_front(SLICE("x-a-name-that-is-longer-than-any-of-them")));
    assert_false(metadata_stripped_front(SLICE("grpc-status")));
}

static void timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int error;
        uint64_t us;
    } rows[] = {
        {"1S", 0, 1000000},
        {"0m", 0, 0},
        {"0n", 0, 0},
        {"1n", 0, 1},
        {"1001n", 0, 2},
        {"99999999u", 0, 99999999},
        {"99999999H", 0, UINT64_C(99999999) * 3600000000},
        {"5M", 0, 300000000},
        {"", -EINVAL, 0},
        {"S", -EINVAL, 0},
        {"1", -EINVAL, 0},
        {"-1S", -EINVAL, 0},
        {"+1S", -EINVAL, 0},
        {"1.5S", -EINVAL, 0},
        {"1 S", -EINVAL, 0},
        {" 1S", -EINVAL, 0},
        {"123456789m", -EINVAL, 0},
        {"1s", -EINVAL, 0},
        {"1h", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t us = 0;
        assert_int_equal(timeout_parse(slice_from_string(rows[i].text), &us), rows[i].error);
        assert_true(us == rows[i].us);
    }
}

static void timeouts_never_grow_on_the_way(void **state)
{
    (void)state;
    char text[TIMEOUT_TEXT_LEN];
    for (uint64_t us = 1; us < UINT64_MAX / 7; us = us * 7 + 3) {
        uint64_t back;
        size_t len = timeout_format(us, text);
        assert_true(len <= 9);
        assert_int_equal(timeout_parse(slice_from(text, len), &back), 0);
        assert_true(back <= us);
    }
    timeout_format(0, text);
    assert_string_equal(text, "0u");
    timeout_format(1500000, text);
    assert_string_equal(text, "1500000u");
}

static void statuses(void **state)
{
    (void)state;
    assert_string_equal(status_name(3), "INVALID_ARGUMENT");
    assert_string_equal(status_name(77), "UNKNOWN");
    assert_int_equal(status_to_http(STATUS_NOT_FOUND), 404);
    assert_int_equal(status_to_http(99), 500);
    assert_int_equal(status_from_http(429), STATUS_UNAVAILABLE);
    assert_int_equal(status_from_http(418), STATUS_UNKNOWN);
    assert_int_equal(status_from_h2_error(7), STATUS_UNAVAILABLE);
    assert_int_equal(status_from_h2_error(2), STATUS_INTERNAL);
    struct status st, copy;
    status_set(&st, STATUS_ABORTED, "%0300d", 1);
    copy = st;
    assert_int_equal(status_message(&copy).len, STATUS_TEXT_LEN - 1);
    assert_ptr_equal(status_message(&copy).data, copy.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_get_and_limit),
        cmocka_unit_test(names_and_values),
        cmocka_unit_test(name_bytes_anywhere),
        cmocka_unit_test(control_bytes_anywhere),
        cmocka_unit_test(binary_values),
        cmocka_unit_test(hop_by_hop_fields_stay),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(timeouts_never_grow_on_the_way),
        cmocka_unit_test(statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
