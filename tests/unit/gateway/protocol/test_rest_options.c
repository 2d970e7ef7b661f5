/* What the configuration and the request choose: the form of replies, parameters that are passed
 * over, metadata under other names, trailers. */
#include "unit/gateway/protocol/rest_fixture.h"

#include "gateway/protocol/rest_framing.h"

/* {"records":[{"operation":"SQUARE_ROOT","sequence":"3"},{}]} */
#define HISTORY SLICE("\x0a\4\x10\5\x30\3\x0a\0")
#define COMPACT "{\"records\":[{\"operation\":\"SQUARE_ROOT\",\"sequence\":\"3\"},{}]}"
#define PRETTY                                                                                     \
    "{\n  \"records\": [\n    {\n      \"operation\": \"SQUARE_ROOT\",\n      \"sequence\": "      \
    "\"3\"\n    },\n    {}\n  ]\n}\n"

static void replies_as_configured(void **state)
{
    (void)state;
    static const struct {
        bool *option;
        const char *target;
        struct slice reply;
        const char *text;
    } rows[] = {
        {NULL, "/v1/history", {NULL, 0}, COMPACT},
        {&config.json_enums_as_numbers,
         "/v1/history",
         {NULL, 0},
         "{\"records\":[{\"operation\":5,\"sequence\":\"3\"},{}]}"},
        {&config.json_enums_as_numbers,
         "/v1/history?$alt=json;enum-encoding=string",
         {NULL, 0},
         COMPACT},
        {&config.json_int64_as_numbers,
         "/v1/history",
         {NULL, 0},
         "{\"records\":[{\"operation\":\"SQUARE_ROOT\",\"sequence\":3},{}]}"},
        {&config.json_proto_names,
         "/v1/history",
         {(const uint8_t *)"\x12\1x", 3},
         "{\"next_page_token\":\"x\"}"},
        {&config.json_emit_defaults,
         "/v1/history",
         {(const uint8_t *)"", 0},
         "{\"records\":[],\"nextPageToken\":\"\"}"},
        {&config.json_pretty, "/v1/history", {NULL, 0}, PRETTY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].option)
            *rows[i].option = true;
        get(rows[i].target);
        answer(rows[i].reply.data ? rows[i].reply : HISTORY, STATUS_OK);
        expect_text(rows[i].text);
        fake_exchange_close(&fx);
        if (rows[i].option)
            *rows[i].option = false;
    }
}

static void accept_asks_for_indentation(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum system_choice choice;
    } rows[] = {
        {NULL, CHOICE_NONE},
        {"", CHOICE_NONE},
        {"*/*", CHOICE_NONE},
        {"application/json", CHOICE_NONE},
        {"application/json;", CHOICE_NONE},
        {"application/json; pretty=1", CHOICE_YES},
        {"application/json;pretty=true", CHOICE_YES},
        {"Application/JSON ; Pretty=1", CHOICE_YES},
        {"application/json;q=0.5;pretty=1", CHOICE_YES},
        {"text/html, application/json;pretty=1, */*;q=0.1", CHOICE_YES},
        {"application/json;pretty=0", CHOICE_NO},
        {"application/json;pretty=false", CHOICE_NO},
        {"application/json;pretty", CHOICE_NONE},
        {"application/json;pretty=", CHOICE_NONE},
        {"application/json;pretty=2", CHOICE_NONE},
        {"application/json;notpretty=1", CHOICE_NONE},
        {"application/x-ndjson;pretty=1", CHOICE_NONE},
        {"text/event-stream;pretty=1, application/json", CHOICE_NONE},
        {"application/jsonx;pretty=1", CHOICE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rest_framing_pretty(slice_from_string(rows[i].accept)) != rows[i].choice)
            fail_msg("Accept: %s", rows[i].accept);
}

static void the_request_goes_before_the_configuration(void **state)
{
    (void)state;
    static const struct {
        bool configured;
        const char *target, *accept;
        bool pretty;
    } rows[] = {
        {false, "/v1/history", "*/*", false},
        {false, "/v1/history", "application/json; pretty=1", true},
        {false, "/v1/history?prettyPrint=true", "*/*", true},
        {false, "/v1/history?%24prettyPrint=1", "*/*", true},
        {false, "/v1/history?$prettyPrint=false", "application/json; pretty=1", false},
        {false, "/v1/history?$prettyPrint=true", "application/json; pretty=0", true},
        {true, "/v1/history", "*/*", true},
        {true, "/v1/history", "application/json; pretty=0", false},
        {true, "/v1/history?$prettyPrint=false", "*/*", false},
        {true, "/v1/history?$prettyPrint=what", "*/*", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config.json_pretty = rows[i].configured;
        get_as(rows[i].target, rows[i].accept);
        answer(HISTORY, STATUS_OK);
        expect_text(rows[i].pretty ? PRETTY : COMPACT);
        fake_exchange_close(&fx);
    }
}

#define ERROR "{\"code\":10,\"message\":\"cut\",\"details\":[]}"
#define PRETTY_ERROR                                                                               \
    "{\n    \"error\": {\n      \"code\": 10,\n      \"message\": \"cut\",\n      \"details\": "   \
    "[]\n    }\n  }"

/* Elements of an array are indented; lines and events stay lines. */
static void indented_streams(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *good, *cut;
    } rows[] = {
        {"application/json",
         "[\n  {\n    \"factor\": \"2\"\n  },\n  {\n    \"factor\": \"3\",\n    \"index\": 1\n  }\n"
         "]\n",
         "[\n  {\n    \"factor\": \"2\"\n  },\n  {\n    \"factor\": \"3\",\n    \"index\": 1\n  "
         "},\n"
         "  " PRETTY_ERROR},
        {"application/x-ndjson", "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n",
         "{\"factor\":\"2\"}\n{\"factor\":\"3\",\"index\":1}\n{\"error\":" ERROR "}\n"},
        {"text/event-stream",
         "id: 1\ndata: {\"factor\":\"2\"}\n\nid: 2\ndata: {\"factor\":\"3\",\"index\":1}\n\n"
         "id: end\n\n",
         "id: 1\ndata: {\"factor\":\"2\"}\n\nid: 2\ndata: {\"factor\":\"3\",\"index\":1}\n\n"
         "id: end\nevent: error\ndata: {\"error\":" ERROR "}\n\n"},
    };
    config.json_pretty = true;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        get_as("/v1/factors/6", rows[i / 2].accept);
        struct fake_call *call = fake_call_last();
        fake_call_headers(call, NULL);
        fake_call_message(call, SLICE("\x08\2"));
        fake_call_message(call, SLICE("\x08\3\x10\1"));
        bool cut = i % 2;
        fake_call_status(call, cut ? STATUS_ABORTED : STATUS_OK, cut ? "cut" : NULL, NULL);
        expect_text(cut ? rows[i / 2].cut : rows[i / 2].good);
        fake_exchange_close(&fx);
    }
    get_as("/v1/factors/6", "application/json");
    fake_call_status(fake_call_last(), STATUS_OK, NULL, NULL);
    expect_text("[]\n");
}

static void indented_errors(void **state)
{
    (void)state;
    get("/nope?$prettyPrint=true");
    assert_int_equal(fx.http_status, 404);
    expect_part("{\n  \"code\": 5,\n  \"message\": \"/nope");
    expect_part("\n  \"details\": []\n}\n");
    fake_exchange_close(&fx);
    get("/v1/sqrt/16?$prettyPrint=true");
    answer(SLICE("\x0d\0\0\x80\x40"), STATUS_ABORTED); /* after a message that was printed */
    expect_text("{\n  \"code\": 10,\n  \"message\": \"failed\",\n  \"details\": []\n}\n");
}

/* A reply that only its indentation makes too long is an error, not half a reply. */
static void indentation_counts_against_the_limit(void **state)
{
    (void)state;
    static uint8_t empty_records[2 * 60];
    config.limits.max_reply_bytes = 120;
    for (size_t i = 0; i < sizeof empty_records; i += 2)
        empty_records[i] = 0x0a;
    get("/v1/history");
    answer(slice_from(empty_records, sizeof empty_records), STATUS_OK);
    assert_int_equal(fx.http_status, 200);
    fake_exchange_close(&fx);
    get("/v1/history?$prettyPrint=true");
    answer(slice_from(empty_records, sizeof empty_records), STATUS_OK);
    assert_int_equal(fx.http_status, 429);
    expect_part("{\n  \"code\": 8,\n  \"message\": \"the indented reply is larger");
    assert_true(fake_call_last()->cancelled);
}

static void parameters_that_are_passed_over(void **state)
{
    (void)state;
    config.ignore_query[0] = SLICE("utm_source");
    config.ignore_query[1] = SLICE("value3");
    config.ignore_query_count = 2;
    get("/v1/add?value1=16&utm_source=x&value3=nonsense&utm%5Fsource=y");
    expect_sent(0, SLICE("\x0d\0\0\x80\x41"));
    fake_exchange_close(&fx);
    get("/v1/add?utm_medium=x");
    expect_error(400, 3, "utm_medium");
    fake_exchange_close(&fx);
    post("/v1/add?utm_source=x", "{\"value3\":1}"); /* a field of a body is no parameter */
    expect_error(400, 3, "value3");
    fake_exchange_close(&fx);
    config.json_ignore_unknown = true;
    get("/v1/add?value1=16&utm_medium=x");
    expect_sent(0, SLICE("\x0d\0\0\x80\x41"));
}

static void request_metadata_loses_its_prefix(void **state)
{
    (void)state;
    static const char *const forbidden[] = {"te",
                                            "host",
                                            "grpc-timeout",
                                            "content-length",
                                            "transfer-encoding",
                                            "connection",
                                            "trailer",
                                            "upgrade",
                                            "content-type",
                                            "grpc-encoding",
                                            "grpc-status",
                                            "grpc-message",
                                            "proxy-a",
                                            "sec-websocket-key",
                                            "accept-encoding",
                                            ":path",
                                            "x-forwarded-for",
                                            "",
                                            "expect"};
    config.request_metadata_prefix = "grpc-metadata-";
    request(METHOD_GET, "/v1/sqrt/16");
    fake_exchange_header(&fx, "grpc-metadata-x-a", "1");
    fake_exchange_header(&fx, "x-b", "2");
    fake_exchange_header(&fx, "grpc-metadata-x-c-bin", "AAE=");
    fake_exchange_header(&fx, "grpc-metadata-grpc-metadata-te", "3");
    fake_exchange_header(&fx, "x-grpc-metadata-d", "4");
    fake_exchange_header(&fx, "connection", "grpc-metadata-x-e");
    fake_exchange_header(&fx, "grpc-metadata-x-e", "5");
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        char name[64];
        snprintf(name, sizeof name, "grpc-metadata-%s", forbidden[i]);
        fake_exchange_header(&fx, name, "1m");
    }
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body_end(&fx);
    struct fake_call *call = fake_call_last();
    assert_non_null(call);
    assert_true(slice_equal(fake_call_header(call, "x-a"), SLICE("1")));
    assert_true(slice_equal(fake_call_header(call, "x-b"), SLICE("2")));
    assert_true(slice_equal(fake_call_header(call, "x-c-bin"), SLICE("AAE")));
    assert_true(slice_equal(fake_call_header(call, "grpc-metadata-te"), SLICE("3")));
    assert_true(slice_equal(fake_call_header(call, "x-grpc-metadata-d"), SLICE("4")));
    assert_null(fake_call_header(call, "grpc-metadata-x-a").data);
    assert_null(fake_call_header(call, "x-e").data);
    assert_int_equal(call->deadline_ms, 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (slice_equal(fake_call_header(call, forbidden[i]), SLICE("1m")))
            fail_msg("%s went upstream", forbidden[i]);
}

static void without_a_prefix_names_stay(void **state)
{
    (void)state;
    request(METHOD_GET, "/v1/sqrt/16");
    fake_exchange_header(&fx, "grpc-metadata-x-a", "1");
    fake_exchange_open(&fx, &protocol_rest);
    fake_exchange_body_end(&fx);
    assert_true(slice_equal(fake_call_header(fake_call_last(), "grpc-metadata-x-a"), SLICE("1")));
}

static struct metadata *fields(const char *const names[][2], size_t count)
{
    static struct metadata md;
    metadata_init(&md, &fx.arena, 4096);
    for (size_t i = 0; i < count; i++)
        metadata_add(&md, slice_from_string(names[i][0]), slice_from_string(names[i][1]));
    return &md;
}

static const char *const head_fields[][2] = {{"x-a", "1"},
                                             {"location", "/there"},
                                             {"x-http-code", "201"},
                                             {"content-length", "7"},
                                             {"transfer-encoding", "gzip"}};
/* Only x-t is for the client. */
static const char *const trailing_fields[][2] = {{"x-t", "2"}, {"te", "x"}, {"x-http-code", "202"}};

static void answer_with_fields(uint32_t code)
{
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, fields(head_fields, 5));
    fake_call_message(call, SLICE(""));
    fake_call_status(call, code, NULL, fields(trailing_fields, 3));
}

static void response_metadata_gets_a_prefix(void **state)
{
    (void)state;
    config.response_metadata_prefix = "grpc-metadata-";
    post("/Calculator/SquareRoot", "{}");
    answer_with_fields(STATUS_OK);
    assert_int_equal(fx.http_status, 201);
    expect_answer("grpc-metadata-x-a", "1");
    expect_answer("location", "/there");
    expect_answer("content-type", "application/json");
    assert_int_equal(fx.headers.count, 3);
    assert_true(slice_equal(fake_exchange_trailer(&fx, "grpc-metadata-x-t"), SLICE("2")));
    assert_int_equal(fx.trailers.count, 1);
    fake_exchange_close(&fx);
    /* A failure has all of it in its head. */
    post("/Calculator/SquareRoot", "{}");
    answer_with_fields(STATUS_ABORTED);
    expect_answer("grpc-metadata-x-a", "1");
    expect_answer("grpc-metadata-x-t", "2");
    assert_null(fake_exchange_answer(&fx, "x-a").data);
    assert_int_equal(fx.trailers.count, 0);
}

/* Also of those that end in an error; the front sends none behind an array that was cut. */
static void trailers_of_streams(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        uint32_t code;
    } rows[] = {
        {"application/json", STATUS_OK},          {"application/x-ndjson", STATUS_OK},
        {"application/x-ndjson", STATUS_ABORTED}, {"text/event-stream", STATUS_OK},
        {"text/event-stream", STATUS_ABORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        get_as("/v1/factors/6", rows[i].accept);
        struct fake_call *call = fake_call_last();
        fake_call_headers(call, NULL);
        fake_call_message(call, SLICE("\x08\2"));
        fake_call_status(call, rows[i].code, "cut", fields(trailing_fields, 3));
        assert_true(slice_equal(fake_exchange_trailer(&fx, "x-t"), SLICE("2")));
        assert_int_equal(fx.trailers.count, 1);
        assert_null(fake_exchange_answer(&fx, "x-t").data);
        fake_exchange_close(&fx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(replies_as_configured),
        cmocka_unit_test(accept_asks_for_indentation),
        SCENARIO(the_request_goes_before_the_configuration),
        SCENARIO(indented_streams),
        SCENARIO(indented_errors),
        SCENARIO(indentation_counts_against_the_limit),
        SCENARIO(parameters_that_are_passed_over),
        SCENARIO(request_metadata_loses_its_prefix),
        SCENARIO(without_a_prefix_names_stay),
        SCENARIO(response_metadata_gets_a_prefix),
        SCENARIO(trailers_of_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
