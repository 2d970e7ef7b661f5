#include "unit/gateway/protocol/fixture.h"

#include <stdio.h>

static void start(enum exchange_method method, const char *path, const char *content_type)
{
    fake_exchange_init(&fx, &context, method, path);
    if (content_type)
        fake_exchange_header(&fx, "content-type", content_type);
    fake_exchange_open(&fx, &protocol_rest);
}

static void post(const char *path, const char *json)
{
    start(METHOD_POST, path, "application/json");
    fake_exchange_body(&fx, slice_from_string(json));
    fake_exchange_body_end(&fx);
}

static void expect_error(int http_status, int code, const char *part)
{
    struct slice body = buf_slice(&fx.body);
    char start_of_body[32];
    snprintf(start_of_body, sizeof start_of_body, "{\"code\":%d,\"message\":\"", code);
    assert_int_equal(fx.http_status, http_status);
    assert_true(slice_has_prefix(body, slice_from_string(start_of_body)));
    assert_non_null(memmem(body.data, body.len, part, strlen(part)));
    expect_answer("content-type", "application/json");
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, code);
}

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
    expect_body(SLICE("{\"value\":4}"));
    expect_answer("content-type", "application/json");
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

static void an_empty_body_is_an_empty_message(void **state)
{
    (void)state;
    start(METHOD_POST, "/Calculator/SquareRoot", "application/json; charset=utf-8");
    fake_exchange_body_end(&fx);
    assert_true(slice_equal(buf_slice(&fake_call_last()->sent), SLICE("\0\0\0\0\0")));
}

static void errors_have_http_status_and_json(void **state)
{
    (void)state;
    post("/Calculator/SquareRoot", "{\"value\":16}");
    fake_call_status(fake_call_last(), STATUS_NOT_FOUND, "no \"such\" thing", NULL);
    expect_error(404, 5, "no \\\"such\\\" thing");
}

static void refusals(void **state)
{
    (void)state;
    start(METHOD_POST, "/Calculator/Nope", "application/json");
    expect_error(404, 5, "no such method");
    fake_exchange_close(&fx);
    start(METHOD_GET, "/Calculator/SquareRoot", NULL);
    expect_error(405, 12, "POST");
    expect_answer("allow", "POST");
    fake_exchange_close(&fx);
    fake_exchange_init(&fx, &context, METHOD_POST, "/Calculator/SquareRoot");
    fake_exchange_header(&fx, "content-type", "text/plain");
    fake_exchange_header(&fx, "accept", "*/*");
    fake_exchange_open(&fx, &protocol_rest);
    expect_error(415, 3, "content type");
    fake_exchange_close(&fx);
    start(METHOD_POST, "/Calculator/Statistics", "application/json");
    expect_error(501, 12, "client streams");
    fake_exchange_close(&fx);
    post("/Calculator/SquareRoot", "{\"valu\":16}");
    expect_error(400, 3, "valu");
    assert_int_equal(fake_call_count(), 0);
}

/* It may be a gRPC or a Connect client, which would take JSON for an error of its own protocol. */
static void refusals_are_text_for_who_shows_no_sign_of_json(void **state)
{
    (void)state;
    start(METHOD_POST, "/Calculator/SquareRoot", "image/jpeg");
    assert_int_equal(fx.http_status, 415);
    expect_answer("content-type", "text/plain; charset=utf-8");
    expect_body(SLICE("/Calculator/SquareRoot: the content type must be application/json or "
                      "application/grpc-web\n"));
    assert_true(fx.ended);
}

static void oversized_bodies_are_413(void **state)
{
    (void)state;
    config.limits.max_message_bytes = 1000;
    fake_exchange_init(&fx, &context, METHOD_POST, "/Calculator/Echo");
    fx.request.content_length = 1 << 20;
    fake_exchange_open(&fx, &protocol_rest);
    expect_error(413, 8, "limit");
    fake_exchange_close(&fx);
    static char big[80000];
    memset(big, ' ', sizeof big);
    start(METHOD_POST, "/Calculator/Echo", NULL);
    fake_exchange_body(&fx, slice_from(big, sizeof big));
    expect_error(413, 8, "limit");
}

static void streams_as_array_and_lines(void **state)
{
    (void)state;
    post("/Calculator/PrimeFactors", "{\"number\":\"12\"}");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x08\2"));
    fake_call_message(call, SLICE("\x08\3\x10\1"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_body(SLICE("[{\"factor\":\"2\"},{\"factor\":\"3\",\"index\":1}]"));
    fake_exchange_close(&fx);

    fake_exchange_init(&fx, &context, METHOD_POST, "/Calculator/PrimeFactors");
    fake_exchange_header(&fx, "accept", "application/x-ndjson");
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body_end(&fx);
    call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x08\2"));
    fake_call_status(call, STATUS_ABORTED, "cut", NULL);
    expect_body(SLICE(
        "{\"factor\":\"2\"}\n{\"error\":{\"code\":10,\"message\":\"cut\",\"details\":[]}}\n"));
    assert_true(fx.ended);
}

static void an_empty_stream_is_an_empty_array(void **state)
{
    (void)state;
    post("/Calculator/PrimeFactors", "{}");
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    expect_body(SLICE("[]"));
}

static void a_failed_array_is_cut(void **state)
{
    (void)state;
    post("/Calculator/PrimeFactors", "{}");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x08\2"));
    fake_call_status(call, STATUS_ABORTED, "cut", NULL);
    expect_body(SLICE(
        "[{\"factor\":\"2\"},{\"error\":{\"code\":10,\"message\":\"cut\",\"details\":[]}}\n"));
    assert_true(fx.aborted);
    assert_false(fx.ended);
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
    struct schema *schema = context.schema;
    context.schema = NULL;
    start(METHOD_POST, "/Calculator/SquareRoot", "application/json");
    expect_error(503, 14, "--descriptors");
    context.schema = schema;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(unary_call),
        SCENARIO(a_body_in_pieces),
        SCENARIO(an_empty_body_is_an_empty_message),
        SCENARIO(errors_have_http_status_and_json),
        SCENARIO(refusals),
        SCENARIO(refusals_are_text_for_who_shows_no_sign_of_json),
        SCENARIO(oversized_bodies_are_413),
        SCENARIO(streams_as_array_and_lines),
        SCENARIO(an_empty_stream_is_an_empty_array),
        SCENARIO(a_failed_array_is_cut),
        SCENARIO(unary_replies_are_counted),
        SCENARIO(garbage_from_the_upstream_is_internal),
        SCENARIO(without_a_schema_it_explains),
        SCENARIO(a_client_that_leaves_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
