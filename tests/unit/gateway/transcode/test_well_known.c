/* The messages of google.protobuf that have a JSON form of their own. */
#include "fixture.h"

#include <stdio.h>

static void test_wrappers(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"doubleWrapper\":1.5}", "e203 09 09 000000000000f83f", NULL},
        {"{\"floatWrapper\":\"NaN\"}", "ea03 05 0d 0000c07f", NULL},
        {"{\"int64Wrapper\":\"-1\"}", "f203 0b 08 ffffffffffffffffff01", NULL},
        {"{\"uint64Wrapper\":\"1\"}", "fa03 02 08 01", NULL},
        {"{\"int32Wrapper\":0}", "8204 02 08 00", NULL},
        {"{\"uint32Wrapper\":7}", "8a04 02 08 07", NULL},
        {"{\"boolWrapper\":true}", "9204 02 08 01", NULL},
        {"{\"stringWrapper\":\"\"}", "9a04 02 0a 00", NULL},
        {"{\"bytesWrapper\":\"AQ==\"}", "a204 03 0a 01 01", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_print prints[] = {
        {"8204 00", "{\"int32Wrapper\":0}"},
        {"9a04 00", "{\"stringWrapper\":\"\"}"},
        {"8204 04 0801 0802", "{\"int32Wrapper\":2}"},
        {"8204 04 1801 0802", "{\"int32Wrapper\":2}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
    assert_string_equal(fixture_to_wire("kinds.All", "{\"int32Wrapper\":{\"value\":1}}"),
                        "INVALID_ARGUMENT: int32Wrapper: expected a number at line 1, column 17");
    assert_string_equal(fixture_round_trip("google.protobuf.Int64Value", "\"7\""), "\"7\"");
}

static void test_timestamp(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"time\":\"1970-01-01T00:00:00Z\"}", "a203 00", NULL},
        {"{\"time\":\"1970-01-01T00:00:01.010Z\"}", "a203 07 08 01 10 80ade204", NULL},
        {"{\"time\":\"0001-01-01T00:00:00Z\"}", "a203 0b 08 8092b8c398feffffff01", NULL},
        {"{\"time\":\"9999-12-31T23:59:59.999999999Z\"}", "a203 0d 08 ff82d1ffaf07 10 ff93ebdc03",
         NULL},
        {"{\"time\":\"1970-01-01T01:00:00+01:00\"}", "a203 00",
         "{\"time\":\"1970-01-01T00:00:00Z\"}"},
        {"{\"time\":\"1969-12-31T16:00:00-08:00\"}", "a203 00",
         "{\"time\":\"1970-01-01T00:00:00Z\"}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct {
        const char *json, *back;
    } texts[] = {
        {"\"9999-12-31T23:59:59.999999999Z\"", NULL},
        {"\"2000-02-29T12:34:56.100Z\"", NULL},
        {"\"1900-03-01T00:00:00.000001Z\"", NULL},
        {"\"1969-12-31T23:59:59.999999999Z\"", NULL},
        {"\"2024-12-31T23:59:59.1Z\"", "\"2024-12-31T23:59:59.100Z\""},
        {"\"2024-12-31T23:59:59.1234Z\"", "\"2024-12-31T23:59:59.123400Z\""},
        {"\"2024-12-31T23:59:59.000000Z\"", "\"2024-12-31T23:59:59Z\""},
        {"\"2024-12-31\\u005423:59:59Z\"", "\"2024-12-31T23:59:59Z\""},
        {"\"0001-01-01T23:59:00+23:59\"", "\"0001-01-01T00:00:00Z\""},
    };
    for (size_t i = 0; i < FIXTURE_COUNT(texts); i++)
        assert_string_equal(fixture_round_trip("google.protobuf.Timestamp", texts[i].json),
                            texts[i].back ? texts[i].back : texts[i].json);
    static const char *const refused[] = {
        "\"\"",
        "\"1970-01-01\"",
        "\"1970-01-01T00:00:00\"",
        "\"1970-01-01t00:00:00Z\"",
        "\"1970-01-01T00:00:00z\"",
        "\"1970-01-01 00:00:00Z\"",
        "\"1970-1-1T00:00:00Z\"",
        "\"1970-13-01T00:00:00Z\"",
        "\"1970-00-01T00:00:00Z\"",
        "\"1970-02-29T00:00:00Z\"",
        "\"1900-02-29T00:00:00Z\"",
        "\"1970-01-01T24:00:00Z\"",
        "\"1970-01-01T00:60:00Z\"",
        "\"1970-01-01T00:00:60Z\"",
        "\"1970-01-01T00:00:00.Z\"",
        "\"1970-01-01T00:00:00.1234567890Z\"",
        "\"1970-01-01T00:00:00Zx\"",
        "\"1970-01-01T00:00:00+0100\"",
        "\"1970-01-01T00:00:00+24:00\"",
        "\"0000-01-01T00:00:00Z\"",
        "\"0001-01-01T00:00:00+00:01\"",
        "\"9999-12-31T23:59:59-00:01\"",
        "\"10000-01-01T00:00:00Z\"",
    };
    for (size_t i = 0; i < FIXTURE_COUNT(refused); i++)
        assert_string_equal(fixture_to_wire("google.protobuf.Timestamp", refused[i]),
                            "INVALID_ARGUMENT: expected a time like \"2006-01-02T15:04:05Z\" at "
                            "line 1, column 1");
    static const struct fixture_print prints[] = {
        {"10 ffffffffffffffffff01", "INTERNAL: a google.protobuf.Timestamp is out of range"},
        {"10 8094ebdc03", "INTERNAL: a google.protobuf.Timestamp is out of range"},
        {"08 80dbe0e8ffffffffff01 08 01", "\"1970-01-01T00:00:01Z\""},
        {"08 ffffffffffffffff7f", "INTERNAL: a google.protobuf.Timestamp is out of range"},
        {"08", "INTERNAL: the bytes are not a valid google.protobuf.Timestamp"},
    };
    fixture_check_prints("google.protobuf.Timestamp", prints, FIXTURE_COUNT(prints));
}

static void test_duration(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"\"0s\"", "", NULL},
        {"\"1.500s\"", "08 01 10 80cab5ee01", NULL},
        {"\"-1.500s\"", "08 ffffffffffffffffff01 10 80b6ca91feffffffff01", NULL},
        {"\"-0.000000001s\"", "10 ffffffffffffffffff01", NULL},
        {"\"315576000000s\"", "08 80bcaece9709", NULL},
        {"\"1.5s\"", "08 01 10 80cab5ee01", "\"1.500s\""},
        {"\"3.000001s\"", "08 03 10 e807", NULL},
    };
    fixture_check_pairs("google.protobuf.Duration", pairs, FIXTURE_COUNT(pairs));
    assert_string_equal(fixture_round_trip("google.protobuf.Duration", "\"-315576000000s\""),
                        "\"-315576000000s\"");
    static const char *const refused[] = {
        "\"\"",
        "\"s\"",
        "\"1\"",
        "\"1S\"",
        "\"1 s\"",
        "\"+1s\"",
        "\"--1s\"",
        "\"1.s\"",
        "\"1.1\"",
        "\"1.1234567890s\"",
        "\"1e3s\"",
        "\"1sx\"",
        "\"315576000001s\"",
        "\".5s\"",
        "\"99999999999999999999s\"",
    };
    for (size_t i = 0; i < FIXTURE_COUNT(refused); i++)
        assert_string_equal(
            fixture_to_wire("google.protobuf.Duration", refused[i]),
            "INVALID_ARGUMENT: expected a duration like \"1.5s\" at line 1, column 1");
    static const struct fixture_print prints[] = {
        {"08 01 10 ffffffffffffffffff01", "INTERNAL: a google.protobuf.Duration is out of range"},
        {"08 ffffffffffffffffff01 10 01", "INTERNAL: a google.protobuf.Duration is out of range"},
        {"10 8094ebdc03", "INTERNAL: a google.protobuf.Duration is out of range"},
    };
    fixture_check_prints("google.protobuf.Duration", prints, FIXTURE_COUNT(prints));
}

static void test_field_mask(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"\"\"", "", NULL},
        {"\"foo\"", "0a 03 666f6f", NULL},
        {"\"fooBar.bazQux,a\"", "0a 0f 666f6f5f6261722e62617a5f717578 0a 01 61", NULL},
        {"\"a1B\"", "0a 04 61315f62", NULL},
    };
    fixture_check_pairs("google.protobuf.FieldMask", pairs, FIXTURE_COUNT(pairs));
    static const char *const refused[] = {"\"foo_bar\"", "\"a,\"", "\",a\"", "\"a,,b\"", "\"_\""};
    for (size_t i = 0; i < FIXTURE_COUNT(refused); i++)
        assert_string_equal(fixture_to_wire("google.protobuf.FieldMask", refused[i]),
                            "INVALID_ARGUMENT: a field mask has lowerCamelCase paths without "
                            "\"_\" at line 1, column 1");
#define NO_FORM "INTERNAL: a google.protobuf.FieldMask has a path without a JSON form"
    static const struct fixture_print prints[] = {
        {"0a 06 666f6f426172", NO_FORM},     /* fooBar */
        {"0a 07 666f6f5f335f62", NO_FORM},   /* foo_3_b */
        {"0a 08 666f6f5f5f626172", NO_FORM}, /* foo__bar */
        {"0a 04 666f6f5f", NO_FORM},         /* foo_ */
        {"0a 03 612c62", NO_FORM},           /* a,b */
        {"0a 01 22", NO_FORM},
        {"0a 00", NO_FORM},
        {"0a 03 61", "INTERNAL: the bytes are not a valid google.protobuf.FieldMask"},
    };
    fixture_check_prints("google.protobuf.FieldMask", prints, FIXTURE_COUNT(prints));
}

static void test_struct(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{}", "", NULL},
        {"{\"a\":null}", "0a 07 0a0161 12 02 0800", NULL},
        {"{\"a\":1.5,\"b\":\"x\"}",
         "0a 0e 0a0161 12 09 11 000000000000f83f 0a 08 0a0162 12 03 1a 01 78", NULL},
        {"{\"\\u0061\":true}", "0a 07 0a0161 12 02 2001", "{\"a\":true}"},
        {"{\"a\":{\"b\":[]}}", "0a 10 0a0161 12 0b 2a 09 0a 07 0a0162 12 02 3200", NULL},
        {"{\"a\":{},\"b\":[1,[false]]}",
         "0a 07 0a0161 12 02 2a00 0a 1a 0a0162 12 15 32 13 0a 09 11 000000000000f03f 0a 06 32 04 "
         "0a "
         "02 2000",
         NULL},
    };
    fixture_check_pairs("google.protobuf.Struct", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"a\":1,\"a\":2}",
         "INVALID_ARGUMENT: a key occurs twice in this object at line 1, column 1"},
        {"{\"a\":{\"b\":[1,{\"c\":tru}]}}",
         "INVALID_ARGUMENT: [\"a\"][\"b\"][1][\"c\"]: expected true or false at line 1, column 19"},
        {"{\"a\":1e999}",
         "INVALID_ARGUMENT: [\"a\"]: the number is out of range at line 1, column 6"},
        {"[]", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"{\"a\":}", "INVALID_ARGUMENT: [\"a\"]: expected a number at line 1, column 6"},
    };
    fixture_check_failures("google.protobuf.Struct", cases, FIXTURE_COUNT(cases));
    static const struct fixture_print prints[] = {
        {"0a 03 0a0161", "{\"a\":null}"},
        {"0a 05 0a0161 1200", "{\"a\":null}"},
        {"0a 04 1202 2001", "{\"\":true}"},
        {"0a 07 0a0161 12 02 2001 0a 07 0a0161 12 02 2000", "{\"a\":false}"},
        {"18 01 0a 07 0a0161 12 02 2001", "{\"a\":true}"},
        {"0a 0e 0a0161 12 09 11 000000000000f87f",
         "INTERNAL: a google.protobuf.Value is no finite number"},
        {"0a 0e 0a0161 12 09 11 000000000000f0ff",
         "INTERNAL: a google.protobuf.Value is no finite number"},
    };
    fixture_check_prints("google.protobuf.Struct", prints, FIXTURE_COUNT(prints));
    assert_string_equal(fixture_round_trip("google.protobuf.Value", "null"), "null");
    assert_string_equal(fixture_round_trip("google.protobuf.Value", "\"NaN\""), "\"NaN\"");
    assert_string_equal(fixture_round_trip("google.protobuf.ListValue", "[]"), "[]");
    assert_string_equal(fixture_round_trip("google.protobuf.ListValue", "[null,{\"a\":[[]]},-0]"),
                        "[null,{\"a\":[[]]},-0]");
    /* A Value whose kind was switched, and one in two pieces. */
    assert_string_equal(fixture_to_json("google.protobuf.Value", "2001 1a0178"), "\"x\"");
    assert_string_equal(
        fixture_to_json("google.protobuf.Value", "2a 07 0a 05 0a0161 1200 2a 07 0a 05 0a0162 1200"),
        "{\"a\":null,\"b\":null}");
    assert_string_equal(fixture_to_json("google.protobuf.Value",
                                        "2a 07 0a 05 0a0161 1200 2001 2a 07 0a 05 0a0162 1200"),
                        "{\"b\":null}");
}

static void test_any(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{}",
        "{\"@type\":\"type.googleapis.com/kinds.Small\"}",
        "{\"@type\":\"type.googleapis.com/kinds.Small\",\"id\":1,\"tags\":[\"a\"]}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1.500s\"}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\",\"value\":1}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{\"a\":1}}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Value\",\"value\":null}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Any\",\"value\":{\"@type\":\"type."
        "googleapis.com/kinds.All\",\"any\":{\"@type\":\"type.googleapis.com/kinds.Small\",\"id\":"
        "1}}}",
    };
    for (size_t i = 0; i < FIXTURE_COUNT(same); i++)
        assert_string_equal(fixture_round_trip("google.protobuf.Any", same[i]), same[i]);
    assert_string_equal(
        fixture_round_trip("google.protobuf.Any",
                           "{\"id\":1,\"tags\":[\"}\"],\"@\\u0074ype\":\"type.googleapis.com\\/"
                           "kinds.Small\"}"),
        "{\"@type\":\"type.googleapis.com/kinds.Small\",\"id\":1,\"tags\":[\"}\"]}");
    assert_string_equal(
        fixture_round_trip("google.protobuf.Any",
                           "{\"value\":\"1s\",\"@type\":\"x/google.protobuf.Duration\"}"),
        "{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"CAE=\"}");
    assert_string_equal(
        fixture_round_trip(
            "google.protobuf.Any",
            "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\",\"value\":{}}"),
        "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}");
    assert_string_equal(
        fixture_to_wire("google.protobuf.Any",
                        "{\"@type\":\"type.googleapis.com/kinds.Small\",\"id\":1}"),
        "0a1f747970652e676f6f676c65617069732e636f6d2f6b696e64732e536d616c6c12020801");
    static const struct fixture_failure cases[] = {
        {"{\"id\":1}",
         "INVALID_ARGUMENT: a google.protobuf.Any needs \"@type\" at line 1, column 1"},
        {"{\"@type\":1}", "INVALID_ARGUMENT: expected a string at line 1, column 10"},
        {"{\"@type\":\"\"}",
         "INVALID_ARGUMENT: \"@type\" names no known message: \"\" at line 1, column 1"},
        {"{\"@type\":\"kinds.Small\"}",
         "INVALID_ARGUMENT: \"@type\" names no known message: \"kinds.Small\" at line 1, column 1"},
        {"{\"@type\":\"/kinds.Small\"}", "INVALID_ARGUMENT: \"@type\" names no known message: "
                                         "\"/kinds.Small\" at line 1, column 1"},
        {"{\"@type\":\"a/b.C\"}",
         "INVALID_ARGUMENT: \"@type\" names no known message: \"a/b.C\" at line 1, column 1"},
        {"{\"@type\":\"a/kinds.Small\",\"@type\":\"a/kinds.Small\"}",
         "INVALID_ARGUMENT: \"@type\" occurs twice at line 1, column 26"},
        {"{\"@type\":\"a/kinds.Small\",\"x\":1}",
         "INVALID_ARGUMENT: unknown field \"x\" at line 1, column 26"},
        {"{\"@type\":\"a/google.protobuf.Duration\",\"value\":\"1s\",\"x\":1}",
         "INVALID_ARGUMENT: expected only \"@type\" and \"value\", once each, for this type at "
         "line "
         "1, column 52"},
        {"{\"@type\":\"a/google.protobuf.Duration\"}",
         "INVALID_ARGUMENT: a google.protobuf.Any of this type needs \"value\" at line 1, column "
         "38"},
        {"[]", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
    };
    fixture_check_failures("google.protobuf.Any", cases, FIXTURE_COUNT(cases));
    static const struct fixture_print prints[] = {
        /* a/b with payload "x"; the same without a slash */
        {"0a 03 612f62 12 01 78", "{\"@type\":\"a/b\",\"value\":\"eA==\"}"},
        {"0a 01 61 12 01 78", "{\"@type\":\"a\",\"value\":\"eA==\"}"},
        {"12 01 78", "{\"@type\":\"\",\"value\":\"eA==\"}"},
        {"12 01 78 0a 01 61 12 01 79", "{\"@type\":\"a\",\"value\":\"eQ==\"}"},
    };
    fixture_check_prints("google.protobuf.Any", prints, FIXTURE_COUNT(prints));
}

/* "@type" last in nested objects must not make the work square. */
static void test_any_rescans(void **state)
{
    (void)state;
    static char json[100000];
    char *at = json;
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "{\"value\":");
    at += sprintf(at, "{\"tags\":[\"%0*d\"],\"@type\":\"a/kinds.Small\"}", 40000, 0);
    for (int i = 0; i < 40; i++)
        at += sprintf(at, ",\"@type\":\"a/google.protobuf.Any\"}");
    const char *got = fixture_to_wire("google.protobuf.Any", json);
    const char *expected =
        "INVALID_ARGUMENT: put \"@type\" first in nested google.protobuf.Any at line 1";
    assert_memory_equal(got, expected, strlen(expected));
}

static void test_empty(void **state)
{
    (void)state;
    assert_string_equal(fixture_round_trip("kinds.All", "{\"empty\":{}}"), "{\"empty\":{}}");
    assert_string_equal(fixture_to_wire("kinds.All", "{\"empty\":{\"a\":1}}"),
                        "INVALID_ARGUMENT: empty: unknown field \"a\" at line 1, column 11");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_wrappers),    FIXTURE_TEST(test_timestamp), FIXTURE_TEST(test_duration),
        FIXTURE_TEST(test_field_mask),  FIXTURE_TEST(test_struct),    FIXTURE_TEST(test_any),
        FIXTURE_TEST(test_any_rescans), FIXTURE_TEST(test_empty),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
