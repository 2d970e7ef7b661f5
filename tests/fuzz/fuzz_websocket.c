/* Fuzz target of the WebSocket framing: the first byte says in which pieces the rest, what a client
 * sends behind the handshake, is fed.  What reaches the owner must keep the order that websocket.h
 * promises, and the same bytes must mean the same in any pieces. */
#include "gateway/protocol/websocket.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 300 };

struct seen {
    uint64_t data_hash, written;
    size_t message_len, messages;
    unsigned failed, closed;
    bool inside;
};

static bool on_write(void *arg, struct slice bytes)
{
    struct seen *seen = arg;
    seen->written += bytes.len;
    return seen->written % 7 != 0;
}

static void on_data(void *arg, struct slice bytes, bool start, bool end)
{
    struct seen *seen = arg;
    assert(!seen->failed && !seen->closed && start != seen->inside);
    assert(bytes.len > 0 || end);
    seen->message_len = start ? bytes.len : seen->message_len + bytes.len;
    assert(seen->message_len <= MAX_MESSAGE);
    for (size_t i = 0; i < bytes.len; i++)
        seen->data_hash = seen->data_hash * 31 + bytes.data[i];
    seen->inside = !end;
    seen->messages += end;
}

static void on_fail(void *arg, enum websocket_code code, const char *reason)
{
    struct seen *seen = arg;
    assert(!seen->failed && !seen->closed && reason);
    seen->failed = code;
}

static void on_close(void *arg, uint16_t code)
{
    struct seen *seen = arg;
    assert(!seen->failed && !seen->closed && code >= 1000);
    seen->closed = code;
}

static const struct websocket_events events = {on_write, on_data, on_fail, on_close};

static struct seen feed(struct slice in, size_t step)
{
    struct websocket ws;
    struct seen seen = {0};
    if (websocket_init(&ws, &events, &seen, MAX_MESSAGE) < 0)
        return seen;
    while (in.len > 0) {
        struct slice piece = slice_first(in, in.len < step ? in.len : step);
        /* An exact copy: reading beyond a piece is an error. */
        uint8_t *copy = malloc(piece.len);
        assert(copy);
        memcpy(copy, piece.data, piece.len);
        websocket_feed(&ws, slice_from(copy, piece.len));
        free(copy);
        in = slice_skip(in, piece.len);
    }
    assert((seen.failed || seen.closed) == (ws.read_over && ws.close_sent));
    websocket_send(&ws, SLICE("message"));
    websocket_ping(&ws);
    websocket_close(&ws, WEBSOCKET_NORMAL, NULL);
    websocket_fini(&ws);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct slice in = slice_from(data + 1, size - 1);
    struct seen whole = feed(in, size), pieces = feed(in, data[0] % 16 + 1);
    assert(whole.data_hash == pieces.data_hash && whole.messages == pieces.messages);
    assert(whole.failed == pieces.failed && whole.closed == pieces.closed);
    assert(whole.written == pieces.written);
    return 0;
}
