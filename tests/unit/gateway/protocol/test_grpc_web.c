#include "unit/gateway/protocol/fixture.h"

#include <stdlib.h>

#include "grpc/compression.h"

#define SQRT "/Calculator/SquareRoot"
#define NUMBER_16 "\0\0\0\0\5\x0d\0\0\x80\x41"
#define NUMBER_4 "\0\0\0\0\5\x0d\0\0\x80\x40"
#define TRAILER_OK "\x80\0\0\0\x0fgrpc-status:0\r\n"

static void start(const char *path, const char *encoding)
{
    fake_exchange_init(&fx, &context, METHOD_POST, path);
    fake_exchange_header(&fx, "content-type", "application/grpc-web+proto");
    if (encoding)
        fake_exchange_header(&fx, "grpc-encoding", encoding);
    assert_true(protocol_grpc_web.matches(&fx.request, &context));
    fake_exchange_open(&fx, &protocol_grpc_web);
}

/* The status that the body's last frame carries. */
static int trailer_status(void)
{
    struct slice body = buf_slice(&fx.body);
    const char *at = memmem(body.data, body.len, "grpc-status:", 12);
    assert_non_null(at);
    assert_true(fx.ended);
    return atoi(at + 12);
}

static void unary_call_byte_for_byte(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_exchange_body_end(&fx);
    struct fake_call *call = fake_call_last();
    assert_int_equal(fake_call_count(), 1);
    assert_true(call->half_closed);
    assert_true(slice_equal(buf_slice(&call->sent), SLICE(NUMBER_16)));
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x0d\0\0\x80\x40"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    assert_int_equal(fx.http_status, 200);
    expect_answer("content-type", "application/grpc-web+proto");
    expect_body(SLICE(NUMBER_4 TRAILER_OK));
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, STATUS_OK);
}

static void body_in_single_bytes(void **state)
{
    (void)state;
    start(SQRT, NULL);
    struct slice body = SLICE(NUMBER_16);
    for (size_t i = 0; i < body.len; i++)
        fake_exchange_body(&fx, slice_from(body.data + i, 1));
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_count(), 1);
    assert_true(slice_equal(buf_slice(&fake_call_last()->sent), body));
}

static void a_failure_before_any_header_still_has_a_trailer(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_exchange_body_end(&fx);
    fake_call_status(fake_call_last(), STATUS_UNAVAILABLE, "gone", NULL);
    assert_int_equal(fx.http_status, 200);
    expect_body(SLICE("\x80\0\0\0\x23grpc-status:14\r\ngrpc-message:gone\r\n"));
}

static void the_front_can_fail_it(void **state)
{
    (void)state;
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "gone");
    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    protocol_grpc_web.on_fail(fake_exchange_handle(&fx), fx.state, &st);
    expect_body(SLICE("\x80\0\0\0\x23grpc-status:14\r\ngrpc-message:gone\r\n"));
    assert_true(fx.ended && fx.discarding);
    assert_int_equal(fake_call_live(), 0);
}

static void cardinality_of_unary_methods(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_count(), 0); /* nothing reached the upstream */
    assert_int_equal(trailer_status(), STATUS_UNIMPLEMENTED);
    fake_exchange_close(&fx);

    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16 NUMBER_16));
    assert_int_equal(trailer_status(), STATUS_UNIMPLEMENTED);
    fake_exchange_close(&fx);

    start(SQRT, NULL); /* an empty message is one message */
    fake_exchange_body(&fx, SLICE("\0\0\0\0\0"));
    fake_exchange_body_end(&fx);
    assert_false(fx.ended);
    assert_true(fake_call_last()->half_closed);
}

static void client_streams_may_send_none_or_many(void **state)
{
    (void)state;
    start("/Calculator/Statistics", NULL);
    assert_true(fx.slow_upload);
    fake_exchange_body(&fx, SLICE(NUMBER_16 NUMBER_16 NUMBER_16));
    fake_exchange_body_end(&fx);
    assert_false(fx.ended);
    fake_exchange_close(&fx);
    start("/Calculator/Statistics", NULL);
    fake_exchange_body_end(&fx);
    assert_true(fake_call_last()->half_closed);
}

static void malformed_bodies(void **state)
{
    (void)state;
    static const struct {
        struct slice body;
        int status;
    } rows[] = {
        {{(const uint8_t *)"\0\0\0\0\5\x0d", 6}, STATUS_INTERNAL}, /* truncated message */
        {{(const uint8_t *)"\0\0\0", 3}, STATUS_INTERNAL},         /* truncated prefix */
        {{(const uint8_t *)"\2\0\0\0\0", 5}, STATUS_INTERNAL},     /* odd flags */
        {{(const uint8_t *)"\x80\0\0\0\0", 5}, STATUS_INTERNAL},   /* trailers from a client */
        {{(const uint8_t *)"\1\0\0\0\0", 5}, STATUS_INTERNAL},     /* compressed, no encoding */
        {{(const uint8_t *)"\0\xff\xff\xff\xff", 5},
         STATUS_RESOURCE_EXHAUSTED}, /* length above the limit */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(SQRT, NULL);
        fake_exchange_body(&fx, rows[i].body);
        fake_exchange_body_end(&fx);
        assert_int_equal(trailer_status(), rows[i].status);
        assert_true(fx.discarding);
        assert_int_equal(fx.outcome.code, rows[i].status);
        if (i + 1 < sizeof rows / sizeof *rows)
            fake_exchange_close(&fx);
    }
}

static void compressed_requests_are_measured(void **state)
{
    (void)state;
    static uint8_t zeros[3 << 20];
    config.limits.max_message_bytes = 1 << 20;
    struct buf body;
    buf_init(&body, 8 << 20);
    uint8_t prefix[FRAME_PREFIX_LEN] = {0};
    buf_append(&body, prefix, sizeof prefix);
    assert_int_equal(compression_deflate(slice_from(zeros, 1 << 20), &body), 0);
    frame_write_prefix(body.data, FRAME_COMPRESSED, (uint32_t)(buf_len(&body) - FRAME_PREFIX_LEN));
    start("/Calculator/Echo", "gzip");
    fake_exchange_body(&fx, buf_slice(&body));
    fake_exchange_body_end(&fx);
    assert_false(fx.ended);
    assert_true(slice_equal(buf_slice(&fake_call_last()->sent),
                            buf_slice(&body))); /* the client's own frame */
    assert_true(slice_equal(fake_call_last()->encoding, SLICE("gzip")));
    fake_exchange_close(&fx);

    buf_reset(&body, 1 << 20);
    buf_append(&body, prefix, sizeof prefix);
    assert_int_equal(compression_deflate(slice_from(zeros, sizeof zeros), &body), 0);
    frame_write_prefix(body.data, FRAME_COMPRESSED, (uint32_t)(buf_len(&body) - FRAME_PREFIX_LEN));
    start("/Calculator/Echo", "gzip");
    fake_exchange_body(&fx, buf_slice(&body));
    assert_int_equal(trailer_status(), STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&body);
}

static void unknown_encoding_lists_what_is_known(void **state)
{
    (void)state;
    start(SQRT, "snappy");
    assert_int_equal(trailer_status(), STATUS_UNIMPLEMENTED);
    expect_answer("grpc-accept-encoding", "identity,gzip");
    assert_int_equal(fake_call_count(), 0);
}

static void unknown_formats_are_415(void **state)
{
    (void)state;
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web+thrift");
    assert_true(protocol_grpc_web.matches(&fx.request, &context));
    fake_exchange_open(&fx, &protocol_grpc_web);
    assert_int_equal(fx.http_status, 415);
    assert_int_equal(trailer_status(), STATUS_UNIMPLEMENTED);
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_close(&fx);
    static const char *const others[] = {"application/grpc", "application/grpc-webby",
                                         "text/plain"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
        fake_exchange_header(&fx, "content-type", others[i]);
        assert_false(protocol_grpc_web.matches(&fx.request, &context));
        fake_exchange_open(&fx, &protocol_rest);
        fake_exchange_close(&fx);
    }
}

static void formats_pass_both_ways(void **state)
{
    (void)state;
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web+JSON");
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    struct fake_call *call = fake_call_last();
    assert_true(slice_equal(call->format, SLICE("json")));
    call->reply_format = SLICE("other");
    fake_call_headers(call, NULL);
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_answer("content-type", "application/grpc-web+other");
    fake_exchange_close(&fx);
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web+json");
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_call_headers(fake_call_last(), NULL);
    expect_answer("content-type", "application/grpc-web+json");
}

/* Behind part of a message nothing can be said any more. */
static void a_reply_torn_inside_a_message_is_broken_off(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_exchange_body_end(&fx);
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    call->mid_frame = true;
    fake_call_frames(call, SLICE("\0\0\1\0\0abc"));
    fake_call_status(call, STATUS_UNAVAILABLE, "gone", NULL);
    assert_true(fx.aborted);
    assert_false(fx.ended);
    expect_body(SLICE("\0\0\1\0\0abc"));
    assert_int_equal(fx.outcome.code, STATUS_UNAVAILABLE);
}

static void wrong_verb_is_405(void **state)
{
    (void)state;
    fake_exchange_init(&fx, &context, METHOD_PUT, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web");
    fake_exchange_open(&fx, &protocol_grpc_web);
    assert_int_equal(fx.http_status, 405);
    expect_answer("allow", "POST");
}

static void deadlines(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_close(&fx);
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web");
    fake_exchange_header(&fx, "grpc-timeout", "2S");
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    assert_int_equal(fake_call_last()->deadline_ms, loop_now_ms(context.loop) + 2000);
    fake_exchange_close(&fx);

    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", "application/grpc-web");
    fake_exchange_header(&fx, "grpc-timeout", "2s");
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    assert_int_equal(trailer_status(), STATUS_INVALID_ARGUMENT);
}

static void the_configured_deadlines(void **state)
{
    (void)state;
    static const struct {
        uint64_t default_ms, cap_ms;
        const char *asked;
        uint64_t wanted; /* 0: none */
    } rows[] = {
        {0, 0, NULL, 0},      {500, 0, NULL, 500},        {500, 300, NULL, 300},
        {500, 0, "2S", 2000}, {500, 1000, "2S", 1000},    {500, 0, "1m", 1},
        {0, 300, NULL, 300},  {0, 300, "99999999H", 300},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config.limits.default_timeout_ms = rows[i].default_ms;
        config.limits.max_timeout_ms = rows[i].cap_ms;
        fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
        fake_exchange_header(&fx, "content-type", "application/grpc-web");
        if (rows[i].asked)
            fake_exchange_header(&fx, "grpc-timeout", rows[i].asked);
        fake_exchange_open(&fx, &protocol_grpc_web);
        fake_exchange_body(&fx, SLICE(NUMBER_16));
        uint64_t deadline = fake_call_last()->deadline_ms, now = loop_now_ms(context.loop);
        assert_int_equal(deadline, rows[i].wanted ? now + rows[i].wanted : 0);
        if (i + 1 < sizeof rows / sizeof *rows)
            fake_exchange_close(&fx);
    }
}

static void metadata_passes_without_hop_by_hop_fields(void **state)
{
    (void)state;
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    static const char *const fields[][2] = {
        {"content-type", "application/grpc-web"},
        {"x-id", "7"},
        {"te", "trailers"},
        {"connection", "close, x-hop"},
        {"x-hop", "secret"},
        {"key-bin", "AQ=="},
        {"x-forwarded-for", "6.6.6.6"},
        {"grpc-status", "0"},
        {"authorization", "Bearer t"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        fake_exchange_header(&fx, fields[i][0], fields[i][1]);
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    const struct metadata *md = &fake_call_last()->metadata;
    assert_true(slice_equal(metadata_get(md, SLICE("x-id")), SLICE("7")));
    assert_true(slice_equal(metadata_get(md, SLICE("key-bin")), SLICE("AQ")));
    assert_true(slice_equal(metadata_get(md, SLICE("authorization")), SLICE("Bearer t")));
    assert_true(slice_equal(metadata_get(md, SLICE("x-forwarded-for")), SLICE("127.0.0.1")));
    assert_true(slice_equal(metadata_get(md, SLICE("x-forwarded-host")), SLICE("localhost:8080")));
    static const char *const gone[] = {"te", "connection", "x-hop", "grpc-status", "content-type"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_null(metadata_get(md, slice_from_string(gone[i])).data);
}

static void a_slow_browser_pauses_the_call(void **state)
{
    (void)state;
    start("/Calculator/Flood", NULL);
    fake_exchange_body(&fx, SLICE("\0\0\0\0\0"));
    fake_exchange_body_end(&fx);
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fx.full = true;
    fake_call_message(call, SLICE("abc"));
    assert_true(call->paused);
    fake_exchange_drained(&fx);
    assert_false(call->paused);
}

static void a_full_upstream_pauses_the_upload(void **state)
{
    (void)state;
    start("/Calculator/RunningTotal", NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_call_set_full(fake_call_last(), true);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    assert_true(fx.upload_paused);
    fake_call_set_full(fake_call_last(), false);
    assert_false(fx.upload_paused);
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    start(SQRT, NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    struct fake_call *call = fake_call_last();
    fx.protocol->close(fake_exchange_handle(&fx), fx.state);
    assert_true(call->cancelled);
    assert_int_equal(fx.outcome.code, STATUS_CANCELLED);
    fx.protocol = NULL;
}

static void without_a_schema_calls_pass(void **state)
{
    (void)state;
    struct schema *schema = context.schema;
    context.schema = NULL;
    start("/any.Service/Method", NULL);
    fake_exchange_body_end(&fx);
    assert_int_equal(fake_call_count(), 1);
    context.schema = schema;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(unary_call_byte_for_byte),
        SCENARIO(body_in_single_bytes),
        SCENARIO(a_failure_before_any_header_still_has_a_trailer),
        SCENARIO(the_front_can_fail_it),
        SCENARIO(cardinality_of_unary_methods),
        SCENARIO(client_streams_may_send_none_or_many),
        SCENARIO(malformed_bodies),
        SCENARIO(compressed_requests_are_measured),
        SCENARIO(unknown_encoding_lists_what_is_known),
        SCENARIO(wrong_verb_is_405),
        SCENARIO(unknown_formats_are_415),
        SCENARIO(formats_pass_both_ways),
        SCENARIO(a_reply_torn_inside_a_message_is_broken_off),
        SCENARIO(deadlines),
        SCENARIO(the_configured_deadlines),
        SCENARIO(metadata_passes_without_hop_by_hop_fields),
        SCENARIO(a_slow_browser_pauses_the_call),
        SCENARIO(a_full_upstream_pauses_the_upload),
        SCENARIO(a_client_that_leaves_cancels),
        SCENARIO(without_a_schema_calls_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
