#include "unit/gateway/protocol/fixture.h"

#include <stdio.h>

static bool matches(enum exchange_method method, const char *path)
{
    struct exchange_request req = {.method = method, .path = slice_from_string(path)};
    return protocol_page.matches(&req, &context);
}

static void get(const char *path)
{
    fake_exchange_init(&fx, &context, METHOD_GET, path);
    fake_exchange_open(&fx, &protocol_page);
}

static bool body_contains(const char *text)
{
    struct slice body = buf_slice(&fx.body);
    return memmem(body.data, body.len, text, strlen(text)) != NULL;
}

static void the_page_is_on_while_every_listener_is_loopback(void **state)
{
    (void)state;
    config.loopback_only = true;
    assert_true(matches(METHOD_GET, "/"));
    assert_true(matches(METHOD_HEAD, "/app.js"));
    assert_true(matches(METHOD_GET, "/services.json"));
    assert_false(matches(METHOD_POST, "/"));
    assert_false(matches(METHOD_GET, "/index.html"));
    assert_false(matches(METHOD_GET, "/Calculator/SquareRoot"));
    config.console = SWITCH_OFF;
    assert_false(matches(METHOD_GET, "/"));
    config.console = SWITCH_AUTO;
    config.loopback_only = false;
    assert_false(matches(METHOD_GET, "/"));
    assert_false(matches(METHOD_GET, "/services.json"));
    config.console = SWITCH_ON;
    assert_true(matches(METHOD_GET, "/"));
    fake_exchange_init(&fx, &context, METHOD_GET, "/");
}

static void every_file_has_its_type_and_the_policy(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"/", "text/html; charset=utf-8", "<!doctype html>"},
        {"/app.js", "text/javascript; charset=utf-8", "fetch("},
        {"/style.css", "text/css; charset=utf-8", "prefers-color-scheme"},
        {"/icon.svg", "image/svg+xml", "<svg"},
        {"/services.json", "application/json", "\"services\":["},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        get(rows[i][0]);
        assert_int_equal(fx.http_status, 200);
        assert_true(fx.ended);
        expect_answer("content-type", rows[i][1]);
        expect_answer("x-content-type-options", "nosniff");
        expect_answer("cache-control", "no-cache");
        assert_true(slice_has_prefix(fake_exchange_answer(&fx, "content-security-policy"),
                                     SLICE("default-src 'none'; script-src 'self'; ")));
        assert_true(body_contains(rows[i][2]));
        if (i + 1 < sizeof rows / sizeof *rows)
            fake_exchange_close(&fx);
    }
}

static void a_known_version_is_not_sent_again(void **state)
{
    (void)state;
    char etag[64], forms[4][160];
    get("/app.js");
    struct slice sent = fake_exchange_answer(&fx, "etag");
    assert_true(sent.len > 2 && sent.len < sizeof etag);
    size_t whole = buf_len(&fx.body);
    snprintf(etag, sizeof etag, "%.*s", SLICE_PRINT(sent));
    fake_exchange_close(&fx);

    snprintf(forms[0], sizeof forms[0], "%s", etag);
    snprintf(forms[1], sizeof forms[1], "W/%s", etag);
    snprintf(forms[2], sizeof forms[2], "\"another\", W/\"third\" ,%s", etag);
    snprintf(forms[3], sizeof forms[3], "*");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        fake_exchange_init(&fx, &context, METHOD_GET, "/app.js");
        fake_exchange_header(&fx, "if-none-match", forms[i]);
        fake_exchange_open(&fx, &protocol_page);
        assert_int_equal(fx.http_status, 304);
        assert_int_equal(buf_len(&fx.body), whole); /* the front sends its length only */
        assert_null(fake_exchange_answer(&fx, "content-type").data);
        expect_answer("etag", etag);
        fake_exchange_close(&fx);
    }

    fake_exchange_init(&fx, &context, METHOD_GET, "/style.css");
    fake_exchange_header(&fx, "if-none-match", etag);
    fake_exchange_open(&fx, &protocol_page);
    assert_int_equal(fx.http_status, 200);
}

static void services_are_those_of_the_schema(void **state)
{
    (void)state;
    config.upstreams[0].target.text = "calc:50051";
    config.upstreams[1].target.text = "unix:/b";
    config.upstreams_count = 2;
    get("/services.json");
    assert_true(body_contains("\"upstream\":\"calc:50051, unix:/b\""));
    assert_true(body_contains("\"path\":\"/Calculator/RunningTotal\",\"name\":\"RunningTotal\","
                              "\"input\":\"Number\",\"output\":\"RunningTotalReply\","
                              "\"clientStreaming\":true,\"serverStreaming\":true"));
    fake_exchange_close(&fx);

    struct schema *schema = context.schema;
    context.schema = NULL;
    get("/services.json");
    assert_true(body_contains("\"services\":[]"));
    assert_false(body_contains("\"schema\""));
    context.schema = schema;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(the_page_is_on_while_every_listener_is_loopback),
        SCENARIO(every_file_has_its_type_and_the_policy),
        SCENARIO(a_known_version_is_not_sent_again),
        SCENARIO(services_are_those_of_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
