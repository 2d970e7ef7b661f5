/* Unary calls: routes, binding, errors. */
#include "unit/gateway/protocol/rest_fixture.h"

static void unary_call(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{\"value\":16}");
    struct fake_call *call = fake_call_last();
    assert_true(call->half_closed);
    assert_true(slice_equal(buf_slice(&call->sent), SLICE("\0\0\0\0\5\x0d\0\0\x80\x41")));
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x0d\0\0\x80\x40"));
    assert_int_equal(fx.http_status, 0); /* an error code is still possible */
    fake_call_status(call, STATUS_OK, NULL, NULL);
    assert_int_equal(fx.http_status, 200);
    expect_text("{\"value\":4}");
    expect_answer("content-type", "application/json");
}

static void rules_bind_path_query_and_body(void **state)
{
    (void)state;
    static const struct {
        enum exchange_method method;
        const char *target, *json, *rpc;
        struct slice sent;
    } rows[] = {
#define SENT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
        {METHOD_GET, "/v1/sqrt/16", NULL, "/Calculator/SquareRoot", SENT("\x0d\0\0\x80\x41")},
        {METHOD_GET, "/v1/sqrt/%31%36", NULL, "/Calculator/SquareRoot", SENT("\x0d\0\0\x80\x41")},
        {METHOD_GET, "/v1/add?value1=16&value2=16", NULL, "/Calculator/AddNum",
         SENT("\x0d\0\0\x80\x41\x15\0\0\x80\x41")},
        {METHOD_POST, "/v1/add", "{\"value1\":16}", "/Calculator/AddNum", SENT("\x0d\0\0\x80\x41")},
        {METHOD_POST, "/v1/add", "", "/Calculator/AddNum", SENT("")},
        {METHOD_POST, "/v1/add", NULL, "/Calculator/AddNum", SENT("")},
        {METHOD_GET, "/v1/history?pageSize=3", NULL, "/Calculator/ListHistory", SENT("\x08\3")},
        {METHOD_GET, "/v1/history?page_size=3&page_token=a+b", NULL, "/Calculator/ListHistory",
         SENT("\x08\3\x12\3a b")},
        {METHOD_GET, "/v1/slow/sqrt/16?delay=1s", NULL, "/Calculator/SlowSquareRoot",
         SENT("\x12\2\x08\1\x0d\0\0\x80\x41")},
        {METHOD_GET, "/v1/history?$alt=json;enum-encoding=int&key=k&%24prettyPrint=true", NULL,
         "/Calculator/ListHistory", SENT("")},
#undef SENT
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        send_json(rows[i].method, rows[i].target, rows[i].json);
        if (fake_call_count() != i + 1)
            fail_msg("no call for %s: %.*s", rows[i].target, SLICE_PRINT(buf_slice(&fx.body)));
        assert_true(slice_equal(fake_call_last()->path, slice_from_string(rows[i].rpc)));
        assert_true(slice_equal(fx.outcome.rpc, slice_from_string(rows[i].rpc)));
        expect_sent(0, rows[i].sent);
        assert_true(fake_call_last()->half_closed);
        answer(SLICE(""), STATUS_OK);
        assert_int_equal(fx.http_status, 200);
        fake_exchange_close(&fx);
    }
}

static void bad_requests_make_no_call(void **state)
{
    (void)state;
    static const struct {
        enum exchange_method method;
        const char *target, *json;
        int http_status, code;
        const char *part;
    } rows[] = {
        {METHOD_POST, "/Calculator/Nope", "{}", 404, 5, "no such path"},
        {METHOD_GET, "/v1/sqrt", NULL, 405, 12, "POST, OPTIONS"},
        {METHOD_GET, "/v1/sqrt/", NULL, 404, 5, "no such path"},
        {METHOD_GET, "/v1/sqrt/x", NULL, 400, 3, "value"},
        {METHOD_GET, "/v1/sqrt/%zz", NULL, 400, 3, "escape"},
        {METHOD_GET, "/v1/sqrt/1?value=2", NULL, 400, 3, "value"},
        {METHOD_GET, "/v1/add?value1=1&value3=2", NULL, 400, 3, "value3"},
        {METHOD_GET, "/v1/add?value1=1&value1=2", NULL, 400, 3, "value1"},
        {METHOD_POST, "/v1/add?value1=1", "{}", 400, 3, "value1"},
        {METHOD_POST, "/Calculator/SquareRoot", "{\"valu\":16}", 400, 3, "valu"},
        {METHOD_POST, "/Calculator/SquareRoot", "{} x", 400, 3, "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        send_json(rows[i].method, rows[i].target, rows[i].json);
        expect_error(rows[i].http_status, rows[i].code, rows[i].part);
        assert_int_equal(fake_call_count(), 0);
        fake_exchange_close(&fx);
    }
}

static void methods_of_a_path_are_told(void **state)
{
    (void)state;
    get("/Calculator/SquareRoot");
    expect_error(405, 12, "/Calculator/SquareRoot");
    expect_answer("allow", "POST, OPTIONS");
    fake_exchange_close(&fx);
    send_json(METHOD_OPTIONS, "/v1/add", NULL);
    assert_int_equal(fx.http_status, 204);
    expect_answer("allow", "GET, HEAD, POST, OPTIONS");
    expect_text("");
    assert_true(fx.ended);
    fake_exchange_close(&fx);
    send_json(METHOD_OPTIONS, "/nope", NULL);
    expect_error(404, 5, "/nope");
    assert_int_equal(fake_call_count(), 0);
}

static void head_follows_get(void **state)
{
    (void)state;
    send_json(METHOD_HEAD, "/v1/sqrt/16", NULL);
    expect_sent(0, SLICE("\x0d\0\0\x80\x41"));
    answer(SLICE("\x0d\0\0\x80\x40"), STATUS_OK);
    assert_int_equal(fx.http_status, 200);
    assert_true(fx.ended);
}

static void a_body_that_the_rule_does_not_take_is_ignored(void **state)
{
    (void)state;
    start(METHOD_GET, "/v1/sqrt/16", "text/plain");
    fake_exchange_body(&fx, SLICE("rubbish"));
    assert_true(fx.discarding);
    expect_sent(0, SLICE("\x0d\0\0\x80\x41"));
    answer(SLICE(""), STATUS_OK);
    assert_int_equal(fx.http_status, 200);
}

static void a_body_in_pieces(void **state)
{
    (void)state;
    start(METHOD_POST, "/Calculator/SquareRoot", NULL);
    static const char json[] = "{ \"value\" : 16 }";
    for (size_t i = 0; i < sizeof json - 1; i++)
        fake_exchange_body(&fx, slice_from(json + i, 1));
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_body_end(&fx);
    assert_int_equal(buf_len(&fake_call_last()->sent), 10);
}

static void a_body_at_once_is_sent_at_once(void **state)
{
    (void)state;
    request(METHOD_POST, "/Calculator/SquareRoot");
    fx.request.content_length = 12;
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body(&fx, SLICE("{\"value\":16}"));
    expect_sent(0, SLICE("\x0d\0\0\x80\x41"));
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_count(), 1);
}

static void errors_have_http_status_and_json(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{\"value\":16}");
    fake_call_status(fake_call_last(), STATUS_NOT_FOUND, "no \"such\" thing", NULL);
    expect_text("{\"code\":5,\"message\":\"no \\\"such\\\" thing\",\"details\":[]}\n");
    expect_error(404, 5, "");
    fake_exchange_close(&fx);
    post("/Calculator/SquareRoot", "{}");
    fake_call_status(fake_call_last(), 1234, "odd", NULL);
    assert_int_equal(fx.http_status, 500);
    expect_text("{\"code\":1234,\"message\":\"odd\",\"details\":[]}\n");
    fake_exchange_close(&fx);
    post("/Calculator/SquareRoot", "{}");
    fake_call_status(fake_call_last(), STATUS_UNAVAILABLE, "later", NULL);
    expect_error(503, 14, "later");
    expect_answer("retry-after", "1");
    fake_exchange_close(&fx);
    post("/Calculator/SquareRoot", "{}");
    fake_call_status(fake_call_last(), STATUS_RESOURCE_EXHAUSTED, "too often", NULL);
    expect_error(429, 8, "too often");
    expect_answer("retry-after", "1");
}

static void google_clients_get_their_form_of_errors(void **state)
{
    (void)state;
    get("/v1/sqrt/16?$alt=json;enum-encoding=int");
    fake_call_status(fake_call_last(), STATUS_NOT_FOUND, "gone", NULL);
    assert_int_equal(fx.http_status, 404);
    expect_text("{\"error\":{\"code\":404,\"message\":\"gone\",\"status\":\"NOT_FOUND\","
                "\"details\":[]}}\n");
    fake_exchange_close(&fx);
    get("/nope?%24alt=json");
    expect_part("{\"error\":{\"code\":404,\"message\":\"/nope");
    fake_exchange_close(&fx);
    request(METHOD_GET, "/nope");
    fake_exchange_header(&fx, "x-goog-api-client", "gl-python/3.11.2 rest/2.32.0");
    fake_exchange_open(&fx, &protocol_rest);
    expect_part("{\"error\":{\"code\":404,");
    fake_exchange_close(&fx);
    get("/v1/sqrt/16?$alt=media");
    assert_int_equal(fx.http_status, 400);
    expect_part("{\"error\":{\"code\":400,");
    expect_part("$alt");
}

static void enums_as_numbers_when_asked(void **state)
{
    (void)state;
    get("/v1/history");
    answer(SLICE("\x0a\2\x10\5"), STATUS_OK);
    expect_text("{\"records\":[{\"operation\":\"SQUARE_ROOT\"}]}");
    fake_exchange_close(&fx);
    get("/v1/history?$alt=json;enum-encoding=int");
    answer(SLICE("\x0a\2\x10\5"), STATUS_OK);
    expect_text("{\"records\":[{\"operation\":5}]}");
}

static void the_service_chooses_its_status(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int http_status;
        const char *body;
    } rows[] = {
        {"201", 201, "{}"},  {"204", 204, ""},   {"304", 304, ""},
        {"302", 302, "{}"},  {"404", 200, "{}"}, {"99", 200, "{}"},
        {"2000", 200, "{}"}, {"2x0", 200, "{}"}, {"", 200, "{}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        post("/Calculator/SquareRoot", "{}");
        struct metadata headers;
        metadata_init(&headers, &fx.arena, 4096);
        metadata_add(&headers, SLICE("x-http-code"), slice_from_string(rows[i].code));
        metadata_add(&headers, SLICE("location"), SLICE("/v1/there"));
        fake_call_headers(fake_call_last(), &headers);
        fake_call_message(fake_call_last(), SLICE(""));
        fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
        assert_int_equal(fx.http_status, rows[i].http_status);
        expect_text(rows[i].body);
        expect_answer("location", "/v1/there");
        assert_null(fake_exchange_answer(&fx, "x-http-code").data);
        assert_int_equal(!fake_exchange_answer(&fx, "content-type").data, !*rows[i].body);
        assert_true(fx.ended);
        fake_exchange_close(&fx);
    }
    post("/Calculator/SquareRoot", "{}");
    struct metadata headers;
    metadata_init(&headers, &fx.arena, 4096);
    metadata_add(&headers, SLICE("x-http-code"), SLICE("204"));
    fake_call_headers(fake_call_last(), &headers);
    fake_call_status(fake_call_last(), STATUS_ABORTED, "no success", NULL);
    expect_error(409, 10, "no success");
}

static void content_types(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int http_status;
        const char *answer;
    } rows[] = {
        {"application/json; charset=utf-8", 200, "application/json"},
        {"Application/JSON", 200, "application/json"},
        {"", 200, "application/json"},
        /* Neither JSON nor Accept: no sign of knowing JSON. */
        {"text/plain", 415, "text/plain; charset=utf-8"},
        {"image/jpeg", 415, "text/plain; charset=utf-8"},
        /* Clients of these would take JSON for an error of their own protocol. */
        {"application/grpc", 415, "text/plain; charset=utf-8"},
        {"application/grpc+proto", 415, "text/plain; charset=utf-8"},
        {"application/proto", 415, "text/plain; charset=utf-8"},
        {"application/connect+proto", 415, "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(METHOD_POST, "/Calculator/SquareRoot", rows[i].type);
        if (!fx.ended) {
            fake_exchange_body_end(&fx);
            answer(SLICE(""), STATUS_OK);
        }
        assert_int_equal(fx.http_status, rows[i].http_status);
        expect_answer("content-type", rows[i].answer);
        assert_true(fx.ended);
        fake_exchange_close(&fx);
    }
    static const char *const with_accept[] = {"text/plain", "application/x-www-form-urlencoded",
                                              "application/x-ndjson", "image/jpeg"};
    for (size_t i = 0; i < sizeof with_accept / sizeof *with_accept; i++) {
        request(METHOD_POST, "/Calculator/SquareRoot");
        fake_exchange_header(&fx, "content-type", with_accept[i]);
        fake_exchange_header(&fx, "accept", "*/*");
        fake_exchange_open(&fx, &protocol_rest);
        expect_error(415, 3, "content type");
        fake_exchange_close(&fx);
    }
}

static void oversized_bodies_are_413(void **state)
{
    (void)state;
    config.limits.max_message_bytes = 1000;
    request(METHOD_POST, "/Calculator/Echo");
    fx.request.content_length = 1 << 20;
    fake_exchange_open(&fx, &protocol_rest);
    expect_error(413, 8, "limit");
    assert_null(fake_exchange_answer(&fx, "retry-after").data);
    fake_exchange_close(&fx);
    static char big[80000];
    memset(big, ' ', sizeof big);
    start(METHOD_POST, "/Calculator/Echo", NULL);
    fake_exchange_body(&fx, slice_from(big, sizeof big));
    expect_error(413, 8, "limit");
    fake_exchange_close(&fx);
    memset(big, 'A', 4000);
    memcpy(big, "{\"payload\":\"", 12);
    memcpy(big + 4000, "\"}", 3);
    post("/Calculator/Echo", big);
    expect_error(413, 8, "");
}

static void unary_replies_are_counted(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{}");
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    expect_error(501, 12, "0 replies");
    fake_exchange_close(&fx);
    post("/Calculator/SquareRoot", "{}");
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), SLICE(""));
    fake_call_message(fake_call_last(), SLICE(""));
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    expect_error(501, 12, "2 replies");
}

static void garbage_from_the_upstream_is_internal(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{}");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x0d\0"));
    expect_error(500, 13, "");
    assert_true(call->cancelled);
}

static void without_a_schema_it_explains(void **state)
{
    (void)state;
    struct routes *routes = context.routes;
    context.routes = NULL;
    start(METHOD_POST, "/Calculator/SquareRoot", "application/json");
    expect_error(503, 14, "--descriptors");
    context.routes = routes;
}

static void an_old_snapshot_lives_as_long_as_its_calls(void **state)
{
    (void)state;
    get("/v1/sqrt/16");
    struct status st;
    struct routes *next = routes_build(context.schema, NULL, 0, &st);
    routes_unref(context.routes);
    context.routes = next;
    answer(SLICE("\x0d\0\0\x80\x40"), STATUS_OK);
    expect_text("{\"value\":4}");
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{}");
    struct fake_call *call = fake_call_last();
    fx.protocol->close(fake_exchange_handle(&fx), fx.state);
    assert_true(call->cancelled);
    fx.protocol = NULL;
}

static void a_call_that_does_not_start_is_an_error(void **state)
{
    (void)state;
    fake_call_fail_start();
    get("/v1/sqrt/16");
    expect_error(429, 8, "out of memory");
    fake_exchange_close(&fx);
    request(METHOD_GET, "/v1/sqrt/16");
    fake_exchange_header(&fx, "grpc-timeout", "soon");
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body_end(&fx);
    expect_error(400, 3, "grpc-timeout");
    assert_int_equal(fake_call_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(unary_call),
        SCENARIO(rules_bind_path_query_and_body),
        SCENARIO(bad_requests_make_no_call),
        SCENARIO(methods_of_a_path_are_told),
        SCENARIO(head_follows_get),
        SCENARIO(a_body_that_the_rule_does_not_take_is_ignored),
        SCENARIO(a_body_in_pieces),
        SCENARIO(a_body_at_once_is_sent_at_once),
        SCENARIO(errors_have_http_status_and_json),
        SCENARIO(google_clients_get_their_form_of_errors),
        SCENARIO(enums_as_numbers_when_asked),
        SCENARIO(the_service_chooses_its_status),
        SCENARIO(content_types),
        SCENARIO(oversized_bodies_are_413),
        SCENARIO(unary_replies_are_counted),
        SCENARIO(garbage_from_the_upstream_is_internal),
        SCENARIO(without_a_schema_it_explains),
        SCENARIO(an_old_snapshot_lives_as_long_as_its_calls),
        SCENARIO(a_client_that_leaves_cancels),
        SCENARIO(a_call_that_does_not_start_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
