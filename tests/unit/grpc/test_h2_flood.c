/* What hostile peers do to an h2_session: floods, bad stream identifiers, mutated bytes.  The tests
 * write the frames themselves and read GOAWAY out of the session's output. */
#include "unit/cmocka_all.h"
#include "unit/grpc/h2_pair.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
    UNKNOWN = 0x42
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* A valid request of static table entries, and one that lacks its end. */
static const char request_block[] = "\x83\x86\x84\x41\1a";

struct victim {
    struct h2_session *session;
    struct buf out; /* everything it has said */
    uint64_t now_ms;
    bool dead;
    struct status why;
    int requests, closes;
    bool answer;
};

static void on_close(void *arg, uint32_t error_code)
{
    (void)error_code;
    ((struct victim *)arg)->closes++;
}

static const struct h2_stream_events stream_events = {.on_close = on_close};

static void on_request(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end)
{
    (void)headers, (void)end;
    struct victim *v = arg;
    v->requests++;
    h2_stream_set_events(stream, &stream_events, v);
    if (v->answer) {
        const char *fields[] = {":status", "200", NULL};
        h2_stream_respond(stream, pair_fields(fields), true);
    }
}

static const struct h2_session_events events = {.on_request = on_request};

static void drain(struct victim *v)
{
    size_t before;
    do {
        before = buf_len(&v->out);
        h2_session_output(v->session, &v->out, SIZE_MAX);
    } while (buf_len(&v->out) > before);
}

static void feed(struct victim *v, const void *bytes, size_t len)
{
    if (!v->dead)
        v->dead = !h2_session_input(v->session, slice_from(bytes, len), v->now_ms, &v->why);
    drain(v);
}

static void frame(struct victim *v, uint8_t type, uint8_t flags, uint32_t id, struct slice payload)
{
    uint8_t bytes[9 + 16384] = {(uint8_t)(payload.len >> 16),
                                (uint8_t)(payload.len >> 8),
                                (uint8_t)payload.len,
                                type,
                                flags,
                                (uint8_t)(id >> 24),
                                (uint8_t)(id >> 16),
                                (uint8_t)(id >> 8),
                                (uint8_t)id};
    assert_true(payload.len <= 16384);
    if (payload.len)
        memcpy(bytes + 9, payload.data, payload.len);
    feed(v, bytes, 9 + payload.len);
}

static void start(struct victim *v, enum h2_role role)
{
    *v = (struct victim){.now_ms = 5000};
    buf_init(&v->out, SIZE_MAX);
    v->session = h2_session_new(role, &h2_session_config_default, &events, v);
    assert_non_null(v->session);
    if (role == H2_SERVER)
        feed(v, PREFACE, sizeof PREFACE - 1);
    frame(v, SETTINGS, 0, 0, SLICE(""));
    frame(v, SETTINGS, ACK, 0, SLICE(""));
}

static void stop(struct victim *v)
{
    h2_session_free(v->session);
    buf_fini(&v->out);
    assert_int_equal(v->closes, v->requests);
}

static void request(struct victim *v, uint32_t id, uint8_t flags)
{
    frame(v, HEADERS, flags | END_HEADERS, id, slice_from(request_block, sizeof request_block - 1));
}

/* The next frame of what it has said; false at the end. */
static bool next_frame(struct slice *rest, struct slice *next)
{
    if (slice_has_prefix(*rest, SLICE(PREFACE)))
        *rest = slice_skip(*rest, sizeof PREFACE - 1);
    if (rest->len == 0)
        return false;
    assert_true(rest->len >= 9);
    const uint8_t *h = rest->data;
    size_t len = 9 + ((size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2]);
    assert_true(rest->len >= len);
    *next = slice_first(*rest, len);
    *rest = slice_skip(*rest, len);
    return true;
}

/* The error code of the GOAWAY it sent, with the text; -1: none. */
static int goaway(const struct victim *v, char text[static 64])
{
    int code = -1;
    text[0] = 0;
    struct slice rest = buf_slice(&v->out), next;
    while (next_frame(&rest, &next))
        if (next.data[3] == GOAWAY) {
            struct slice debug = slice_skip(next, 9 + 8);
            code = next.data[9 + 7];
            snprintf(text, 64, "%.*s", SLICE_PRINT(debug));
        }
    return code;
}

static size_t count_frames(const struct victim *v, uint8_t type)
{
    size_t count = 0;
    struct slice rest = buf_slice(&v->out), next;
    while (next_frame(&rest, &next))
        count += next.data[3] == type;
    return count;
}

static void assert_goaway(struct victim *v, int code, const char *text)
{
    char got[64];
    assert_int_equal(goaway(v, got), code);
    if (text)
        assert_string_equal(got, text);
    assert_true(h2_session_done(v->session));
    if (v->dead)
        assert_int_not_equal(v->why.code, STATUS_OK);
}

/* 50 control frames are free of charge, and one more per second. */
static void flood(enum h2_role role, uint8_t type, uint8_t flags, struct slice payload)
{
    struct victim v;
    char text[64];
    start(&v, role);
    for (int i = 0; i < 45; i++)
        frame(&v, type, flags, 0, payload);
    assert_int_equal(goaway(&v, text), -1);
    for (int i = 0; i < 10; i++)
        frame(&v, type, flags, 0, payload);
    assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many control frames");
    stop(&v);
}

static void test_control_floods(void **state)
{
    (void)state;
    for (enum h2_role role = H2_CLIENT; role <= H2_SERVER; role++) {
        flood(role, PING, ACK, SLICE("12345678"));
        flood(role, SETTINGS, 0, SLICE(""));
        flood(role, WINDOW_UPDATE, 0, SLICE("\0\0\0\1"));
        flood(role, UNKNOWN, 0, SLICE("whatever"));
    }
    flood(H2_CLIENT, PING, 0, SLICE("12345678"));
}

static void test_frames_on_streams_flood(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        struct slice payload;
    } rows[] = {
        {DATA, {NULL, 0}},
        {PRIORITY, {(const uint8_t *)"\0\0\0\0\x10", 5}},
        {WINDOW_UPDATE, {(const uint8_t *)"\0\0\0\1", 4}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct victim v;
        start(&v, H2_SERVER);
        request(&v, 1, 0);
        for (int n = 0; n < 100; n++)
            frame(&v, rows[i].type, 0, 1, rows[i].payload);
        assert_int_equal(v.requests, 1);
        assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many control frames");
        stop(&v);
    }
}

/* Ten control frames a request are honest work. */
static void test_requests_pay_for_control_frames(void **state)
{
    (void)state;
    struct victim v;
    char text[64];
    start(&v, H2_SERVER);
    v.answer = true;
    for (uint32_t id = 1; id < 400; id += 2) {
        request(&v, id, END_STREAM);
        for (int n = 0; n < 10; n++)
            frame(&v, WINDOW_UPDATE, 0, 0, SLICE("\0\0\0\1"));
    }
    assert_int_equal(goaway(&v, text), -1);
    assert_int_equal(v.requests, 200);
    assert_int_equal(v.closes, 200);
    stop(&v);
}

static void test_ping_policy(void **state)
{
    (void)state;
    struct victim v;
    char text[64];
    start(&v, H2_SERVER);
    for (int i = 0; i < 20; i++) { /* every five minutes is fine */
        frame(&v, PING, 0, 0, SLICE("12345678"));
        v.now_ms += 300000;
    }
    for (int i = 0; i < 2; i++) /* two strikes */
        frame(&v, PING, 0, 0, SLICE("12345678")), v.now_ms += 10000;
    assert_int_equal(goaway(&v, text), -1);
    v.answer = true;
    request(&v, 1, END_STREAM); /* forgives */
    for (int i = 0; i < 3; i++)
        frame(&v, PING, 0, 0, SLICE("12345678")), v.now_ms += 10000;
    assert_int_equal(goaway(&v, text), -1);
    frame(&v, PING, 0, 0, SLICE("12345678"));
    assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    stop(&v);
}

static void test_rapid_reset(void **state)
{
    (void)state;
    struct victim v;
    start(&v, H2_SERVER);
    uint32_t id = 1;
    for (; id < 4000 && !v.dead; id += 2) {
        request(&v, id, END_STREAM);
        frame(&v, RST_STREAM, 0, id, SLICE("\0\0\0\x8"));
    }
    assert_true(id > 2000 && id < 2010);
    assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many RST_STREAM");
    stop(&v);
}

/* At 33 a second resets may go on for ever. */
static void test_slow_resets_are_fine(void **state)
{
    (void)state;
    struct victim v;
    char text[64];
    start(&v, H2_SERVER);
    for (uint32_t id = 1; id < 1800; id += 2) {
        request(&v, id, END_STREAM);
        frame(&v, RST_STREAM, 0, id, SLICE("\0\0\0\x8"));
        v.now_ms += 100;
    }
    assert_int_equal(goaway(&v, text), -1);
    stop(&v);
}

/* Frames that make us reset streams (window overflow; a body that is not what content-length says).
 */
static void test_made_you_reset(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct victim v;
        start(&v, H2_SERVER);
        uint32_t id = 1;
        for (; id < 2000 && !v.dead && !h2_session_done(v.session); id += 2) {
            if (which == 0) {
                request(&v, id, END_STREAM);
                frame(&v, WINDOW_UPDATE, 0, id, SLICE("\x7f\xff\xff\xff"));
            } else {
                frame(&v, HEADERS, END_HEADERS, id,
                      SLICE("\x83\x86\x84\x41\1a\x0f\x0d\1"
                            "5"));
                frame(&v, DATA, END_STREAM, id, SLICE("not five"));
            }
        }
        assert_true(id > 80 && id < 220);
        assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many invalid frames");
        stop(&v);
    }
}

static void test_continuation_flood(void **state)
{
    (void)state;
    for (int frames = 8; frames <= 9; frames++) {
        struct victim v;
        char text[64];
        start(&v, H2_SERVER);
        frame(&v, HEADERS, END_STREAM, 1, slice_from(request_block, sizeof request_block - 1));
        for (int i = 1; i <= frames; i++)
            frame(&v, CONTINUATION, i == frames ? END_HEADERS : 0, 1, SLICE("\0\3x-a\1b"));
        assert_int_equal(v.requests, frames == 8);
        if (frames == 8)
            assert_int_equal(goaway(&v, text), -1);
        else
            assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
        stop(&v);
    }
}

/* One large field in the dynamic table, then an index to it as often as a frame holds. */
static void test_hpack_bomb(void **state)
{
    (void)state;
    static uint8_t block[16000];
    struct victim v;
    char text[64];
    start(&v, H2_SERVER);
    size_t len = sizeof request_block - 1;
    memcpy(block, request_block, len);
    memcpy(block + len, "\x40\3x-a\x7f\xa1\x1e", 8); /* 4000 bytes of value */
    memset(block + len + 8, 'v', 4000);
    memset(block + len + 8 + 4000, 0xbe, sizeof block - len - 8 - 4000);
    frame(&v, HEADERS, END_STREAM | END_HEADERS, 1, slice_from(block, sizeof block));
    assert_int_equal(v.requests, 0);
    assert_int_equal(count_frames(&v, RST_STREAM), 1);
    assert_int_equal(goaway(&v, text), -1);
    request(&v, 3, END_STREAM);
    assert_int_equal(v.requests, 1);
    stop(&v);
}

/* The server's first frame says it. */
static void assert_max_streams(const struct victim *v, uint32_t max)
{
    struct slice rest = buf_slice(&v->out), f;
    assert_true(next_frame(&rest, &f) && f.data[3] == SETTINGS);
    for (const uint8_t *e = f.data + 9; e < f.data + f.len; e += 6)
        if (e[1] == 3)
            assert_int_equal(
                (uint32_t)e[2] << 24 | (uint32_t)e[3] << 16 | (uint32_t)e[4] << 8 | e[5], max);
}

static void assert_last_reset(const struct victim *v, uint32_t id, uint32_t error)
{
    struct slice rest = buf_slice(&v->out), f, last = {NULL, 0};
    while (next_frame(&rest, &f))
        if (f.data[3] == RST_STREAM)
            last = f;
    assert_int_equal(last.len, 13);
    assert_int_equal(last.data[7] << 8 | last.data[8], id);
    assert_int_equal(last.data[12], error);
}

static void test_stream_over_limit(void **state)
{
    (void)state;
    struct victim v;
    start(&v, H2_SERVER);
    assert_max_streams(&v, 100);
    for (uint32_t i = 0; i < 101; i++)
        request(&v, 2 * i + 1, END_STREAM);
    assert_int_equal(v.requests, 100);
    assert_last_reset(&v, 201, H2_REFUSED_STREAM);
    /* Frames that were on their way are no error, and a stream that ends makes room. */
    frame(&v, DATA, 0, 201, SLICE("late"));
    frame(&v, RST_STREAM, 0, 1, SLICE("\0\0\0\x8"));
    request(&v, 203, END_STREAM);
    assert_int_equal(v.requests, 101);
    assert_false(v.dead);
    for (uint32_t i = 0; i < 1500 && !v.dead; i++)
        request(&v, 205 + 2 * i, 0);
    assert_int_equal(v.requests, 101);
    assert_goaway(&v, H2_ENHANCE_YOUR_CALM, "too many streams over the limit");
    stop(&v);
}

/* RFC 9113 section 5.1.1: opening 5 has closed 3. */
static void test_skipped_identifier(void **state)
{
    (void)state;
    struct victim v;
    start(&v, H2_SERVER);
    request(&v, 1, END_STREAM);
    request(&v, 5, END_STREAM);
    request(&v, 3, END_STREAM);
    assert_int_equal(v.requests, 2);
    assert_goaway(&v, H2_PROTOCOL_ERROR, NULL);
    stop(&v);
}

/* Section 5.1, state "closed". */
static void test_frames_on_a_closed_stream(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct victim v;
        start(&v, H2_SERVER);
        v.answer = which < 2;
        request(&v, 1, which < 2 ? END_STREAM : 0);
        if (which >= 2)
            frame(&v, RST_STREAM, 0, 1, SLICE("\0\0\0\x8"));
        assert_int_equal(v.closes, 1);
        if (which % 2 == 0)
            request(&v, 1, END_STREAM);
        else
            frame(&v, DATA, 0, 1, SLICE("late"));
        assert_goaway(&v, H2_STREAM_CLOSED, NULL);
        stop(&v);
    }
}

static struct h2_stream *kept;

static void on_request_kept(void *arg, struct h2_stream *stream, const struct metadata *headers,
                            bool end)
{
    on_request(arg, stream, headers, end);
    kept = stream;
}

/* What was on its way when we reset the stream is nobody's fault. */
static void test_late_frames_after_our_reset(void **state)
{
    (void)state;
    static const struct h2_session_events kept_events = {.on_request = on_request_kept};
    struct victim v;
    char text[64];
    start(&v, H2_SERVER);
    h2_session_free(v.session);
    v.session = h2_session_new(H2_SERVER, &h2_session_config_default, &kept_events, &v);
    feed(&v, PREFACE, sizeof PREFACE - 1);
    frame(&v, SETTINGS, 0, 0, SLICE(""));
    request(&v, 1, 0);
    h2_stream_reset(kept, H2_CANCEL);
    drain(&v);
    assert_int_equal(v.closes, 1);
    frame(&v, DATA, 0, 1, SLICE("late"));
    frame(&v, HEADERS, END_HEADERS | END_STREAM, 1, SLICE("\0\3x-a\1b"));
    assert_int_equal(goaway(&v, text), -1);
    assert_false(v.dead);
    request(&v, 3, END_STREAM);
    assert_int_equal(v.requests, 2);
    stop(&v);
}

static void test_bad_preface(void **state)
{
    (void)state;
    struct victim v = {.now_ms = 1};
    buf_init(&v.out, SIZE_MAX);
    v.session = h2_session_new(H2_SERVER, &h2_session_config_default, &events, &v);
    feed(&v, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 28);
    assert_true(v.dead);
    assert_goaway(&v, H2_PROTOCOL_ERROR, NULL);
    stop(&v);
}

/* A whole conversation as the server reads it. */
static struct slice conversation(void)
{
    static const char bytes[] = PREFACE "\0\0\6\4\0\0\0\0\0\0\4\0\1\0\0"
                                        "\0\0\x4\x8\0\0\0\0\0\0\1\0\0"
                                        "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1a"
                                        "\0\0\5\0\0\0\0\0\1hello"
                                        "\0\0\x8\6\0\0\0\0\0pingpong"
                                        "\0\0\7\1\5\0\0\0\1\0\3x-a\1b"
                                        "\0\0\6\1\1\0\0\0\3\x83\x86\x84\x41\1a"
                                        "\0\0\7\x9\4\0\0\0\3\x40\3x-a\1b"
                                        "\0\0\4\3\0\0\0\0\3\0\0\0\x8"
                                        "\0\0\5\2\0\0\0\0\5\0\0\0\0\x10"
                                        "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    return slice_from(bytes, sizeof bytes - 1);
}

static void test_mutated_bytes(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    struct slice good = conversation();
    unsigned seed = 20240229;
    for (int round = 0; round < 3000; round++) {
        struct victim v = {.now_ms = 1, .answer = round & 1};
        buf_init(&v.out, SIZE_MAX);
        v.session = h2_session_new(round & 2 ? H2_SERVER : H2_CLIENT, &h2_session_config_default,
                                   &events, &v);
        memcpy(bytes, good.data, good.len);
        size_t skip = round & 2 ? 0 : sizeof PREFACE - 1;
        for (int flips = rand_r(&seed) % 8; flips >= 0; flips--)
            bytes[skip + (size_t)rand_r(&seed) % (good.len - skip)] = (uint8_t)rand_r(&seed);
        size_t cut = skip + (size_t)rand_r(&seed) % (good.len - skip);
        feed(&v, bytes + skip, cut - skip);
        feed(&v, bytes + cut, good.len - cut);
        stop(&v);
    }
}

/* The frames above are right: unharmed, they are two requests. */
static void test_unmutated_bytes(void **state)
{
    (void)state;
    struct victim v = {.now_ms = 1};
    char text[64];
    buf_init(&v.out, SIZE_MAX);
    v.session = h2_session_new(H2_SERVER, &h2_session_config_default, &events, &v);
    feed(&v, conversation().data, conversation().len);
    assert_int_equal(v.requests, 2);
    assert_int_equal(goaway(&v, text), -1);
    assert_false(v.dead);
    stop(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_floods),
        cmocka_unit_test(test_frames_on_streams_flood),
        cmocka_unit_test(test_requests_pay_for_control_frames),
        cmocka_unit_test(test_ping_policy),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_slow_resets_are_fine),
        cmocka_unit_test(test_made_you_reset),
        cmocka_unit_test(test_continuation_flood),
        cmocka_unit_test(test_hpack_bomb),
        cmocka_unit_test(test_stream_over_limit),
        cmocka_unit_test(test_skipped_identifier),
        cmocka_unit_test(test_frames_on_a_closed_stream),
        cmocka_unit_test(test_late_frames_after_our_reset),
        cmocka_unit_test(test_bad_preface),
        cmocka_unit_test(test_mutated_bytes),
        cmocka_unit_test(test_unmutated_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
