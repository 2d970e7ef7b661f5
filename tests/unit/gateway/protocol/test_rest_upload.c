/* Client streams: how their text is cut into messages, binding, limits, back-pressure. */
#include "unit/gateway/protocol/rest_fixture.h"

#include "gateway/protocol/rest_values.h"

#include <stdlib.h>

/* Reads the text in pieces of `step` bytes; what came out, values in brackets, "!" and the error.
 */
static const char *cut(const char *text, size_t step, size_t max_len)
{
    static char out[512];
    struct rest_values v;
    struct slice value;
    size_t len = strlen(text), used = 0;
    enum rest_values_result result = REST_VALUES_MORE;
    out[0] = 0;
    rest_values_init(&v, max_len);
    for (size_t at = 0; at < len && result == REST_VALUES_MORE; at += step) {
        size_t piece = len - at < step ? len - at : step;
        uint8_t *exact = malloc(piece); /* the sanitizer sees an over-read */
        memcpy(exact, text + at, piece);
        struct slice data = slice_from(exact, piece);
        while ((result = rest_values_next(&v, &data, &value)) == REST_VALUES_READY)
            used += (size_t)snprintf(out + used, sizeof out - used, "<%.*s>", SLICE_PRINT(value));
        free(exact);
    }
    if (result == REST_VALUES_MORE && (result = rest_values_end(&v, &value)) == REST_VALUES_READY)
        used += (size_t)snprintf(out + used, sizeof out - used, "<%.*s>", SLICE_PRINT(value));
    if (result == REST_VALUES_BAD)
        snprintf(out + used, sizeof out - used, "!%s", v.error);
    if (result == REST_VALUES_TOO_LARGE)
        snprintf(out + used, sizeof out - used, "!too large");
    rest_values_fini(&v);
    return out;
}

static void texts_are_cut_into_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {" \r\n\t", ""},
        {"{}", "<{}>"},
        {"[]", ""},
        {" [ ] ", ""},
        {"[{}]", "<{}>"},
        {" [ { } , {\"a\":[1,{}]} ] ", "<{ }><{\"a\":[1,{}]}>"},
        {"{}\n{}\n", "<{}><{}>"},
        {"{}{} {}", "<{}><{}><{}>"},
        {"{\"a\":\"}]\\\"\\\\\"}{\"b\":1}", "<{\"a\":\"}]\\\"\\\\\"}><{\"b\":1}>"},
        {"[\"a,]\",\"b\"]", "<\"a,]\"><\"b\">"},
        {"[1, 2,3]", "<1><2><3>"},
        {"1 2\n3", "<1><2><3>"},
        {"-1.5e3", "<-1.5e3>"},
        {"true null false", "<true><null><false>"},
        {"\"a\"\"b\"", "<\"a\"><\"b\">"},
        {"[[1,2],[3]]", "<[1,2]><[3]>"},
        {"1{}2", "<1><{}><2>"},
        {"[{}", "<{}>!unexpected end of the text"},
        {"[{},", "<{}>!unexpected end of the text"},
        {"[", "!unexpected end of the text"},
        {"{", "!unexpected end of the text"},
        {"{\"a\":\"", "!unexpected end of the text"},
        {"\"a", "!unexpected end of the text"},
        {"[1", "!unexpected end of the text"},
        {"[{}]{}", "<{}>!unexpected text after the end of the array"},
        {"[{} {}]", "<{}>!expected ',' or ']'"},
        {"[{},]", "<{}>!expected a value"},
        {"[,{}]", "!expected a value"},
        {"{},{}", "<{}>!expected a value"},
        {"}", "!expected a value"},
        {"x", "!expected a value"},
        {"[{\"a\":1]", "<{\"a\":1]>!unexpected end of the text"}, /* whoever reads it finds out */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step < 9; step++) {
            const char *got = cut(rows[i][0], step, 100);
            if (strcmp(got, rows[i][1]) != 0)
                fail_msg("%s by %zu: %s, not %s", rows[i][0], step, got, rows[i][1]);
        }
}

static void values_have_a_limit(void **state)
{
    (void)state;
    assert_string_equal(cut("[\"12345678\"]", 3, 10), "<\"12345678\">");
    assert_string_equal(cut("[\"12345678\"]", 100, 10), "<\"12345678\">");
    assert_string_equal(cut("[\"123456789\"]", 3, 10), "!too large");
    assert_string_equal(cut("[\"123456789\"]", 100, 10), "!too large");
    assert_string_equal(cut("1 2 3 4 5 6 7 8 9", 100, 1), "<1><2><3><4><5><6><7><8><9>");
}

#define SIXTEEN SLICE("\x0d\0\0\x80\x41")

static void messages_go_up_as_they_arrive(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/statistics", "application/json");
    assert_true(fx.slow_upload);
    fake_exchange_body(&fx, SLICE("[{\"value\":16"));
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_body(&fx, SLICE("},{\"val"));
    struct fake_call *call = fake_call_last();
    assert_int_equal(fake_call_sent_count(call), 1);
    assert_false(call->half_closed);
    fake_exchange_body(&fx, SLICE("ue\":16}, {}]"));
    assert_int_equal(fake_call_sent_count(call), 3);
    expect_sent(0, SIXTEEN);
    expect_sent(1, SIXTEEN);
    expect_sent(2, SLICE(""));
    fake_exchange_body_end(&fx);
    assert_true(call->half_closed);
    answer(SLICE("\x08\3"), STATUS_OK);
    assert_int_equal(fx.http_status, 200);
    expect_text("{\"count\":\"3\"}");
}

static void forms_of_an_upload(void **state)
{
    (void)state;
    static const struct {
        const char *type, *json;
        size_t messages;
    } rows[] = {
        {"application/json", "{\"value\":1}", 1}, /* a stream of one */
        {"application/json", "[]", 0},
        {"application/json", "", 0},
        {"application/x-ndjson", "{\"value\":1}\n{\"value\":2}\n", 2},
        {"application/json", "{\"value\":1}{\"value\":2}", 2},
        {NULL, "[{},{},{}]", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(METHOD_POST, "/v1/statistics", rows[i].type);
        fake_exchange_body(&fx, slice_from_string(rows[i].json));
        fake_exchange_body_end(&fx);
        assert_int_equal(fake_call_count(), i + 1);
        assert_int_equal(fake_call_sent_count(fake_call_last()), rows[i].messages);
        assert_true(fake_call_last()->half_closed);
        answer(SLICE(""), STATUS_OK);
        expect_text("{}");
        fake_exchange_close(&fx);
    }
}

static void bad_uploads(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int http_status, code;
        const char *part;
        bool cancels;
    } rows[] = {
        {"[{\"valu\":1}]", 400, 3, "message 1: ", false},
        {"[{\"value\":1},{\"value\":\"x\"}]", 400, 3, "message 2: ", true},
        {"[{\"value\":1}", 400, 3, "behind message 1: unexpected end", true},
        {"[{\"value\":1},]", 400, 3, "behind message 1: expected a value", true},
        {"7", 400, 3, "message 1: ", false},
        {"[", 400, 3, "behind message 0: unexpected end", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_call_reset();
        post("/v1/statistics", rows[i].json);
        expect_error(rows[i].http_status, rows[i].code, rows[i].part);
        assert_int_equal(fake_call_count(), rows[i].cancels);
        assert_int_equal(fake_call_live(), 0);
        fake_exchange_close(&fx);
    }
    request(METHOD_POST, "/v1/statistics");
    fake_exchange_header(&fx, "content-type", "text/plain");
    fake_exchange_header(&fx, "accept", "*/*");
    fake_exchange_open(&fx, &protocol_rest);
    expect_error(415, 3, "application/json");
}

static void one_message_has_a_limit(void **state)
{
    (void)state;
    config.limits.max_message_bytes = 1000;
    static char big[80000];
    memset(big, ' ', sizeof big - 1);
    big[0] = '{';
    post("/v1/statistics", big);
    expect_error(413, 8, "message 1 is larger");
}

/* The call takes no more: what has arrived waits, the rest is not read. */
static void a_full_call_pauses_the_upload(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/statistics", "application/json");
    fake_exchange_body(&fx, SLICE("{}"));
    struct fake_call *call = fake_call_last();
    fake_call_set_full(call, true);
    fake_exchange_body(&fx, SLICE("{} {\"value\":16} {\"val"));
    assert_int_equal(fake_call_sent_count(call), 2);
    assert_true(fx.upload_paused);
    call->full = false;
    fake_call_set_full(call, false);
    assert_int_equal(fake_call_sent_count(call), 3);
    assert_false(fx.upload_paused);
    fake_exchange_body(&fx, SLICE("ue\":16}"));
    expect_sent(3, SIXTEEN);
    fake_call_set_full(call, true);
    fake_exchange_body(&fx, SLICE("{}{}{}"));
    assert_int_equal(fake_call_sent_count(call), 5);
    call->told_full = false; /* there is room for one */
    call->events->on_writable(call->arg);
    assert_int_equal(fake_call_sent_count(call), 6);
    assert_true(fx.upload_paused);
    fake_call_set_full(call, false);
    assert_int_equal(fake_call_sent_count(call), 7);
    assert_false(fx.upload_paused);
    fake_exchange_body_end(&fx);
    assert_true(call->half_closed);
    answer(SLICE(""), STATUS_OK);
    expect_text("{}");
}

static void both_directions(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/total", "application/x-ndjson");
    fake_exchange_body(&fx, SLICE("{\"value\":16}\n"));
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x10\1"));
    assert_int_equal(fx.http_status, 200);
    fake_exchange_body(&fx, SLICE("{\"value\":16}\n"));
    fake_call_message(call, SLICE("\x10\2"));
    fake_exchange_body_end(&fx);
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_text("[{\"count\":\"1\"},{\"count\":\"2\"}]");
}

static void a_bad_message_after_the_first_reply_breaks_the_reply(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/total", "application/x-ndjson");
    fake_exchange_body(&fx, SLICE("{\"value\":16}\n"));
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x10\1"));
    fake_exchange_body(&fx, SLICE("{\"value\":false}\n"));
    assert_true(call->cancelled);
    assert_true(fx.aborted);
    expect_part("[{\"count\":\"1\"},{\"error\":{\"code\":3,\"message\":\"message 2: ");
}

static void an_early_answer_ends_the_upload(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/statistics", "application/json");
    fake_exchange_body(&fx, SLICE("[{},"));
    fake_call_status(fake_call_last(), STATUS_PERMISSION_DENIED, "no", NULL);
    expect_error(403, 7, "no");
    assert_true(fx.discarding);
    fake_exchange_close(&fx);
    start(METHOD_POST, "/v1/statistics", "application/json");
    fake_exchange_body(&fx, SLICE("[{},"));
    answer(SLICE("\x08\1"), STATUS_OK);
    expect_text("{\"count\":\"1\"}");
    assert_true(fx.discarding);
}

static void a_client_that_leaves_cancels(void **state)
{
    (void)state;
    start(METHOD_POST, "/v1/statistics", "application/json");
    fake_exchange_body(&fx, SLICE("[{},{\"va"));
    struct fake_call *call = fake_call_last();
    fake_exchange_close(&fx);
    assert_true(call->cancelled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_into_values),
        cmocka_unit_test(values_have_a_limit),
        SCENARIO(messages_go_up_as_they_arrive),
        SCENARIO(forms_of_an_upload),
        SCENARIO(bad_uploads),
        SCENARIO(one_message_has_a_limit),
        SCENARIO(a_full_call_pauses_the_upload),
        SCENARIO(both_directions),
        SCENARIO(a_bad_message_after_the_first_reply_breaks_the_reply),
        SCENARIO(an_early_answer_ends_the_upload),
        SCENARIO(a_client_that_leaves_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
