/* Fields by name, null, duplicates, oneofs, lists, maps, unknown fields, nesting. */
#include "fixture.h"

#include <stdio.h>

static void test_names(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{}", "", NULL},
        {" { } ", "", "{}"},
        {"{\"an_int32\":1}", "28 01", "{\"anInt32\":1}"},
        {"{ \"anInt32\" : 1 ,\n\t\"aBool\" :\r true }", "28 01 40 01",
         "{\"anInt32\":1,\"aBool\":true}"},
        {"{\"other/name\":\"x\"}", "9a01 01 78", NULL},
        {"{\"other\\/n\\u0061me\":\"x\"}", "9a01 01 78", "{\"other/name\":\"x\"}"},
        {"{\"renamed\":\"x\"}", "9a01 01 78", "{\"other/name\":\"x\"}"},
        /* In any order; they are written as they come. */
        {"{\"aBool\":true,\"anInt32\":1}", "40 01 28 01", NULL},
        {"{\"child\":{\"child\":{}}}", "5a 02 5a 00", NULL},
        {"{\"child\":{\"anInt32\":5},\"anInt32\":6}", "5a 02 28 05 28 06", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"null", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"[]", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"{} x",
         "INVALID_ARGUMENT: unexpected text after the end of the value at line 1, column 4"},
        {"{}{}",
         "INVALID_ARGUMENT: unexpected text after the end of the value at line 1, column 3"},
        {"{", "INVALID_ARGUMENT: expected a field name in quotes at line 1, column 2"},
        {"{\"anInt32\"}", "INVALID_ARGUMENT: expected ':' at line 1, column 11"},
        {"{\"anInt32\":}", "INVALID_ARGUMENT: anInt32: expected a number at line 1, column 12"},
        {"{\"anInt32\":1,}",
         "INVALID_ARGUMENT: expected a field name in quotes at line 1, column 14"},
        {"{,}", "INVALID_ARGUMENT: expected a field name in quotes at line 1, column 2"},
        {"{anInt32:1}", "INVALID_ARGUMENT: expected a field name in quotes at line 1, column 2"},
        {"{\"anInt32\":1 \"aBool\":true}",
         "INVALID_ARGUMENT: anInt32: expected ',' or '}' at line 1, column 14"},
        {"{\"anInt32\":1",
         "INVALID_ARGUMENT: anInt32: unexpected end of the text at line 1, column 13"},
        {"\xef\xbb\xbf{}", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"{\"anInt32\":1,\"an_int32\":2}",
         "INVALID_ARGUMENT: anInt32: the field occurs twice at line 1, column 14"},
        {"{\"anInt32\":null,\"anInt32\":1}",
         "INVALID_ARGUMENT: anInt32: the field occurs twice at line 1, column 17"},
        {"{\n  \"children\": [\n    {}, {},\n    {\"anInt32\": 1,\n     \"aDouble\": "
         "[\"\303\251\"]}]}",
         "INVALID_ARGUMENT: children[2].aDouble: expected a number at line 5, column 17"},
        {"{\"children\":[{\"aString\":\"\303\251\303\251\",\"aBool\":3}]}",
         "INVALID_ARGUMENT: children[0].aBool: expected true or false at line 1, column 38"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_unknown(void **state)
{
    (void)state;
    static const struct fixture_failure cases[] = {
        {"{\"anInt23\":1}",
         "INVALID_ARGUMENT: unknown field \"anInt23\", did you mean \"anInt32\"? "
         "at line 1, column 2"},
        {"{\"child\":{\"ANINT32\":1}}",
         "INVALID_ARGUMENT: child: unknown field \"ANINT32\", did you "
         "mean \"anInt32\"? at line 1, column 11"},
        {"{\"children\":[{},{\"xyzzyplugh\":{\"a\":[1]}}]}",
         "INVALID_ARGUMENT: children[1]: unknown field \"xyzzyplugh\" at line 1, column 18"},
        {"{\"\":1}", "INVALID_ARGUMENT: unknown field \"\" at line 1, column 2"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
    fixture_options.ignore_unknown = true;
    static const struct fixture_pair pairs[] = {
        {"{\"x\":{\"a\":[1,{\"b\":null}],\"c\":\"\\u0041\"},\"anInt32\":1,\"y\":-1.5e3}", "28 01",
         "{\"anInt32\":1}"},
        {"{\"color\":\"BLUE\",\"anInt32\":1}", "28 01", "{\"anInt32\":1}"},
        {"{\"colors\":[\"RED\",\"BLUE\",\"GREEN\"]}", "9a02 02 01 02",
         "{\"colors\":[\"RED\",\"GREEN\"]}"},
        {"{\"colors\":[\"BLUE\"]}", "", "{}"},
        {"{\"bySint32\":{\"1\":\"BLUE\",\"2\":\"RED\"}}", "ea02 04 08 04 10 01",
         "{\"bySint32\":{\"2\":\"RED\"}}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    assert_string_equal(fixture_to_wire("kinds.All", "{\"x\":tru}"),
                        "INVALID_ARGUMENT: expected a value at line 1, column 6");
    assert_string_equal(fixture_to_wire("kinds.All", "{\"x\":[1,]}"),
                        "INVALID_ARGUMENT: expected a value at line 1, column 9");
    fixture_options.ignore_unknown = false;
}

static void test_null(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"anInt32\":null,\"child\":null,\"ints\":null,\"counts\":null,\"maybe\":null}", "",
         "{}"},
        {"{\"doubleWrapper\":null,\"time\":null,\"any\":null,\"struct\":null,\"list\":null}", "",
         "{}"},
        {"{\"color\":null,\"text\":null,\"number\":5}", "b001 05", "{\"number\":5}"},
        {"{\"value\":null}", "c203 02 08 00", NULL},
        {"{\"values\":[null,1]}", "aa02 02 08 00 aa02 09 11 000000000000f03f", NULL},
        {"{\"anyValues\":{\"a\":null}}", "fa02 07 0a 01 61 12 02 08 00", NULL},
        {"{\"nothing\":null}", "c001 00", NULL},
        {"{\"anything\":null}", "ca01 02 08 00", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"ints\":[1,null]}",
         "INVALID_ARGUMENT: ints[1]: null is not allowed here at line 1, column 12"},
        {"{\"children\":[null]}",
         "INVALID_ARGUMENT: children[0]: null is not allowed here at line 1, column 14"},
        {"{\"counts\":{\"a\":null}}",
         "INVALID_ARGUMENT: counts[\"a\"]: null is not allowed here at line 1, column 16"},
        {"{\"counts\":{null:1}}",
         "INVALID_ARGUMENT: counts: expected a string at line 1, column 12"},
        {"{\"anInt32\":nul}", "INVALID_ARGUMENT: anInt32: expected a value at line 1, column 12"},
        {"{\"anInt32\":nullx}",
         "INVALID_ARGUMENT: anInt32: expected ',' or '}' at line 1, column 16"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_oneof(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"text\":\"a\"}", "aa01 01 61", NULL},
        {"{\"number\":0}", "b001 00", NULL},
        {"{\"nested\":{\"number\":1}}", "ba01 03 b001 01", NULL},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"text\":\"a\",\"number\":1}", "INVALID_ARGUMENT: number: another field of the same "
                                          "oneof is set too at line 1, column 13"},
        {"{\"nothing\":null,\"number\":1}", "INVALID_ARGUMENT: number: another field of the same "
                                            "oneof is set too at line 1, column 17"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

static void test_lists(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"ints\":[]}", "", "{}"},
        {"{\"ints\":[1]}", "fa01 01 01", NULL},
        {"{\"ints\":[1,300,-1]}", "fa01 0d 01 ac02 ffffffffffffffffff01", NULL},
        {"{\"looseInts\":[1,2]}", "8002 01 8002 02", NULL},
        {"{\"strings\":[\"a\",\"\"]}", "8a02 01 61 8a02 00", NULL},
        {"{\"children\":[{},{\"anInt32\":1}]}", "9202 00 9202 02 28 01", NULL},
        {"{\"bools\":[true,false]}", "ba02 02 01 00", NULL},
        {"{\"doubles\":[1]}", "a202 08 000000000000f03f", NULL},
        {"{\"blobs\":[\"AA==\"]}", "c202 01 00", NULL},
        {"{ \"ints\" : [ 1 , 2 ] }", "fa01 02 01 02", "{\"ints\":[1,2]}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"ints\":1}", "INVALID_ARGUMENT: ints: expected a list at line 1, column 9"},
        {"{\"ints\":{}}", "INVALID_ARGUMENT: ints: expected a list at line 1, column 9"},
        {"{\"ints\":[1,]}", "INVALID_ARGUMENT: ints[1]: expected a number at line 1, column 12"},
        {"{\"ints\":[,1]}", "INVALID_ARGUMENT: ints[0]: expected a number at line 1, column 10"},
        {"{\"ints\":[1 2]}", "INVALID_ARGUMENT: ints[0]: expected ',' or ']' at line 1, column 12"},
        {"{\"ints\":[1}", "INVALID_ARGUMENT: ints[0]: expected ',' or ']' at line 1, column 11"},
        {"{\"ints\":[[1]]}", "INVALID_ARGUMENT: ints[0]: expected a number at line 1, column 10"},
        {"{\"ints\":[1",
         "INVALID_ARGUMENT: ints[0]: unexpected end of the text at line 1, column 11"},
        {"{\"ints\":[",
         "INVALID_ARGUMENT: ints[0]: unexpected end of the text at line 1, column 10"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
    /* Both encodings are read whatever the field is declared as. */
    static const struct fixture_print prints[] = {
        {"f801 01 f801 02", "{\"ints\":[1,2]}"},
        {"8202 02 01 02", "{\"looseInts\":[1,2]}"},
        {"f801 01 fa01 02 02 03 f801 04", "{\"ints\":[1,2,3,4]}"},
        {"fa01 00", "{}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_maps(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"counts\":{}}", "", "{}"},
        {"{\"counts\":{\"a\":1,\"b\":0}}", "ca02 05 0a0161 1001 ca02 05 0a0162 1000", NULL},
        {"{\"counts\":{\"\":1}}", "ca02 04 0a00 1001", NULL},
        {"{\"counts\":{\"a\\n\\u00e9\":1}}", "ca02 08 0a04 610ac3a9 1001",
         "{\"counts\":{\"a\\n\303\251\":1}}"},
        {"{\"byInt32\":{\"-1\":\"x\"}}", "d202 0e 08 ffffffffffffffffff01 12 01 78", NULL},
        {"{\"byBool\":{\"true\":\"x\",\"false\":\"y\"}}", "da02 05 0801 120178 da02 05 0800 120179",
         NULL},
        {"{\"byUint64\":{\"18446744073709551615\":{\"anInt32\":1}}}",
         "e202 0f 08 ffffffffffffffffff01 12 02 2801", NULL},
        {"{\"bySint32\":{\"-1\":\"RED\",\"1\":7}}", "ea02 04 0801 1001 ea02 04 0802 1007", NULL},
        {"{\"byFixed64\":{\"1\":0.5}}", "f202 12 09 0100000000000000 11 000000000000e03f", NULL},
        {"{\"byInt32\":{\"1e1\":\"x\"}}", "d202 05 080a 120178", "{\"byInt32\":{\"10\":\"x\"}}"},
        {"{\"byInt32\":{\"\\u0031\":\"x\"}}", "d202 05 0801 120178", "{\"byInt32\":{\"1\":\"x\"}}"},
    };
    fixture_check_pairs("kinds.All", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"counts\":[]}", "INVALID_ARGUMENT: counts: expected an object at line 1, column 11"},
        {"{\"counts\":{\"a\":1,\"b\":2,\"a\":3}}",
         "INVALID_ARGUMENT: counts: a key occurs twice in this object at line 1, column 11"},
        {"{\"byInt32\":{\"1\":\"x\",\"1e0\":\"y\"}}",
         "INVALID_ARGUMENT: byInt32: a key occurs twice in this object at line 1, column 12"},
        {"{\"counts\":{\"a\":\"b\"}}",
         "INVALID_ARGUMENT: counts[\"a\"]: expected a number at line 1, column 16"},
        {"{\"counts\":{1:1}}", "INVALID_ARGUMENT: counts: expected a string at line 1, column 12"},
        {"{\"byInt32\":{\"a\":\"x\"}}", "INVALID_ARGUMENT: byInt32[\"a\"]: expected an integer in "
                                        "quotes as a key at line 1, column 13"},
        {"{\"byInt32\":{\"2147483648\":\"x\"}}",
         "INVALID_ARGUMENT: byInt32[\"2147483648\"]: the key is not an integer or out of range at "
         "line 1, column 13"},
        {"{\"byBool\":{\"1\":\"x\"}}", "INVALID_ARGUMENT: byBool[\"1\"]: expected \"true\" or "
                                       "\"false\" as a key at line 1, column 12"},
        {"{\"byUint64\":{\"7\":{\"child\":{\"aBool\":0}}}}",
         "INVALID_ARGUMENT: byUint64[\"7\"].child.aBool: expected true or false at line 1, column "
         "36"},
    };
    fixture_check_failures("kinds.All", cases, FIXTURE_COUNT(cases));
}

/* Submessages around the sizes at which the length takes one more byte. */
static void test_lengths(void **state)
{
    (void)state;
    static char json[70000], text[66000];
    static const size_t lens[] = {120,   121,   122,   123,   124,   125,   126,
                                  127,   128,   129,   16370, 16376, 16377, 16378,
                                  16379, 16380, 16381, 16382, 16383, 16384, 65536};
    for (size_t i = 0; i < FIXTURE_COUNT(lens); i++) {
        memset(text, 'x', lens[i]);
        text[lens[i]] = 0;
        sprintf(json,
                "{\"children\":[{\"child\":{\"aString\":\"%s\"}},{\"anInt32\":1}],"
                "\"time\":\"1970-01-01T00:00:01Z\"}",
                text);
        assert_string_equal(fixture_round_trip("kinds.All", json), json);
    }
}

static void test_wide(void **state)
{
    (void)state;
    assert_string_equal(fixture_round_trip("kinds.Wide", "{\"f1\":1,\"f140\":2,\"f139\":3}"),
                        "{\"f1\":1,\"f140\":2,\"f139\":3}");
    assert_string_equal(fixture_to_wire("kinds.Wide", "{\"f140\":2,\"f140\":3}"),
                        "INVALID_ARGUMENT: f140: the field occurs twice at line 1, column 11");
    assert_string_equal(fixture_to_json("kinds.Wide", "e008 02 e008 03"), "{\"f140\":3}");
}

static void test_proto2(void **state)
{
    (void)state;
    static const struct fixture_pair pairs[] = {
        {"{\"closed\":\"TWO\"}", "08 02", NULL},
        {"{\"section\":{\"id\":1,\"deeper\":{\"number\":0}}}", "23 08 01 12 02 30 00 24", NULL},
        {"{\"sections\":[{\"id\":1},{}]}", "2b 08 01 2c 2b 2c", NULL},
        {"{\"[kinds2.answer]\":42}", "a006 2a", NULL},
        {"{\"[kinds2.words]\":[\"a\"],\"[kinds2.further]\":{\"[kinds2.answer]\":1}}",
         "aa06 01 61 b206 03 a006 01", NULL},
    };
    fixture_check_pairs("kinds2.Old", pairs, FIXTURE_COUNT(pairs));
    static const struct fixture_failure cases[] = {
        {"{\"closed\":3}",
         "INVALID_ARGUMENT: closed: the enum has no value of that number at line 1, column 11"},
        {"{\"[kinds2.answer]\":1,\"[kinds2.answer]\":1}",
         "INVALID_ARGUMENT: [kinds2.answer]: the field occurs twice at line 1, column 22"},
    };
    fixture_check_failures("kinds2.Old", cases, FIXTURE_COUNT(cases));
    static const struct fixture_print prints[] = {
        {"08 03", "{}"},
        {"08 02 08 03", "{\"closed\":\"TWO\"}"},
        {"10 01 10 03 10 02", "{\"closedList\":[\"ONE\",\"TWO\"]}"},
        {"1a 05 0a0161 1003 1a 05 0a0162 1001", "{\"closedMap\":{\"b\":\"ONE\"}}"},
        {"1a 03 0a0161", "{\"closedMap\":{\"a\":\"NONE\"}}"},
        {"23 08 01 24 23 12 02 30 05 24", "{\"section\":{\"id\":1,\"deeper\":{\"number\":5}}}"},
        {"23 08 01 2c", "INTERNAL: the bytes are not a valid kinds2.Old.Section"},
        {"24", "INTERNAL: the bytes are not a valid kinds2.Old"},
    };
    fixture_check_prints("kinds2.Old", prints, FIXTURE_COUNT(prints));
}

static void test_emit_defaults(void **state)
{
    (void)state;
    fixture_options.emit_defaults = true;
    static const struct fixture_print small[] = {
        {"", "{\"id\":0,\"tags\":[]}"},
        {"12 01 61", "{\"id\":0,\"tags\":[\"a\"]}"},
        {"12 01 61 08 05", "{\"id\":5,\"tags\":[\"a\"]}"},
        {"08 05 12 01 61 12 01 62", "{\"id\":5,\"tags\":[\"a\",\"b\"]}"},
    };
    fixture_check_prints("kinds.Small", small, FIXTURE_COUNT(small));
    assert_string_equal(fixture_to_json("kinds.Record", "10 02"),
                        "{\"name\":\"\",\"color\":\"GREEN\",\"score\":0,\"id\":\"0\"}");
    assert_string_equal(fixture_to_json("kinds2.Old", "30 01"),
                        "{\"closedList\":[],\"closedMap\":{},\"sections\":[],\"number\":1}");
    fixture_options.emit_defaults = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_names),         FIXTURE_TEST(test_unknown), FIXTURE_TEST(test_null),
        FIXTURE_TEST(test_oneof),         FIXTURE_TEST(test_lists),   FIXTURE_TEST(test_maps),
        FIXTURE_TEST(test_lengths),       FIXTURE_TEST(test_wide),    FIXTURE_TEST(test_proto2),
        FIXTURE_TEST(test_emit_defaults),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
