/* Files of HTTP rules: what is read, and every refusal with its place in the file. */
#include "gateway/schema/http_rules_yaml.h"

#include "routes_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define HEAD "http:\n  rules:\n"

enum { ROOM = 16 << 20 };

/* Parses an exact copy on the heap, so that the sanitizer sees any over-read. */
static bool parse(const char *text, struct arena *arena, struct http_rule **rules, size_t *count,
                  struct status *st)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    arena_init(arena, NULL, 0, ROOM);
    bool good = http_rules_yaml_parse(slice_from(copy, len), "rules.yaml", arena, rules, count, st);
    free(copy);
    return good;
}

static const char *rule_text(const struct http_rule *r)
{
    static char text[512];
    snprintf(text, sizeof text, "%s%.*s %.*s %.*s body=%.*s reply=%.*s %s:%u",
             r->additional ? "+" : "", SLICE_PRINT(r->selector), SLICE_PRINT(r->method),
             SLICE_PRINT(r->path), SLICE_PRINT(r->body), SLICE_PRINT(r->response_body), r->source,
             r->line);
    return text;
}

static void test_everything(void **state)
{
    (void)state;
    static const char text[] = "type: google.api.Service\n"
                               "config_version: 3\n"
                               "name: library.example\n"
                               "apis: [{name: library.v1.Library}]\n"
                               "http:\n"
                               "  fullyDecodeReservedExpansion: false\n"
                               "  rules:\n"
                               "  - selector: a.B.Get\n"
                               "    get: /v1/{name=x/*}\n"
                               "    response_body: book\n"
                               "    additional_bindings:\n"
                               "    - post: '/v1/x:get'\n"
                               "      body: \"*\"\n"
                               "    - custom: {kind: SEARCH, path: /v1/x}\n"
                               "      responseBody: books\n"
                               "  - {selector: a.B.Put, put: /p, body: book}\n"
                               "  - {selector: a.B.Del, delete: /p}\n"
                               "  - {selector: a.B.Patch, patch: /p, additionalBindings: []}\n"
                               "  - selector: a.B.Hidden\n";
    static const char *const expected[] = {
        "a.B.Get GET /v1/{name=x/*} body= reply=book rules.yaml:8",
        "+ POST /v1/x:get body=* reply= rules.yaml:12",
        "+ SEARCH /v1/x body= reply=books rules.yaml:14",
        "a.B.Put PUT /p body=book reply= rules.yaml:16",
        "a.B.Del DELETE /p body= reply= rules.yaml:17",
        "a.B.Patch PATCH /p body= reply= rules.yaml:18",
        "a.B.Hidden   body= reply= rules.yaml:19",
    };
    struct arena arena;
    struct http_rule *rules;
    struct status st;
    size_t count;
    if (!parse(text, &arena, &rules, &count, &st))
        fail_msg("%s", st.text);
    assert_int_equal(count, COUNT(expected));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(rule_text(&rules[i]), expected[i]);
    arena_fini(&arena);
}

static void test_few_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {"http: {}", "http:\n  rules: []\n", "{\"http\": {}}",
                                        "---\nhttp: {}\n...\n", "\xef\xbb\xbfhttp: {}\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena arena;
        struct http_rule *rules;
        struct status st;
        size_t count;
        if (!parse(texts[i], &arena, &rules, &count, &st))
            fail_msg("%s: %s", texts[i], st.text);
        assert_int_equal(count, 0);
        arena_fini(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", "1:1: the file is empty"},
        {"# nothing\n", "1:1: the file is empty"},
        {"name: x\n", "1:1: the file has no section \"http\""},
        {"- http\n", "1:1: the file needs a mapping, not a list"},
        {"htpp: {}\n", "1:1: the file has no section \"http\"; is \"htpp\" meant to be it?"},
        {"qqqqqq: {}\n", "1:1: the file has no section \"http\""},
        {"http: {}\nhttp: {}\n", "2:1: the key \"http\" is here twice, first at 1:1"},
        {"http: {rules: [{responseBody: a, response_body: a}]}\n",
         "1:34: a rule has the key \"response_body\" twice"},
        {"http: 5\n", "1:7: http needs a mapping, not a text"},
        {"http:\n", "1:6: http needs a mapping, not null"},
        {"http: {rule: []}\n", "1:8: http has no key \"rule\", did you mean \"rules\"?"},
        {"http: {rules: {}}\n", "1:15: rules needs a list, not a mapping"},
        {"http: {fully_decode_reserved_expansion: true}\n",
         "1:41: fully_decode_reserved_expansion is not built yet"},
        {HEAD "  - x\n", "3:5: a rule needs a mapping, not a text"},
        {HEAD "  - get: /a\n", "3:5: a rule needs a selector: pkg.Service.Method"},
        {HEAD "  - selector: a.B.C\n    gte: /a\n",
         "4:5: a rule has no key \"gte\", did you mean \"get\"?"},
        {HEAD "  - selector: a.B.C\n    respnse_body: a\n",
         "4:5: a rule has no key \"respnse_body\", did you mean \"response_body\"?"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    get: /b\n",
         "5:5: the key \"get\" is here twice, first at 4:5"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    post: /b\n",
         "5:11: a rule has one HTTP method, not get and post; use additional_bindings"},
        {HEAD "  - selector: a.B.C\n    get: [/a]\n", "4:10: get needs a text, not a list"},
        {HEAD "  - selector: a.B.C\n    get:\n", "4:9: get needs a path"},
        {HEAD "  - selector: a.B.C\n    body: x\n",
         "3:5: needs get, put, post, delete, patch or custom"},
        {HEAD "  - selector: a.B.C\n    custom: {kind: X}\n", "4:13: custom needs kind and path"},
        {HEAD "  - selector: a.B.C\n    custom: {kid: X}\n",
         "4:14: custom has no key \"kid\", did you mean \"kind\"?"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    additional_bindings: {get: /b}\n",
         "5:26: additional_bindings needs a list, not a mapping"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    additional_bindings:\n    - body: x\n",
         "6:7: needs get, put, post, delete, patch or custom"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    additional_bindings:\n"
              "    - selector: a.B.D\n      get: /b\n",
         "6:17: a binding has no selector of its own: it is the rule's"},
        {HEAD "  - selector: a.B.C\n    get: /a\n    additional_bindings:\n"
              "    - get: /b\n      additional_bindings: []\n",
         "7:28: additional_bindings inside of additional_bindings"},
        {HEAD "  - &r\n    selector: a.B.C\n    get: /a\n    additional_bindings: [*r]\n",
         "6:27: aliases are not understood here: *r"},
        {"http: {}\n---\nhttp: {}\n", "2:1: a second document"},
        {"http: [\n", "2:1: did not find expected node content while parsing a flow node"},
        {"http: *x\n", "1:7: aliases are not understood here: *x"},
        {"http: {}\nx: \"\xff\"\n", "2:5: invalid leading UTF-8 octet"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char expected[STATUS_TEXT_LEN];
        struct arena arena;
        struct http_rule *rules;
        struct status st;
        size_t count;
        snprintf(expected, sizeof expected, "rules.yaml:%s", rows[i].expected);
        if (parse(rows[i].text, &arena, &rules, &count, &st))
            fail_msg("accepted: %s", rows[i].text);
        assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(st.text, expected);
        assert_int_equal(count, 0);
        arena_fini(&arena);
    }
}

static void test_too_many_rules(void)
{
    enum { RULES = HTTP_RULES_YAML_MAX_RULES + 1, RULE_LEN = 24 };
    static char text[64 + RULES * RULE_LEN] = "http: {rules: [";
    struct arena arena;
    struct http_rule *rules;
    struct status st;
    size_t count, len = strlen(text);
    for (size_t i = 0; i < RULES; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "{selector: a.B},\n");
    snprintf(text + len, sizeof text - len, "]}\n");
    assert_false(parse(text, &arena, &rules, &count, &st));
    assert_string_equal(st.text, "rules.yaml:20001:1: more than 20000 rules");
    arena_fini(&arena);
}

static void test_limits(void **state)
{
    (void)state;
    static char text[4096] = HEAD "  - selector: a.B.C\n    get: /";
    struct arena arena;
    struct http_rule *rules;
    struct status st;
    size_t count, start = strlen(text);
    memset(text + start, 'x', 3000);
    assert_false(parse(text, &arena, &rules, &count, &st));
    assert_string_equal(st.text, "rules.yaml:4:10: get is too long");
    arena_fini(&arena);
    test_too_many_rules();
    /* Memory of the caller. */
    arena_init(&arena, NULL, 0, 64);
    struct slice small = SLICE(HEAD "  - {selector: library.v1.Library.Plain, get: /a}\n");
    assert_false(http_rules_yaml_parse(small, "r", &arena, &rules, &count, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    arena_fini(&arena);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* From file to routes: the rules override, and what they get wrong is named. */
static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/http_rules_XXXXXX", expected[STATUS_TEXT_LEN];
    struct status st;
    struct path_match match;
    close(mkstemp(path));
    write_file(path, HEAD "  - selector: library.v1.Library.GetShelf\n    get: /new/{name}\n");
    struct routes *r = http_rules_yaml_build(fixture_schema, path, &st);
    assert_non_null(r);
    assert_true(routes_match(r, SLICE("GET"), SLICE("/new/1"), &match));
    assert_int_equal(match.route->line, 3);
    assert_true(slice_equal(match.route->source, slice_from_string(path)));
    assert_false(routes_match(r, SLICE("GET"), SLICE("/v1/shelves/1"), &match));
    routes_unref(r);
    write_file(path, HEAD "\n  - selector: library.v1.Library.Missing\n    get: /new\n");
    assert_null(http_rules_yaml_build(fixture_schema, path, &st));
    snprintf(expected, sizeof expected, "%s:4: library.v1.Library.Missing: GET \"/new\": %s", path,
             "the selector names no method");
    assert_string_equal(st.text, expected);
    unlink(path);
    assert_null(http_rules_yaml_build(fixture_schema, path, &st));
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_string_equal(st.text, expected);
    assert_null(http_rules_yaml_build(fixture_schema, "/dev/zero", &st));
    assert_string_equal(st.text, "/dev/zero: longer than 4 MiB");
    r = http_rules_yaml_build(fixture_schema, NULL, &st);
    assert_non_null(r);
    routes_unref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_few_rules),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, fixture_load, fixture_unload);
}
