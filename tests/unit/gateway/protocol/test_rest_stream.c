/* Server streams: framing by Accept, failures, back-pressure. */
#include "unit/gateway/protocol/rest_fixture.h"

#include "gateway/protocol/rest_framing.h"

#define FACTOR_2 SLICE("\x08\2")
#define FACTOR_3 SLICE("\x08\3\x10\1")

static void accept_chooses_the_framing(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum rest_framing framing;
    } rows[] = {
        {NULL, REST_ARRAY},
        {"", REST_ARRAY},
        {"*/*", REST_ARRAY},
        {"application/json", REST_ARRAY},
        {"application/x-ndjson", REST_LINES},
        {"Application/X-NDJSON; q=0.1", REST_LINES},
        {"text/event-stream", REST_EVENTS},
        {"text/html, text/event-stream;q=0.9, */*;q=0.8", REST_EVENTS},
        {"application/json, application/x-ndjson", REST_ARRAY},
        {"application/x-ndjson, application/json", REST_LINES},
        {"application/json;q=0.5,application/x-ndjson;q=0.6", REST_LINES},
        {"application/json;q=0.5,application/x-ndjson;q=0.499,text/event-stream;q=0", REST_ARRAY},
        {"text/event-stream;q=0", REST_ARRAY},
        {"application/json;charset=utf-8;q=0.2, text/event-stream;Q=1.000", REST_EVENTS},
        {"application/x-ndjsonx, xapplication/x-ndjson", REST_ARRAY},
        {",,;q=1,", REST_ARRAY},
        {"text/event-stream;q=banana", REST_ARRAY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rest_framing_choose(slice_from_string(rows[i].accept)) != rows[i].framing)
            fail_msg("Accept: %s", rows[i].accept);
}

/* Two factors and the end. */
static void play_factors(uint32_t code)
{
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    assert_int_equal(fx.http_status, 0); /* an error code is still possible */
    fake_call_message(call, FACTOR_2);
    assert_int_equal(fx.http_status, 200);
    assert_true(buf_len(&fx.body) > 10); /* not held back */
    fake_call_message(call, FACTOR_3);
    fake_call_status(call, code, code ? "cut" : NULL, NULL);
}

#define ERROR "{\"error\":{\"code\":10,\"message\":\"cut\",\"details\":[]}}"

static void framings(void **state)
{
    (void)state;
    static const struct {
        const char *target, *accept, *type, *good, *cut;
        bool aborts;
    } rows[] = {
        {"/v1/factors/6", "application/json", "application/json",
         "[{\"factor\":\"2\"},{\"factor\":\"3\",\"index\":1}]",
         "[{\"factor\":\"2\"},{\"factor\":\"3\",\"index\":1}," ERROR, true},
        {"/v1/factors/6", "application/x-ndjson", "application/x-ndjson",
         "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n",
         "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n" ERROR "\n", false},
        {"/v1/factors/6", "text/event-stream", "text/event-stream",
         "id: 1\ndata: {\"factor\":\"2\"}\n\nid: 2\ndata: {\"factor\":\"3\",\"index\":1}\n\n"
         "id: end\n\n",
         "id: 1\ndata: {\"factor\":\"2\"}\n\nid: 2\ndata: {\"factor\":\"3\",\"index\":1}\n\n"
         "id: end\nevent: error\ndata: " ERROR "\n\n",
         false},
        {"/v1/factors/6?alt=sse", "*/*", "text/event-stream",
         "id: 1\ndata: {\"factor\":\"2\"}\n\nid: 2\ndata: {\"factor\":\"3\",\"index\":1}\n\n"
         "id: end\n\n",
         NULL, false},
        {"/v1/factors/6?$alt=json", "application/x-ndjson", "application/x-ndjson",
         "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n",
         "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n"
         "{\"error\":{\"code\":409,\"message\":\"cut\",\"status\":\"ABORTED\",\"details\":[]}}\n",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        get_as(rows[i].target, rows[i].accept);
        expect_sent(0, SLICE("\x08\6"));
        play_factors(STATUS_OK);
        expect_text(rows[i].good);
        expect_answer("content-type", rows[i].type);
        expect_answer("vary", "accept");
        assert_true(fx.ended);
        fake_exchange_close(&fx);
        if (!rows[i].cut)
            continue;
        get_as(rows[i].target, rows[i].accept);
        play_factors(STATUS_ABORTED);
        expect_text(rows[i].cut);
        assert_int_equal(fx.aborted, rows[i].aborts);
        assert_int_equal(fx.ended, !rows[i].aborts);
        fake_exchange_close(&fx);
    }
}

static void a_failure_before_the_first_message_has_its_status(void **state)
{
    (void)state;
    static const char *const accepts[] = {"application/json", "application/x-ndjson",
                                          "text/event-stream"};
    for (size_t i = 0; i < 3; i++) {
        get_as("/v1/factors/6", accepts[i]);
        answer(slice_from(NULL, 0), STATUS_NOT_FOUND);
        expect_error(404, 5, "failed");
        fake_exchange_close(&fx);
    }
}

static void empty_streams(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"application/json", "[]"},
                                          {"application/x-ndjson", ""},
                                          {"text/event-stream", "id: end\n\n"}};
    for (size_t i = 0; i < 3; i++) {
        get_as("/v1/factors/6", rows[i][0]);
        fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
        assert_int_equal(fx.http_status, 200);
        expect_answer("content-type", rows[i][0]);
        expect_text(rows[i][1]);
        assert_true(fx.ended);
        fake_exchange_close(&fx);
    }
}

static void an_ended_event_source_does_not_start_over(void **state)
{
    (void)state;
    request(METHOD_GET, "/v1/factors/6");
    fake_exchange_header(&fx, "accept", "text/event-stream");
    fake_exchange_header(&fx, "last-event-id", "end");
    fake_exchange_open(&fx, &protocol_rest);
    assert_int_equal(fx.http_status, 204);
    assert_true(fx.ended);
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_close(&fx);
    /* One that was cut starts again; the service may know the id. */
    request(METHOD_GET, "/v1/factors/6");
    fake_exchange_header(&fx, "accept", "text/event-stream");
    fake_exchange_header(&fx, "last-event-id", "1");
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body_end(&fx);
    assert_true(slice_equal(fake_call_header(fake_call_last(), "last-event-id"), SLICE("1")));
}

static void garbage_in_the_middle_is_visible(void **state)
{
    (void)state;
    get_as("/v1/factors/6", "application/x-ndjson");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, FACTOR_2);
    fake_call_message(call, SLICE("\x08"));
    assert_true(call->cancelled);
    assert_true(fx.ended);
    expect_part("{\"factor\":\"2\"}\n{\"error\":{\"code\":13,");
    assert_int_equal(fx.outcome.code, 13);
}

static void a_slow_reader_pauses_the_call(void **state)
{
    (void)state;
    get_as("/v1/factors/6", "application/x-ndjson");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fx.full = true;
    fake_call_message(call, FACTOR_2);
    assert_true(call->paused);
    fake_exchange_drained(&fx);
    assert_false(call->paused);
    fake_call_message(call, FACTOR_3);
    fake_call_status(call, STATUS_OK, NULL, NULL);
    assert_true(fx.ended);
}

static void head_of_a_stream_ends_with_its_first_message(void **state)
{
    (void)state;
    send_json(METHOD_HEAD, "/v1/factors/6", NULL);
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, FACTOR_2);
    assert_int_equal(fx.http_status, 200);
    assert_true(fx.ended);
    assert_true(call->cancelled);
    expect_text("");
}

static void the_status_of_a_stream_can_be_chosen(void **state)
{
    (void)state;
    get_as("/v1/factors/6", "application/x-ndjson");
    struct metadata headers;
    metadata_init(&headers, &fx.arena, 4096);
    metadata_add(&headers, SLICE("x-http-code"), SLICE("206"));
    fake_call_headers(fake_call_last(), &headers);
    fake_call_message(fake_call_last(), FACTOR_2);
    assert_int_equal(fx.http_status, 206);
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    get_as("/v1/factors/6", "application/x-ndjson");
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, FACTOR_2);
    fake_exchange_close(&fx);
    assert_true(call->cancelled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_chooses_the_framing),
        SCENARIO(framings),
        SCENARIO(a_failure_before_the_first_message_has_its_status),
        SCENARIO(empty_streams),
        SCENARIO(an_ended_event_source_does_not_start_over),
        SCENARIO(garbage_in_the_middle_is_visible),
        SCENARIO(a_slow_reader_pauses_the_call),
        SCENARIO(head_of_a_stream_ends_with_its_first_message),
        SCENARIO(the_status_of_a_stream_can_be_chosen),
        SCENARIO(a_client_that_leaves_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
