/* Rules from method options and from outside: what they compile to, and every reason for which one
 * is refused, with file, rule and reason. */
#include "descriptor_writer.h"
#include "routes_fixture.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct http_route *find(const struct routes *r, const char *method, const char *path)
{
    struct path_match match;
    if (!routes_match(r, slice_from_string(method), slice_from_string(path), &match))
        fail_msg("%s %s: no route", method, path);
    return match.route;
}

static struct routes *build(const struct http_rule *rules, size_t count)
{
    struct status st;
    struct routes *r = routes_build(fixture_schema, rules, count, &st);
    if (!r)
        fail_msg("%s", st.text);
    return r;
}

static void assert_refused(struct schema *schema, const struct http_rule *rules, size_t count,
                           const char *expected)
{
    struct status st;
    assert_null(routes_build(schema, rules, count, &st));
    assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(st.text, expected);
}

/* What routes.proto says. */
static void test_options(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *rpc, *body, *response;
    } rows[] = {
        {"GET", "/v1/shelves/1", "GetShelf", "", ""},
        {"GET", "/v1/shelves/1/books", "ListBooks", "", "books"},
        {"GET", "/v1/books", "ListBooks", "", ""},
        {"POST", "/v1/books:list", "ListBooks", "*", ""},
        {"POST", "/v1/shelves/1/books", "CreateBook", "book", ""},
        {"PATCH", "/v1/shelves/1/books/2", "UpdateBook", "book", ""},
        {"PUT", "/v1/shelves/1/books/2", "ReplaceBook", "book", ""},
        {"DELETE", "/v1/shelves/1/books/2", "DeleteBook", "", ""},
        {"POST", "/v1/shelves/1/books/2:move", "MoveBook", "*", ""},
        {"SEARCH", "/v1/books", "FindBooks", "", ""},
        {"PATCH", "/masks", "Update", "book", ""},
        {"POST", "/library.v1.Library/Plain", "Plain", "*", ""},
        {"POST", "/library.v1.Library/FindBooks", "FindBooks", "*", ""},
    };
    struct routes *r = build(NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct http_route *route = find(r, rows[i].method, rows[i].path);
        struct slice body = route->body == HTTP_BODY_ALL ? SLICE("*") : (struct slice){NULL, 0};
        if (route->body == HTTP_BODY_FIELD)
            body = route->body_field->name;
        struct slice response =
            route->response_field ? route->response_field->name : (struct slice){NULL, 0};
        assert_true(slice_equal(route->method->name, slice_from_string(rows[i].rpc)));
        assert_true(slice_equal(body, slice_from_string(rows[i].body)));
        assert_true(slice_equal(response, slice_from_string(rows[i].response)));
    }
    /* Eleven rules, ten implicit routes. */
    assert_int_equal(routes_count(r), 21);
    size_t listed = 0;
    for (const struct http_route *route = routes_first(r); route; route = route->next)
        listed++;
    assert_int_equal(listed, 21);
    assert_true(slice_equal(find(r, "GET", "/v1/books")->source, SLICE("routes.proto")));
    assert_ptr_equal(routes_schema(r), fixture_schema);
    routes_unref(r);
}

static void test_masks(void **state)
{
    (void)state;
    struct routes *r = build(NULL, 0);
    const struct http_route *update = find(r, "PATCH", "/v1/shelves/1/books/2");
    assert_non_null(update->mask_field);
    assert_true(slice_equal(update->mask_field->name, SLICE("update_mask")));
    assert_null(find(r, "PUT", "/v1/shelves/1/books/2")->mask_field);
    assert_null(find(r, "PATCH", "/masks")->mask_field);
    routes_unref(r);
    static const struct http_rule rules[] = {
        {.selector = SLICE("library.v1.Library.Plain"),
         .method = SLICE("PATCH"),
         .path = SLICE("/all"),
         .body = SLICE("*")},
        {.method = SLICE("PATCH"),
         .path = SLICE("/scalar"),
         .body = SLICE("page_size"),
         .additional = true},
        {.method = SLICE("PATCH"),
         .path = SLICE("/list"),
         .body = SLICE("many_books"),
         .additional = true},
        {.method = SLICE("PATCH"), .path = SLICE("/time"), .body = SLICE("at"), .additional = true},
        {.method = SLICE("PATCH"),
         .path = SLICE("/book"),
         .body = SLICE("book"),
         .additional = true},
    };
    r = build(rules, COUNT(rules));
    assert_null(find(r, "PATCH", "/all")->mask_field);
    assert_null(find(r, "PATCH", "/scalar")->mask_field);
    assert_null(find(r, "PATCH", "/list")->mask_field);
    assert_null(find(r, "PATCH", "/time")->mask_field);
    assert_non_null(find(r, "PATCH", "/book")->mask_field);
    routes_unref(r);
}

/* One rule for Plain, as in a file. */
static struct http_rule plain(const char *method, const char *path, const char *body,
                              const char *response)
{
    return (struct http_rule){.selector = SLICE("library.v1.Library.Plain"),
                              .method = slice_from_string(method),
                              .path = slice_from_string(path),
                              .body = slice_from_string(body),
                              .response_body = slice_from_string(response),
                              .source = "r.yaml",
                              .line = 7};
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *body, *response, *reason;
    } rows[] = {
        {"GET", "", "", "", "expected \"/\" at column 1"},
        {"GET", "/v1/{name", "", "", "expected \"}\" at column 10"},
        {"GET", "/v1/{name=a/{b}}", "", "", "a variable inside of a variable at column 13"},
        {"GET", "/v1/{name=**}/**", "", "", "a second \"**\" at column 17"},
        {"G T", "/x", "", "", "the custom kind is not an HTTP method"},
        {"GET,", "/x", "", "", "the custom kind is not an HTTP method"},
        {"GET", "/{nam}", "", "",
         "the variable \"nam\" is no field of library.v1.Request: no such field"},
        {"GET", "/{book.nam}", "", "",
         "the variable \"book.nam\" is no field of library.v1.Request: no such field"},
        {"GET", "/{name.x}", "", "",
         "the variable \"name.x\" is no field of library.v1.Request: only messages have fields"},
        {"GET", "/{many_books.name}", "", "",
         "the variable \"many_books.name\" is no field of library.v1.Request: it leads through a "
         "list or map"},
        {"GET", "/{labels.key}", "", "",
         "the variable \"labels.key\" is no field of library.v1.Request: it leads through a list "
         "or map"},
        {"GET", "/{at.seconds}", "", "",
         "the variable \"at.seconds\" is no field of library.v1.Request: it leads into a type that "
         "has a text form of its own"},
        {"GET", "/{book}", "", "", "the variable \"book\" is a message"},
        {"GET", "/{book.author}", "", "", "the variable \"book.author\" is a message"},
        {"GET", "/{a_struct}", "", "", "the variable \"a_struct\" is a message"},
        {"GET", "/{a_value}", "", "", "the variable \"a_value\" is a message"},
        {"GET", "/{an_any}", "", "", "the variable \"an_any\" is a message"},
        {"GET", "/{an_empty}", "", "", "the variable \"an_empty\" is a message"},
        {"GET", "/{tags}", "", "", "the variable \"tags\" is repeated"},
        {"GET", "/{labels}", "", "", "the variable \"labels\" is repeated"},
        {"GET", "/{book.tags}", "", "", "the variable \"book.tags\" is repeated"},
        {"GET", "/{name}/{name}", "", "", "the variable \"name\" occurs twice"},
        {"GET", "/{page_size}/{pageSize}", "", "", "the variable \"pageSize\" occurs twice"},
        {"POST", "/{name}", "name", "", "the variable \"name\" is the body as well"},
        {"POST", "/x", "bok", "", "body \"bok\" is no field of library.v1.Request itself"},
        {"POST", "/x", "book.author", "",
         "body \"book.author\" is no field of library.v1.Request itself"},
        {"GET", "/x", "", "bok", "response_body \"bok\" is no field of library.v1.Reply itself"},
        {"GET", "/x", "", "*", "response_body \"*\" is no field of library.v1.Reply itself"},
        {"GET", "/x", "", "book.name",
         "response_body \"book.name\" is no field of library.v1.Reply itself"},
        {"GET", "/v1/books", "", "",
         "same method and path as \"/v1/books\" of library.v1.Library.ListBooks"},
        {"GET", "/v1/shelves/{a}", "", "",
         "same method and path as \"/v1/{name=shelves/*}\" of library.v1.Library.GetShelf"},
        {"POST", "/v1/{name=shelves/*}/books/{a}:move", "", "",
         "same method and path as \"/v1/{name=shelves/*/books/*}:move\" of "
         "library.v1.Library.MoveBook"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_rule rule = plain(rows[i].method, rows[i].path, rows[i].body, rows[i].response);
        char expected[STATUS_TEXT_LEN];
        snprintf(expected, sizeof expected, "r.yaml:7: library.v1.Library.Plain: %s \"%.40s\": %s",
                 rows[i].method, rows[i].path, rows[i].reason);
        assert_refused(fixture_schema, &rule, 1, expected);
    }
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "name",         "page_size",   "pageSize",
        "an_int64",     "a_uint32",    "a_sint64",
        "a_double",     "a_bool",      "a_bytes",
        "color",        "book.title",  "book.author.age",
        "at",           "lasts",       "maybe",
        "maybe_string", "maybe_int64", "book.author.mentor.name",
        "one",          "three.age",   "renamed",
        "other",        "nothing",     "update_mask",
    };
    for (size_t i = 0; i < COUNT(variables); i++) {
        char path[64];
        snprintf(path, sizeof path, "/x/{%s}", variables[i]);
        struct http_rule rule = plain("GET", path, "", "");
        struct routes *r = build(&rule, 1);
        const struct http_route *route = find(r, "GET", "/x/1");
        assert_int_equal(route->template.variable_count, 1);
        assert_in_range(route->slots[0].len, 1, 4);
        routes_unref(r);
    }
}

static void test_selectors(void **state)
{
    (void)state;
    static const char *const unknown[] = {"",
                                          "Plain",
                                          "library.v1.Library",
                                          "library.v1.Library.",
                                          ".library.v1.Library.Plain",
                                          "library.v1.Library.None",
                                          "library.v1.Request",
                                          "library.v1.Library/Plain",
                                          "*"};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        char expected[STATUS_TEXT_LEN];
        struct http_rule rule = plain("GET", "/x", "", "");
        rule.selector = slice_from_string(unknown[i]);
        rule.line = 0;
        snprintf(expected, sizeof expected, "r.yaml: %s: GET \"/x\": the selector names no method",
                 unknown[i]);
        assert_refused(fixture_schema, &rule, 1, expected);
    }
    struct http_rule rule = plain("GET", "/x", "", "");
    rule.additional = true;
    rule.selector = (struct slice){NULL, 0};
    assert_refused(fixture_schema, &rule, 1,
                   "r.yaml:7: : GET \"/x\": an additional binding without a rule");
}

static bool matches(const struct routes *r, const char *method, const char *path)
{
    struct path_match match;
    return routes_match(r, slice_from_string(method), slice_from_string(path), &match);
}

static void test_overrides(void **state)
{
    (void)state;
    static const struct http_rule rules[] = {
        {.selector = SLICE("library.v1.Library.ListBooks"),
         .method = SLICE("GET"),
         .path = SLICE("/first")},
        {.method = SLICE("GET"), .path = SLICE("/first/more"), .additional = true},
        {.selector = SLICE("library.v1.Library.GetShelf"),
         .method = SLICE("GET"),
         .path = SLICE("/shelf")},
        {.selector = SLICE("library.v1.Library.ListBooks"),
         .method = SLICE("GET"),
         .path = SLICE("/second")},
        {.method = SLICE("GET"), .path = SLICE("/second/more"), .additional = true},
        {.selector = SLICE("library.v1.Library.MoveBook")},
    };
    struct routes *r = build(rules, COUNT(rules));
    static const struct {
        const char *method, *path;
        bool found;
    } rows[] = {
        {"GET", "/second", true},
        {"GET", "/second/more", true},
        {"GET", "/first", false},
        {"GET", "/first/more", false},
        {"GET", "/v1/books", false},
        {"POST", "/v1/books:list", false},
        {"GET", "/shelf", true},
        {"GET", "/v1/shelves/1", false},
        {"SEARCH", "/v1/books", true},
        {"DELETE", "/v1/shelves/1/books/2", true},
        {"POST", "/v1/shelves/1/books/2:move", false},
        {"POST", "/library.v1.Library/MoveBook", true},
        {"POST", "/library.v1.Library/ListBooks", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (matches(r, rows[i].method, rows[i].path) != rows[i].found)
            fail_msg("%s %s", rows[i].method, rows[i].path);
    routes_unref(r);
}

/* Two rules of the list for one path. */
static void test_conflict(void **state)
{
    (void)state;
    struct http_rule rules[] = {plain("GET", "/a/{b}", "", ""), plain("GET", "/a/{c}", "", "")};
    rules[1].additional = true;
    rules[1].line = 9;
    assert_refused(fixture_schema, rules, 2,
                   "r.yaml:9: library.v1.Library.Plain: GET \"/a/{c}\": same method and path as "
                   "\"/a/{b}\" of library.v1.Library.Plain");
    rules[1].method = SLICE("PUT");
    routes_unref(build(rules, 2));
}

/* Texts of the list need not outlive routes_build(). */
static void test_copies(void **state)
{
    (void)state;
    char path[] = "/gone/{a=x/*}", method[] = "GET", source[] = "s.yaml";
    struct http_rule rule = plain(method, path, "", "");
    rule.source = source;
    struct routes *r = build(&rule, 1);
    memset(path, '!', sizeof path);
    memset(method, '!', sizeof method);
    memset(source, '!', sizeof source);
    assert_string_equal(fixture_match(r, "GET", "/gone/x/1"), "/gone/{a=x/*} a=x/1");
    assert_true(slice_equal(find(r, "GET", "/gone/x/1")->source, SLICE("s.yaml")));
    struct routes *second = routes_ref(r);
    routes_unref(r);
    assert_true(matches(second, "GET", "/gone/x/1"));
    routes_unref(second);
    routes_unref(NULL);
}

/* ---- Options as peers may send them ---- */

enum { HTTP = 72295728 };

/* A service with one method that has these options. */
static struct schema *schema_with(struct slice options)
{
    struct status st;
    struct schema_builder *b = schema_builder_new();
    assert_non_null(b);
    struct slice set =
        FILE_OF("p.proto", "p", "proto3", MESSAGE("M", FIELD("f", 1, STRING)),
                SERVICE("S", write_bytes(2, ALL(write_text(1, "Call"), write_text(2, "M"),
                                                write_text(3, "M"), write_bytes(4, options)))));
    assert_true(schema_builder_add_set(b, set, "test", &st));
    struct schema *schema = schema_build(b, &st);
    if (!schema)
        fail_msg("%s", st.text);
    schema_builder_free(b);
    return schema;
}

static void check_bad_options(struct slice options, const char *expected)
{
    struct schema *schema = schema_with(options);
    assert_refused(schema, NULL, 0, expected);
    schema_unref(schema);
    writer_reset();
}

static void test_bad_options(void **state)
{
    (void)state;
    check_bad_options(write_bytes(HTTP, SLICE("\x12\x05/a")),
                      "p.proto: p.S.Call: google.api.http is malformed");
    check_bad_options(write_bytes(HTTP, ALL(write_bytes(8, SLICE("\x0a\xff")))),
                      "p.proto: p.S.Call: google.api.http is malformed");
    check_bad_options(write_bytes(HTTP, ALL(write_text(2, "/a"), write_bytes(11, SLICE("\x12")))),
                      "p.proto: p.S.Call: google.api.http is malformed");
    check_bad_options(
        write_bytes(HTTP, ALL(write_text(2, "/a"),
                              write_bytes(11, ALL(write_text(2, "/b"),
                                                  write_bytes(11, ALL(write_text(2, "/c"))))))),
        "p.proto: p.S.Call: additional_bindings inside of additional_bindings");
    check_bad_options(write_bytes(HTTP, ALL(write_text(2, "/{g}"))),
                      "p.proto: p.S.Call: GET \"/{g}\": the variable \"g\" is no field of p.M: no "
                      "such field");
    check_bad_options(
        write_bytes(HTTP, ALL(write_bytes(8, ALL(write_text(1, "A B"), write_text(2, "/a"))))),
        "p.proto: p.S.Call: A B \"/a\": the custom kind is not an HTTP method");
    check_bad_options(
        write_bytes(HTTP, ALL(write_text(2, "/a"), write_bytes(11, ALL(write_text(2, "/a"))))),
        "p.proto: p.S.Call: GET \"/a\": same method and path as \"/a\" of p.S.Call");
}

static void check_options(struct slice options, size_t count, const char *const requests[][2])
{
    struct status st;
    struct schema *schema = schema_with(options);
    struct routes *r = routes_build(schema, NULL, 0, &st);
    if (!r)
        fail_msg("%s", st.text);
    assert_int_equal(routes_count(r), count + 1);
    for (size_t i = 0; i < count; i++)
        assert_true(matches(r, requests[i][0], requests[i][1]));
    routes_unref(r);
    schema_unref(schema);
    writer_reset();
}

static void test_odd_options(void **state)
{
    (void)state;
    /* No rule; an empty one; a custom pattern without kind. */
    check_options(write_number(33, 1), 0, NULL);
    check_options(write_bytes(HTTP, NOTHING), 0, NULL);
    check_options(write_bytes(HTTP, ALL(write_bytes(8, ALL(write_text(2, "/a"))))), 0, NULL);
    /* The last member of the oneof counts; unknown fields and wrong wire types are passed over. */
    check_options(write_bytes(HTTP, ALL(write_text(2, "/a"), write_text(4, "/b"),
                                        write_text(99, "x"), write_number(2, 5))),
                  1, (const char *const[][2]){{"POST", "/b"}});
    /* In two pieces. */
    check_options(
        ALL(write_bytes(HTTP, ALL(write_text(2, "/a"), write_bytes(11, ALL(write_text(3, "/b"))))),
            write_bytes(HTTP, ALL(write_text(7, "f"), write_bytes(11, ALL(write_text(5, "/c")))))),
        3, (const char *const[][2]){{"GET", "/a"}, {"PUT", "/b"}, {"DELETE", "/c"}});
    /* Only additional ones. */
    check_options(write_bytes(HTTP, ALL(write_bytes(11, ALL(write_text(6, "/a"))))), 1,
                  (const char *const[][2]){{"PATCH", "/a"}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),     cmocka_unit_test(test_masks),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_selectors),   cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_conflict),    cmocka_unit_test(test_copies),
        cmocka_unit_test(test_bad_options), cmocka_unit_test(test_odd_options),
    };
    return cmocka_run_group_tests(tests, fixture_load, fixture_unload);
}
