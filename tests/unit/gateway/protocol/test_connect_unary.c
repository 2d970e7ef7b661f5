#include "unit/gateway/protocol/fixture.h"

#include "grpc/compression.h"

#include <stdio.h>

#define SQRT "/Calculator/SquareRoot"
#define NUMBER_16 "\x0d\0\0\x80\x41"
#define NUMBER_4 "\x0d\0\0\x80\x40"

static const struct protocol *const unary = &protocol_connect_unary;

static void prepare(enum exchange_method method, const char *path, const char *content_type)
{
    fake_exchange_init(&fx, &context, method, path);
    if (content_type)
        fake_exchange_header(&fx, "content-type", content_type);
}

static void open_matching(void)
{
    assert_true(unary->matches(&fx.request, &context));
    fake_exchange_open(&fx, unary);
}

static void start(const char *path, const char *content_type)
{
    prepare(METHOD_POST, path, content_type);
    fake_exchange_header(&fx, "connect-protocol-version", "1");
    open_matching();
}

static void upload(struct slice body)
{
    if (body.len > 0)
        fake_exchange_body(&fx, body);
    fake_exchange_body_end(&fx);
}

static void start_get(const char *path, const char *query)
{
    prepare(METHOD_GET, path, NULL);
    fx.request.query = slice_from_string(query);
}

static void expect_sent(struct slice message)
{
    struct fake_call *call = fake_call_last();
    assert_non_null(call);
    assert_true(call->half_closed);
    assert_int_equal(fake_call_sent_count(call), 1);
    assert_true(slice_equal(fake_call_sent_message(call, 0, NULL), message));
}

static void expect_error(int http_status, const char *code, const char *part)
{
    struct slice body = buf_slice(&fx.body);
    char start_of_body[64];
    snprintf(start_of_body, sizeof start_of_body, "{\"code\":\"%s\"", code);
    assert_int_equal(fx.http_status, http_status);
    assert_true(slice_has_prefix(body, slice_from_string(start_of_body)));
    assert_non_null(memmem(body.data, body.len, part, strlen(part)));
    expect_answer("content-type", "application/json");
    assert_true(fx.ended);
    assert_true(fx.discarding);
    assert_int_equal(fake_call_live(), 0);
}

static void answer(struct slice message)
{
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, message);
    assert_int_equal(fx.http_status, 0); /* an error is still possible */
    fake_call_status(call, STATUS_OK, NULL, NULL);
}

static void a_protobuf_call(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    upload(SLICE(NUMBER_16));
    expect_sent(SLICE(NUMBER_16));
    answer(SLICE(NUMBER_4));
    assert_int_equal(fx.http_status, 200);
    expect_answer("content-type", "application/proto");
    expect_answer("content-encoding", NULL);
    expect_body(SLICE(NUMBER_4));
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, STATUS_OK);
    assert_true(slice_equal(fx.outcome.rpc, SLICE(SQRT)));
}

static void a_json_call_is_transcoded(void **state)
{
    (void)state;
    start(SQRT, "application/json; charset=utf-8");
    upload(SLICE("{\"value\":16}"));
    expect_sent(SLICE(NUMBER_16));
    answer(SLICE(NUMBER_4));
    expect_answer("content-type", "application/json");
    expect_body(SLICE("{\"value\":4}"));
}

/* All but indentation, which is for people at REST. */
static void json_replies_are_as_configured(void **state)
{
    (void)state;
    config.json_pretty = config.json_enums_as_numbers = config.json_int64_as_numbers = true;
    config.json_proto_names = config.json_emit_defaults = true;
    start("/Calculator/ListHistory", "application/json");
    upload(SLICE("{\"page_size\":1}"));
    answer(SLICE("\x0a\4\x10\5\x30\3"));
    expect_body(
        SLICE("{\"records\":[{\"name\":\"\",\"operation\":5,\"left\":0,\"right\":0,\"result\":0,"
              "\"sequence\":3}],\"next_page_token\":\"\"}"));
}

static void bodies_in_pieces_and_of_known_length(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    struct slice body = SLICE(NUMBER_16);
    for (size_t i = 0; i < body.len; i++)
        fake_exchange_body(&fx, slice_from(body.data + i, 1));
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_body_end(&fx);
    expect_sent(body);
    fake_exchange_close(&fx);

    prepare(METHOD_POST, SQRT, "application/proto");
    fx.request.content_length = body.len;
    open_matching();
    fake_exchange_body(&fx, body);
    expect_sent(body); /* the end need not be waited for */
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_count(), 2);
}

static void an_empty_body_is_an_empty_message_but_no_json(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    upload(SLICE(""));
    expect_sent(SLICE(""));
    answer(SLICE(""));
    expect_body(SLICE(""));
    fake_exchange_close(&fx);
    start(SQRT, "application/json");
    upload(SLICE(""));
    expect_error(400, "invalid_argument", "");
}

static bool taken(enum exchange_method method, const char *content_type, const char *version,
                  const char *query)
{
    prepare(method, SQRT, content_type);
    if (version)
        fake_exchange_header(&fx, "connect-protocol-version", version);
    fx.request.query = slice_from_string(query);
    bool matches = unary->matches(&fx.request, &context);
    fake_exchange_close(&fx);
    return matches;
}

static void which_requests_it_takes(void **state)
{
    (void)state;
    assert_true(taken(METHOD_POST, "application/proto", NULL, NULL));
    assert_true(taken(METHOD_DELETE, "Application/Proto", NULL, NULL));
    assert_true(taken(METHOD_POST, "application/json", "1", NULL));
    assert_true(taken(METHOD_POST, "application/foo", "1", NULL));
    assert_false(taken(METHOD_POST, "application/json", NULL, NULL)); /* REST's */
    assert_false(taken(METHOD_POST, "application/foo", NULL, NULL));
    assert_false(taken(METHOD_POST, "application/connect+proto", "1", NULL));
    assert_true(taken(METHOD_GET, NULL, NULL, "connect=v1&encoding=json&message=x"));
    assert_true(taken(METHOD_GET, NULL, NULL, "encoding=proto&message=x"));
    assert_false(taken(METHOD_GET, NULL, NULL, "value=4"));
    assert_false(taken(METHOD_POST, NULL, NULL, "connect=v1&encoding=json&message=x"));
}

static void refusals(void **state)
{
    (void)state;
    prepare(METHOD_DELETE, SQRT, "application/proto");
    open_matching();
    expect_error(405, "unknown", "POST or GET");
    expect_answer("allow", "GET, POST");
    fake_exchange_close(&fx);

    start(SQRT, "application/foo");
    expect_error(415, "unknown", "application/foo");
    expect_answer("accept-post", "application/proto, application/json");
    fake_exchange_close(&fx);

    start("/Calculator/PrimeFactors", "application/proto");
    expect_error(415, "unknown", "application/connect+proto");
    fake_exchange_close(&fx);

    prepare(METHOD_POST, SQRT, "application/proto");
    fake_exchange_header(&fx, "connect-protocol-version", "2");
    open_matching();
    expect_error(400, "invalid_argument", "version");
    fake_exchange_close(&fx);

    start("/Calculator/Cube", "application/json");
    expect_error(404, "unimplemented", "no such method");
    assert_int_equal(fake_call_count(), 0);
}

static void the_upstream_judges_paths_that_the_schema_does_not_know(void **state)
{
    (void)state;
    start("/Calculator/Cube", "application/proto");
    upload(SLICE("x"));
    fake_call_status(fake_call_last(), STATUS_UNIMPLEMENTED, "unknown method", NULL);
    expect_error(404, "unimplemented", "unknown method");
    fake_exchange_close(&fx);
    start(SQRT, "application/proto"); /* it exists, but is not implemented */
    upload(SLICE("x"));
    fake_call_status(fake_call_last(), STATUS_UNIMPLEMENTED, "not yet", NULL);
    expect_error(501, "unimplemented", "not yet");
}

static void without_a_schema_protobuf_passes_and_json_is_explained(void **state)
{
    (void)state;
    struct schema *schema = context.schema;
    context.schema = NULL;
    start("/any.Service/Method", "application/proto");
    upload(SLICE("x"));
    expect_sent(SLICE("x"));
    answer(SLICE("y"));
    expect_body(SLICE("y"));
    fake_exchange_close(&fx);
    start("/any.Service/Method", "application/json");
    expect_error(503, "unavailable", "--descriptors");
    fake_exchange_close(&fx);
    start_get("/any.Service/Method", "connect=v1&encoding=proto&message=");
    open_matching();
    expect_error(503, "unavailable", "POST");
    context.schema = schema;
}

static void compressed_requests(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1000);
    compression_deflate(SLICE("{\"value\":16}"), &packed);
    prepare(METHOD_POST, SQRT, "application/json");
    fake_exchange_header(&fx, "connect-protocol-version", "1");
    fake_exchange_header(&fx, "content-encoding", "gzip");
    open_matching();
    upload(buf_slice(&packed));
    buf_fini(&packed);
    expect_sent(SLICE(NUMBER_16));
    assert_null(fake_call_header(fake_call_last(), "content-encoding").data);
    assert_null(fake_call_header(fake_call_last(), "connect-protocol-version").data);
    fake_exchange_close(&fx);

    prepare(METHOD_POST, SQRT, "application/proto");
    fake_exchange_header(&fx, "content-encoding", "gzip");
    open_matching();
    upload(SLICE("no gzip"));
    expect_error(400, "invalid_argument", "gzip");
    fake_exchange_close(&fx);

    prepare(METHOD_POST, SQRT, "application/proto");
    fake_exchange_header(&fx, "content-encoding", "br");
    open_matching();
    expect_error(501, "unimplemented", "identity,gzip");
    expect_answer("accept-encoding", "identity,gzip");
}

static void a_bomb_meets_the_limit(void **state)
{
    (void)state;
    static uint8_t zeros[1 << 20];
    struct buf packed;
    config.limits.max_message_bytes = 1000;
    buf_init(&packed, 2 << 20);
    assert_int_equal(compression_deflate(slice_from(zeros, sizeof zeros), &packed), 0);
    prepare(METHOD_POST, "/Calculator/Echo", "application/proto");
    fake_exchange_header(&fx, "content-encoding", "gzip");
    open_matching();
    upload(buf_slice(&packed));
    buf_fini(&packed);
    expect_error(429, "resource_exhausted", "limit");
    assert_int_equal(fake_call_count(), 0);
}

static void limits_of_a_request(void **state)
{
    (void)state;
    static uint8_t zeros[1001];
    config.limits.max_message_bytes = 1000;
    prepare(METHOD_POST, "/Calculator/Echo", "application/proto");
    fx.request.content_length = 1001;
    open_matching();
    expect_error(429, "resource_exhausted", "--max-message-bytes");
    fake_exchange_close(&fx);

    start("/Calculator/Echo", "application/proto");
    fake_exchange_body(&fx, slice_from(zeros, 600));
    fake_exchange_body(&fx, slice_from(zeros, 401));
    expect_error(429, "resource_exhausted", "--max-message-bytes");
    fake_exchange_close(&fx);

    start("/Calculator/Echo", "application/proto");
    upload(slice_from(zeros, 1000));
    expect_sent(slice_from(zeros, 1000));
    assert_int_equal(fake_call_last()->max_reply_len, config.limits.max_reply_bytes);
}

static void replies_are_compressed_for_those_who_ask(void **state)
{
    (void)state;
    static uint8_t message[4000];
    memset(message, 'a', sizeof message);
    for (int accepted = 0; accepted < 2; accepted++) {
        prepare(METHOD_POST, "/Calculator/Echo", "application/proto");
        if (accepted)
            fake_exchange_header(&fx, "accept-encoding", "br, gzip;q=0.5");
        open_matching();
        upload(SLICE(""));
        answer(slice_from(message, sizeof message));
        expect_answer("content-encoding", accepted ? "gzip" : NULL);
        struct buf plain;
        struct status st;
        buf_init(&plain, sizeof message);
        if (accepted)
            assert_true(compression_inflate(buf_slice(&fx.body), &plain, &st));
        else
            buf_append_slice(&plain, buf_slice(&fx.body));
        assert_true(slice_equal(buf_slice(&plain), slice_from(message, sizeof message)));
        buf_fini(&plain);
        fake_exchange_close(&fx);
    }
    prepare(METHOD_POST, SQRT, "application/proto"); /* a short one is not worth it */
    fake_exchange_header(&fx, "accept-encoding", "gzip");
    open_matching();
    upload(SLICE(NUMBER_16));
    answer(SLICE(NUMBER_4));
    expect_answer("content-encoding", NULL);
    expect_body(SLICE(NUMBER_4));
}

static void metadata_both_ways(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata headers, trailers;
    arena_init(&arena, NULL, 0, 4096);
    metadata_init(&headers, &arena, 4096);
    metadata_init(&trailers, &arena, 4096);
    metadata_add(&headers, SLICE("x-lead"), SLICE("1"));
    metadata_add(&headers, SLICE("content-encoding"), SLICE("forged"));
    metadata_add(&trailers, SLICE("x-trail"), SLICE("2"));
    metadata_add(&trailers, SLICE("x-raw-bin"), SLICE("AAE"));
    for (uint32_t code = STATUS_OK; code <= STATUS_NOT_FOUND; code += STATUS_NOT_FOUND) {
        prepare(METHOD_POST, SQRT, "application/proto");
        fake_exchange_header(&fx, "x-own", "a");
        fake_exchange_header(&fx, "connect-timeout-ms", "5000");
        open_matching();
        upload(SLICE(NUMBER_16));
        struct fake_call *call = fake_call_last();
        assert_true(slice_equal(fake_call_header(call, "x-own"), SLICE("a")));
        assert_null(fake_call_header(call, "connect-timeout-ms").data);
        fake_call_headers(call, &headers);
        fake_call_message(call, SLICE(NUMBER_4));
        fake_call_status(call, code, code ? "none" : NULL, &trailers);
        expect_answer("x-lead", "1");
        expect_answer("trailer-x-trail", "2");
        expect_answer("trailer-x-raw-bin", "AAE");
        expect_answer("content-encoding", NULL);
        assert_int_equal(fx.http_status, code ? 404 : 200);
        fake_exchange_close(&fx);
    }
    arena_fini(&arena);
}

static void timeouts(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "-1", "1.5", " 5", "12345678901"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        prepare(METHOD_POST, SQRT, "application/proto");
        fake_exchange_header(&fx, "connect-timeout-ms", bad[i]);
        open_matching();
        upload(SLICE(NUMBER_16));
        expect_error(400, "invalid_argument", "connect-timeout-ms");
        fake_exchange_close(&fx);
    }
    assert_int_equal(fake_call_count(), 0);
    prepare(METHOD_POST, SQRT, "application/proto");
    fake_exchange_header(&fx, "connect-timeout-ms", "9999999999");
    open_matching();
    upload(SLICE(NUMBER_16));
    assert_int_equal(fake_call_last()->deadline_ms, loop_now_ms(context.loop) + 9999999999);
    fake_exchange_close(&fx);
    prepare(METHOD_POST, SQRT, "application/proto");
    fake_exchange_header(&fx, "connect-timeout-ms", "0");
    open_matching();
    upload(SLICE(NUMBER_16));
    assert_int_equal(fake_call_last()->deadline_ms, loop_now_ms(context.loop));
    fake_exchange_close(&fx);
    start(SQRT, "application/proto");
    upload(SLICE(NUMBER_16));
    assert_int_equal(fake_call_last()->deadline_ms, 0);
}

static void get_calls(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "connect=v1&encoding=json&message=%7B%22value%22%3A+16%7D",
        "encoding=json&base64=1&connect=v1&message=eyJ2YWx1ZSI6MTZ9",
        "connect=v1&encoding=proto&base64=1&message=DQAAgEE",
        "connect=v1&encoding=proto&base64=1&message=DQAAgEE%3D&compression=identity",
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        start_get(SQRT, queries[i]);
        open_matching();
        fake_exchange_body_end(&fx);
        expect_sent(SLICE(NUMBER_16));
        answer(SLICE(NUMBER_4));
        assert_int_equal(fx.http_status, 200);
        expect_answer("vary", "accept-encoding");
        expect_body(i < 2 ? SLICE("{\"value\":4}") : SLICE(NUMBER_4));
        fake_exchange_close(&fx);
    }
}

static void refused_get_calls(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query;
        int http_status;
        const char *code;
    } rows[] = {
        {SQRT, "connect=v2&encoding=json&message=x", 400, "invalid_argument"},
        {SQRT, "connect=v1&message=x", 415, "unknown"},
        {SQRT, "connect=v1&encoding=foo&message=x", 415, "unknown"},
        {SQRT, "connect=v1&encoding=json", 400, "invalid_argument"},
        {SQRT, "connect=v1&encoding=json&message=%7", 400, "invalid_argument"},
        {SQRT, "connect=v1&encoding=proto&base64=1&message=!", 400, "invalid_argument"},
        {SQRT, "connect=v1&encoding=proto&message=x&compression=br", 501, "unimplemented"},
        {SQRT, "connect=v1&encoding=proto&message=x&compression=gzip", 400, "invalid_argument"},
        {"/Calculator/Echo", "connect=v1&encoding=proto&message=", 405, "unknown"},
        {"/Calculator/Cube", "connect=v1&encoding=proto&message=", 404, "unimplemented"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_get(rows[i].path, rows[i].query);
        open_matching();
        expect_error(rows[i].http_status, rows[i].code, "");
        fake_exchange_body_end(&fx);
        fake_exchange_close(&fx);
    }
    assert_int_equal(fake_call_count(), 0);
}

static void replies_that_are_none_or_two(void **state)
{
    (void)state;
    for (int count = 0; count <= 2; count += 2) {
        start(SQRT, "application/proto");
        upload(SLICE(NUMBER_16));
        struct fake_call *call = fake_call_last();
        fake_call_headers(call, NULL);
        for (int i = 0; i < count; i++)
            fake_call_message(call, SLICE(NUMBER_4));
        fake_call_status(call, STATUS_OK, NULL, NULL);
        expect_error(501, "unimplemented", "replies");
        assert_int_equal(fx.outcome.code, STATUS_UNIMPLEMENTED);
        fake_exchange_close(&fx);
    }
}

static void replies_that_are_not_protobuf(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    upload(SLICE(NUMBER_16));
    fake_call_last()->reply_format = SLICE("json");
    fake_call_headers(fake_call_last(), NULL);
    expect_error(500, "internal", "application/grpc+json");
    fake_exchange_close(&fx);
    start(SQRT, "application/json");
    upload(SLICE("{}"));
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), SLICE("\xff"));
    expect_error(500, "internal", "");
    assert_true(fake_call_last()->cancelled);
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    upload(SLICE(NUMBER_16));
    fake_exchange_close(&fx);
    assert_true(fake_call_last()->cancelled);
    assert_int_equal(fx.outcome.code, STATUS_CANCELLED);
}

static void no_memory_for_a_call(void **state)
{
    (void)state;
    start(SQRT, "application/proto");
    fake_call_fail_start();
    upload(SLICE(NUMBER_16));
    expect_error(429, "resource_exhausted", "memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_protobuf_call),
        SCENARIO(a_json_call_is_transcoded),
        SCENARIO(json_replies_are_as_configured),
        SCENARIO(bodies_in_pieces_and_of_known_length),
        SCENARIO(an_empty_body_is_an_empty_message_but_no_json),
        SCENARIO(which_requests_it_takes),
        SCENARIO(refusals),
        SCENARIO(the_upstream_judges_paths_that_the_schema_does_not_know),
        SCENARIO(without_a_schema_protobuf_passes_and_json_is_explained),
        SCENARIO(compressed_requests),
        SCENARIO(a_bomb_meets_the_limit),
        SCENARIO(limits_of_a_request),
        SCENARIO(replies_are_compressed_for_those_who_ask),
        SCENARIO(metadata_both_ways),
        SCENARIO(timeouts),
        SCENARIO(get_calls),
        SCENARIO(refused_get_calls),
        SCENARIO(replies_that_are_none_or_two),
        SCENARIO(replies_that_are_not_protobuf),
        SCENARIO(a_client_that_leaves_cancels),
        SCENARIO(no_memory_for_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
