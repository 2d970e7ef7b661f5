/* Rules beyond those of the calculator: body and response fields, masks, raw bodies, precedence. */
#include "unit/gateway/protocol/rest_fixture.h"

static struct schema *calculator;
static struct routes *calculator_routes;

static int use(const char *file)
{
    struct status st;
    calculator = context.schema;
    calculator_routes = context.routes;
    context.schema = schema_load_files(&file, 1, &st);
    context.routes = context.schema ? routes_build(context.schema, NULL, 0, &st) : NULL;
    if (!context.routes)
        print_error("%s\n", st.text);
    return context.routes ? 0 : -1;
}

static int library_setup(void **state)
{
    return fixture_setup(state) || use(SCHEMA_TEST_SETS "/routes.binpb");
}

static int files_setup(void **state)
{
    return fixture_setup(state) || use(SCHEMA_TEST_SETS "/files.binpb");
}

static int teardown(void **state)
{
    fake_exchange_close(&fx);
    routes_unref(context.routes);
    schema_unref(context.schema);
    context.routes = calculator_routes;
    context.schema = calculator;
    return fixture_teardown(state);
}

static void body_fields_and_masks(void **state)
{
    (void)state;
    static const struct {
        enum exchange_method method;
        const char *target, *json;
        struct slice sent;
    } rows[] = {
#define SENT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
        {METHOD_POST, "/v1/shelves/a%2Fb/books?page_size=7", "{\"title\":\"T\"}",
         SENT("\x1a\3\x12\1T\x20\7\x12\x0dshelves/a%2Fb")},
        {METHOD_POST, "/v1/shelves/1/books", "", SENT("\x12\x09shelves/1")},
        {METHOD_PATCH, "/v1/shelves/1/books/2", "{\"title\":\"T\",\"author\":{\"age\":3}}",
         SENT("\x1a\7\x12\1T\x1a\2\x10\3\x1a\x13\x0a\x11shelves/1/books/2"
              "\xda\x01\x13\x0a\5title\x0a\x0a"
              "author.age")},
        {METHOD_PATCH, "/v1/shelves/1/books/2?update_mask=tags", "{\"title\":\"T\"}",
         SENT("\x1a\3\x12\1T\xda\x01\6\x0a\4tags\x1a\x13\x0a\x11shelves/1/books/2")},
        {METHOD_POST, "/v1/shelves/1/books/a:b:move", "{\"name\":\"x\",\"title\":1}", SENT("?")},
        {METHOD_POST, "/v1/shelves/1/books/a:b:move", "{\"name\":\"x\"}",
         SENT("\x0a\1x\x0a\x13shelves/1/books/a:b")},
#undef SENT
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_call_reset();
        send_json(rows[i].method, rows[i].target, rows[i].json);
        if (slice_equal(rows[i].sent, SLICE("?"))) {
            expect_error(400, 3, "title");
        } else {
            expect_sent(0, rows[i].sent);
            assert_true(fake_call_last()->half_closed);
        }
        fake_exchange_close(&fx);
    }
}

static void a_field_of_the_reply(void **state)
{
    (void)state;
    get("/v1/shelves/1/books");
    answer(SLICE("\x12\3\x12\1T\x12\3\x12\1U"), STATUS_OK);
    expect_text("[{\"title\":\"T\"},{\"title\":\"U\"}]");
    fake_exchange_close(&fx);
    get("/v1/shelves/2/books");
    answer(SLICE(""), STATUS_OK);
    expect_text("[]");
}

static void raw_bytes_come_down(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        struct slice reply;
        const char *type, *body;
    } rows[] = {
        {"/files/x", SLICE("\x0a\x09image/png\x12\3\x89PN"), "image/png", "\x89PN"},
        {"/files/x", SLICE("\x12\3abc"), "application/octet-stream", "abc"},
        {"/files/x", SLICE(""), "application/octet-stream", ""},
        {"/contents/x", SLICE("\x0a\1x\x12\x0f\x0a\x09image/png\x12\2{}"), "image/png", "{}"},
        {"/contents/x", SLICE("\x0a\1x"), "application/octet-stream", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        get(rows[i].target);
        expect_sent(0, SLICE("\x0a\1x"));
        answer(rows[i].reply, STATUS_OK);
        assert_int_equal(fx.http_status, 200);
        expect_answer("content-type", rows[i].type);
        expect_text(rows[i].body);
        fake_exchange_close(&fx);
    }
    get("/files/x");
    answer(SLICE("\x12\7abc"), STATUS_OK);
    expect_error(500, 13, "HttpBody");
    fake_exchange_close(&fx);
    get("/files/x");
    answer(slice_from(NULL, 0), STATUS_NOT_FOUND);
    expect_error(404, 5, "failed");
}

static void raw_streams(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 2; code++) {
        get_as("/files/x:stream", "application/json");
        struct fake_call *call = fake_call_last();
        fake_call_headers(call, NULL);
        fake_call_message(call, SLICE("\x0a\x08text/csv\x12\2a,"));
        fake_call_message(call, SLICE("\x12\2b\n"));
        fake_call_status(call, code, "cut", NULL);
        expect_answer("content-type", "text/csv");
        expect_text("a,b\n");
        assert_int_equal(fx.aborted, code != 0);
        assert_int_equal(fx.ended, code == 0);
        fake_exchange_close(&fx);
    }
}

static void raw_bytes_go_up(void **state)
{
    (void)state;
    start(METHOD_PUT, "/files/x", "image/png");
    fake_exchange_body(&fx, SLICE("\x89P"));
    fake_exchange_body(&fx, SLICE("N"));
    fake_exchange_body_end(&fx);
    expect_sent(0, SLICE("\x12\x10\x0a\x09image/png\x12\3\x89PN\x0a\1x"));
    fake_exchange_close(&fx);
    start(METHOD_POST, "/convert", "application/json");
    fake_exchange_body(&fx, SLICE("not JSON"));
    fake_exchange_body_end(&fx);
    expect_sent(0, SLICE("\x0a\x10"
                         "application/json\x12\x08not JSON"));
    fake_exchange_close(&fx);
    config.limits.max_message_bytes = 1000;
    static char big[2000];
    start(METHOD_POST, "/convert", "image/png");
    fake_exchange_body(&fx, slice_from(big, sizeof big));
    fake_exchange_body_end(&fx);
    expect_error(413, 8, "1000");
}

static void raw_uploads_are_streams_of_pieces(void **state)
{
    (void)state;
    start(METHOD_POST, "/files/x:stream", "text/csv");
    fake_exchange_body(&fx, SLICE("a,"));
    struct fake_call *call = fake_call_last();
    fake_exchange_body(&fx, SLICE("b\n"));
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_sent_count(call), 2);
    expect_sent(0, SLICE("\x12\x0e\x0a\x08text/csv\x12\2a,\x0a\1x"));
    expect_sent(1, SLICE("\x12\4\x12\2b\n"));
    assert_true(call->half_closed);
    fake_exchange_close(&fx);
    static char big[150000];
    start(METHOD_POST, "/files/x:stream", "text/csv");
    fake_exchange_body(&fx, slice_from(big, sizeof big));
    assert_int_equal(fake_call_sent_count(fake_call_last()), 3);
}

static void path_and_query_bind_the_first_message_of_a_stream(void **state)
{
    (void)state;
    post("/names/t", "[\"a\",\"b\"]");
    expect_sent(0, SLICE("\x0a\1a\x12\3\x0a\1t"));
    expect_sent(1, SLICE("\x0a\1b"));
    fake_exchange_close(&fx);
    post("/names/t", "[]");
    assert_int_equal(fake_call_sent_count(fake_call_last()), 1);
    expect_sent(0, SLICE("\x12\3\x0a\1t"));
    fake_exchange_close(&fx);
    get("/names?name=a");
    assert_int_equal(fake_call_sent_count(fake_call_last()), 1);
    expect_sent(0, SLICE("\x0a\1a"));
    assert_true(fake_call_last()->half_closed);
}

static void a_rule_for_any_method(void **state)
{
    (void)state;
    send_json(METHOD_DELETE, "/any?name=x", NULL);
    expect_sent(0, SLICE("\x0a\1x"));
    fake_exchange_close(&fx);
    send_json(METHOD_OPTIONS, "/any", NULL);
    assert_int_equal(fx.http_status, 204);
    expect_answer("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

/* Opens the exchange with the only custom method of the fixture, or another one. */
static void custom(const char *method, const char *target)
{
    request(METHOD_CUSTOM, target);
    fx.request.method_name = slice_from_string(method);
    fake_exchange_open(&fx, &protocol_rest);
}

static void a_rule_for_a_custom_method(void **state)
{
    (void)state;
    custom("SEARCH", "/v1/books?name=x");
    fake_exchange_body_end(&fx);
    expect_sent(0, SLICE("\x0a\1x"));
    answer(SLICE("\x0a\1y"), STATUS_OK);
    expect_text("[{\"name\":\"y\"}]");
    fake_exchange_close(&fx);
    static const struct {
        const char *method, *target;
        int http_status, code;
        const char *allow;
    } rows[] = {
        {"SEARCH", "/v1/shelves/1", 405, 12, "GET, HEAD, OPTIONS"},
        {"SEARCH", "/nope", 404, 5, ""},
        {"BREW", "/v1/books", 501, 12, ""},
        {"search", "/v1/books", 501, 12, ""},
        {"BREW", "/nope", 501, 12, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        custom(rows[i].method, rows[i].target);
        expect_error(rows[i].http_status, rows[i].code, rows[i].target);
        expect_answer("allow", rows[i].allow);
        fake_exchange_close(&fx);
    }
    post("/v1/books", "{}");
    expect_error(405, 12, "/v1/books");
    expect_answer("allow", "GET, HEAD, OPTIONS, SEARCH");
}

/* Such a method may have a body like any other. */
static void any_method_is_a_custom_one_too(void **state)
{
    (void)state;
    custom("BREW", "/any?name=x");
    fake_exchange_body_end(&fx);
    expect_sent(0, SLICE("\x0a\1x"));
    fake_exchange_close(&fx);
    custom("BREW", "/files/x");
    expect_error(501, 12, "/files/x");
}

static void a_rule_goes_before_the_page(void **state)
{
    (void)state;
    config.console = SWITCH_ON;
    request(METHOD_GET, "/");
    assert_false(protocol_page.matches(&fx.request, &context));
    fake_exchange_close(&fx);
    request(METHOD_GET, "/app.js");
    assert_true(protocol_page.matches(&fx.request, &context));
}

#define LIBRARY(name) cmocka_unit_test_setup_teardown(name, library_setup, teardown)
#define FILES(name) cmocka_unit_test_setup_teardown(name, files_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIBRARY(body_fields_and_masks),
        LIBRARY(a_field_of_the_reply),
        FILES(raw_bytes_come_down),
        FILES(raw_streams),
        FILES(raw_bytes_go_up),
        FILES(raw_uploads_are_streams_of_pieces),
        FILES(path_and_query_bind_the_first_message_of_a_stream),
        FILES(a_rule_for_any_method),
        LIBRARY(a_rule_for_a_custom_method),
        FILES(any_method_is_a_custom_one_too),
        FILES(a_rule_goes_before_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
