#include "unit/gateway/protocol/fixture.h"

#include "grpc/compression.h"

#include <stdio.h>

#define FACTORS "/Calculator/PrimeFactors"
#define TOTAL "/Calculator/RunningTotal"
#define STATISTICS "/Calculator/Statistics"
#define NUMBER_12 "\0\0\0\0\2\x08\x0c"
#define FACTOR_2 "\x08\2"
#define END_OK "\2\0\0\0\2{}"

static const struct protocol *const stream = &protocol_connect_stream;

static void prepare(const char *path, const char *content_type)
{
    fake_exchange_init(&fx, &context, METHOD_POST, path);
    fake_exchange_header(&fx, "content-type", content_type);
    fake_exchange_header(&fx, "connect-protocol-version", "1");
}

static void open_matching(void)
{
    assert_true(stream->matches(&fx.request, &context));
    assert_false(protocol_connect_unary.matches(&fx.request, &context));
    fake_exchange_open(&fx, stream);
}

static void start(const char *path, const char *content_type)
{
    prepare(path, content_type);
    open_matching();
}

static void upload(struct slice body)
{
    if (body.len > 0)
        fake_exchange_body(&fx, body);
    if (!fx.ended)
        fake_exchange_body_end(&fx);
}

/* The response is one frame, the end of the stream, with that error. */
static void expect_end(const char *code, const char *part)
{
    struct slice body = buf_slice(&fx.body);
    char begin[64];
    snprintf(begin, sizeof begin, "{\"error\":{\"code\":\"%s\"", code);
    assert_int_equal(fx.http_status, 200);
    assert_true(body.len > 5);
    assert_int_equal(body.data[0], 2);
    assert_int_equal(body.data[3] << 8 | body.data[4], body.len - 5);
    body = slice_skip(body, 5);
    assert_true(slice_has_prefix(body, slice_from_string(begin)));
    assert_non_null(memmem(body.data, body.len, part, strlen(part)));
    assert_true(fx.ended);
    assert_int_equal(fake_call_live(), 0);
}

static void a_server_stream(void **state)
{
    (void)state;
    start(FACTORS, "application/connect+proto");
    assert_false(fx.slow_upload);
    upload(SLICE(NUMBER_12));
    struct fake_call *call = fake_call_last();
    assert_true(call->half_closed);
    assert_true(slice_equal(buf_slice(&call->sent), SLICE(NUMBER_12)));
    fake_call_headers(call, NULL);
    assert_int_equal(fx.http_status, 200);
    expect_answer("content-type", "application/connect+proto");
    expect_answer("connect-content-encoding", NULL);
    fake_call_message(call, SLICE(FACTOR_2));
    expect_body(SLICE("\0\0\0\0\2" FACTOR_2)); /* as it arrives */
    fake_call_message(call, SLICE(""));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_body(SLICE("\0\0\0\0\2" FACTOR_2 "\0\0\0\0\0" END_OK));
    assert_true(fx.ended);
}

static void a_json_stream(void **state)
{
    (void)state;
    start(TOTAL, "application/connect+json");
    assert_true(fx.slow_upload);
    struct slice body = SLICE("\0\0\0\0\x0b{\"value\":4}\0\0\0\0\2{}");
    for (size_t i = 0; i < body.len; i++)
        fake_exchange_body(&fx, slice_from(body.data + i, 1));
    struct fake_call *call = fake_call_last();
    assert_int_equal(fake_call_sent_count(call), 2);
    assert_true(slice_equal(fake_call_sent_message(call, 0, NULL), SLICE("\x0d\0\0\x80\x40")));
    assert_false(call->half_closed);
    fake_exchange_body_end(&fx);
    assert_true(call->half_closed);
    fake_call_headers(call, NULL);
    expect_answer("content-type", "application/connect+json");
    fake_call_message(call, SLICE("\x10\2"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_body(SLICE("\0\0\0\0\x0d{\"count\":\"2\"}" END_OK));
}

static void an_error_and_metadata_at_the_end(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata headers, trailers;
    arena_init(&arena, NULL, 0, 4096);
    metadata_init(&headers, &arena, 4096);
    metadata_init(&trailers, &arena, 4096);
    metadata_add(&headers, SLICE("x-lead"), SLICE("1"));
    metadata_add(&trailers, SLICE("x-a"), SLICE("1"));
    metadata_add(&trailers, SLICE("x-b"), SLICE("2"));
    metadata_add(&trailers, SLICE("x-a"), SLICE("\xff"));
    start(FACTORS, "application/connect+proto");
    upload(SLICE(NUMBER_12));
    fake_call_headers(fake_call_last(), &headers);
    fake_call_status(fake_call_last(), STATUS_CANCELLED, "why \"not\"", &trailers);
    arena_fini(&arena);
    expect_answer("x-lead", "1");
    expect_end("canceled", ",\"message\":\"why \\\"not\\\"\"},"
                           "\"metadata\":{\"x-a\":[\"1\",\"?\"],\"x-b\":[\"2\"]}}");
}

static void a_failure_before_any_header(void **state)
{
    (void)state;
    start(FACTORS, "application/connect+proto");
    upload(SLICE(NUMBER_12));
    fake_call_status(fake_call_last(), STATUS_UNAVAILABLE, "gone", NULL);
    expect_end("unavailable", "gone");
    expect_answer("content-type", "application/connect+proto");
}

static void how_many_requests(void **state)
{
    (void)state;
    start(FACTORS, "application/connect+proto");
    upload(SLICE(""));
    expect_end("unimplemented", "none was sent");
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_close(&fx);
    start(FACTORS, "application/connect+proto");
    upload(SLICE(NUMBER_12 NUMBER_12));
    expect_end("unimplemented", "more were sent");
    fake_exchange_close(&fx);
    start(STATISTICS, "application/connect+proto");
    upload(SLICE(""));
    assert_true(fake_call_last()->half_closed);
}

static void how_many_replies(void **state)
{
    (void)state;
    start(STATISTICS, "application/connect+proto");
    upload(SLICE(""));
    fake_call_headers(fake_call_last(), NULL);
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    expect_end("unimplemented", "0 replies");
    fake_exchange_close(&fx);
    start(STATISTICS, "application/connect+proto");
    upload(SLICE(""));
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), SLICE("a"));
    fake_call_message(fake_call_last(), SLICE("b"));
    expect_body(SLICE("\0\0\0\0\1a"));
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    assert_int_equal(fx.outcome.code, STATUS_UNIMPLEMENTED);
}

static void broken_frames(void **state)
{
    (void)state;
    static const struct {
        const char *code, *part;
        struct slice body;
    } rows[] = {
        {"internal", "inside", {(const uint8_t *)"\0\0\0\0\2\x08", 6}},
        {"internal", "inside", {(const uint8_t *)"\0\0", 2}},
        {"internal", "0x02", {(const uint8_t *)"\2\0\0\0\0", 5}},
        {"internal", "connect-content-encoding", {(const uint8_t *)"\1\0\0\0\0", 5}},
        {"resource_exhausted", "limit", {(const uint8_t *)"\0\xff\xff\xff\xff", 5}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(TOTAL, "application/connect+proto");
        upload(rows[i].body);
        expect_end(rows[i].code, rows[i].part);
        fake_exchange_close(&fx);
    }
    start(TOTAL, "application/connect+json");
    upload(SLICE("\0\0\0\0\1{"));
    expect_end("invalid_argument", "");
    assert_true(fake_call_last()->cancelled);
}

static void compression_both_ways(void **state)
{
    (void)state;
    static uint8_t message[3000];
    uint8_t prefix[FRAME_PREFIX_LEN];
    struct buf packed, plain;
    struct status st;
    struct frame_reader reader;
    struct frame frame;
    buf_init(&packed, 1000);
    buf_init(&plain, sizeof message);
    compression_deflate(SLICE("\x08\x0c"), &packed);
    prepare(FACTORS, "application/connect+proto");
    fake_exchange_header(&fx, "connect-content-encoding", "gzip");
    fake_exchange_header(&fx, "connect-accept-encoding", "gzip");
    open_matching();
    frame_write_prefix(prefix, FRAME_COMPRESSED, (uint32_t)buf_len(&packed));
    fake_exchange_body(&fx, slice_from(prefix, sizeof prefix));
    upload(buf_slice(&packed));
    struct fake_call *call = fake_call_last();
    assert_true(slice_equal(buf_slice(&call->sent), SLICE(NUMBER_12)));
    assert_null(fake_call_header(call, "connect-content-encoding").data);
    fake_call_headers(call, NULL);
    expect_answer("connect-content-encoding", "gzip");
    fake_call_message(call, slice_from(message, sizeof message));
    frame_reader_init(&reader, FRAME_COMPRESSED, sizeof message);
    struct slice body = buf_slice(&fx.body);
    assert_int_equal(frame_reader_next(&reader, &body, &frame), FRAME_READY);
    assert_int_equal(frame.flags, FRAME_COMPRESSED);
    assert_true(compression_inflate(frame.payload, &plain, &st));
    assert_true(slice_equal(buf_slice(&plain), slice_from(message, sizeof message)));
    frame_reader_fini(&reader);
    buf_fini(&packed);
    buf_fini(&plain);
}

static void compressed_requests_that_fail(void **state)
{
    (void)state;
    prepare(FACTORS, "application/connect+proto");
    fake_exchange_header(&fx, "connect-content-encoding", "gzip");
    open_matching();
    upload(SLICE("\1\0\0\0\3bad"));
    expect_end("invalid_argument", "gzip");
    fake_exchange_close(&fx);
    prepare(FACTORS, "application/connect+proto");
    fake_exchange_header(&fx, "connect-content-encoding", "snappy");
    open_matching();
    expect_end("unimplemented", "identity,gzip");
    assert_true(fx.discarding);
}

static void refusals(void **state)
{
    (void)state;
    start("/Calculator/SquareRoot", "application/connect+proto");
    assert_int_equal(fx.http_status, 415);
    expect_answer("accept-post", "application/proto, application/json");
    fake_exchange_close(&fx);
    start(FACTORS, "application/connect+foo");
    assert_int_equal(fx.http_status, 415);
    fake_exchange_close(&fx);
    prepare(FACTORS, "application/connect+proto");
    fx.request.method = METHOD_PUT;
    open_matching();
    assert_int_equal(fx.http_status, 405);
    expect_answer("allow", "POST");
    expect_answer("content-type", "application/json");
    fake_exchange_close(&fx);
    prepare(FACTORS, "application/connect+proto");
    fake_exchange_header(&fx, "connect-timeout-ms", "soon");
    open_matching();
    upload(SLICE(NUMBER_12));
    expect_end("invalid_argument", "soon");
    assert_int_equal(fake_call_count(), 0);
}

static void unknown_methods(void **state)
{
    (void)state;
    start("/Calculator/Cube", "application/connect+json");
    expect_end("unimplemented", "no such method");
    fake_exchange_close(&fx);
    struct schema *schema = context.schema;
    context.schema = NULL;
    start("/any.Service/Method", "application/connect+json");
    expect_end("unavailable", "--descriptors");
    fake_exchange_close(&fx);
    start("/any.Service/Method", "application/connect+proto");
    upload(SLICE(NUMBER_12 NUMBER_12));
    assert_int_equal(fake_call_sent_count(fake_call_last()), 2);
    context.schema = schema;
}

static void back_pressure(void **state)
{
    (void)state;
    start(TOTAL, "application/connect+proto");
    fake_exchange_body(&fx, SLICE("\0\0\0\0\0"));
    struct fake_call *call = fake_call_last();
    fake_call_set_full(call, true);
    fake_exchange_body(&fx, SLICE("\0\0\0\0\0"));
    assert_true(fx.upload_paused);
    fake_call_set_full(call, false);
    assert_false(fx.upload_paused);
    fake_call_headers(call, NULL);
    fx.full = true;
    fake_call_message(call, SLICE("a"));
    assert_true(call->paused);
    fake_exchange_drained(&fx);
    assert_false(call->paused);
}

static void replies_that_do_not_fit(void **state)
{
    (void)state;
    start(TOTAL, "application/connect+json");
    upload(SLICE(""));
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), SLICE("\xff"));
    expect_end("internal", "");
    assert_true(fake_call_last()->cancelled);
    fake_exchange_close(&fx);
    start(TOTAL, "application/connect+proto");
    upload(SLICE(""));
    fake_call_last()->reply_format = SLICE("thrift");
    fake_call_headers(fake_call_last(), NULL);
    expect_end("internal", "application/grpc+thrift");
}

static void an_end_that_is_too_large_keeps_its_code(void **state)
{
    (void)state;
    static char message[300 * 1024];
    memset(message, 'm', sizeof message - 1);
    start(FACTORS, "application/connect+proto");
    upload(SLICE(NUMBER_12));
    fake_call_status(fake_call_last(), STATUS_ABORTED, message, NULL);
    expect_end("aborted", "");
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    start(TOTAL, "application/connect+proto");
    fake_exchange_body(&fx, SLICE("\0\0\0\0\5a"));
    fake_exchange_close(&fx);
    assert_true(fake_call_last()->cancelled);
    assert_int_equal(fx.outcome.code, STATUS_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_server_stream),
        SCENARIO(a_json_stream),
        SCENARIO(an_error_and_metadata_at_the_end),
        SCENARIO(a_failure_before_any_header),
        SCENARIO(how_many_requests),
        SCENARIO(how_many_replies),
        SCENARIO(broken_frames),
        SCENARIO(compression_both_ways),
        SCENARIO(compressed_requests_that_fail),
        SCENARIO(refusals),
        SCENARIO(unknown_methods),
        SCENARIO(back_pressure),
        SCENARIO(replies_that_do_not_fit),
        SCENARIO(an_end_that_is_too_large_keeps_its_code),
        SCENARIO(a_client_that_leaves_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
