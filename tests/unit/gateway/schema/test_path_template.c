/* The grammar of path templates: every production, and every way to break it. */
#include "gateway/schema/path_template.h"
#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

/* Segments one after the other, then verb and variables: "/v1 :verb a=1+2". */
static void dump(const struct path_template *t, char *out, size_t len)
{
    int at = 0;
    for (size_t i = 0; i < t->segment_count; i++) {
        const struct path_segment *s = &t->segments[i];
        if (s->kind == PATH_LITERAL)
            at += snprintf(out + at, len - (size_t)at, "/%.*s", SLICE_PRINT(s->literal));
        else
            at += snprintf(out + at, len - (size_t)at, s->kind == PATH_STAR ? "/*" : "/**");
    }
    if (t->verb.len > 0)
        at += snprintf(out + at, len - (size_t)at, " :%.*s", SLICE_PRINT(t->verb));
    for (size_t i = 0; i < t->variable_count; i++) {
        const struct path_variable *v = &t->variables[i];
        at += snprintf(out + at, len - (size_t)at, " %.*s=%d+%d%s", SLICE_PRINT(v->field_path),
                       v->first, v->count, v->multi ? "m" : "");
    }
    assert_true((size_t)at < len);
}

/* Parses from an exact copy on the heap, so that the sanitizer sees any over-read. */
static const char *parse(const char *text)
{
    static char result[2048];
    struct arena arena;
    struct path_template t;
    struct status st;
    arena_init(&arena, NULL, 0, 1 << 20);
    size_t len = strlen(text);
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    bool ok = path_template_parse(&t, slice_from(copy, len), &arena, &st);
    free(copy);
    result[0] = 0;
    if (ok)
        dump(&t, result, sizeof result);
    else
        snprintf(result, sizeof result, "%s", st.text);
    if (!ok)
        assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
    arena_fini(&arena);
    return result;
}

struct row {
    const char *text, *expected;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = parse(rows[i].text);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].text, got, rows[i].expected);
    }
}

static void test_valid(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/", ""},
        {"/v1", "/v1"},
        {"/v1/messages", "/v1/messages"},
        {"/*", "/*"},
        {"/**", "/**"},
        {"/v1/*/x", "/v1/*/x"},
        {"/v1/**/x", "/v1/**/x"},
        {"/{a}", "/* a=0+1"},
        {"/{a=*}", "/* a=0+1"},
        {"/{a=**}", "/** a=0+1m"},
        {"/{a=b}", "/b a=0+1"},
        {"/v1/{name=messages/*}", "/v1/messages/* name=1+2m"},
        {"/v1/{name=shelves/*/books/**}", "/v1/shelves/*/books/** name=1+4m"},
        {"/v1/{message_id}", "/v1/* message_id=1+1"},
        {"/v1/{message.message_id}", "/v1/* message.message_id=1+1"},
        {"/v1/users/{user_id}/messages/{message_id}",
         "/v1/users/*/messages/* user_id=2+1 message_id=4+1"},
        {"/v2/{instance_name=**}/actionResults/{digest.hash}/{digest.size}",
         "/v2/**/actionResults/*/* instance_name=1+1m digest.hash=3+1 digest.size=4+1"},
        {"/{a=**}/x", "/**/x a=0+1m"},
        {"/{a=**}/{b}", "/**/* a=0+1m b=1+1"},
        {"/{a=x/**/y}/{b}", "/x/**/y/* a=0+3m b=3+1"},
        {"/{a}/{b=**}", "/*/** a=0+1 b=1+1m"},
        {"/v1:verb", "/v1 :verb"},
        {"/v1/*:verb", "/v1/* :verb"},
        {"/v1/**:verb", "/v1/** :verb"},
        {"/v1/{a}:verb", "/v1/* :verb a=1+1"},
        {"/v1/{name=a/*}:cancel", "/v1/a/* :cancel name=1+2m"},
        {"/v1/{name=a/b:c}", "/v1/a/b:c name=1+2m"},
        {"/v1/{name=a/b:c}:d", "/v1/a/b:c :d name=1+2m"},
        {"/a:b/c", "/a:b/c"},
        {"/a:b/c:d", "/a:b/c :d"},
        {"/a:b:c", "/a:b :c"},
        {"/v1/-._~!$&'()+,;=@", "/v1/-._~!$&'()+,;=@"},
        {"/a%20b", "/a b"},
        {"/%41bc", "/Abc"},
        {"/a%2Fb/c", "/a/b/c"},
        {"/x:do%20it", "/x :do it"},
        {"/caf\xc3\xa9", "/caf\xc3\xa9"},
        {"/caf%C3%A9", "/caf\xc3\xa9"},
        {"/{_a1.B_2}", "/* _a1.B_2=0+1"},
        {"/v1/{a}/{b}/{c}", "/v1/*/*/* a=1+1 b=2+1 c=3+1"},
        {"/pkg.Service/Method", "/pkg.Service/Method"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

static void test_invalid(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "expected \"/\" at column 1"},
        {"v1", "expected \"/\" at column 1"},
        {"{a}", "expected \"/\" at column 1"},
        {"//", "an empty segment at column 2"},
        {"/v1/", "an empty segment at column 5"},
        {"/v1//x", "an empty segment at column 5"},
        {"/:verb", "an empty segment at column 2"},
        {"/v1/:verb", "an empty segment at column 5"},
        {"/v1:", "an empty verb at column 5"},
        {"/v1/{a}:", "an empty verb at column 9"},
        {"/v1:a b", "a character that no verb may hold at column 6"},
        {"/v1:*", "a character that no verb may hold at column 5"},
        {"/v1:{a", "a character that no verb may hold at column 5"},
        {"/{", "expected a field path at column 3"},
        {"/{}", "expected a field path at column 3"},
        {"/{a", "expected \"}\" at column 4"},
        {"/{a=", "an empty segment at column 5"},
        {"/{a=}", "an empty segment at column 5"},
        {"/{a=*", "expected \"}\" at column 6"},
        {"/{a=b/}", "an empty segment at column 7"},
        {"/{a=/b}", "an empty segment at column 5"},
        {"/{=b}", "expected a field path at column 3"},
        {"/{.a}", "expected a field path at column 3"},
        {"/{a.}", "expected a field path at column 3"},
        {"/{a..b}", "expected a field path at column 3"},
        {"/{1a}", "expected a field path at column 3"},
        {"/{a-b}", "expected a field path at column 3"},
        {"/{a b}", "expected a field path at column 3"},
        {"/{a*}", "expected a field path at column 3"},
        {"/{a={b}}", "a variable inside of a variable at column 5"},
        {"/{a=x/{b}}", "a variable inside of a variable at column 7"},
        {"/{a}b", "expected \"/\" at column 5"},
        {"/{a}{b}", "expected \"/\" at column 5"},
        {"/a{b}", "a wildcard or variable must be a whole segment at column 3"},
        {"/a*", "a wildcard or variable must be a whole segment at column 3"},
        {"/*a", "expected \"/\" at column 3"},
        {"/***", "expected \"/\" at column 4"},
        {"/**/**", "a second \"**\" at column 7"},
        {"/{a=**}/{b=**}", "a second \"**\" at column 14"},
        {"/{a=**/x/**}", "a second \"**\" at column 12"},
        {"/a}", "a \"}\" without \"{\" at column 3"},
        {"/}", "an empty segment at column 2"},
        {"/a b", "a character that no path may hold at column 3"},
        {"/a?b", "a character that no path may hold at column 3"},
        {"/a#b", "a character that no path may hold at column 3"},
        {"/a\"b", "a character that no path may hold at column 3"},
        {"/a\tb", "a character that no path may hold at column 3"},
        {"/a%", "a malformed \"%\" escape at column 2"},
        {"/a%2", "a malformed \"%\" escape at column 2"},
        {"/a%zz", "a malformed \"%\" escape at column 2"},
        {"/a:%zz", "a malformed \"%\" escape at column 4"},
        {"/\xff", "the template is not valid UTF-8 at column 1"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

static void fill(char *text, const char *piece, size_t count)
{
    size_t len = strlen(piece);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, piece, len);
    text[count * len] = 0;
}

static void test_limits(void **state)
{
    (void)state;
    char text[PATH_TEMPLATE_MAX_LEN + 2];
    fill(text, "/a", PATH_TEMPLATE_MAX_SEGMENTS);
    assert_string_equal(parse(text), text);
    fill(text, "/a", PATH_TEMPLATE_MAX_SEGMENTS + 1);
    assert_string_equal(parse(text), "too many segments at column 67");
    fill(text, "/{a}", PATH_TEMPLATE_MAX_VARIABLES);
    assert_non_null(strstr(parse(text), " a=15+1"));
    fill(text, "/{a}", PATH_TEMPLATE_MAX_VARIABLES + 1);
    assert_string_equal(parse(text), "too many variables at column 66");
    text[0] = '/';
    memset(text + 1, 'a', PATH_TEMPLATE_MAX_LEN);
    text[PATH_TEMPLATE_MAX_LEN] = 0;
    assert_string_equal(parse(text), text);
    text[PATH_TEMPLATE_MAX_LEN] = 'a';
    text[PATH_TEMPLATE_MAX_LEN + 1] = 0;
    assert_string_equal(parse(text), "the template is too long at column 1025");
}

static void test_memory(void **state)
{
    (void)state;
    struct path_template t;
    struct status st;
    unsigned failures = 0;
    for (size_t room = 0; room < 2048; room += 16) {
        uint8_t bytes[2048];
        struct arena arena;
        arena_init(&arena, bytes, room, 0);
        bool ok = path_template_parse(&t, SLICE("/v1/{name=a/*}:verb"), &arena, &st);
        failures += !ok;
        assert_true(ok || st.code == STATUS_RESOURCE_EXHAUSTED);
        arena_fini(&arena);
    }
    assert_in_range(failures, 1, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
