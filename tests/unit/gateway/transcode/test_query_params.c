/* What the path, the query and the body of a request bind: request in, message out, printed as
 * JSON. */
#include "gateway/schema/routes.h"
#include "gateway/transcode/param_writer.h"
#include "gateway/transcode/request_binding.h"
#include "gateway/transcode/system_params.h"
#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct schema *schema;
static struct routes *routes;
static struct buf result;
static struct request_binding template; /* what tests set besides path, query and body */
static bool lenient;

static const struct {
    const char *method, *path, *body;
} bindings[] = {
    {"GET", "/q", ""},
    {"POST", "/all", "*"},
    {"POST", "/book", "book"},
    {"POST", "/tags", "tags"},
    {"POST", "/labels", "labels"},
    {"POST", "/size", "page_size"},
    {"POST", "/value", "a_value"},
    {"POST", "/one", "one"},
    {"POST", "/all/{name}", "*"},
    {"POST", "/book/{book.name}", "book"},
    {"POST", "/book/{book.author.name}/{name}", "book"},
    {"PATCH", "/book", "book"},
    {"PATCH", "/book/{book.name=x/*}", "book"},
    {"PATCH", "/all", "*"},
    {"GET", "/name/{name}", ""},
    {"GET", "/multi/{name=x/*}", ""},
    {"GET", "/rest/{name=**}", ""},
    {"GET", "/late/{name=**}/{parent}/{a}", ""},
    {"GET", "/rest/{name=**}:verb", ""},
    {"GET", "/three/{a}/{b}/{c}", ""},
    {"GET", "/int/{page_size}", ""},
    {"GET", "/uint/{a_uint64}", ""},
    {"GET", "/bool/{a_bool}", ""},
    {"GET", "/double/{a_double}", ""},
    {"GET", "/bytes/{a_bytes}", ""},
    {"GET", "/color/{color}", ""},
    {"GET", "/at/{at}", ""},
    {"GET", "/wrapped/{maybe_int64}", ""},
    {"GET", "/maybe/{maybe}", ""},
    {"GET", "/one/{one}", ""},
    {"GET", "/both/{one}/{two}", ""},
    {"GET", "/mentor/{book.author.mentor.mentor.name}", ""},
    {"PATCH", "/mask/{update_mask}", "book"},
    /* The examples of google/api/http.proto, with the fields of this schema: revision is page_size,
     * sub and message are book, message_id and user_id are name and parent. */
    {"GET", "/v1/{name=messages/*}", ""},
    {"GET", "/v2/messages/{name}", ""},
    {"PATCH", "/v2/messages/{name}", "book"},
    {"PATCH", "/v3/messages/{name}", "*"},
    {"GET", "/v3/messages/{name}", ""},
    {"GET", "/v3/users/{parent}/messages/{name}", ""},
    {"GET", "/v4/{name=**}/x", ""},
    {"DELETE", "/v4/{book.name=a/*/b/**}:purge", ""},
    {"PUT", "/v4/{parent}/at/{at}/{a_double}", "book"},
};

static int setup(void **state)
{
    (void)state;
    static const char *const paths[] = {SCHEMA_TEST_SETS "/routes.binpb"};
    struct http_rule rules[COUNT(bindings)];
    struct status st;
    schema = schema_load_files(paths, 1, &st);
    for (size_t i = 0; i < COUNT(bindings); i++)
        rules[i] = (struct http_rule){.selector = SLICE("library.v1.Library.Plain"),
                                      .method = slice_from_string(bindings[i].method),
                                      .path = slice_from_string(bindings[i].path),
                                      .body = slice_from_string(bindings[i].body),
                                      .additional = i > 0};
    if (schema)
        routes = routes_build(schema, rules, COUNT(rules), &st);
    if (!routes)
        print_error("%s\n", st.text);
    buf_init(&result, 1 << 24);
    return routes ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    routes_unref(routes);
    schema_unref(schema);
    buf_fini(&result);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    template = (struct request_binding){.match = NULL};
    lenient = false;
    return 0;
}

/* An exact copy on the heap, so that the sanitizer sees any over-read. */
static struct slice exact(struct slice s)
{
    uint8_t *copy = malloc(s.len ? s.len : 1);
    assert_non_null(copy);
    if (s.len)
        memcpy(copy, s.data, s.len);
    return slice_from(copy, s.len);
}

/* Binds and prints; "code: message" of a failure. */
static const char *bind(const char *method, const char *target, const char *body, size_t max_len)
{
    struct path_match match;
    struct slice query = slice_from_string(target), path = slice_cut(&query, '?');
    const struct transcode_options options = {.schema = schema, .ignore_unknown = lenient};
    struct request_binding b = template;
    struct buf wire;
    struct status st = {.code = STATUS_OK};
    path = exact(path);
    if (!routes_match(routes, slice_from_string(method), path, &match))
        fail_msg("%s %s: no route", method, target);
    b.match = &match;
    b.query = exact(query);
    b.body = exact(slice_from_string(body));
    buf_init(&wire, max_len);
    buf_reset(&result, SIZE_MAX);
    bool ok = request_binding_write(&b, &options, &wire, &st) &&
              wire_to_json(match.route->method->input, buf_slice(&wire), &options, &result, &st);
    if (!ok) {
        buf_reset(&result, SIZE_MAX);
        buf_printf(&result, "%s: %s", status_name(st.code), st.text);
    }
    buf_append_byte(&result, 0);
    buf_fini(&wire);
    free((void *)path.data);
    free((void *)b.query.data);
    free((void *)b.body.data);
    return (const char *)buf_slice(&result).data;
}

struct row {
    const char *method, *target, *body, *expected;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = bind(rows[i].method, rows[i].target, rows[i].body, 1 << 20);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s %s %s:\n%s\ninstead of\n%s", rows[i].method, rows[i].target, rows[i].body,
                     got, rows[i].expected);
    }
}

/* `query` of GET /q. */
struct query_row {
    const char *query, *expected;
};

static void check_queries(const struct query_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char target[1024];
        snprintf(target, sizeof target, "/q?%s", rows[i].query);
        const struct row row = {"GET", target, "", rows[i].expected};
        check(&row, 1);
    }
}

#define BAD(name, reason) "INVALID_ARGUMENT: parameter \"" name "\": " reason

static void test_scalars(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"", "{}"},
        {"name=x", "{\"name\":\"x\"}"},
        {"name=", "{}"},
        {"name", "{}"},
        {"name=a=b", "{\"name\":\"a=b\"}"},
        {"name=a+b%20c%2Bd", "{\"name\":\"a b c+d\"}"},
        {"n%61me=x", "{\"name\":\"x\"}"},
        {"name=caf%C3%A9", "{\"name\":\"caf\xc3\xa9\"}"},
        {"name=caf\xc3\xa9", "{\"name\":\"caf\xc3\xa9\"}"},
        {"name=%22%5C%0A%00", "{\"name\":\"\\\"\\\\\\n\\u0000\"}"},
        {"name=null", "{\"name\":\"null\"}"},
        {"name=/a:b?c", "{\"name\":\"/a:b?c\"}"},
        {"page_size=5", "{\"pageSize\":5}"},
        {"pageSize=5", "{\"pageSize\":5}"},
        {"page_size=-5", "{\"pageSize\":-5}"},
        {"page_size=2147483647", "{\"pageSize\":2147483647}"},
        {"an_int64=-9223372036854775808", "{\"anInt64\":\"-9223372036854775808\"}"},
        {"a_uint32=4294967295", "{\"aUint32\":4294967295}"},
        {"a_uint64=18446744073709551615", "{\"aUint64\":\"18446744073709551615\"}"},
        {"a_sint32=-1&a_sint64=-2", "{\"aSint32\":-1,\"aSint64\":\"-2\"}"},
        {"a_fixed32=1&a_fixed64=2", "{\"aFixed32\":1,\"aFixed64\":\"2\"}"},
        {"a_sfixed32=-1&a_sfixed64=-2", "{\"aSfixed32\":-1,\"aSfixed64\":\"-2\"}"},
        {"a_float=1.5&a_double=-2.5e3", "{\"aFloat\":1.5,\"aDouble\":-2500}"},
        {"a_double=NaN", "{\"aDouble\":\"NaN\"}"},
        {"a_float=-Infinity", "{\"aFloat\":\"-Infinity\"}"},
        {"a_bool=true", "{\"aBool\":true}"},
        {"a_bool=false", "{}"},
        {"a_bytes=-_8=", "{\"aBytes\":\"+/8=\"}"},
        {"a_bytes=%2B/8", "{\"aBytes\":\"+/8=\"}"},
        {"a_bytes=", "{}"},
        {"color=RED", "{\"color\":\"RED\"}"},
        {"color=2", "{\"color\":\"GREEN\"}"},
        {"color=77", "{\"color\":77}"},
        {"maybe=0", "{\"maybe\":0}"},
        {"nothing=null", "{}"},
        {"nothing=NULL_VALUE", "{}"},
        {"renamed=x", "{\"other\":\"x\"}"},
        {"other=x", "{\"other\":\"x\"}"},
        {"one=x", "{\"one\":\"x\"}"},
        {"&&name=x&&a=y&", "{\"name\":\"x\",\"a\":\"y\"}"},
    };
    check_queries(rows, COUNT(rows));
}

static void test_bad_scalars(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"page_size=", BAD("page_size", "expected a number")},
        {"page_size=x", BAD("page_size", "expected a number")},
        {"page_size=0x10", BAD("page_size", "expected a number")},
        {"page_size=010", BAD("page_size", "expected a number")},
        {"page_size=+5", BAD("page_size", "expected a number")},
        {"page_size=5+", BAD("page_size", "expected a number")},
        {"page_size=%2B5", BAD("page_size", "expected a number")},
        {"page_size=1.5", BAD("page_size", "expected an integer")},
        {"page_size=2147483648", BAD("page_size", "the number is out of range")},
        {"page_size=null", BAD("page_size", "expected a number")},
        {"page_size=%225%22", BAD("page_size", "expected a number")},
        {"pageSize=x", BAD("pageSize", "expected a number")},
        {"a_uint32=-1", BAD("a_uint32", "the number is out of range")},
        {"a_uint64=18446744073709551616", BAD("a_uint64", "the number is out of range")},
        {"a_double=nan", BAD("a_double", "expected a number")},
        {"a_double=1e999", BAD("a_double", "the number is out of range")},
        {"a_bool=1", BAD("a_bool", "expected true or false")},
        {"a_bool=TRUE", BAD("a_bool", "expected true or false")},
        {"a_bool=", BAD("a_bool", "expected true or false")},
        {"a_bool", BAD("a_bool", "expected true or false")},
        {"a_bool=+true", BAD("a_bool", "expected true or false")},
        {"a_bytes=***", BAD("a_bytes", "expected base64")},
        {"color=red", BAD("color", "unknown value \"red\", did you mean \"RED\"?")},
        {"color=", BAD("color", "unknown value \"\"")},
        {"color=1.5", BAD("color", "unknown value \"1.5\"")},
        {"name=%ff", BAD("name", "the value is not valid UTF-8")},
        {"name=%", BAD("name", "a malformed \"%\" escape")},
        {"name=%2", BAD("name", "a malformed \"%\" escape")},
        {"name=%zz", BAD("name", "a malformed \"%\" escape")},
        {"n%zzame=x", BAD("n%zzame", "a malformed \"%\" escape")},
    };
    check_queries(rows, COUNT(rows));
}

static void test_structure(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"book.title=x", "{\"book\":{\"title\":\"x\"}}"},
        {"book.title=x&book.name=y", "{\"book\":{\"name\":\"y\",\"title\":\"x\"}}"},
        {"book.author.age=3&name=n&book.author.name=a",
         "{\"name\":\"n\",\"book\":{\"author\":{\"name\":\"a\",\"age\":3}}}"},
        {"book.cover_color=RED", "{\"book\":{\"coverColor\":\"RED\"}}"},
        {"book.coverColor=1", "{\"book\":{\"coverColor\":\"RED\"}}"},
        {"book.author.mentor.mentor.age=1",
         "{\"book\":{\"author\":{\"mentor\":{\"mentor\":{\"age\":1}}}}}"},
        {"tags=a&tags=b&tags=a", "{\"tags\":[\"a\",\"b\",\"a\"]}"},
        {"tags=a,b", "{\"tags\":[\"a,b\"]}"},
        {"tags=", "{\"tags\":[\"\"]}"},
        {"numbers=3&numbers=1", "{\"numbers\":[3,1]}"},
        {"colors=RED&colors=2&colors=9", "{\"colors\":[\"RED\",\"GREEN\",9]}"},
        {"book.tags=a&book.tags=b", "{\"book\":{\"tags\":[\"a\",\"b\"]}}"},
        {"labels[a]=1&labels[b]=2", "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}"},
        {"labels%5Ba%5D=1", "{\"labels\":{\"a\":\"1\"}}"},
        {"labels[]=1", "{\"labels\":{\"\":\"1\"}}"},
        {"labels[a.b]=1&labels[c]d]=2", "{\"labels\":{\"a.b\":\"1\",\"c]d\":\"2\"}}"},
        {"labels[%22x+y]=1", "{\"labels\":{\"\\\"x y\":\"1\"}}"},
        {"book.labels[k]=v", "{\"book\":{\"labels\":{\"k\":\"v\"}}}"},
        {"by_number[-3]=RED", "{\"byNumber\":{\"-3\":\"RED\"}}"},
        {"by_flag[true]=2020-01-01T00:00:00Z", "{\"byFlag\":{\"true\":\"2020-01-01T00:00:00Z\"}}"},
        {"times=2020-01-01T00:00:00Z&times=1970-01-01T00:00:01Z",
         "{\"times\":[\"2020-01-01T00:00:00Z\",\"1970-01-01T00:00:01Z\"]}"},
        {"three.age=4", "{\"three\":{\"age\":4}}"},
        {"three.age=4&three.name=x", "{\"three\":{\"name\":\"x\",\"age\":4}}"},
    };
    check_queries(rows, COUNT(rows));
}

static void test_bad_structure(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"nam=x", BAD("nam", "no such field, did you mean \"name\"?")},
        {"book.titel=x", BAD("book.titel", "no such field, did you mean \"title\"?")},
        {"zzzzzzzz=x", BAD("zzzzzzzz", "no such field in library.v1.Request")},
        {"=x", BAD("", "no such field in library.v1.Request")},
        {".=x", BAD(".", "no such field in library.v1.Request")},
        {"name.=x", BAD("name.", "only messages have fields")},
        {"name.x=x", BAD("name.x", "only messages have fields")},
        {"name[0]=x", BAD("name[0]", "the field is no map")},
        {"tags[0]=x", BAD("tags[0]", "the field is no map")},
        {"tags[]=x", BAD("tags[]", "the field is no map")},
        {"labels=x", BAD("labels", "a map is given as name[key]=value")},
        {"labels.a=x", BAD("labels.a", "it leads through a list or map")},
        {"books[a]=x", BAD("books[a]", "messages in lists and maps cannot be given here")},
        {"books[a].name=x", BAD("books[a].name", "no such field in library.v1.Request")},
        {"many_books=x", BAD("many_books", "messages in lists and maps cannot be given here")},
        {"many_books.name=x", BAD("many_books.name", "it leads through a list or map")},
        {"book=x", BAD("book", "a message is given field by field: name.field=value")},
        {"book.author=x",
         BAD("book.author", "a message is given field by field: name.field=value")},
        {"an_any=x", BAD("an_any", "a message is given field by field: name.field=value")},
        {"an_empty=", BAD("an_empty", "a message is given field by field: name.field=value")},
        {"at.seconds=1", BAD("at.seconds", "it leads into a type that has a text form of its own")},
        {"maybe_int64.value=1",
         BAD("maybe_int64.value", "it leads into a type that has a text form of its own")},
        {"a_struct.fields=1",
         BAD("a_struct.fields", "it leads into a type that has a text form of its own")},
        {"name=x&name=x", BAD("name", "the field is given twice")},
        {"page_size=1&pageSize=2", BAD("pageSize", "the field is given twice")},
        {"book.title=1&book.title=2", BAD("book.title", "the field is given twice")},
        {"labels[a]=1&labels[a]=2", BAD("labels[a]", "the key is given twice")},
        {"labels[a]=1&labels[%61]=2", BAD("labels[a]", "the key is given twice")},
        {"by_number[x]=RED",
         BAD("by_number[x]", "[\"x\"]: expected an integer in quotes as a key")},
        {"labels[%ff]=1", BAD("labels[", "the key is not valid UTF-8")},
        {"one=x&two=1", BAD("two", "another field of the same oneof is given too")},
        {"three.age=1&two=1", BAD("two", "another field of the same oneof is given too")},
        {"one=x&three.age=1", BAD("three.age", "another field of the same oneof is given too")},
        {"[google.rpc.x]=1", BAD("[google.rpc.x]", "no such field in library.v1.Request")},
    };
    check_queries(rows, COUNT(rows));
}

static void test_well_known(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"at=2020-01-02T03:04:05.5Z", "{\"at\":\"2020-01-02T03:04:05.500Z\"}"},
        {"at=2020-01-02T03:04:05%2B01:00", "{\"at\":\"2020-01-02T02:04:05Z\"}"},
        {"at=x", BAD("at", "expected a time like \"2006-01-02T15:04:05Z\"")},
        {"at=2020-01-02T03:04:05+01:00",
         BAD("at", "expected a time like \"2006-01-02T15:04:05Z\"")},
        {"book.published=1970-01-01T00:00:00Z",
         "{\"book\":{\"published\":\"1970-01-01T00:00:00Z\"}}"},
        {"lasts=1.5s", "{\"lasts\":\"1.500s\"}"},
        {"lasts=-3s", "{\"lasts\":\"-3s\"}"},
        {"lasts=3", BAD("lasts", "expected a duration like \"1.5s\"")},
        {"update_mask=name,book.coverColor", "{\"updateMask\":\"name,book.coverColor\"}"},
        {"update_mask=", "{\"updateMask\":\"\"}"},
        {"maybe_string=x", "{\"maybeString\":\"x\"}"},
        {"maybe_string=", "{\"maybeString\":\"\"}"},
        {"maybe_int64=7", "{\"maybeInt64\":\"7\"}"},
        {"maybe_int64=x", BAD("maybe_int64", "expected a number")},
        {"maybe_bool=false", "{\"maybeBool\":false}"},
        {"maybe_bool=0", BAD("maybe_bool", "expected true or false")},
        {"a_struct={\"a\":[1,null]}", "{\"aStruct\":{\"a\":[1,null]}}"},
        {"a_struct=%7B%7D", "{\"aStruct\":{}}"},
        {"a_struct=x", BAD("a_struct", "expected an object")},
        {"a_struct=null", BAD("a_struct", "null is not allowed here")},
        {"a_struct={}x", BAD("a_struct", "unexpected text after the end of the value")},
        {"a_value=1.5", "{\"aValue\":1.5}"},
        {"a_value=null", "{\"aValue\":null}"},
        {"a_value=%22x%22", "{\"aValue\":\"x\"}"},
        {"a_value=x", BAD("a_value", "expected a number")},
        {"a_list=[1,%22a%22]", "{\"aList\":[1,\"a\"]}"},
        {"book.extra={}", "{\"book\":{\"extra\":{}}}"},
    };
    check_queries(rows, COUNT(rows));
}

static void test_path(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET", "/name/x", "", "{\"name\":\"x\"}"},
        {"GET", "/name/a%2Fb", "", "{\"name\":\"a/b\"}"},
        {"GET", "/name/a%2fb%20c+d", "", "{\"name\":\"a/b c+d\"}"},
        {"GET", "/name/a:b:c", "", "{\"name\":\"a:b:c\"}"},
        {"GET", "/name/a%3Ab", "", "{\"name\":\"a:b\"}"},
        {"GET", "/name/%00%22", "", "{\"name\":\"\\u0000\\\"\"}"},
        {"GET", "/name/%", "", BAD("name", "a malformed \"%\" escape")},
        {"GET", "/name/%f", "", BAD("name", "a malformed \"%\" escape")},
        {"GET", "/name/%ff", "", BAD("name", "the value is not valid UTF-8")},
        {"GET", "/name/%C3%A9", "", "{\"name\":\"\xc3\xa9\"}"},
        {"GET", "/multi/x/a%2Fb", "", "{\"name\":\"x/a%2Fb\"}"},
        {"GET", "/multi/x/a%2fb%20", "", "{\"name\":\"x/a%2fb \"}"},
        {"GET", "/rest/a/b%2Fc", "", "{\"name\":\"a/b%2Fc\"}"},
        {"GET", "/rest/a", "", "{\"name\":\"a\"}"},
        {"GET", "/rest/a%2Fb", "", "{\"name\":\"a%2Fb\"}"},
        {"GET", "/rest", "", "{}"},
        {"GET", "/late/1/2/3/4", "", "{\"name\":\"1/2\",\"parent\":\"3\",\"a\":\"4\"}"},
        {"GET", "/rest/1/2:verb", "", "{\"name\":\"1/2\"}"},
        {"GET", "/three/x/y/z", "", "{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}"},
        {"GET", "/int/5", "", "{\"pageSize\":5}"},
        {"GET", "/int/x", "", BAD("page_size", "expected a number")},
        {"GET",
         "/int/%20"
         "5",
         "", BAD("page_size", "expected a number")},
        {"GET", "/int/2147483648", "", BAD("page_size", "the number is out of range")},
        {"GET", "/uint/18446744073709551615", "", "{\"aUint64\":\"18446744073709551615\"}"},
        {"GET", "/bool/true", "", "{\"aBool\":true}"},
        {"GET", "/bool/yes", "", BAD("a_bool", "expected true or false")},
        {"GET", "/double/-1.5", "", "{\"aDouble\":-1.5}"},
        {"GET", "/bytes/-_8", "", "{\"aBytes\":\"+/8=\"}"},
        {"GET", "/bytes/%2B%2F8=", "", "{\"aBytes\":\"+/8=\"}"},
        {"GET", "/color/GREEN", "", "{\"color\":\"GREEN\"}"},
        {"GET", "/color/1", "", "{\"color\":\"RED\"}"},
        {"GET", "/color/BLUE", "", BAD("color", "unknown value \"BLUE\"")},
        {"GET", "/at/2020-01-02T03:04:05Z", "", "{\"at\":\"2020-01-02T03:04:05Z\"}"},
        {"GET", "/wrapped/0", "", "{\"maybeInt64\":\"0\"}"},
        {"GET", "/maybe/0", "", "{\"maybe\":0}"},
        {"GET", "/one/x", "", "{\"one\":\"x\"}"},
        {"GET", "/mentor/x", "",
         "{\"book\":{\"author\":{\"mentor\":{\"mentor\":{\"name\":\"x\"}}}}}"},
        {"GET", "/name/x?name=y", "", BAD("name", "the path gives this field")},
        {"GET", "/name/x?name=x", "", BAD("name", "the path gives this field")},
        {"GET", "/int/1?pageSize=2", "", BAD("pageSize", "the path gives this field")},
        {"GET", "/one/x?two=1", "", BAD("two", "another field of the same oneof is given too")},
        {"GET", "/both/x/1", "", BAD("two", "another field of the same oneof is given too")},
        {"GET", "/name/x?parent=y", "", "{\"parent\":\"y\",\"name\":\"x\"}"},
        {"GET", "/mentor/x?book.author.name=y", "",
         "{\"book\":{\"author\":{\"name\":\"y\",\"mentor\":{\"mentor\":{\"name\":\"x\"}}}}}"},
    };
    check(rows, COUNT(rows));
}

/* google/api/http.proto, "Rules for HTTP mapping" and its examples. */
static void test_specification(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET", "/v1/messages/123456", "", "{\"name\":\"messages/123456\"}"},
        {"GET", "/v2/messages/123456?page_size=2&book.title=foo", "",
         "{\"pageSize\":2,\"book\":{\"title\":\"foo\"},\"name\":\"123456\"}"},
        {"GET", "/v2/messages/123456?pageSize=2&book.coverColor=RED", "",
         "{\"pageSize\":2,\"book\":{\"coverColor\":\"RED\"},\"name\":\"123456\"}"},
        {"GET", "/v2/messages/123456?tags=a&tags=b", "",
         "{\"tags\":[\"a\",\"b\"],\"name\":\"123456\"}"},
        {"PATCH", "/v2/messages/123456", "{\"title\":\"Hi!\"}",
         "{\"book\":{\"title\":\"Hi!\"},\"name\":\"123456\",\"updateMask\":\"title\"}"},
        {"PATCH", "/v2/messages/123456?page_size=3", "{\"title\":\"Hi!\"}",
         "{\"book\":{\"title\":\"Hi!\"},\"pageSize\":3,\"name\":\"123456\","
         "\"updateMask\":\"title\"}"},
        {"PATCH", "/v3/messages/123456", "{\"a\":\"Hi!\"}", "{\"a\":\"Hi!\",\"name\":\"123456\"}"},
        {"PATCH", "/v3/messages/123456?a=x", "{}", BAD("a", "the body is the whole request here")},
        {"GET", "/v3/messages/123456", "", "{\"name\":\"123456\"}"},
        {"GET", "/v3/users/me/messages/123456", "", "{\"parent\":\"me\",\"name\":\"123456\"}"},
        {"GET", "/v3/users/me/messages/123456?parent=you", "",
         BAD("parent", "the path gives this field")},
        /* One segment: everything is decoded.  Several: all but the slash. */
        {"GET", "/v2/messages/%5B%2D%5D%7E%2F%2f", "", "{\"name\":\"[-]~//\"}"},
        {"GET", "/v1/messages/%5B%2D%5D%7E%2F%2f", "", "{\"name\":\"messages/[-]~%2F%2f\"}"},
        {"GET", "/v2/messages/%252F", "", "{\"name\":\"%2F\"}"},
        {"GET", "/v1/messages/%252F", "", "{\"name\":\"messages/%2F\"}"},
        {"GET", "/v4/x", "", "{}"},
        {"GET", "/v4/a/x/x", "", "{\"name\":\"a/x\"}"},
        {"GET", "/v4/a%2Fx/x", "", "{\"name\":\"a%2Fx\"}"},
        {"DELETE", "/v4/a/1/b:purge", "", "{\"book\":{\"name\":\"a/1/b\"}}"},
        {"DELETE", "/v4/a/1/b/c/d:e:purge", "", "{\"book\":{\"name\":\"a/1/b/c/d:e\"}}"},
        {"DELETE", "/v4/a/1/b/c:purge?book.name=x", "",
         BAD("book.name", "the path gives this field")},
        {"DELETE", "/v4/a/1/b/c:purge?book.title=x", "",
         "{\"book\":{\"name\":\"a/1/b/c\",\"title\":\"x\"}}"},
        {"PUT", "/v4/p/at/1970-01-01T00:00:01Z/-1e3", "{}",
         "{\"book\":{},\"parent\":\"p\",\"at\":\"1970-01-01T00:00:01Z\",\"aDouble\":-1000}"},
        {"PUT", "/v4/p/at/now/1", "{}", BAD("at", "expected a time like \"2006-01-02T15:04:05Z\"")},
        {"PUT", "/v4/p/at/1970-01-01T00:00:01Z/NaN?lasts=2s", "",
         "{\"lasts\":\"2s\",\"parent\":\"p\",\"at\":\"1970-01-01T00:00:01Z\",\"aDouble\":\"NaN\"}"},
        /* An integer may be written as in JSON, but for a leading zero or a base
           (test_bad_scalars). */
        {"GET", "/q?page_size=1e2", "", "{\"pageSize\":100}"},
        {"GET", "/q?page_size=1.0", "", "{\"pageSize\":1}"},
        {"GET", "/q?a_uint64=1e2", "", "{\"aUint64\":\"100\"}"},
        {"GET", "/q?page_size=-0", "", "{}"},
        {"GET", "/int/1e2", "", "{\"pageSize\":100}"},
        /* Several maps and levels at once. */
        {"GET", "/q?book.labels[a]=1&book.labels[b]=2&labels[a]=3", "",
         "{\"book\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"labels\":{\"a\":\"3\"}}"},
        {"GET", "/q?three.mentor.name=x", "", "{\"three\":{\"mentor\":{\"name\":\"x\"}}}"},
    };
    check(rows, COUNT(rows));
}

static void test_body(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"POST", "/all", "{\"name\":\"x\",\"book\":{\"title\":\"t\"}}",
         "{\"name\":\"x\",\"book\":{\"title\":\"t\"}}"},
        {"POST", "/all", "", "{}"},
        {"POST", "/all", "{}", "{}"},
        {"POST", "/all", "[]", "INVALID_ARGUMENT: expected an object at line 1, column 1"},
        {"POST", "/all?name=x", "{}", BAD("name", "the body is the whole request here")},
        {"POST", "/all?nam=x", "{}", BAD("nam", "no such field in library.v1.Request")},
        {"POST", "/library.v1.Library/Plain", "{\"a\":\"b\"}", "{\"a\":\"b\"}"},
        {"POST", "/all/p", "{\"name\":\"body\",\"a\":\"b\"}", "{\"name\":\"p\",\"a\":\"b\"}"},
        {"POST", "/all/p", "", "{\"name\":\"p\"}"},
        {"POST", "/book", "{\"title\":\"t\"}", "{\"book\":{\"title\":\"t\"}}"},
        {"POST", "/book", "{}", "{\"book\":{}}"},
        {"POST", "/book", "", "{}"},
        {"POST", "/book", "null", "{}"},
        {"POST", "/book?page_size=2", "{\"title\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"pageSize\":2}"},
        {"POST", "/book?book.name=x", "{}", BAD("book.name", "the body gives this field")},
        {"POST", "/book?book=x", "", BAD("book", "the body gives this field")},
        {"POST", "/book", "{\"titel\":\"t\"}",
         "INVALID_ARGUMENT: book: unknown field \"titel\", did you mean \"title\"? at line 1, "
         "column 2"},
        {"POST", "/book/p", "{\"name\":\"body\",\"title\":\"t\"}",
         "{\"book\":{\"name\":\"p\",\"title\":\"t\"}}"},
        {"POST", "/book/p", "", "{\"book\":{\"name\":\"p\"}}"},
        {"POST", "/book/p/q", "{\"author\":{\"name\":\"x\",\"age\":3}}",
         "{\"name\":\"q\",\"book\":{\"author\":{\"name\":\"p\",\"age\":3}}}"},
        {"POST", "/tags", "[\"a\",\"b\"]", "{\"tags\":[\"a\",\"b\"]}"},
        {"POST", "/tags?name=x", "[]", "{\"name\":\"x\"}"},
        {"POST", "/labels", "{\"a\":\"b\"}", "{\"labels\":{\"a\":\"b\"}}"},
        {"POST", "/size", "5", "{\"pageSize\":5}"},
        {"POST", "/size", "\"5\"", "{\"pageSize\":5}"},
        {"POST", "/value", "null", "{\"aValue\":null}"},
        {"POST", "/value", "{\"a\":1}", "{\"aValue\":{\"a\":1}}"},
        {"POST", "/one?two=1", "\"x\"", BAD("two", "another field of the same oneof is given too")},
        {"POST", "/one?two=1", "", "{\"two\":1}"},
        {"GET", "/q?name=x", "{\"broken", "{\"name\":\"x\"}"},
    };
    check(rows, COUNT(rows));
}

static void test_patch(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"PATCH", "/book", "{\"title\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"updateMask\":\"title\"}"},
        {"PATCH", "/book", " \n{\"title\":\"t\",\"coverColor\":\"RED\"}",
         "{\"book\":{\"title\":\"t\",\"coverColor\":\"RED\"},\"updateMask\":\"title,coverColor\"}"},
        {"PATCH", "/book", "{\"cover_color\":0}", "{\"book\":{},\"updateMask\":\"coverColor\"}"},
        {"PATCH", "/book", "{\"author\":{\"name\":\"a\",\"mentor\":{\"age\":1}},\"tags\":[\"x\"]}",
         "{\"book\":{\"author\":{\"name\":\"a\",\"mentor\":{\"age\":1}},\"tags\":[\"x\"]},"
         "\"updateMask\":\"author.name,author.mentor.age,tags\"}"},
        {"PATCH", "/book", "{\"author\":{}}",
         "{\"book\":{\"author\":{}},\"updateMask\":\"author\"}"},
        {"PATCH", "/book", "{\"author\":null,\"title\":null}",
         "{\"book\":{},\"updateMask\":\"author,title\"}"},
        {"PATCH", "/book", "{\"author\":{\"mentor\":null}}",
         "{\"book\":{\"author\":{}},\"updateMask\":\"author.mentor\"}"},
        {"PATCH", "/book", "{\"labels\":{\"a\":\"b\"},\"extra\":{\"x\":{\"y\":1}}}",
         "{\"book\":{\"labels\":{\"a\":\"b\"},\"extra\":{\"x\":{\"y\":1}}},"
         "\"updateMask\":\"labels,extra\"}"},
        {"PATCH", "/book", "{\"published\":\"1970-01-01T00:00:00Z\"}",
         "{\"book\":{\"published\":\"1970-01-01T00:00:00Z\"},\"updateMask\":\"published\"}"},
        {"PATCH", "/book", "{\"t\\u0069tle\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"updateMask\":\"title\"}"},
        {"PATCH", "/book", "{}", "{\"book\":{}}"},
        {"PATCH", "/book", "", "{}"},
        {"PATCH", "/book", "null", "{}"},
        {"PATCH", "/book?update_mask=name", "{\"title\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"updateMask\":\"name\"}"},
        {"PATCH", "/book?updateMask=", "{\"title\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"updateMask\":\"\"}"},
        {"PATCH", "/book/x/1", "{\"title\":\"t\"}",
         "{\"book\":{\"name\":\"x/1\",\"title\":\"t\"},\"updateMask\":\"title\"}"},
        {"PATCH", "/mask/tags", "{\"title\":\"t\"}",
         "{\"book\":{\"title\":\"t\"},\"updateMask\":\"tags\"}"},
        {"PATCH", "/all", "{\"name\":\"x\"}", "{\"name\":\"x\"}"},
        {"POST", "/book", "{\"title\":\"t\"}", "{\"book\":{\"title\":\"t\"}}"},
    };
    check(rows, COUNT(rows));
    lenient = true;
    static const struct row unknown = {
        "PATCH", "/book", "{\"x\":{\"y\":[1]},\"title\":\"t\",\"author\":{\"z\":1}}",
        "{\"book\":{\"title\":\"t\",\"author\":{}},\"updateMask\":\"title\"}"};
    check(&unknown, 1);
}

static void test_system(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET", "/q?$alt=json;enum-encoding=int&name=x", "", "{\"name\":\"x\"}"},
        {"GET", "/q?%24alt=json%3Benum-encoding%3Dint", "", "{}"},
        {"GET", "/q?alt=json&prettyPrint=true&quotaUser=me&fields=a", "", "{}"},
        {"GET", "/q?$prettyPrint=0&$fields=a,b&$.xgafv=2&$key=k&$alt=json&$alt=json", "", "{}"},
        /* A field of the request. */
        {"GET", "/q?key=k", "", "{\"key\":\"k\"}"},
        {"GET", "/q?$key=k", "", "{}"},
        {"POST", "/all?key=k&alt=json", "{}", "{}"},
        {"GET", "/q?$nam=x", "", BAD("$nam", "no such field, did you mean \"name\"?")},
        {"GET", "/q?$name=x", "", BAD("$name", "no such field, did you mean \"name\"?")},
        {"GET", "/q?Alt=json", "", BAD("Alt", "no such field, did you mean \"at\"?")},
    };
    check(rows, COUNT(rows));
}

static void test_system_values(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool good, google;
        enum system_choice numbers;
        bool stream;
        enum system_choice pretty;
    } rows[] = {
        {"", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"name=x", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"$alt=json", true, true, CHOICE_NONE, false, CHOICE_NONE},
        {"alt=json", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"%24alt=json%3Benum-encoding%3Dint", true, true, CHOICE_YES, false, CHOICE_NONE},
        {"alt=json;enum-encoding=int", true, false, CHOICE_YES, false, CHOICE_NONE},
        {"$alt=json;enum-encoding=string", true, true, CHOICE_NO, false, CHOICE_NONE},
        {"a=b&$alt=sse&c=d", true, true, CHOICE_NONE, true, CHOICE_NONE},
        {"alt=sse", true, false, CHOICE_NONE, true, CHOICE_NONE},
        {"$alt=proto", false, true, CHOICE_NONE, false, CHOICE_NONE},
        {"$alt=", false, true, CHOICE_NONE, false, CHOICE_NONE},
        {"$alt=json;x=y", false, true, CHOICE_NONE, false, CHOICE_NONE},
        {"alt=proto", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"$prettyPrint=true", true, false, CHOICE_NONE, false, CHOICE_YES},
        {"prettyPrint=1", true, false, CHOICE_NONE, false, CHOICE_YES},
        {"prettyPrint=true&prettyPrint=false", true, false, CHOICE_NONE, false, CHOICE_NO},
        {"$prettyPrint=0", true, false, CHOICE_NONE, false, CHOICE_NO},
        {"prettyPrint=yes", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"prettyPrint", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"$alt=json;enum-encoding=int;enum-encoding=string", true, true, CHOICE_NO, false,
         CHOICE_NONE},
        {"$alt=%zz&$%zz=1", true, false, CHOICE_NONE, false, CHOICE_NONE},
        {"$alt=json&$alt=proto&prettyPrint=1", false, true, CHOICE_NONE, false, CHOICE_YES},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct system_params s;
        struct status st;
        struct slice query = exact(slice_from_string(rows[i].query));
        bool good = system_params_read(&s, query, &st);
        free((void *)query.data);
        if (good != rows[i].good || s.google_errors != rows[i].google ||
            s.enums_as_numbers != rows[i].numbers || s.event_stream != rows[i].stream ||
            s.pretty != rows[i].pretty)
            fail_msg("%s", rows[i].query);
        assert_true(good || st.code == STATUS_INVALID_ARGUMENT);
    }
}

static void test_options(void **state)
{
    (void)state;
    static const struct slice ignored[] = {{(const uint8_t *)"utm_source", 10},
                                           {(const uint8_t *)"name", 4}};
    template.ignored_params = ignored;
    template.ignored_param_count = COUNT(ignored);
    static const struct row some[] = {
        {"GET", "/q?utm_source=x&name=y&a=z", "", "{\"a\":\"z\"}"},
        {"GET", "/q?utm_medium=x", "", BAD("utm_medium", "no such field in library.v1.Request")},
        {"POST", "/all?utm_source=x", "{}", "{}"},
    };
    check(some, COUNT(some));
    reset(NULL);
    template.ignore_unknown_params = true;
    static const struct row all[] = {
        {"GET", "/q?x=1&book.x=2&name.y=3&name=n&labels.q=1", "", "{\"name\":\"n\"}"},
        {"POST", "/all?name=x&y=z", "{}", "{}"},
        {"GET", "/q?page_size=x", "", BAD("page_size", "expected a number")},
        {"GET", "/q?name=1&name=2", "", BAD("name", "the field is given twice")},
    };
    check(all, COUNT(all));
    reset(NULL);
    template.decode_slashes = true;
    static const struct row decoded[] = {
        {"GET", "/multi/x/a%2Fb", "", "{\"name\":\"x/a/b\"}"},
        {"GET", "/rest/a%2Fb/c", "", "{\"name\":\"a/b/c\"}"},
    };
    check(decoded, COUNT(decoded));
    reset(NULL);
    /* Unknown enum names go with unknown fields; nothing of the messages around them stays. */
    lenient = true;
    static const struct row names[] = {
        {"GET", "/q?color=BLUE&colors=RED&colors=BLUE&book.coverColor=BLUE&by_number[1]=BLUE", "",
         "{\"colors\":[\"RED\"]}"},
    };
    check(names, COUNT(names));
}

static char *repeat(const char *head, const char *piece, size_t count)
{
    size_t head_len = strlen(head), len = strlen(piece);
    char *text = malloc(head_len + count * len + 1);
    assert_non_null(text);
    memcpy(text, head, head_len);
    for (size_t i = 0; i < count; i++)
        memcpy(text + head_len + i * len, piece, len);
    text[head_len + count * len] = 0;
    return text;
}

static void test_limits(void **state)
{
    (void)state;
    /* Hops. */
    char *text = repeat("/q?book.author", ".mentor", FIELD_PATH_MAX - 3);
    char *whole = repeat(text, ".age=1", 1);
    assert_non_null(strstr(bind("GET", whole, "", 1 << 20), "{\"age\":1}"));
    free(text);
    free(whole);
    text = repeat("/q?book.author", ".mentor", FIELD_PATH_MAX - 2);
    whole = repeat(text, ".age=1", 1);
    assert_non_null(strstr(bind("GET", whole, "", 1 << 20), "\": too many levels"));
    free(text);
    free(whole);
    /* Size: the buffer's limit, exactly. */
    assert_string_equal(bind("GET", "/q?name=12345678", "", 10), "{\"name\":\"12345678\"}");
    assert_string_equal(bind("GET", "/q?name=12345678", "", 9),
                        "RESOURCE_EXHAUSTED: the message is larger than the limit of 9 bytes");
    /* Elements. */
    text = repeat("/q?", "numbers=1&", 100000);
    assert_non_null(strstr(bind("GET", text, "", 1 << 20), "{\"numbers\":[1,1,"));
    free(text);
    text = repeat("/q?", "numbers=1&", 100001);
    assert_string_equal(bind("GET", text, "", 1 << 20),
                        BAD("numbers", "more than 100000 list elements and map entries"));
    free(text);
}

/* Groups of proto2 are written with their end tags, also around each other. */
static void test_groups(void **state)
{
    (void)state;
    static const char *const sets[] = {TRANSCODE_TEST_SETS "/kinds2.binpb"};
    static const struct {
        const char *path, *text;
    } puts[] = {{"section.id", "1"}, {"section.deeper.section.id", "2"}, {"number", "3"}};
    const struct transcode_options options = {.schema = NULL};
    struct status st;
    struct schema *old = schema_load_files(sets, 1, &st);
    assert_non_null(old);
    const struct message_type *type = schema_message(old, SLICE("kinds2.Old"));
    assert_non_null(type);
    struct param_writer w;
    struct buf wire;
    buf_init(&wire, 1024);
    buf_reset(&result, SIZE_MAX);
    assert_true(param_writer_init(&w, &options, 16, &wire, &st));
    for (size_t i = 0; i < COUNT(puts); i++) {
        const struct field *fields[FIELD_PATH_MAX];
        size_t len;
        struct slice name = slice_from_string(puts[i].path);
        assert_int_equal(field_path_resolve(type, name, fields, &len), FIELD_PATH_OK);
        struct field_path path = {fields, len};
        assert_true(param_writer_put(&w, path, name, slice_from_string(puts[i].text)));
    }
    assert_true(param_writer_finish(&w, true));
    assert_true(wire_to_json(type, buf_slice(&wire), &options, &result, &st));
    buf_append_byte(&result, 0);
    assert_string_equal(
        (const char *)buf_slice(&result).data,
        "{\"section\":{\"id\":1,\"deeper\":{\"section\":{\"id\":2}}},\"number\":3}");
    buf_fini(&wire);
    schema_unref(old);
}

/* Long values leave the one byte that is kept for a length. */
static void test_long_values(void **state)
{
    (void)state;
    for (size_t len = 100; len < 20000; len += len / 7) {
        char *target = repeat("/q?book.author.mentor.name=", "x", len);
        const char *got = bind("GET", target, "", 1 << 20);
        assert_int_equal(strlen(got), len + strlen("{\"book\":{\"author\":{\"mentor\":{\"name\":"
                                                   "\"\"}}}}"));
        free(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_scalars, reset),
        cmocka_unit_test_setup(test_bad_scalars, reset),
        cmocka_unit_test_setup(test_structure, reset),
        cmocka_unit_test_setup(test_bad_structure, reset),
        cmocka_unit_test_setup(test_well_known, reset),
        cmocka_unit_test_setup(test_path, reset),
        cmocka_unit_test_setup(test_specification, reset),
        cmocka_unit_test_setup(test_body, reset),
        cmocka_unit_test_setup(test_patch, reset),
        cmocka_unit_test_setup(test_system, reset),
        cmocka_unit_test_setup(test_system_values, reset),
        cmocka_unit_test_setup(test_options, reset),
        cmocka_unit_test_setup(test_limits, reset),
        cmocka_unit_test_setup(test_long_values, reset),
        cmocka_unit_test_setup(test_groups, reset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
