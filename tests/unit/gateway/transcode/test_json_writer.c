/* Strings and base64 as others append them, and the fields that stand alone. */
#include "fixture.h"

#include "gateway/transcode/json_writer.h"

#include <stdio.h>

static void test_append_string(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"0123456789abcdef\"tail", "\"0123456789abcdef\\\"tail\""},
        {"a\\b\001\n\177", "\"a\\\\b\\u0001\\n\177\""},
        {"gr\303\274n \360\237\230\200", "\"gr\303\274n \360\237\230\200\""},
        {"\377", "\"\357\277\275\""},
        {"a\303", "\"a\357\277\275\""},
        {"\355\240\200x", "\"\357\277\275\357\277\275\357\277\275x\""},
    };
    for (size_t i = 0; i < FIXTURE_COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(json_writer_append_string(&out, slice_from_string(rows[i].text)), 0);
        assert_int_equal(buf_len(&out), strlen(rows[i].json));
        assert_memory_equal(buf_slice(&out).data, rows[i].json, buf_len(&out));
        buf_fini(&out);
        buf_init(&out, strlen(rows[i].json) - 1);
        assert_true(json_writer_append_string(&out, slice_from_string(rows[i].text)) < 0);
        assert_int_equal(buf_len(&out), 0);
        buf_fini(&out);
    }
}

static void check_field(const char *name, const char *json, const char *hex, const char *back)
{
    const struct message_type *type = fixture_type("kinds.All");
    const struct field *f = message_type_field_by_name(type, slice_from_string(name));
    struct buf wire, text;
    struct status st;
    char digits[100];
    buf_init(&wire, 100);
    buf_init(&text, 100);
    assert_true(json_field_to_wire(f, slice_from_string(json), &fixture_options, &wire, &st));
    for (size_t i = 0; i < buf_len(&wire); i++)
        snprintf(digits + 2 * i, 3, "%02x", buf_slice(&wire).data[i]);
    digits[2 * buf_len(&wire)] = 0;
    assert_string_equal(digits, hex);
    assert_true(wire_field_to_json(type, f, buf_slice(&wire), &fixture_options, &text, &st));
    assert_int_equal(buf_len(&text), strlen(back));
    assert_memory_equal(buf_slice(&text).data, back, buf_len(&text));
    buf_fini(&wire);
    buf_fini(&text);
}

static void test_fields(void **state)
{
    (void)state;
    check_field("anInt32", " 5 ", "2805", "5");
    check_field("ints", "[1,2]", "fa01020102", "[1,2]");
    check_field("ints", "null", "", "[]");
    check_field("counts", "{\"a\":1}", "ca02050a01611001", "{\"a\":1}");
    check_field("child", "{\"aBool\":true}", "5a024001", "{\"aBool\":true}");
    check_field("child", "null", "", "null");
    check_field("aString", "null", "", "\"\"");
    check_field("value", "null", "c203020800", "null");
    struct buf wire;
    struct status st;
    buf_init(&wire, 100);
    const struct field *f =
        message_type_field_by_name(fixture_type("kinds.All"), SLICE("children"));
    assert_false(json_field_to_wire(f, SLICE("[{},{\"aBool\":1}]"), &fixture_options, &wire, &st));
    assert_string_equal(st.text, "children[1].aBool: expected true or false at line 1, column 14");
    assert_int_equal(buf_len(&wire), 0);
    buf_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_append_string),
        FIXTURE_TEST(test_fields),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
