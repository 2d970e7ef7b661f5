#include "unit/backend/rig.h"

#include "calculator.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/compression.h"

static const char sqrt_path[] = "/Calculator/SquareRoot";

static Number number(float value)
{
    Number n = NUMBER__INIT;
    n.value = value;
    return n;
}

static void expect_number(struct rig_call *call, float value)
{
    Number *reply = rig_reply(call, &number__descriptor);
    assert_non_null(reply);
    assert_float_equal(reply->value, value, 0);
    rig_free_reply(reply);
}

static void answer_a_unary_call(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Number sixteen = number(16);
    rig_open(&rig);
    rig_call(&rig, &call, sqrt_path, &sixteen.base);
    expect_number(&call, 4);
    assert_false(call.trailers_only);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void reuse_calls(void **state)
{
    (void)state;
    enum { CALLS = 90 };
    struct rig rig;
    struct rig_call calls[CALLS];
    rig_open(&rig);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CALLS; i++) {
            Number n = number((float)(i * i));
            rig_start(&rig, &calls[i], sqrt_path, NULL);
            rig_send(&calls[i], &n.base);
            rig_half_close(&calls[i]);
        }
        rig_turn(&rig);
        for (int i = 0; i < CALLS; i++) {
            expect_number(&calls[i], (float)i);
            rig_end(&calls[i], STATUS_OK);
        }
        assert_int_equal(rig.pool.idle_len, CALLS);
    }
    rig_close(&rig);
}

static void take_a_request_byte_by_byte(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0, 0, 0, 0, 5, 0x0d, 0, 0, 0x80, 0x41};
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    rig_start(&rig, &call, sqrt_path, NULL);
    for (size_t i = 0; i < sizeof frame; i++) {
        h2_stream_write(call.stream, slice_from(frame + i, 1));
        rig_turn(&rig);
    }
    assert_false(call.has_headers);
    rig_half_close(&call);
    rig_turn(&rig);
    expect_number(&call, 4);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

/* Requests that end before their handler: what the client is told. */
static const struct {
    const char *what, *path;
    const char *headers[5];
    enum status_code code;
    const char *message;
} bad_heads[] = {
    {"service",
     "/Nope/AddNum",
     {NULL},
     STATUS_UNIMPLEMENTED,
     "unknown service in \"/Nope/AddNum\""},
    {"method", "/Calculator/Nope", {NULL}, STATUS_UNIMPLEMENTED, "unknown method in"},
    {"longer method", "/Calculator/AddNum/x", {NULL}, STATUS_UNIMPLEMENTED, "unknown method"},
    {"no method", "/Calculator", {NULL}, STATUS_UNIMPLEMENTED, "unknown method"},
    {"prefix", "/Calc/AddNum", {NULL}, STATUS_UNIMPLEMENTED, "unknown service"},
    {"codec", sqrt_path, {"content-type", "application/grpc+json"}, STATUS_UNIMPLEMENTED, "+json"},
    {"encoding", sqrt_path, {"grpc-encoding", "snappy"}, STATUS_UNIMPLEMENTED, "snappy"},
    {"no unit", sqrt_path, {"grpc-timeout", "100"}, STATUS_INTERNAL, "grpc-timeout \"100\""},
    {"9 digits", sqrt_path, {"grpc-timeout", "123456789n"}, STATUS_INTERNAL, "grpc-timeout"},
    {"sign", sqrt_path, {"grpc-timeout", "-1S"}, STATUS_INTERNAL, "grpc-timeout"},
    {"unit", sqrt_path, {"grpc-timeout", "1s"}, STATUS_INTERNAL, "grpc-timeout"},
    {"empty", sqrt_path, {"grpc-timeout", ""}, STATUS_INTERNAL, "grpc-timeout"},
    {"zero", sqrt_path, {"grpc-timeout", "0m"}, STATUS_DEADLINE_EXCEEDED, "deadline"},
};

static void refuse_bad_heads(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Number sixteen = number(16);
    rig_open(&rig);
    for (size_t i = 0; i < sizeof bad_heads / sizeof *bad_heads; i++) {
        rig_start(&rig, &call, bad_heads[i].path, bad_heads[i].headers);
        rig_send(&call, &sixteen.base);
        rig_half_close(&call);
        rig_turn(&rig);
        assert_true(call.trailers_only);
        if (!strstr(call.message, bad_heads[i].message))
            fail_msg("%s: %s", bad_heads[i].what, call.message);
        bool coding = strcmp(bad_heads[i].what, "encoding") == 0;
        assert_string_equal(call.accept, coding ? COMPRESSION_ACCEPT : "");
        rig_end(&call, bad_heads[i].code);
    }
    rig_close(&rig);
}

static void refuse_what_is_not_grpc(void **state)
{
    (void)state;
    static const struct {
        const char *headers[3], *status;
    } cases[] = {
        {{"content-type", "text/plain"}, "415"},
        {{"content-type", "application/grpc-web"}, "415"},
        {{"content-type", "application/grp"}, "415"},
        {{"content-type", ""}, "415"},
        {{":method", "GET"}, "405"},
        {{":method", "PUT"}, "405"},
    };
    struct rig rig;
    struct rig_call call;
    Number sixteen = number(16);
    rig_open(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_start(&rig, &call, sqrt_path, cases[i].headers);
        rig_send(&call, &sixteen.base);
        rig_half_close(&call);
        rig_turn(&rig);
        assert_string_equal(call.http_status, cases[i].status);
        assert_string_equal(call.content_type, "text/plain");
        assert_string_equal(call.status, "");
        assert_true(buf_len(&call.body) >= 5);
        assert_true(call.closed);
        buf_fini(&call.body);
    }
    rig_close(&rig);
}

static void accept_every_grpc_content_type(void **state)
{
    (void)state;
    static const char *const types[] = {"application/grpc", "application/grpc+proto",
                                        "Application/GRPC", "application/grpc;charset=utf-8",
                                        "application/grpc+proto; a=b"};
    struct rig rig;
    struct rig_call call;
    Number sixteen = number(16);
    rig_open(&rig);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        rig_start(&rig, &call, sqrt_path, (const char *[]){"content-type", types[i], NULL});
        rig_send(&call, &sixteen.base);
        rig_half_close(&call);
        rig_turn(&rig);
        expect_number(&call, 4);
        rig_end(&call, STATUS_OK);
    }
    rig_close(&rig);
}

/* Request bodies of a unary call, and what comes of them. */
static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    enum status_code code;
    const char *message;
} bodies[] = {
    {"empty message", "\0\0\0\0\0", 5, STATUS_OK, ""},
    {"none", "", 0, STATUS_UNIMPLEMENTED, "exactly one request message, not none"},
    {"two", "\0\0\0\0\0\0\0\0\0\0", 10, STATUS_UNIMPLEMENTED, "exactly one request message"},
    {"cut prefix", "\0\0\0", 3, STATUS_INTERNAL, "in the middle of a message"},
    {"cut message", "\0\0\0\0\5\r\0", 7, STATUS_INTERNAL, "in the middle of a message"},
    {"one and a half", "\0\0\0\0\0\0\0", 7, STATUS_INTERNAL, "in the middle of a message"},
    {"flags", "\2\0\0\0\0", 5, STATUS_INTERNAL, "unknown flags 0x02"},
    {"trailer flag", "\200\0\0\0\0", 5, STATUS_INTERNAL, "unknown flags 0x80"},
    {"compressed without coding", "\1\0\0\0\0", 5, STATUS_INTERNAL, "no grpc-encoding"},
    {"4 GiB", "\0\377\377\377\377", 5, STATUS_RESOURCE_EXHAUSTED, "4294967295 bytes"},
    {"4 MiB and 1", "\0\0\100\0\1", 5, STATUS_RESOURCE_EXHAUSTED, "limit of 4194304 bytes"},
    {"not protobuf", "\0\0\0\0\1\377", 6, STATUS_INVALID_ARGUMENT, "malformed"},
    {"wrong wire type", "\0\0\0\0\2\10\1", 7, STATUS_INVALID_ARGUMENT, "wrong wire type"},
};

static void judge_request_bodies(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        rig_start(&rig, &call, sqrt_path, NULL);
        h2_stream_write(call.stream, slice_from(bodies[i].bytes, bodies[i].len));
        rig_half_close(&call);
        rig_turn(&rig);
        if (!strstr(call.message, bodies[i].message))
            fail_msg("%s: \"%s\"", bodies[i].what, call.message);
        if (bodies[i].code == STATUS_OK)
            expect_number(&call, 0);
        rig_end(&call, bodies[i].code);
    }
    rig_close(&rig);
}

static void refuse_a_large_message_before_it_comes(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    rig_start(&rig, &call, sqrt_path, NULL);
    h2_stream_write(call.stream, slice_from("\0\177\0\0\0", 5));
    rig_turn(&rig);
    assert_string_equal(call.status, "8");
    assert_true(call.closed);
    rig_end(&call, STATUS_RESOURCE_EXHAUSTED);
    rig_close(&rig);
}

static void take_a_request_larger_than_the_window(void **state)
{
    (void)state;
    enum { LEN = 3 << 20 };
    struct rig rig;
    struct rig_call call;
    EchoMessage request = ECHO_MESSAGE__INIT;
    rig_open(&rig);
    request.payload.data = malloc(LEN);
    request.payload.len = LEN;
    for (size_t i = 0; i < LEN; i++)
        request.payload.data[i] = (uint8_t)(i * 7 >> 3);
    rig_call(&rig, &call, "/Calculator/Echo", &request.base);
    EchoMessage *reply = rig_reply(&call, &echo_message__descriptor);
    assert_non_null(reply);
    assert_int_equal(reply->payload.len, LEN);
    assert_memory_equal(reply->payload.data, request.payload.data, LEN);
    rig_free_reply(reply);
    free(request.payload.data);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

/* base64 decoded and unpacked; checks code, message and field on the way. */
static void expect_bad_request(const struct rig_call *call, const char *field)
{
    uint8_t bytes[1024];
    struct status st;
    assert_null(strchr(call->details, '='));
    ssize_t len = text_base64_decode(slice_from_string(call->details), bytes);
    assert_true(len > 0);
    Google__Rpc__Status *status =
        (void *)proto_unpack(&google__rpc__status__descriptor, slice_from(bytes, (size_t)len), &st);
    assert_non_null(status);
    assert_int_equal(status->code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status->message, call->message);
    assert_int_equal(status->n_details, 1);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.BadRequest");
    Google__Rpc__BadRequest *bad = (void *)proto_unpack(
        &google__rpc__bad_request__descriptor,
        slice_from(status->details[0]->value.data, status->details[0]->value.len), &st);
    assert_non_null(bad);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, field);
    rig_free_reply(bad);
    rig_free_reply(status);
}

static void name_the_bad_field(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Number negative = number(-1);
    rig_open(&rig);
    rig_call(&rig, &call, sqrt_path, &negative.base);
    assert_true(call.trailers_only);
    assert_string_equal(call.message, "square root of a negative number");
    expect_bad_request(&call, "value");
    rig_end(&call, STATUS_INVALID_ARGUMENT);
    rig_close(&rig);
}

static void percent_encode_messages(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Number one = number(1);
    rig_open(&rig);
    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-encoding", "100%\xc3\xa4", NULL});
    rig_send(&call, &one.base);
    rig_half_close(&call);
    rig_turn(&rig);
    assert_non_null(strstr(call.message, "\"100%25%C3%A4\""));
    rig_end(&call, STATUS_UNIMPLEMENTED);
    rig_close(&rig);
}

static void read_gzip(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    struct buf packed;
    static const uint8_t sixteen[] = {0x0d, 0, 0, 0x80, 0x41};
    rig_open(&rig);
    buf_init(&packed, 1 << 20);
    assert_int_equal(compression_deflate(slice_from(sixteen, sizeof sixteen), &packed), 0);
    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-encoding", "gzip", NULL});
    rig_send_frame(&call, FRAME_COMPRESSED, buf_slice(&packed));
    rig_half_close(&call);
    rig_turn(&rig);
    expect_number(&call, 4);
    rig_end(&call, STATUS_OK);

    /* A coding may be announced and not used. */
    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-encoding", "gzip", NULL});
    rig_send_frame(&call, 0, slice_from(sixteen, sizeof sixteen));
    rig_half_close(&call);
    rig_turn(&rig);
    expect_number(&call, 4);
    rig_end(&call, STATUS_OK);

    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-encoding", "gzip", NULL});
    rig_send_frame(&call, FRAME_COMPRESSED, slice_first(buf_slice(&packed), 9));
    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_INTERNAL);
    buf_fini(&packed);
    rig_close(&rig);
}

static void bound_a_gzip_bomb(void **state)
{
    (void)state;
    enum { LEN = SERVER_CALL_MAX_MESSAGE + 1 };
    struct rig rig;
    struct rig_call call;
    struct buf packed;
    uint8_t *zeros = calloc(1, LEN);
    rig_open(&rig);
    buf_init(&packed, 8 << 20);
    assert_int_equal(compression_deflate(slice_from(zeros, LEN), &packed), 0);
    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-encoding", "gzip", NULL});
    rig_send_frame(&call, FRAME_COMPRESSED, buf_slice(&packed));
    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&packed);
    free(zeros);
    rig_close(&rig);
}

static void compress_large_replies(void **state)
{
    (void)state;
    enum { LEN = 5000 };
    static uint8_t zeros[LEN];
    struct rig rig;
    struct rig_call call;
    struct buf inflated;
    struct status st;
    EchoMessage request = ECHO_MESSAGE__INIT;
    request.payload.data = zeros;
    rig_open(&rig);
    for (size_t len = 100; len <= LEN; len += LEN - 100) {
        request.payload.len = len;
        rig_start(&rig, &call, "/Calculator/Echo",
                  (const char *[]){"grpc-accept-encoding", "identity,gzip", NULL});
        rig_send(&call, &request.base);
        rig_half_close(&call);
        rig_turn(&rig);
        struct slice body = buf_slice(&call.body);
        bool large = len == LEN;
        assert_string_equal(call.encoding, large ? "gzip" : "");
        assert_int_equal(body.data[0], large ? FRAME_COMPRESSED : 0);
        if (large) {
            buf_init(&inflated, 1 << 20);
            assert_true(compression_inflate(slice_skip(body, FRAME_PREFIX_LEN), &inflated, &st));
            assert_int_equal(buf_len(&inflated), LEN + 3);
            buf_fini(&inflated);
        }
        buf_consume(&call.body, body.len);
        rig_end(&call, STATUS_OK);
    }
    rig_close(&rig);
}

static void echo_test_metadata(void **state)
{
    (void)state;
    static const char *const headers[] = {"x-grpc-test-echo-initial", "hello",
                                          "x-grpc-test-echo-trailing-bin", "q6ur", NULL};
    struct rig rig;
    struct rig_call call;
    Number n = number(16);
    rig_open(&rig);
    for (int i = 0; i < 2; i++) {
        rig_start(&rig, &call, sqrt_path, headers);
        rig_send(&call, &n.base);
        rig_half_close(&call);
        rig_turn(&rig);
        assert_string_equal(call.echo_trailing, "q6ur");
        if (n.value > 0) {
            assert_string_equal(call.echo_initial, "hello");
            expect_number(&call, 4);
        }
        rig_end(&call, n.value > 0 ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        n.value = -16;
    }
    rig_close(&rig);
}

static void start_slow(struct rig *rig, struct rig_call *call, int64_t seconds,
                       const char *const *headers)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    SlowRequest request = SLOW_REQUEST__INIT;
    request.value = 16;
    delay.seconds = seconds;
    request.delay = &delay;
    rig_start(rig, call, "/Calculator/SlowSquareRoot", headers);
    rig_send(call, &request.base);
    rig_half_close(call);
    rig_turn(rig);
}

static void wait_for_the_delay(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    start_slow(&rig, &call, 2, NULL);
    rig_advance(&rig, 1999);
    assert_false(call.has_headers);
    rig_advance(&rig, 1);
    expect_number(&call, 4);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void keep_deadlines(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    start_slow(&rig, &call, 2, (const char *[]){"grpc-timeout", "500m", NULL});
    rig_advance(&rig, 499);
    assert_false(call.has_headers);
    rig_advance(&rig, 1);
    assert_true(call.trailers_only);
    rig_end(&call, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig.loop.timers.len, 0);

    /* Also while the request is still coming in. */
    rig_start(&rig, &call, sqrt_path, (const char *[]){"grpc-timeout", "1S", NULL});
    h2_stream_write(call.stream, slice_from("\0\0", 2));
    rig_turn(&rig);
    rig_advance(&rig, 1000);
    rig_end(&call, STATUS_DEADLINE_EXCEEDED);

    start_slow(&rig, &call, 2, (const char *[]){"grpc-timeout", "99999999H", NULL});
    rig_advance(&rig, 2000);
    expect_number(&call, 4);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void stop_when_the_client_cancels(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call slow, half;
    rig_open(&rig);
    start_slow(&rig, &slow, 60, (const char *[]){"grpc-timeout", "90S", NULL});
    rig_start(&rig, &half, sqrt_path, NULL);
    h2_stream_write(half.stream, slice_from("\0\0\0\0\5\r", 6));
    rig_turn(&rig);
    assert_int_equal(rig.pool.live_len, 2);
    assert_int_equal(rig.loop.timers.len, 2);
    h2_stream_reset(slow.stream, H2_CANCEL);
    h2_stream_reset(half.stream, H2_CANCEL);
    rig_turn(&rig);
    assert_int_equal(rig.pool.live_len, 0);
    assert_int_equal(rig.loop.timers.len, 0);
    assert_true(slow.closed && half.closed);
    buf_fini(&slow.body);
    buf_fini(&half.body);
    rig_close(&rig);
}

static void end_calls_with_the_connection(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    start_slow(&rig, &call, 60, NULL);
    rig_close(&rig);
    assert_true(call.closed);
    buf_fini(&call.body);
}

static void cancel_all(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call slow, half;
    rig_open(&rig);
    start_slow(&rig, &slow, 60, NULL);
    rig_start(&rig, &half, sqrt_path, NULL);
    rig_turn(&rig);
    server_call_pool_drain(&rig.pool);
    assert_int_equal(rig.pool.live_len, 2);
    server_call_pool_cancel(&rig.pool);
    rig_turn(&rig);
    rig_end(&slow, STATUS_UNAVAILABLE);
    rig_end(&half, STATUS_UNAVAILABLE);
    rig_close(&rig);
}

static void stop_producing_for_a_slow_reader(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    FloodRequest request = FLOOD_REQUEST__INIT;
    request.count = 1000000;
    request.size = 1000;
    rig_open(&rig);
    rig_start(&rig, &call, "/Calculator/Flood", NULL);
    call.stalled = true;
    rig_send(&call, &request.base);
    rig_half_close(&call);
    rig_turn(&rig);
    /* One window at the client and one send buffer at the server, no more. */
    size_t window = h2_session_config_default.stream_window;
    assert_int_equal(buf_len(&call.body), window);
    assert_true(rig.pool.live_len == 1);
    h2_stream_reset(call.stream, H2_CANCEL);
    rig_turn(&rig);
    assert_int_equal(rig.pool.live_len, 0);
    buf_fini(&call.body);
    rig_close(&rig);
}

static void stop_reading_for_a_slow_reader(void **state)
{
    (void)state;
    enum { NUMBERS = 180000, FRAME_LEN = 10 };
    struct rig rig;
    struct rig_call call;
    Number one = number(1);
    rig_open(&rig);
    rig_start(&rig, &call, "/Calculator/RunningTotal", NULL);
    call.stalled = true;
    for (int i = 0; i < NUMBERS; i++)
        rig_send(&call, &one.base);
    rig_half_close(&call);
    rig_turn(&rig);
    size_t window = h2_session_config_default.stream_window;
    assert_int_equal(buf_len(&call.body), window);
    /* The server took what it answered and one window more. */
    size_t left = h2_stream_queued(call.stream);
    size_t taken = (size_t)NUMBERS * FRAME_LEN - left;
    assert_true(left > 0);
    assert_true(taken < 2 * window);
    /* Then the client reads on, and hears every total. */
    call.stalled = false;
    h2_stream_consume(call.stream, window);
    rig_turn(&rig);
    for (int i = 1; i <= NUMBERS; i++) {
        RunningTotalReply *reply = rig_reply(&call, &running_total_reply__descriptor);
        assert_non_null(reply);
        assert_int_equal(reply->count, i);
        rig_free_reply(reply);
    }
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_a_unary_call),
        cmocka_unit_test(reuse_calls),
        cmocka_unit_test(take_a_request_byte_by_byte),
        cmocka_unit_test(refuse_bad_heads),
        cmocka_unit_test(refuse_what_is_not_grpc),
        cmocka_unit_test(accept_every_grpc_content_type),
        cmocka_unit_test(judge_request_bodies),
        cmocka_unit_test(refuse_a_large_message_before_it_comes),
        cmocka_unit_test(take_a_request_larger_than_the_window),
        cmocka_unit_test(name_the_bad_field),
        cmocka_unit_test(percent_encode_messages),
        cmocka_unit_test(read_gzip),
        cmocka_unit_test(bound_a_gzip_bomb),
        cmocka_unit_test(compress_large_replies),
        cmocka_unit_test(echo_test_metadata),
        cmocka_unit_test(wait_for_the_delay),
        cmocka_unit_test(keep_deadlines),
        cmocka_unit_test(stop_when_the_client_cancels),
        cmocka_unit_test(end_calls_with_the_connection),
        cmocka_unit_test(cancel_all),
        cmocka_unit_test(stop_producing_for_a_slow_reader),
        cmocka_unit_test(stop_reading_for_a_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
