/* The OpenAPI document of routes.proto and of the calculator, looked at part by part.  Whether it
 * is valid as a whole is for a real validator (integration/test_description.py). */
#include "gateway/schema/openapi.h"

#include "routes_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct openapi_options plain = {.prefix = ""};

static json_t *document_of(const struct routes *routes, const struct openapi_options *options)
{
    struct status st;
    char *text = openapi_text(routes, options, false, &st);
    if (!text)
        fail_msg("%s", st.text);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(document);
    return document;
}

static json_t *library_as(const char *const *lines, const struct openapi_options *options)
{
    struct status st;
    struct routes *r =
        lines ? fixture_routes(lines, 0, 1, &st) : routes_build(fixture_schema, NULL, 0, &st);
    if (!r)
        fail_msg("%s", st.text);
    json_t *document = document_of(r, options);
    routes_unref(r);
    return document;
}

static json_t *library(const char *const *lines)
{
    return library_as(lines, &plain);
}

/* A part found by keys and places, "paths|/v1/books|get|tags|0". */
static json_t *part(json_t *from, const char *way)
{
    struct slice rest = slice_from_string(way);
    while (rest.data && from) {
        struct slice key = slice_cut(&rest, '|');
        from = json_is_array(from)
                   ? json_array_get(from, (size_t)strtoul((const char *)key.data, NULL, 10))
                   : json_object_getn(from, (const char *)key.data, key.len);
    }
    return from;
}

/* Compares a part with JSON text; `expected` NULL: there is no such part. */
static void check(json_t *document, const char *way, const char *expected)
{
    json_t *found = part(document, way);
    json_t *wanted = expected ? json_loads(expected, JSON_DECODE_ANY, NULL) : NULL;
    char *text = found ? json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    assert_true(!expected || wanted);
    if (!(found && wanted ? json_equal(found, wanted) : found == wanted))
        fail_msg("%s is %s, not %s", way, text ? text : "absent", expected ? expected : "absent");
    free(text);
    json_decref(wanted);
}

static json_t *parameter(json_t *operation, const char *name)
{
    json_t *each, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(operation, "parameters"), i, each)
    {
        if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
            found = each;
    }
    return found;
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *path, *names; /* of its path parameters */
    } rows[] = {
        {"GET /", "/", ""},
        {"GET /a/b", "/a/b", ""},
        {"GET /a/{name}", "/a/{name}", "name"},
        {"GET /a/{book.author.name}:go", "/a/{book.author.name}:go", "book.author.name"},
        {"GET /a/{name=shelves/*}", "/a/shelves/{shelves}", "shelves"},
        {"GET /a/{name=shelves/*/books/*}:x", "/a/shelves/{shelves}/books/{books}:x",
         "shelves books"},
        {"GET /a/{name=*/*}", "/a/{a}/{name}", "a name"},
        {"GET /b/{name=**}", "/b/{name}", "name"},
        {"GET /c/{name=files/**}", "/c/files/{files}", "files"},
        {"GET /d/*/x/*", "/d/{d}/x/{x}", "d x"},
        {"GET /e/{name=x/*/x/*}", "/e/x/{x}/x/{x_2}", "x x_2"},
        {"GET /*", "/{segment}", "segment"},
        {"GET /f/{name=**}/{parent}", "/f/{name}/{parent}", "name parent"},
        {"GET /g%20h/%7B/{name}", "/g%20h/%7B/{name}", "name"},
        {"GET /{name=v1%3Ax/*}", "/v1:x/{name}", "name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char names[256] = "";
        json_t *document = library((const char *const[]){rows[i].rule, NULL}), *each;
        json_t *operation = json_object_get(
            json_object_get(json_object_get(document, "paths"), rows[i].path), "get");
        size_t at;
        if (!operation)
            fail_msg("%s: no path %s", rows[i].rule, rows[i].path);
        json_array_foreach(json_object_get(operation, "parameters"), at, each)
        {
            if (strcmp(json_string_value(json_object_get(each, "in")), "path") == 0)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
                         *names ? " " : "", json_string_value(json_object_get(each, "name")));
        }
        assert_string_equal(names, rows[i].names);
        json_decref(document);
    }
}

/* Paths that are one to OpenAPI, and methods that it does not have. */
static void test_path_items(void **state)
{
    (void)state;
    json_t *d =
        library((const char *const[]){"GET /a/{name}", "DELETE /a/{parent}", "GET /a/{a=**}",
                                      "SEARCH /a", "* /a", "POST /a", "HEAD /a", NULL});
    check(d, "paths|/a/{name}|delete|operationId", "\"library.v1.Library.Plain-2\"");
    check(d, "paths|/a/{name}|delete|parameters|0|name", "\"name\"");
    check(d, "paths|/a/{parent}", NULL);
    check(d, "paths|/a/{name}|x-hidden", "[\"GET /a/{a=**} (library.v1.Library.Plain)\"]");
    check(d, "paths|/a|x-methods|SEARCH|tags", "[\"library.v1.Library\"]");
    check(d, "paths|/a|post|operationId", "\"library.v1.Library.Plain-5\"");
    check(d, "paths|/a|head|operationId", "\"library.v1.Library.Plain-6\"");
    check(d, "paths|/a|get|operationId", "\"library.v1.Library.Plain-8-get\"");
    check(d, "paths|/a|patch|operationId", "\"library.v1.Library.Plain-8-patch\"");
    check(d, "paths|/a|options", NULL);
    json_decref(d);
}

static void test_operations(void **state)
{
    (void)state;
    json_t *d = library(NULL);
    check(d, "openapi", "\"3.1.0\"");
    check(d, "paths|/v1/shelves/{shelves}|get|parameters|0",
          "{\"name\":\"shelves\",\"in\":\"path\",\"required\":true,"
          "\"schema\":{\"type\":\"string\",\"minLength\":1},"
          "\"description\":\"The field name is \\\"shelves/{shelves}\\\".\"}");
    check(d, "paths|/v1/shelves/{shelves}/books|get|responses|200|content",
          "{\"application/json\":{\"schema\":{\"type\":\"array\",\"items\":"
          "{\"$ref\":\"#/components/schemas/library.v1.Book\"}}}}");
    check(
        d, "paths|/v1/shelves/{shelves}/books|post|requestBody|content",
        "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/library.v1.Book\"}}}");
    check(d, "paths|/v1/books:list|post|requestBody|content",
          "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/library.v1.Request\"}"
          "}}");
    check(d, "paths|/v1/books:list|post|parameters", NULL);
    check(d, "paths|/v1/books:list|post|responses|default",
          "{\"$ref\":\"#/components/responses/Error\"}");
    check(d, "components|responses|Error|content|application/json|schema",
          "{\"$ref\":\"#/components/schemas/google.rpc.Status\"}");
    check(d, "paths|/library.v1.Library/Plain|post|x-grpc-method", "\"/library.v1.Library/Plain\"");
    check(d, "paths|/library.v1.Library/FindBooks|post|x-grpc-stream", "\"server\"");
    json_t *content = part(d, "paths|/library.v1.Library/FindBooks|post|responses|200|content");
    assert_int_equal(json_object_size(content), 3);
    check(content, "application/json|schema|type", "\"array\"");
    check(content, "application/x-ndjson|x-item-schema",
          "{\"$ref\":\"#/components/schemas/library.v1.Book\"}");
    check(content, "text/event-stream|schema|type", "\"string\"");
    json_decref(d);
}

static void test_query(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected; /* NULL: is no parameter */
    } rows[] = {
        {"pageSize", "{\"name\":\"pageSize\",\"in\":\"query\",\"schema\":{\"type\":\"integer\","
                     "\"format\":\"int32\",\"minimum\":-2147483648,\"maximum\":2147483647}}"},
        {"tags", "{\"name\":\"tags\",\"in\":\"query\",\"schema\":{\"type\":\"array\",\"items\":"
                 "{\"type\":\"string\"}}}"},
        {"labels",
         "{\"name\":\"labels\",\"in\":\"query\",\"style\":\"deepObject\",\"explode\":true,"
         "\"schema\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}"
         "}"},
        {"aStruct", "{\"name\":\"aStruct\",\"in\":\"query\",\"content\":{\"application/json\":"
                    "{\"schema\":{\"$ref\":\"#/components/schemas/google.protobuf.Struct\"}}}}"},
        {"at", "{\"name\":\"at\",\"in\":\"query\",\"schema\":{\"$ref\":"
               "\"#/components/schemas/google.protobuf.Timestamp\"}}"},
        {"book.author.name", "{\"name\":\"book.author.name\",\"in\":\"query\",\"schema\":{\"type\":"
                             "\"string\"}}"},
        {"other", "{\"name\":\"other\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}"},
        {"name", NULL},                    /* the path has it */
        {"book", NULL},                    /* a message */
        {"books", NULL},                   /* messages in a map */
        {"manyBooks", NULL},               /* messages in a list */
        {"anAny", NULL},                   /* has no text form */
        {"book.author.mentor.name", NULL}, /* an author in an author: followed once */
    };
    json_t *d = library(NULL);
    json_t *operation = part(d, "paths|/v1/shelves/{shelves}|get");
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *found = parameter(operation, rows[i].name);
        if (!found != !rows[i].expected)
            fail_msg("%s", rows[i].name);
        json_t *wanted = rows[i].expected ? json_loads(rows[i].expected, 0, NULL) : NULL;
        if (found && !json_equal(found, wanted))
            fail_msg("%s", rows[i].name);
        json_decref(wanted);
    }
    /* The body has it. */
    assert_null(parameter(part(d, "paths|/v1/shelves/{shelves}/books|post"), "book.title"));
    json_decref(d);
}

static void test_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *way, *expected;
    } rows[] = {
        {"library.v1.Color", "{\"type\":\"string\",\"enum\":[\"NONE\",\"RED\",\"GREEN\"]}"},
        {"library.v1.Author",
         "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"name\":{\"type\":"
         "\"string\"},\"age\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":-2147483648,"
         "\"maximum\":2147483647},\"mentor\":{\"$ref\":\"#/components/schemas/"
         "library.v1.Author\"}}}"},
        {"google.protobuf.Timestamp", "{\"type\":\"string\",\"format\":\"date-time\"}"},
        {"google.protobuf.Empty", "{\"type\":\"object\"}"},
        {"google.protobuf.ListValue", "{\"type\":\"array\",\"items\":{}}"},
        {"google.protobuf.Struct", "{\"type\":\"object\"}"},
        {"google.protobuf.Int64Value", NULL},
        {"library.v1.Request|properties|maybeInt64",
         "{\"type\":\"string\",\"format\":\"int64\",\"pattern\":\"^-?(0|[1-9][0-9]{0,18})$\"}"},
        {"library.v1.Request|properties|aBytes",
         "{\"type\":\"string\",\"contentEncoding\":\"base64\"}"},
        {"library.v1.Request|properties|aBool", "{\"type\":\"boolean\"}"},
        {"library.v1.Request|properties|aFloat|anyOf|0|format", "\"float\""},
        {"library.v1.Request|properties|aFloat|anyOf|1",
         "{\"type\":\"string\",\"enum\":[\"NaN\",\"Infinity\",\"-Infinity\"]}"},
        {"library.v1.Request|properties|nothing", "{\"type\":\"null\"}"},
        {"library.v1.Request|properties|byNumber|propertyNames",
         "{\"pattern\":\"^-?(0|[1-9][0-9]{0,19})$\"}"},
        {"library.v1.Request|properties|byFlag|propertyNames", "{\"enum\":[\"true\",\"false\"]}"},
        {"library.v1.Request|properties|books|additionalProperties",
         "{\"$ref\":\"#/components/schemas/library.v1.Book\"}"},
        {"library.v1.Request|allOf|0|oneOf|2", "{\"required\":[\"three\"]}"},
        {"library.v1.Request|allOf|1", NULL}, /* `optional` makes no oneof */
        {"library.v1.Masks|properties|first",
         "{\"$ref\":\"#/components/schemas/google.protobuf.FieldMask\"}"},
    };
    json_t *d = library(NULL);
    json_t *schemas = part(d, "components|schemas");
    for (size_t i = 0; i < COUNT(rows); i++)
        check(schemas, rows[i].way, rows[i].expected);
    json_decref(d);
}

/* As the gateway prints JSON by its options; each changes its own part only. */
static void test_options(void **state)
{
    (void)state;
#define INT32                                                                                      \
    "{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":-2147483648,\"maximum\":2147483647}"
#define INT64                                                                                      \
    "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":-9223372036854775808,"                 \
    "\"maximum\":9223372036854775807}"
#define TEXT64 "{\"type\":\"string\",\"format\":\"int64\",\"pattern\":\"^-?(0|[1-9][0-9]{0,18})$\"}"
    static const struct openapi_options names = {.prefix = "", .proto_names = true},
                                        enums = {.prefix = "", .enums_as_numbers = true},
                                        int64 = {.prefix = "", .int64_as_numbers = true};
    static const struct {
        const struct openapi_options *options;
        const char *way, *expected;
    } rows[] = {
        {&names, "Request|properties|page_size", INT32},
        {&names, "Request|properties|pageSize", NULL},
        {&names, "Request|properties|an_int64", TEXT64},
        {&names, "Request|properties|renamed", "{\"type\":\"string\"}"},
        {&names, "Masks|allOf|0|oneOf|0", "{\"required\":[\"by_name\"]}"},
        {&names, "Place|enum", "[\"ANY\",\"FRONT\",\"FIRST\",\"BACK\"]"},
        {&enums, "Place",
         "{\"type\":\"integer\",\"enum\":[0,1,-1],\"description\":"
         "\"- 0 = ANY\\n- 1 = FRONT\\n- 1 = FIRST\\n- -1 = BACK\"}"},
        {&names, "Color|type", "\"string\""},
        {&enums, "Color",
         "{\"type\":\"integer\",\"enum\":[0,1,2],\"description\":"
         "\"- 0 = NONE\\n- 1 = RED\\n- 2 = GREEN\"}"},
        {&enums, "Request|properties|nothing", "{\"type\":\"null\"}"},
        {&enums, "Request|properties|anInt64", TEXT64},
        {&int64, "Request|properties|anInt64", INT64},
        {&int64, "Request|properties|aSfixed64", INT64},
        {&int64, "Request|properties|maybeInt64", INT64},
        {&int64, "Request|properties|aUint64",
         "{\"type\":\"integer\",\"format\":\"uint64\",\"minimum\":0,"
         "\"exclusiveMaximum\":18446744073709551616.0}"},
        {&int64, "Request|properties|pageSize", INT32},
        {&int64, "Request|properties|byNumber|propertyNames",
         "{\"pattern\":\"^-?(0|[1-9][0-9]{0,19})$\"}"},
        {&int64, "Color|type", "\"string\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char way[100];
        json_t *d = library_as(NULL, rows[i].options);
        snprintf(way, sizeof way, "components|schemas|library.v1.%s", rows[i].way);
        check(d, way, rows[i].expected);
        json_decref(d);
    }
    json_t *d = library_as(NULL, &names);
    json_t *operation = part(d, "paths|/v1/shelves/{shelves}|get");
    assert_non_null(parameter(operation, "page_size"));
    assert_non_null(parameter(operation, "book.cover_color"));
    assert_null(parameter(operation, "pageSize"));
    json_decref(d);
}

/* Each reference leads to a component, and each operation has a name of its own. */
static void walk(json_t *document, json_t *node, json_t *ids)
{
    const char *key;
    json_t *value;
    size_t i;
    json_array_foreach(node, i, value) walk(document, value, ids);
    if (!json_is_object(node))
        return;
    const char *reference = json_string_value(json_object_get(node, "$ref"));
    const char *last = reference ? strrchr(reference, '/') + 1 : NULL;
    if (last &&
        !json_object_get(part(document, strstr(reference, "/responses/") ? "components|responses"
                                                                         : "components|schemas"),
                         last))
        fail_msg("%s leads nowhere", reference);
    const char *id = json_string_value(json_object_get(node, "operationId"));
    if (id && json_object_get(ids, id))
        fail_msg("%s occurs twice", id);
    if (id)
        json_object_set_new(ids, id, json_true());
    json_object_foreach(node, key, value) walk(document, value, ids);
}

static void test_references(void **state)
{
    (void)state;
    json_t *d = library(NULL), *ids = json_object();
    walk(d, d, ids);
    assert_int_equal(json_object_size(ids), 21); /* all routes */
    json_decref(ids);
    json_decref(d);
}

static struct routes *calculator(void)
{
    static const char *const paths[] = {CALCULATOR_DESCRIPTORS};
    struct status st;
    struct schema *schema = schema_load_files(paths, 1, &st);
    assert_non_null(schema);
    struct routes *r = routes_build(schema, NULL, 0, &st);
    schema_unref(schema);
    assert_non_null(r);
    return r;
}

static void test_comments(void **state)
{
    (void)state;
    static const struct {
        const char *way, *expected;
    } rows[] = {
        {"info|title", "\"Calculator\""},
        {"tags|0|description", "\"Arithmetic, one call at a time, streamed, batched and slow.\""},
        {"paths|/v1/div|post|summary", "\"Divides the first number by the second\""},
        {"paths|/v1/div|post|description",
         "\"Divides the first number by the second.  INVALID_ARGUMENT when the second is zero.\""},
        {"components|schemas|Number|description", "\"One operand or one result.\""},
        {"components|schemas|StatisticsReply|properties|variance|description",
         "\"population variance\""},
        {"paths|/v1/factors/{number}|get|parameters|0|description", "\"2 or greater\""},
        {"paths|/v1/factors/{number}|get|parameters|1|description",
         "\"pause before each message\""},
        {"paths|/v1/total|post|x-grpc-stream", "\"bidi\""},
        {"paths|/v1/statistics|post|x-grpc-stream", "\"client\""},
        {"paths|/v1/statistics|post|requestBody|content|application/json|schema",
         "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Number\"}}"},
        {"paths|/v1/statistics|post|requestBody|content|application/x-ndjson|schema|type",
         "\"string\""},
        {"components|schemas|BatchResult|allOf|0|oneOf|1", "{\"required\":[\"error\"]}"},
    };
    struct routes *r = calculator();
    json_t *d = document_of(r, &plain), *ids = json_object();
    for (size_t i = 0; i < COUNT(rows); i++)
        check(d, rows[i].way, rows[i].expected);
    walk(d, d, ids);
    json_decref(ids);
    json_decref(d);
    routes_unref(r);
}

static void test_kept(void **state)
{
    (void)state;
    struct status st;
    struct routes *r = calculator();
    const struct openapi_options options = {.prefix = "/api/v1"};
    struct slice first = routes_openapi(r, &options, &st);
    struct slice second = routes_openapi(r, &options, &st);
    assert_true(first.len > 1000);
    assert_ptr_equal(first.data, second.data);
    char *text = openapi_text(r, &options, true, &st);
    json_t *pretty = json_loads(text, 0, NULL),
           *compact = json_loadb((const char *)first.data, first.len, 0, NULL);
    assert_true(pretty && json_equal(pretty, compact));
    json_t *server = json_array_get(json_object_get(pretty, "servers"), 0);
    assert_string_equal(json_string_value(json_object_get(server, "url")), "/api/v1");
    json_decref(pretty);
    json_decref(compact);
    free(text);
    routes_unref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_path_items),
        cmocka_unit_test(test_operations), cmocka_unit_test(test_query),
        cmocka_unit_test(test_schemas),    cmocka_unit_test(test_references),
        cmocka_unit_test(test_comments),   cmocka_unit_test(test_kept),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, fixture_load, fixture_unload);
}
