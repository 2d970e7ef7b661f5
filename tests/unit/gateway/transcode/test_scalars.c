/* Numbers, booleans, enums, strings and bytes: the ProtoJSON mapping of single values, byte-exact.
 */
#include "fixture.h"

#include <stdio.h>

static void test_integers(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"anInt32\":1}", "28 01", NULL},
        {"{\"anInt32\":-1}", "28 ffffffffffffffffff01", NULL},
        {"{\"anInt32\":0}", "28 00", "{}"},
        {"{\"anInt32\":-0}", "28 00", "{}"},
        {"{\"anInt32\":\"7\"}", "28 07", "{\"anInt32\":7}"},
        {"{\"anInt32\":1e5}", "28 a08d06", "{\"anInt32\":100000}"},
        {"{\"anInt32\":\"1e5\"}", "28 a08d06", "{\"anInt32\":100000}"},
        {"{\"anInt32\":100000.000}", "28 a08d06", "{\"anInt32\":100000}"},
        {"{\"anInt32\":1.5E+1}", "28 0f", "{\"anInt32\":15}"},
        {"{\"anInt32\":2147483647}", "28 ffffffff07", NULL},
        {"{\"anInt32\":-2147483648}", "28 80808080f8ffffffff01", NULL},
        {"{\"anInt32\":0e999999}", "28 00", "{}"},
        {"{\"anInt32\":1000000000000000000000000e-24}", "28 01", "{\"anInt32\":1}"},
        {"{\"aUint32\":4294967295}", "68 ffffffff0f", NULL},
        {"{\"anInt64\":\"9223372036854775807\"}", "18 ffffffffffffffff7f", NULL},
        {"{\"anInt64\":9223372036854775807}", "18 ffffffffffffffff7f",
         "{\"anInt64\":\"9223372036854775807\"}"},
        {"{\"anInt64\":-9223372036854775808}", "18 80808080808080808001",
         "{\"anInt64\":\"-9223372036854775808\"}"},
        {"{\"aUint64\":18446744073709551615}", "20 ffffffffffffffffff01",
         "{\"aUint64\":\"18446744073709551615\"}"},
        {"{\"aUint64\":1.8446744073709551615e19}", "20 ffffffffffffffffff01",
         "{\"aUint64\":\"18446744073709551615\"}"},
        {"{\"aFixed64\":\"1\"}", "31 0100000000000000", NULL},
        {"{\"aFixed32\":258}", "3d 02010000", NULL},
        {"{\"anSfixed32\":-2}", "7d feffffff", NULL},
        {"{\"anSfixed64\":\"-2\"}", "8101 feffffffffffffff", NULL},
        {"{\"anSint32\":-2147483648}", "8801 ffffffff0f", NULL},
        {"{\"anSint64\":\"-9223372036854775808\"}", "9001 ffffffffffffffffff01", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
}

static void test_integers_refused(void **state)
{
    (void)state;
#define RANGE "INVALID_ARGUMENT: anInt32: the number is out of range at line 1, column 12"
#define INTEGER "INVALID_ARGUMENT: anInt32: expected an integer at line 1, column 12"
#define NUMBER "INVALID_ARGUMENT: anInt32: expected a number at line 1, column 12"
    static const struct fixture_failure cases[] = {
        {"{\"anInt32\":2147483648}", RANGE},
        {"{\"anInt32\":-2147483649}", RANGE},
        {"{\"anInt32\":1e999999999999}", RANGE},
        {"{\"anInt32\":1.5}", INTEGER},
        {"{\"anInt32\":1e-1}", INTEGER},
        {"{\"anInt32\":1.0000000000000000000000000001}", INTEGER},
        {"{\"anInt32\":1e-999999999999}", INTEGER},
        {"{\"anInt32\":+1}", NUMBER},
        {"{\"anInt32\":.5}", NUMBER},
        {"{\"anInt32\":-}", NUMBER},
        {"{\"anInt32\":1.}", NUMBER},
        {"{\"anInt32\":1e}", NUMBER},
        {"{\"anInt32\":\"\"}", NUMBER},
        {"{\"anInt32\":\" 1\"}", NUMBER},
        {"{\"anInt32\":\"1 \"}", NUMBER},
        {"{\"anInt32\":\"+1\"}", NUMBER},
        {"{\"anInt32\":\"0x10\"}", NUMBER},
        {"{\"anInt32\":\"NaN\"}", NUMBER},
        {"{\"anInt32\":true}", NUMBER},
        {"{\"anInt32\":[]}", NUMBER},
        {"{\"anInt32\":{}}", NUMBER},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
    static const struct fixture_failure others[] = {
        {"{\"anInt32\":01}", "INVALID_ARGUMENT: anInt32: expected ',' or '}' at line 1, column 13"},
        {"{\"aUint32\":-1}",
         "INVALID_ARGUMENT: aUint32: the number is out of range at line 1, column 12"},
        {"{\"aUint32\":4294967296}",
         "INVALID_ARGUMENT: aUint32: the number is out of range at line 1, column 12"},
        {"{\"anInt64\":9223372036854775808}",
         "INVALID_ARGUMENT: anInt64: the number is out of range at line 1, column 12"},
        {"{\"anInt64\":-9223372036854775809}",
         "INVALID_ARGUMENT: anInt64: the number is out of range at line 1, column 12"},
        {"{\"aUint64\":18446744073709551616}",
         "INVALID_ARGUMENT: aUint64: the number is out of range at line 1, column 12"},
        {"{\"aUint64\":\"18446744073709551615.5\"}",
         "INVALID_ARGUMENT: aUint64: the number is out of range at line 1, column 12"},
    };
    fixture_check_failures("kinds.All", others, FIXTURE_COUNT(others));
}

static void test_floats(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"aDouble\":1.5}", "09 000000000000f83f", NULL},
        {"{\"aDouble\":16}", "09 0000000000003040", NULL},
        {"{\"aDouble\":-0}", "09 0000000000000080", NULL},
        {"{\"aDouble\":\"-0\"}", "09 0000000000000080", "{\"aDouble\":-0}"},
        {"{\"aDouble\":0.1}", "09 9a9999999999b93f", NULL},
        {"{\"aDouble\":1.4142135623730951}", "09 cd3b7f669ea0f63f", NULL},
        {"{\"aDouble\":\"1.5\"}", "09 000000000000f83f", "{\"aDouble\":1.5}"},
        {"{\"aDouble\":\"NaN\"}", "09 000000000000f87f", NULL},
        {"{\"aDouble\":\"Infinity\"}", "09 000000000000f07f", NULL},
        {"{\"aDouble\":\"-Infinity\"}", "09 000000000000f0ff", NULL},
        {"{\"aDouble\":1.7976931348623157e+308}", "09 ffffffffffffef7f", NULL},
        {"{\"aDouble\":5e-324}", "09 0100000000000000", NULL},
        {"{\"aDouble\":1e-999999}", "09 0000000000000000", "{}"},
        {"{\"aDouble\":9007199254740993}", "09 0000000000004043", "{\"aDouble\":9007199254740992}"},
        {"{\"aDouble\":1e21}", "09 50efe2d6e41a4b44", "{\"aDouble\":1e+21}"},
        {"{\"aDouble\":123456789012345680000}", "09 dabc047e3ac51a44", NULL},
        {"{\"aDouble\":0.000001}", "09 8dedb5a0f7c6b03e", NULL},
        {"{\"aDouble\":1e-7}", "09 48afbc9af2d77a3e", NULL},
        {"{\"aFloat\":0.1}", "15 cdcccc3d", NULL},
        {"{\"aFloat\":3.4028235e+38}", "15 ffff7f7f", "{\"aFloat\":3.4028235e+38}"},
        {"{\"aFloat\":1e-45}", "15 01000000", NULL},
        {"{\"aFloat\":-0}", "15 00000080", NULL},
        {"{\"aFloat\":\"NaN\"}", "15 0000c07f", NULL},
        {"{\"aFloat\":\"-Infinity\"}", "15 000080ff", NULL},
        {"{\"aFloat\":16777216}", "15 0000804b", NULL},
        /* A double rounding would give 0x3f800000: 1 + 2^-24 + 2^-60. */
        {"{\"aFloat\":1.00000005960464477539930970}", "15 0100803f", "{\"aFloat\":1.0000001}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
}

static void test_floats_refused(void **state)
{
    (void)state;
    static const struct fixture_failure cases[] = {
        {"{\"aDouble\":1e999999}",
         "INVALID_ARGUMENT: aDouble: the number is out of range at line 1, column 12"},
        {"{\"aDouble\":1.7976931348623159e308}",
         "INVALID_ARGUMENT: aDouble: the number is out of range at line 1, column 12"},
        {"{\"aDouble\":\"-1e309\"}",
         "INVALID_ARGUMENT: aDouble: the number is out of range at line 1, column 12"},
        {"{\"aFloat\":3.5e38}",
         "INVALID_ARGUMENT: aFloat: the number is out of range at line 1, column 11"},
        {"{\"aFloat\":-3.5e38}",
         "INVALID_ARGUMENT: aFloat: the number is out of range at line 1, column 11"},
        {"{\"aDouble\":NaN}", "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":Infinity}",
         "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":-Infinity}",
         "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":\"nan\"}",
         "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":\"inf\"}",
         "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":\"\"}", "INVALID_ARGUMENT: aDouble: expected a number at line 1, column 12"},
        {"{\"aDouble\":1e400000000e0}",
         "INVALID_ARGUMENT: aDouble: the number is out of range at line 1, column 12"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_long_numbers(void **state)
{
    (void)state;
    char json[2048], digits[512];
    memset(digits, '3', 400);
    digits[400] = 0;
    snprintf(json, sizeof json, "{\"aDouble\":0.%s}", digits);
    assert_string_equal(fixture_round_trip("kinds.All", json), "{\"aDouble\":0.3333333333333333}");
    snprintf(json, sizeof json, "{\"aDouble\":%s}", digits);
    assert_string_equal(
        fixture_to_wire("kinds.All", json),
        "INVALID_ARGUMENT: aDouble: the number is out of range at line 1, column 12");
    snprintf(json, sizeof json, "{\"aDouble\":%se-399}", digits);
    assert_string_equal(fixture_round_trip("kinds.All", json), "{\"aDouble\":3.3333333333333335}");
    snprintf(json, sizeof json, "{\"anInt64\":%s}", digits);
    assert_string_equal(
        fixture_to_wire("kinds.All", json),
        "INVALID_ARGUMENT: anInt64: the number is out of range at line 1, column 12");
    /* 1 followed by 400 zeros, as an integer again. */
    memset(digits, '0', 400);
    snprintf(json, sizeof json, "{\"anInt64\":1%se-400}", digits);
    assert_string_equal(fixture_round_trip("kinds.All", json), "{\"anInt64\":\"1\"}");
    snprintf(json, sizeof json, "{\"anInt64\":0.%s1e401}", digits);
    assert_string_equal(fixture_round_trip("kinds.All", json), "{\"anInt64\":\"1\"}");
}

/* Numbers out of every range, wherever one may stand. */
static void test_monsters(void **state)
{
    (void)state;
    static const char *const places[][2] = {
        {"{\"doubleWrapper\":", "}"}, {"{\"uint64Wrapper\":", "}"},      {"{\"color\":", "}"},
        {"{\"value\":[", "]}"},       {"{\"struct\":{\"a\":", "}}"},     {"{\"doubles\":[1,", "]}"},
        {"{\"aFloat\":\"", "\"}"},    {"{\"byInt32\":{\"", "\":\"\"}}"},
    };
    char json[512], digits[401] = "";
    memset(digits, '9', 400);
    const char *const monsters[] = {"1e999999", "-1e999999999999999999999", digits};
    for (size_t i = 0; i < FIXTURE_COUNT(places) * FIXTURE_COUNT(monsters); i++) {
        const char *const *place = places[i / FIXTURE_COUNT(monsters)];
        snprintf(json, sizeof json, "%s%s%s", place[0], monsters[i % FIXTURE_COUNT(monsters)],
                 place[1]);
        assert_non_null(strstr(fixture_to_wire("kinds.All", json), "out of range at line 1"));
    }
}

static void test_bools(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"aBool\":true}", "40 01", NULL},
        {"{\"aBool\":false}", "40 00", "{}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"aBool\":1}", "INVALID_ARGUMENT: aBool: expected true or false at line 1, column 10"},
        {"{\"aBool\":\"true\"}",
         "INVALID_ARGUMENT: aBool: expected true or false at line 1, column 10"},
        {"{\"aBool\":True}",
         "INVALID_ARGUMENT: aBool: expected true or false at line 1, column 10"},
        {"{\"aBool\":truex}", "INVALID_ARGUMENT: aBool: expected ',' or '}' at line 1, column 14"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_enums(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"color\":\"GREEN\"}", "70 02", NULL},
        {"{\"color\":2}", "70 02", "{\"color\":\"GREEN\"}"},
        {"{\"color\":\"BELOW\"}", "70 ffffffffffffffffff01", NULL},
        {"{\"color\":12345}", "70 b960", NULL},
        {"{\"color\":-7}", "70 f9ffffffffffffffff01", NULL},
        {"{\"color\":\"GR\\u0045EN\"}", "70 02", "{\"color\":\"GREEN\"}"},
        {"{\"null\":null}", "d803 00", "{}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"color\":\"GREE\"}", "INVALID_ARGUMENT: color: unknown value \"GREE\", did you mean "
                                 "\"GREEN\"? at line 1, column 10"},
        {"{\"color\":\"green\"}", "INVALID_ARGUMENT: color: unknown value \"green\", did you mean "
                                  "\"GREEN\"? at line 1, column 10"},
        {"{\"color\":\"\"}", "INVALID_ARGUMENT: color: unknown value \"\" at line 1, column 10"},
        {"{\"color\":1.5}", "INVALID_ARGUMENT: color: expected an integer at line 1, column 10"},
        {"{\"color\":2147483648}",
         "INVALID_ARGUMENT: color: the number is out of range at line 1, column 10"},
        {"{\"color\":true}",
         "INVALID_ARGUMENT: color: expected the name or number of an enum value "
         "at line 1, column 10"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_strings(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"aString\":\"\"}", "4a 00", "{}"},
        {"{\"aString\":\"hello world\"}", "4a 0b 68656c6c6f20776f726c64", NULL},
        {"{\"aString\":\"a\\u0000b\"}", "4a 03 610062", NULL},
        {"{\"aString\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "4a 08 225c2f080c0a0d09",
         "{\"aString\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}"},
        {"{\"aString\":\"\\u00e9\\u20AC\"}", "4a 05 c3a9e282ac",
         "{\"aString\":\"\303\251\342\202\254\"}"},
        {"{\"aString\":\"\\ud83d\\ude00\"}", "4a 04 f09f9880",
         "{\"aString\":\"\360\237\230\200\"}"},
        {"{\"aString\":\"\360\237\230\200\"}", "4a 04 f09f9880", NULL},
        {"{\"aString\":\"\\u001f\\u007f\"}", "4a 02 1f7f", "{\"aString\":\"\\u001f\177\"}"},
        {"{\"aString\":\"<script>&'\"}", "4a 0a 3c7363726970743e2627", NULL},
        {"{\"aString\":\"12345678\\\"2345678\303\251\"}",
         "4a 12 31323334353637382232333435363738c3a9", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
#define STRING "INVALID_ARGUMENT: aString: "
    static const struct fixture_failure cases[] = {
        {"{\"aString\":1}", STRING "expected a string at line 1, column 12"},
        {"{\"aString\":\"\\ud83d\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 13"},
        {"{\"aString\":\"x\\ude00\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 14"},
        {"{\"aString\":\"\\ud83d\\u0041\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 13"},
        {"{\"aString\":\"\\ud83d\\ud83d\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 13"},
        {"{\"aString\":\"\\ude00\\ud83d\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 13"},
        {"{\"aString\":\"\\u12g4\"}",
         STRING "malformed \\u escape or lone surrogate at line 1, column 13"},
        {"{\"aString\":\"\\x41\"}", STRING "unknown escape in a string at line 1, column 13"},
        {"{\"aString\":\"a\nb\"}", STRING "control character in a string at line 1, column 14"},
        {"{\"aString\":\"0123456\t\"}",
         STRING "control character in a string at line 1, column 20"},
        {"{\"aString\":'a'}", STRING "expected a string at line 1, column 12"},
        {"{\"aString\":\"a", STRING "unexpected end inside a string at line 1, column 14"},
        {"{\"aString\":\"a\\", STRING "unexpected end inside a string at line 1, column 15"},
        {"{\"aString\":\"\377\"}", STRING "the string is not valid UTF-8 at line 1, column 13"},
        {"{\"aString\":\"\300\200\"}", STRING "the string is not valid UTF-8 at line 1, column 13"},
        {"{\"aString\":\"\355\240\200\"}",
         STRING "the string is not valid UTF-8 at line 1, column 13"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
    assert_string_equal(fixture_to_json("kinds.All", "4a01ff"),
                        "INTERNAL: the message holds a string that is not valid UTF-8");
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"someBytes\":\"\"}", "62 00", "{}"},
        {"{\"someBytes\":\"AQID\"}", "62 03 010203", NULL},
        {"{\"someBytes\":\"AQI=\"}", "62 02 0102", NULL},
        {"{\"someBytes\":\"AQI\"}", "62 02 0102", "{\"someBytes\":\"AQI=\"}"},
        {"{\"someBytes\":\"AQ==\"}", "62 01 01", NULL},
        {"{\"someBytes\":\"AQ\"}", "62 01 01", "{\"someBytes\":\"AQ==\"}"},
        {"{\"someBytes\":\"-_\"}", "62 01 fb", "{\"someBytes\":\"+w==\"}"},
        {"{\"someBytes\":\"+_-/\"}", "62 03 fbffbf", "{\"someBytes\":\"+/+/\"}"},
        {"{\"someBytes\":\"\\u002bw==\"}", "62 01 fb", "{\"someBytes\":\"+w==\"}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
#define BASE64 "INVALID_ARGUMENT: someBytes: expected base64 at line 1, column 14"
    static const struct fixture_failure cases[] = {
        {"{\"someBytes\":\"A\"}", BASE64},    {"{\"someBytes\":\"AQI*\"}", BASE64},
        {"{\"someBytes\":\"A=QI\"}", BASE64}, {"{\"someBytes\":\"AQ I\"}", BASE64},
        {"{\"someBytes\":\"A===\"}", BASE64}, {"{\"someBytes\":\"AAAAA\"}", BASE64},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_options(void **state)
{
    (void)state;
    fixture_options.int64_as_numbers = true;
    assert_string_equal(fixture_to_json("kinds.All", "18 ffffffffffffffff7f 20 01"),
                        "{\"anInt64\":9223372036854775807,\"aUint64\":1}");
    fixture_options.int64_as_numbers = false;
    fixture_options.enums_as_numbers = true;
    assert_string_equal(fixture_to_json("kinds.All", "70 02 d803 00"), "{\"color\":2}");
    fixture_options.enums_as_numbers = false;
    fixture_options.proto_names = true;
    assert_string_equal(fixture_to_json("kinds.All", "28 01 9a01 0161"),
                        "{\"an_int32\":1,\"renamed\":\"a\"}");
    fixture_options.proto_names = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_integers),     FIXTURE_TEST(test_integers_refused),
        FIXTURE_TEST(test_floats),       FIXTURE_TEST(test_floats_refused),
        FIXTURE_TEST(test_long_numbers), FIXTURE_TEST(test_monsters),
        FIXTURE_TEST(test_bools),        FIXTURE_TEST(test_enums),
        FIXTURE_TEST(test_strings),      FIXTURE_TEST(test_bytes),
        FIXTURE_TEST(test_options),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
