#include "unit/gateway/protocol/fixture.h"

#include "gateway/protocol/websocket.h"
#include "grpc/compression.h"

#include <stdlib.h>

#define SQRT "/Calculator/SquareRoot"
#define TOTAL "/Calculator/RunningTotal"
#define NUMBER "\0\0\0\0\5\x0d\0\0\x80\x41"
#define METADATA "content-type: application/grpc-web+proto\r\nX-Test: yes\r\n"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

static size_t at; /* how much of fx.body has been read */

/* --- the client --- */

static void prepare(const char *path)
{
    at = 0;
    fake_exchange_init(&fx, &context, METHOD_GET, path);
    fake_exchange_header(&fx, "upgrade", "websocket");
    fake_exchange_header(&fx, "connection", "keep-alive, Upgrade");
    fake_exchange_header(&fx, "sec-websocket-version", "13");
    fake_exchange_header(&fx, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    fake_exchange_header(&fx, "sec-websocket-protocol", "grpc-websockets");
}

static void open_socket(void)
{
    assert_true(protocol_websocket.matches(&fx.request, &context));
    fake_exchange_open(&fx, &protocol_websocket);
}

/* Appends a masked frame; `first` is its first byte. */
static void put_frame(struct buf *to, uint8_t first, struct slice payload)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_append_byte(to, first);
    if (payload.len < 126) {
        buf_append_byte(to, (uint8_t)(0x80 | payload.len));
    } else {
        uint8_t head[] = {0x80 | 127,
                          0,
                          0,
                          0,
                          0,
                          0,
                          (uint8_t)(payload.len >> 16),
                          (uint8_t)(payload.len >> 8),
                          (uint8_t)payload.len};
        if (payload.len < 65536) {
            uint8_t small[] = {0x80 | 126, head[7], head[8]};
            buf_append(to, small, sizeof small);
        } else {
            buf_append(to, head, sizeof head);
        }
    }
    buf_append(to, key, sizeof key);
    for (size_t i = 0; i < payload.len; i++)
        buf_append_byte(to, payload.data[i] ^ key[i % 4]);
}

static void send_frame(uint8_t first, struct slice payload)
{
    struct buf bytes;
    buf_init(&bytes, 16 << 20);
    put_frame(&bytes, first, payload);
    fake_exchange_body(&fx, buf_slice(&bytes));
    buf_fini(&bytes);
}

#define SEND(literal) send_frame(FIN | BINARY, SLICE(literal))

/* Opens and sends the metadata; the call. */
static struct fake_call *start(const char *path)
{
    prepare(path);
    open_socket();
    SEND(METADATA);
    struct fake_call *call = fake_call_last();
    assert_non_null(call);
    return call;
}

/* --- what the server sent --- */

/* The next frame: unmasked, final, no reserved bits. */
static struct slice next_frame(uint8_t opcode)
{
    struct slice rest = slice_skip(buf_slice(&fx.body), at);
    assert_true(rest.len >= 2);
    assert_int_equal(rest.data[0], FIN | opcode);
    size_t head = 2, len = rest.data[1];
    assert_true(len < 128);
    if (len == 126) {
        head = 4;
        len = (size_t)rest.data[2] << 8 | rest.data[3];
    } else if (len == 127) {
        head = 10;
        len = (size_t)rest.data[7] << 16 | (size_t)rest.data[8] << 8 | rest.data[9];
    }
    assert_true(rest.len >= head + len);
    at += head + len;
    return slice_from(rest.data + head, len);
}

static void expect_frame(uint8_t opcode, struct slice wanted)
{
    struct slice got = next_frame(opcode);
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.data, wanted.data, wanted.len);
}

static void expect_nothing_more(void)
{
    assert_int_equal(at, buf_len(&fx.body));
}

static void expect_close(unsigned code)
{
    struct slice payload = next_frame(CLOSE);
    assert_true(payload.len >= 2);
    assert_int_equal((unsigned)payload.data[0] << 8 | payload.data[1], code);
    expect_nothing_more();
}

/* A block alone in its message; its status. */
static int trailer_block(void)
{
    struct slice block = next_frame(BINARY);
    assert_true(block.len > 5 && block.data[0] == 0x80);
    size_t len = (size_t)block.data[3] << 8 | block.data[4];
    assert_int_equal(block.len, 5 + len);
    const char *status = memmem(block.data, block.len, "grpc-status:", 12);
    assert_non_null(status);
    return atoi(status + 12);
}

/* --- transcripts --- */

static void handshake(void **state)
{
    (void)state;
    prepare(SQRT);
    open_socket();
    assert_int_equal(fx.http_status, 101);
    assert_true(slice_equal(fx.upgrade, SLICE("websocket")));
    expect_answer("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect_answer("sec-websocket-protocol", "grpc-websockets");
    assert_int_equal(fake_call_count(), 0);
}

static void refused_handshakes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value; /* instead of the right one; NULL: without */
        int status;
    } rows[] = {
        {"connection", "keep-alive", 400},
        {"sec-websocket-version", "8", 426},
        {"sec-websocket-version", NULL, 426},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", 400},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=!", 400},
        {"sec-websocket-key", "", 400},
        {"sec-websocket-protocol", "chat", 400},
        {"sec-websocket-protocol", NULL, 400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        prepare(SQRT);
        struct metadata *headers = &fx.request.headers;
        for (uint32_t j = 0; j < headers->count; j++)
            if (slice_equal(headers->entries[j].name, slice_from_string(rows[i].name)))
                headers->entries[j] =
                    (struct metadata_entry){slice_from_string(rows[i].value ? rows[i].name : "x"),
                                            slice_from_string(rows[i].value)};
        open_socket();
        assert_int_equal(fx.http_status, rows[i].status);
        assert_true(fx.ended && fx.upgrade.len == 0 && buf_len(&fx.body) > 10);
        fake_exchange_close(&fx);
    }
    prepare(SQRT);
    fx.request.upgradable = false;
    open_socket();
    assert_int_equal(fx.http_status, 400);
    fake_exchange_close(&fx);
    prepare(SQRT);
    fake_exchange_header(&fx, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    open_socket();
    assert_int_equal(fx.http_status, 400);
}

static void other_requests_are_not_taken(void **state)
{
    (void)state;
    prepare(SQRT);
    fx.request.method = METHOD_POST;
    assert_false(protocol_websocket.matches(&fx.request, &context));
    fake_exchange_close(&fx);
    fake_exchange_init(&fx, &context, METHOD_GET, SQRT);
    assert_false(protocol_websocket.matches(&fx.request, &context));
    fake_exchange_header(&fx, "upgrade", "h2c");
    assert_false(protocol_websocket.matches(&fx.request, &context));
}

static void unary_call(void **state)
{
    (void)state;
    struct fake_call *call = start(SQRT);
    assert_true(slice_equal(call->path, SLICE(SQRT)));
    assert_true(slice_equal(fake_call_header(call, "x-test"), SLICE("yes")));
    SEND("\0" NUMBER);
    SEND("\1");
    assert_true(slice_equal(buf_slice(&call->sent), SLICE(NUMBER)));
    assert_true(call->half_closed);
    fake_call_headers(call, NULL);
    expect_frame(BINARY, SLICE("\x80\0\0\0\x29"
                               "content-type:application/grpc-web+proto\r\n"));
    fake_call_message(call, SLICE("\x0d\0\0\x80\x40"));
    expect_frame(BINARY, SLICE("\0\0\0\0\5\x0d\0\0\x80\x40"));
    fake_call_status(call, STATUS_OK, NULL, NULL);
    expect_frame(BINARY, SLICE("\x80\0\0\0\x0fgrpc-status:0\r\n"));
    expect_frame(CLOSE, SLICE("\x03\xe8"));
    expect_nothing_more();
    assert_false(fx.ended); /* until the client's Close */
    send_frame(FIN | CLOSE, SLICE("\x03\xe8"));
    expect_nothing_more();
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, STATUS_OK);
    assert_true(slice_equal(fx.outcome.rpc, SLICE(SQRT)));
}

static void trailers_only_is_one_block(void **state)
{
    (void)state;
    struct fake_call *call = start(SQRT);
    SEND("\0" NUMBER);
    fake_call_status(call, STATUS_NOT_FOUND, "gone", NULL);
    expect_frame(BINARY, SLICE("\x80\0\0\0\x22grpc-status:5\r\ngrpc-message:gone\r\n"));
    expect_close(1000);
    assert_int_equal(fx.outcome.code, STATUS_NOT_FOUND);
    assert_int_equal(fake_call_live(), 0);
}

/* A whole conversation in one read, and the same byte by byte, fragmented, with control frames. */
static void pieces_of_any_size(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        struct buf bytes;
        buf_init(&bytes, 1 << 20);
        put_frame(&bytes, BINARY, SLICE("grpc-time"));
        put_frame(&bytes, FIN | PING, SLICE("a"));
        put_frame(&bytes, 0, SLICE(""));
        put_frame(&bytes, FIN | 0, SLICE("out: 5S\r\n"));
        put_frame(&bytes, BINARY, SLICE(""));
        put_frame(&bytes, 0, SLICE("\0"));
        put_frame(&bytes, 0, SLICE("\0\0\0\0\5"));
        put_frame(&bytes, FIN | PONG, SLICE("unasked"));
        put_frame(&bytes, FIN | 0, SLICE("\x0d\0\0\x80\x41"));
        put_frame(&bytes, FIN | BINARY, SLICE("\0" NUMBER));
        put_frame(&bytes, FIN | BINARY, SLICE("\1"));
        prepare(TOTAL);
        open_socket();
        size_t step = single ? 1 : buf_len(&bytes);
        for (size_t i = 0; i < buf_len(&bytes); i += step)
            fake_exchange_body(&fx, slice_from(buf_slice(&bytes).data + i, step));
        struct fake_call *call = fake_call_last();
        assert_int_equal(fake_call_sent_count(call), 2);
        assert_true(call->half_closed);
        assert_true(call->deadline_ms >= loop_now_ms(context.loop) + 4900);
        expect_frame(PONG, SLICE("a"));
        expect_nothing_more();
        buf_fini(&bytes);
        if (!single)
            fake_exchange_close(&fx);
    }
}

static void fields_of_the_upgrade_request(void **state)
{
    (void)state;
    for (int any = 0; any < 2; any++) {
        prepare(SQRT);
        fake_exchange_header(&fx, "cookie", "session=1");
        fake_exchange_header(&fx, "authorization", "Basic abc");
        fake_exchange_header(&fx, "x-tenant", "upgrade");
        fx.request.any_origin = any;
        open_socket();
        SEND("x-tenant: message\r\n");
        struct fake_call *call = fake_call_last();
        assert_true(slice_equal(fake_call_header(call, "x-tenant"), SLICE("message")));
        uint32_t tenants = 0;
        for (uint32_t i = 0; i < call->metadata.count; i++)
            tenants += slice_equal(call->metadata.entries[i].name, SLICE("x-tenant"));
        assert_int_equal(tenants, 1);
        assert_int_equal(fake_call_header(call, "cookie").len, any ? 0 : 9);
        assert_int_equal(fake_call_header(call, "authorization").len, any ? 0 : 9);
        assert_null(fake_call_header(call, "sec-websocket-key").data);
        assert_null(fake_call_header(call, "upgrade").data);
        assert_true(slice_equal(fake_call_header(call, "x-forwarded-for"), SLICE("127.0.0.1")));
        if (!any)
            fake_exchange_close(&fx);
    }
}

static void first_messages_that_are_no_metadata(void **state)
{
    (void)state;
    static const struct {
        struct slice message;
        int status;
    } rows[] = {
        {{(const uint8_t *)"no colon", 8}, STATUS_INVALID_ARGUMENT},
        {{(const uint8_t *)"\0" NUMBER, 11}, STATUS_INVALID_ARGUMENT},
        {{(const uint8_t *)"grpc-timeout: 5x\r\n", 18}, STATUS_INVALID_ARGUMENT},
        {{(const uint8_t *)"a-bin: ***\r\n", 12}, STATUS_INVALID_ARGUMENT},
        {{(const uint8_t *)"a: b\rc: d\r\n", 12}, STATUS_INVALID_ARGUMENT},
        {{(const uint8_t *)"content-type: text/html", 23}, STATUS_UNIMPLEMENTED},
        {{(const uint8_t *)"grpc-encoding: br", 17}, STATUS_UNIMPLEMENTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        prepare(SQRT);
        open_socket();
        send_frame(FIN | BINARY, rows[i].message);
        assert_int_equal(fake_call_count(), 0);
        assert_int_equal(trailer_block(), rows[i].status);
        expect_close(1000);
        assert_int_equal(fx.outcome.code, rows[i].status);
        fake_exchange_close(&fx);
    }
    static char line[20000];
    memset(line, 'a', sizeof line);
    prepare(SQRT);
    open_socket();
    send_frame(FIN | BINARY, slice_from(line, sizeof line));
    assert_int_equal(trailer_block(), STATUS_RESOURCE_EXHAUSTED);
    expect_close(1000);
}

static void misused_messages(void **state)
{
    (void)state;
    static const struct {
        struct slice message;
        int status;
    } rows[] = {
        {{(const uint8_t *)"\2" NUMBER, 11}, STATUS_INTERNAL},
        {{(const uint8_t *)"", 0}, STATUS_INTERNAL},
        {{(const uint8_t *)"\1\0", 2}, STATUS_INTERNAL},
        {{(const uint8_t *)"\0\2\0\0\0\0", 6}, STATUS_INTERNAL}, /* odd flags */
        {{(const uint8_t *)"\0\1\0\0\0\0", 6}, STATUS_INTERNAL}, /* no grpc-encoding */
        {{(const uint8_t *)"\0\0\xff\xff\xff\xff", 6}, STATUS_RESOURCE_EXHAUSTED},
        {{(const uint8_t *)"\0" NUMBER NUMBER, 21}, STATUS_UNIMPLEMENTED}, /* unary */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_call *call = start(SQRT);
        send_frame(FIN | BINARY, rows[i].message);
        assert_true(call->cancelled);
        assert_int_equal(trailer_block(), rows[i].status);
        expect_close(1000);
        fake_exchange_close(&fx);
    }
}

static void half_close_needs_whole_messages(void **state)
{
    (void)state;
    start(TOTAL);
    SEND("\0\0\0\0\0\5\x0d");
    SEND("\1");
    assert_int_equal(trailer_block(), STATUS_INTERNAL);
    fake_exchange_close(&fx);
    start(SQRT);
    SEND("\1");
    assert_int_equal(trailer_block(), STATUS_UNIMPLEMENTED);
    fake_exchange_close(&fx);
    start(TOTAL);
    SEND("\1");
    assert_true(fake_call_last()->half_closed);
    SEND("\1"); /* twice says nothing new */
    expect_nothing_more();
    SEND("\0" NUMBER);
    assert_int_equal(trailer_block(), STATUS_INTERNAL);
}

static void broken_frames(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        unsigned code;
        struct slice payload;
    } rows[] = {
        {FIN | 0x40 | BINARY, 1002, {(const uint8_t *)"\0", 1}},
        {FIN | 0x10 | PING, 1002, {(const uint8_t *)"", 0}},
        {FIN | 3, 1002, {(const uint8_t *)"", 0}},
        {FIN | 15, 1002, {(const uint8_t *)"", 0}},
        {FIN | 0, 1002, {(const uint8_t *)"x", 1}},
        {PING, 1002, {(const uint8_t *)"", 0}},
        {FIN | TEXT, 1003, {(const uint8_t *)"text", 4}},
        {FIN | CLOSE, 1002, {(const uint8_t *)"\3", 1}},
        {FIN | CLOSE, 1002, {(const uint8_t *)"\3\xed", 2}}, /* 1005 */
        {FIN | CLOSE, 1002, {(const uint8_t *)"\0\7", 2}},
        {FIN | CLOSE, 1007, {(const uint8_t *)"\3\xe8\xff", 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_call *call = start(TOTAL);
        send_frame(rows[i].first, rows[i].payload);
        expect_close(rows[i].code);
        assert_true(call->cancelled && fx.ended);
        fake_exchange_close(&fx);
    }
    start(TOTAL);
    fake_exchange_body(&fx, SLICE("\x82\x01x")); /* not masked */
    expect_close(1002);
    fake_exchange_close(&fx);
    start(TOTAL);
    send_frame(BINARY, SLICE("\0"));
    send_frame(FIN | BINARY, SLICE("\0")); /* a message inside a message */
    expect_close(1002);
}

static void too_many_fragments(void **state)
{
    (void)state;
    start(TOTAL);
    send_frame(BINARY, SLICE("\0"));
    for (int i = 1; i < WEBSOCKET_MAX_FRAGMENTS; i++)
        send_frame(0, SLICE(""));
    expect_nothing_more();
    send_frame(FIN | PING, SLICE("")); /* no fragment */
    expect_frame(PONG, SLICE(""));
    send_frame(FIN | 0, SLICE(""));
    expect_close(1002);
}

static void messages_at_the_limit(void **state)
{
    (void)state;
    config.limits.max_message_bytes = 1000;
    static uint8_t message[1 + FRAME_PREFIX_LEN + 1001];
    frame_write_prefix(message + 1, 0, 1000);
    struct fake_call *call = start("/Calculator/Echo");
    send_frame(FIN | BINARY, slice_from(message, 1006));
    assert_int_equal(fake_call_sent_count(call), 1);
    fake_exchange_close(&fx);
    call = start("/Calculator/Echo");
    send_frame(BINARY, slice_from(message, 500));
    send_frame(FIN | 0, slice_from(message + 500, 507));
    assert_true(call->cancelled && fx.ended);
    assert_int_equal(trailer_block(), STATUS_RESOURCE_EXHAUSTED);
    expect_close(1009);
    assert_int_equal(fx.outcome.code, STATUS_RESOURCE_EXHAUSTED);
}

static void compressed_messages(void **state)
{
    (void)state;
    static uint8_t zeros[2000];
    config.limits.max_message_bytes = 1000;
    for (size_t len = 1000; len <= 1001; len++) {
        struct buf message;
        buf_init(&message, 4096);
        buf_append(&message, "\0\1\0\0\0", 1 + FRAME_PREFIX_LEN);
        assert_int_equal(compression_deflate(slice_from(zeros, len), &message), 0);
        size_t packed = buf_len(&message) - 1 - FRAME_PREFIX_LEN;
        frame_write_prefix(message.data + 1, FRAME_COMPRESSED, (uint32_t)packed);
        prepare("/Calculator/Echo");
        open_socket();
        SEND("grpc-encoding: gzip\r\ngrpc-accept-encoding: gzip\r\n");
        struct fake_call *call = fake_call_last();
        send_frame(FIN | BINARY, slice_first(buf_slice(&message), 20));
        struct buf rest;
        buf_init(&rest, 4096);
        buf_append_byte(&rest, 0);
        buf_append_slice(&rest, slice_skip(buf_slice(&message), 20));
        send_frame(FIN | BINARY, buf_slice(&rest));
        buf_fini(&rest);
        if (len == 1000) {
            assert_true(slice_equal(call->encoding, SLICE("gzip")));
            assert_true(slice_equal(buf_slice(&call->sent), slice_skip(buf_slice(&message), 1)));
            call->reply_encoding = SLICE("gzip");
            fake_call_headers(call, NULL);
            struct slice block = next_frame(BINARY);
            assert_non_null(memmem(block.data, block.len, "grpc-encoding:gzip\r\n", 20));
            fake_exchange_close(&fx);
        } else {
            assert_int_equal(trailer_block(), STATUS_RESOURCE_EXHAUSTED);
            assert_int_equal(buf_len(&call->sent), 0);
        }
        buf_fini(&message);
    }
}

static void close_of_the_client_cancels(void **state)
{
    (void)state;
    struct fake_call *call = start(TOTAL);
    send_frame(FIN | CLOSE, SLICE("\x03\xe9"
                                  "leaving"));
    expect_close(1001);
    assert_true(call->cancelled && fx.ended);
    assert_int_equal(fx.outcome.code, STATUS_CANCELLED);
    fake_exchange_close(&fx);
    start(TOTAL);
    send_frame(FIN | CLOSE, SLICE(""));
    expect_frame(CLOSE, SLICE(""));
    fake_exchange_close(&fx);
    call = start(TOTAL);
    fake_exchange_close(&fx); /* without a word */
    assert_true(call->cancelled);
    assert_int_equal(fx.outcome.code, STATUS_CANCELLED);
}

static void back_pressure_both_ways(void **state)
{
    (void)state;
    struct fake_call *call = start(TOTAL);
    fake_call_set_full(call, true);
    SEND("\0" NUMBER);
    assert_true(fx.upload_paused);
    fake_call_set_full(call, false);
    assert_false(fx.upload_paused);
    fake_call_headers(call, NULL);
    fx.full = true;
    fake_call_message(call, SLICE("x"));
    assert_true(call->paused);
    SEND("\0" NUMBER); /* the other direction is free */
    assert_false(fx.upload_paused);
    fake_exchange_drained(&fx);
    assert_false(call->paused);
}

static void pings_that_cannot_be_answered_stop_the_reading(void **state)
{
    (void)state;
    struct fake_call *call = start(TOTAL);
    fx.full = true;
    send_frame(FIN | PING, SLICE("x"));
    assert_true(fx.upload_paused);
    fake_exchange_drained(&fx);
    assert_false(fx.upload_paused);
    struct buf both;
    buf_init(&both, 1000);
    put_frame(&both, FIN | PING, SLICE("x"));
    put_frame(&both, FIN | BINARY, SLICE("\0" NUMBER));
    for (int call_first = 0; call_first < 2; call_first++) { /* two reasons: both must go */
        fx.full = true;
        fake_call_set_full(call, true);
        fake_exchange_body(&fx, buf_slice(&both));
        assert_true(fx.upload_paused);
        if (call_first)
            fake_call_set_full(call, false);
        else
            fake_exchange_drained(&fx);
        assert_true(fx.upload_paused);
        if (call_first)
            fake_exchange_drained(&fx);
        else
            fake_call_set_full(call, false);
        assert_false(fx.upload_paused);
    }
    buf_fini(&both);
}

static void a_reply_that_breaks_off_gets_no_trailers(void **state)
{
    (void)state;
    struct fake_call *call = start(TOTAL);
    fake_call_headers(call, NULL);
    next_frame(BINARY);
    fake_call_frames(call, SLICE("\0\0\1\0\0abc"));
    next_frame(BINARY);
    call->mid_frame = true;
    fake_call_status(call, STATUS_UNAVAILABLE, "lost", NULL);
    expect_close(1011);
    assert_true(fx.ended);
    assert_int_equal(fx.outcome.code, STATUS_UNAVAILABLE);
}

/* The gateway goes away: with a call, before it, and behind it. */
static void last_words(void **state)
{
    (void)state;
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "bye");
    start(TOTAL);
    protocol_websocket.on_fail(fake_exchange_handle(&fx), fx.state, &st);
    expect_frame(BINARY, SLICE("\x80\0\0\0\x22grpc-status:14\r\ngrpc-message:bye\r\n"));
    expect_frame(CLOSE, SLICE("\x03\xe9"
                              "bye"));
    expect_nothing_more();
    assert_true(fx.ended);
    assert_int_equal(fake_call_live(), 0);
    assert_int_equal(fx.outcome.code, STATUS_UNAVAILABLE);
    fake_exchange_close(&fx);

    prepare(TOTAL);
    open_socket();
    protocol_websocket.on_fail(fake_exchange_handle(&fx), fx.state, &st);
    assert_int_equal(trailer_block(), STATUS_UNAVAILABLE);
    expect_close(1001);
    assert_true(fx.ended);
    fake_exchange_close(&fx);

    struct fake_call *call = start(SQRT);
    fake_call_status(call, STATUS_NOT_FOUND, "gone", NULL);
    assert_int_equal(trailer_block(), STATUS_NOT_FOUND);
    expect_close(1000);
    protocol_websocket.on_fail(fake_exchange_handle(&fx), fx.state, &st);
    expect_nothing_more();
    assert_true(fx.ended);
}

static bool has_output(void)
{
    return buf_len(&fx.body) > at;
}

static bool is_aborted(void)
{
    return fx.aborted;
}

static bool never(void)
{
    return false;
}

/* Runs the loop's timers until `done`, `ms` at most. */
static void run_timers(bool (*done)(void), uint64_t ms)
{
    uint64_t end = loop_now_ms(context.loop) + ms;
    while (!done() && loop_now_ms(context.loop) < end)
        loop_turn(context.loop, 5);
}

static void time_limits(void **state)
{
    (void)state;
    config.limits.header_timeout_ms = config.limits.stall_timeout_ms = 20;
    prepare(TOTAL);
    open_socket();
    run_timers(has_output, 5000);
    expect_close(1008);
    assert_true(fx.ended);
    assert_int_equal(fake_call_count(), 0);
    fake_exchange_close(&fx);

    struct fake_call *call = start(TOTAL);
    for (int i = 0; i < 3; i++) {
        run_timers(has_output, 5000);
        expect_frame(PING, SLICE(""));
        send_frame(FIN | PONG, SLICE(""));
    }
    expect_nothing_more();
    assert_false(fx.aborted);
    run_timers(is_aborted, 5000);
    expect_frame(PING, SLICE(""));
    expect_nothing_more();
    assert_true(fx.aborted && call->cancelled);
    fake_exchange_close(&fx);

    start(TOTAL); /* a slow client's silence proves nothing */
    fake_call_headers(fake_call_last(), NULL);
    fx.full = true;
    fake_call_message(fake_call_last(), SLICE("x"));
    next_frame(BINARY);
    next_frame(BINARY);
    run_timers(never, 70);
    expect_nothing_more();
    assert_false(fx.aborted);
}

static void no_memory_for_a_call(void **state)
{
    (void)state;
    prepare(SQRT);
    open_socket();
    fake_call_fail_start();
    SEND(METADATA);
    assert_int_equal(trailer_block(), STATUS_RESOURCE_EXHAUSTED);
    expect_close(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(handshake),
        SCENARIO(refused_handshakes),
        SCENARIO(other_requests_are_not_taken),
        SCENARIO(unary_call),
        SCENARIO(trailers_only_is_one_block),
        SCENARIO(pieces_of_any_size),
        SCENARIO(fields_of_the_upgrade_request),
        SCENARIO(first_messages_that_are_no_metadata),
        SCENARIO(misused_messages),
        SCENARIO(half_close_needs_whole_messages),
        SCENARIO(broken_frames),
        SCENARIO(too_many_fragments),
        SCENARIO(messages_at_the_limit),
        SCENARIO(compressed_messages),
        SCENARIO(close_of_the_client_cancels),
        SCENARIO(back_pressure_both_ways),
        SCENARIO(pings_that_cannot_be_answered_stop_the_reading),
        SCENARIO(a_reply_that_breaks_off_gets_no_trailers),
        SCENARIO(last_words),
        SCENARIO(time_limits),
        SCENARIO(no_memory_for_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
