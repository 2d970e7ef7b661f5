/* Indentation of every kind of value, whole and byte by byte. */
#include "gateway/transcode/json_pretty.h"

#include "unit/cmocka_all.h"

static const struct {
    const char *compact, *pretty;
} rows[] = {
    {"", ""},
    {"1", "1"},
    {"-1.5e+30", "-1.5e+30"},
    {"null", "null"},
    {"true", "true"},
    {"\"\"", "\"\""},
    {"\"a\"", "\"a\""},
    {"{}", "{}"},
    {"[]", "[]"},
    {"[{}]", "[\n  {}\n]"},
    {"[[]]", "[\n  []\n]"},
    {"[[],{}]", "[\n  [],\n  {}\n]"},
    {"[1]", "[\n  1\n]"},
    {"[1,2]", "[\n  1,\n  2\n]"},
    {"[null,true,\"x\"]", "[\n  null,\n  true,\n  \"x\"\n]"},
    {"{\"a\":1}", "{\n  \"a\": 1\n}"},
    {"{\"a\":1,\"b\":\"x\"}", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"},
    {"{\"a\":{},\"b\":[]}", "{\n  \"a\": {},\n  \"b\": []\n}"},
    {"{\"a\":{\"b\":{\"c\":[1,[2]]}}}",
     "{\n  \"a\": {\n    \"b\": {\n      \"c\": [\n        1,\n        [\n          2\n        ]\n"
     "      ]\n    }\n  }\n}"},
    {"{\"a\":[{\"b\":1},{\"b\":2}]}",
     "{\n  \"a\": [\n    {\n      \"b\": 1\n    },\n    {\n      \"b\": 2\n    }\n  ]\n}"},
    /* What looks like structure inside of strings. */
    {"{\"{,:[\":\"]}:,\"}", "{\n  \"{,:[\": \"]}:,\"\n}"},
    {"[\"\\\"\",\"\\\\\",\"\\\\\\\"[\"]", "[\n  \"\\\"\",\n  \"\\\\\",\n  \"\\\\\\\"[\"\n]"},
    {"[\"\\u005b\",\"\xc3\xa9\"]", "[\n  \"\\u005b\",\n  \"\xc3\xa9\"\n]"},
    /* The end of a line behind the value is kept. */
    {"{\"a\":1}\n", "{\n  \"a\": 1\n}\n"},
    {"{}\n", "{}\n"},
};

/* In pieces of `step` bytes. */
static void check(const char *compact, const char *pretty, size_t step)
{
    struct json_pretty p = {0};
    struct slice rest = slice_from_string(compact);
    struct buf out;
    buf_init(&out, 4096);
    while (rest.len > 0) {
        struct slice piece = slice_first(rest, rest.len < step ? rest.len : step);
        rest = slice_skip(rest, piece.len);
        assert_int_equal(json_pretty_append(&p, piece, &out), 0);
    }
    if (!slice_equal(buf_slice(&out), slice_from_string(pretty)))
        fail_msg("%s in pieces of %zu:\n%.*s", compact, step, SLICE_PRINT(buf_slice(&out)));
    assert_int_equal(p.depth, 0);
    buf_fini(&out);
}

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step < 64; step++)
            check(rows[i].compact, rows[i].pretty, step);
}

/* At each limit below the length it says so. */
static void limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].pretty);
        for (size_t max = 0; max <= len; max++) {
            struct json_pretty p = {0};
            struct buf out;
            buf_init(&out, max);
            int result = json_pretty_append(&p, slice_from_string(rows[i].compact), &out);
            assert_int_equal(result == 0, max == len);
            buf_fini(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
