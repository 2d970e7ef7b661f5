/* rest_fixture: requests to REST and what is expected of the answers. */
#pragma once
#include "unit/gateway/protocol/fixture.h"

#include <stdio.h>

/* The target may have a query.  Headers can be added before fake_exchange_open(). */
static inline void request(enum exchange_method method, const char *target)
{
    fake_exchange_init(&fx, &context, method, target);
    struct slice rest = fx.request.target;
    fx.request.path = slice_cut(&rest, '?');
    fx.request.query = rest;
}

static inline void start(enum exchange_method method, const char *target, const char *content_type)
{
    request(method, target);
    if (content_type)
        fake_exchange_header(&fx, "content-type", content_type);
    fake_exchange_open(&fx, &protocol_rest);
}

static inline void send_json(enum exchange_method method, const char *target, const char *json)
{
    start(method, target, json ? "application/json" : NULL);
    if (json && !fx.ended)
        fake_exchange_body(&fx, slice_from_string(json));
    if (!fx.ended)
        fake_exchange_body_end(&fx);
}

static inline void post(const char *target, const char *json)
{
    send_json(METHOD_POST, target, json);
}

static inline void get(const char *target)
{
    send_json(METHOD_GET, target, NULL);
}

static inline void get_as(const char *target, const char *accept)
{
    request(METHOD_GET, target);
    fake_exchange_header(&fx, "accept", accept);
    fake_exchange_open(&fx, &protocol_rest);
    if (!fx.ended)
        fake_exchange_body_end(&fx);
}

static inline void expect_text(const char *wanted)
{
    struct slice body = buf_slice(&fx.body);
    if (!slice_equal(body, slice_from_string(wanted)))
        fail_msg("body is\n%.*s\nnot\n%s", SLICE_PRINT(body), wanted);
}

static inline void expect_part(const char *part)
{
    struct slice body = buf_slice(&fx.body);
    if (!memmem(body.data, body.len, part, strlen(part)))
        fail_msg("body is\n%.*s\nwithout\n%s", SLICE_PRINT(body), part);
}

static inline void expect_error(int http_status, int code, const char *part)
{
    char start_of_body[32];
    snprintf(start_of_body, sizeof start_of_body, "{\"code\":%d,\"message\":\"", code);
    assert_int_equal(fx.http_status, http_status);
    expect_part(start_of_body);
    expect_part(part);
    expect_answer("content-type", "application/json");
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, code);
}

/* The i-th message of the newest call. */
static inline void expect_sent(size_t i, struct slice wanted)
{
    struct slice sent = fake_call_sent_message(fake_call_last(), i, NULL);
    assert_int_equal(sent.len, wanted.len);
    assert_memory_equal(sent.data, wanted.data, wanted.len);
}

/* The newest call is answered with one message, or none, and a status. */
static inline void answer(struct slice message, uint32_t code)
{
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    if (message.data)
        fake_call_message(call, message);
    if (!call->cancelled)
        fake_call_status(call, code, code ? "failed" : NULL, NULL);
}
