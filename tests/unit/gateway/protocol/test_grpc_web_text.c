/* base64 streams as tables: whole, in pieces of every length, and text mode through the protocol.
 */
#include "unit/gateway/protocol/fixture.h"

#include "gateway/protocol/grpc_web_text.h"

#include <errno.h>
#include <stdlib.h>

#define SQRT "/Calculator/SquareRoot"
#define NUMBER_16 "\0\0\0\0\5\x0d\0\0\x80\x41"
#define NUMBER_16_TEXT "AAAAAAUNAACAQQ=="
#define NUMBER_4 "\0\0\0\0\5\x0d\0\0\x80\x40"
#define NUMBER_4_TEXT "AAAAAAUNAACAQA=="
#define TRAILER_OK "\x80\0\0\0\x0fgrpc-status:0\r\n"
#define TRAILER_OK_TEXT "gAAAAA9ncnBjLXN0YXR1czowDQo="

struct row {
    const char *text;
    struct slice bytes;
    int error;
    bool mid;
};

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct row rows[] = {
    {"", BYTES(""), 0, false},
    {"Zg==", BYTES("f"), 0, false},
    {"Zm8=", BYTES("fo"), 0, false},
    {"Zm9v", BYTES("foo"), 0, false},
    {"Zm9vYg==", BYTES("foob"), 0, false},
    {"Zg==Zg==Zm8=Zm9v", BYTES("fffofoo"), 0, false}, /* padding in the middle */
    {"+/+/", BYTES("\xfb\xff\xbf"), 0, false},
    {"Zh==", BYTES("f"), 0, false}, /* stray bits */
    {"Z", BYTES(""), 0, true},
    {"Zm", BYTES(""), 0, true},
    {"Zm9", BYTES(""), 0, true},
    {"Zm9vZm9", BYTES("foo"), 0, true},
    {"Zg=", BYTES(""), 0, true},
    {"=", BYTES(""), -EINVAL, false},
    {"Z===", BYTES(""), -EINVAL, false},
    {"Zg=v", BYTES(""), -EINVAL, false},
    {"Zm9v=", BYTES(""), -EINVAL, false},
    {"-_-_", BYTES(""), -EINVAL, false}, /* the URL-safe alphabet */
    {"Zm 9v", BYTES(""), -EINVAL, false},
    {"Zm9v\r\n", BYTES(""), -EINVAL, false},
    {"Zm\x80v", BYTES(""), -EINVAL, false},
};

static void decode_in_pieces(const struct row *row, size_t step)
{
    struct grpc_web_text_decoder d = {0};
    struct slice rest = slice_from_string(row->text);
    struct buf out;
    int error = 0;
    buf_init(&out, 1000);
    while (rest.len > 0 && error == 0) {
        size_t len = rest.len < step ? rest.len : step;
        error = grpc_web_text_decode(&d, slice_first(rest, len), &out);
        rest = slice_skip(rest, len);
    }
    assert_int_equal(error, row->error);
    if (error == 0) {
        assert_true(slice_equal(buf_slice(&out), row->bytes));
        assert_int_equal(grpc_web_text_mid_quartet(&d), row->mid);
    }
    buf_fini(&out);
}

static void decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step < 12; step++)
            decode_in_pieces(&rows[i], step);
}

static void decoding_respects_the_buffer(void **state)
{
    (void)state;
    struct grpc_web_text_decoder d = {0};
    struct buf out;
    buf_init(&out, 2);
    assert_int_equal(grpc_web_text_decode(&d, SLICE("Zm9v"), &out), -ENOBUFS);
    buf_fini(&out);
}

/* Encodes in pieces, flushed at the end or after each, and decodes again. */
static void round_trip(struct slice bytes, size_t step, bool flush_each)
{
    struct grpc_web_text_encoder e = {{0}, 0};
    struct grpc_web_text_decoder d = {0};
    struct slice rest = bytes;
    struct buf text, back;
    buf_init(&text, 4000);
    buf_init(&back, 4000);
    while (rest.len > 0) {
        size_t len = rest.len < step ? rest.len : step;
        bool flush = flush_each || len == rest.len;
        assert_int_equal(grpc_web_text_encode(&e, slice_first(rest, len), flush, &text), 0);
        rest = slice_skip(rest, len);
        if (flush)
            assert_int_equal(buf_len(&text) % 4, 0);
    }
    if (!flush_each)
        assert_int_equal(buf_len(&text), (bytes.len + 2) / 3 * 4); /* padding at the end only */
    assert_int_equal(grpc_web_text_decode(&d, buf_slice(&text), &back), 0);
    assert_false(grpc_web_text_mid_quartet(&d));
    assert_true(slice_equal(buf_slice(&back), bytes));
    buf_fini(&text);
    buf_fini(&back);
}

static void encoding(void **state)
{
    (void)state;
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 200);
    for (size_t len = 0; len < 20; len++)
        for (size_t step = 1; step < 8; step++)
            for (int flush = 0; flush < 2; flush++)
                round_trip(slice_from(bytes, len), step, flush);
    round_trip(slice_from(bytes, sizeof bytes), 7, false);
}

static void start(const char *content_type, const char *accept)
{
    fake_exchange_init(&fx, &context, METHOD_POST, SQRT);
    fake_exchange_header(&fx, "content-type", content_type);
    if (accept)
        fake_exchange_header(&fx, "accept", accept);
    assert_true(protocol_grpc_web.matches(&fx.request, &context));
    fake_exchange_open(&fx, &protocol_grpc_web);
}

static void answer_four(void)
{
    struct fake_call *call = fake_call_last();
    assert_true(slice_equal(buf_slice(&call->sent), SLICE(NUMBER_16)));
    fake_call_headers(call, NULL);
    fake_call_message(call, SLICE("\x0d\0\0\x80\x40"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
}

static void unary_call_in_text(void **state)
{
    (void)state;
    static const char *const types[] = {
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
        "Application/GRPC-Web-Text; charset=utf-8",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        start(types[i], "application/grpc-web-text");
        fake_exchange_body(&fx, SLICE(NUMBER_16_TEXT));
        fake_exchange_body_end(&fx);
        answer_four();
        assert_int_equal(fx.http_status, 200);
        expect_answer("content-type", "application/grpc-web-text+proto");
        expect_body(SLICE(NUMBER_4_TEXT TRAILER_OK_TEXT)); /* each message is flushed */
        if (i + 1 < sizeof types / sizeof *types)
            fake_exchange_close(&fx);
    }
}

static void quartets_split_anywhere(void **state)
{
    (void)state;
    /* The same bytes with padding in the middle of the prefix and of the message. */
    static const struct slice bodies[] = {
        BYTES(NUMBER_16_TEXT),
        BYTES("AA==AAAABQ0=AACAQQ=="),
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t step = 1; step < 9; step++) {
            start("application/grpc-web-text", NULL);
            for (struct slice rest = bodies[i]; rest.len > 0;) {
                size_t len = rest.len < step ? rest.len : step;
                fake_exchange_body(&fx, slice_first(rest, len));
                rest = slice_skip(rest, len);
            }
            fake_exchange_body_end(&fx);
            answer_four();
            fake_exchange_close(&fx);
        }
    }
    start("application/grpc-web-text", NULL);
}

static void accept_decides_the_response(void **state)
{
    (void)state;
    start("application/grpc-web-text", "text/html, application/grpc-web+proto;q=1, */*");
    fake_exchange_body(&fx, SLICE(NUMBER_16_TEXT));
    fake_exchange_body_end(&fx);
    answer_four();
    expect_answer("content-type", "application/grpc-web+proto");
    expect_body(SLICE(NUMBER_4 TRAILER_OK));
    fake_exchange_close(&fx);
    start("application/grpc-web", "application/grpc-web-text");
    fake_exchange_body(&fx, SLICE(NUMBER_16));
    fake_exchange_body_end(&fx);
    answer_four();
    expect_body(SLICE(NUMBER_4_TEXT TRAILER_OK_TEXT));
}

static void long_messages_are_padded_at_their_end_only(void **state)
{
    (void)state;
    start("application/grpc-web-text", NULL);
    fake_exchange_body(&fx, SLICE(NUMBER_16_TEXT));
    fake_exchange_body_end(&fx);
    struct fake_call *call = fake_call_last();
    fake_call_headers(call, NULL);
    call->mid_frame = true;
    fake_call_frames(call, SLICE("\0\0\0\0\5\x0d\0"));
    expect_body(SLICE("AAAAAAUN"));
    call->mid_frame = false;
    fake_call_frames(call, SLICE("\0\x80\x40"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_body(SLICE(NUMBER_4_TEXT TRAILER_OK_TEXT));
}

static void bad_text_is_400_with_a_status(void **state)
{
    (void)state;
    static const char *const bodies[] = {"AAAA-AUNAACAQQ==", "AAAAAAUNAACAQQ", "A", "AAAA=", "!"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        start("application/grpc-web-text", NULL);
        fake_exchange_body(&fx, slice_from_string(bodies[i]));
        fake_exchange_body_end(&fx);
        assert_int_equal(fx.http_status, 400);
        assert_true(fx.ended);
        assert_int_equal(fx.outcome.code, STATUS_INTERNAL);
        assert_int_equal(fake_call_live(), 0);
        struct grpc_web_text_decoder d = {0};
        struct buf trailer;
        buf_init(&trailer, 1000);
        assert_int_equal(grpc_web_text_decode(&d, buf_slice(&fx.body), &trailer), 0);
        assert_int_equal(buf_slice(&trailer).data[0], FRAME_TRAILERS);
        assert_non_null(
            memmem(buf_slice(&trailer).data, buf_len(&trailer), "grpc-status:13\r\n", 16));
        buf_fini(&trailer);
        if (i + 1 < sizeof bodies / sizeof *bodies)
            fake_exchange_close(&fx);
    }
}

static void nothing_is_lost_in_large_pieces(void **state)
{
    (void)state;
    enum { LEN = 200000 };
    static uint8_t bytes[FRAME_PREFIX_LEN + LEN];
    struct grpc_web_text_encoder e = {{0}, 0};
    struct grpc_web_text_decoder d = {0};
    struct buf text, back;
    buf_init(&text, 1 << 20);
    buf_init(&back, 1 << 20);
    for (size_t i = 0; i < LEN; i++)
        bytes[FRAME_PREFIX_LEN + i] = (uint8_t)(i * 7 + (i >> 8));
    frame_write_prefix(bytes, 0, LEN);
    grpc_web_text_encode(&e, slice_from(bytes, sizeof bytes), true, &text);
    fake_exchange_init(&fx, &context, METHOD_POST, "/Calculator/Echo");
    fake_exchange_header(&fx, "content-type", "application/grpc-web-text");
    fake_exchange_open(&fx, &protocol_grpc_web);
    fake_exchange_body(&fx, buf_slice(&text));
    fake_exchange_body_end(&fx);
    assert_true(slice_equal(buf_slice(&fake_call_last()->sent), slice_from(bytes, sizeof bytes)));
    fake_call_headers(fake_call_last(), NULL);
    fake_call_frames(fake_call_last(), slice_from(bytes, sizeof bytes));
    assert_int_equal(grpc_web_text_decode(&d, buf_slice(&fx.body), &back), 0);
    assert_true(slice_equal(buf_slice(&back), slice_from(bytes, sizeof bytes)));
    buf_fini(&text);
    buf_fini(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding),
        cmocka_unit_test(decoding_respects_the_buffer),
        cmocka_unit_test(encoding),
        SCENARIO(unary_call_in_text),
        SCENARIO(quartets_split_anywhere),
        SCENARIO(accept_decides_the_response),
        SCENARIO(long_messages_are_padded_at_their_end_only),
        SCENARIO(bad_text_is_400_with_a_status),
        SCENARIO(nothing_is_lost_in_large_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
