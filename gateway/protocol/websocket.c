/* wslay's message layer is not used: it assembles messages, queues pongs without bound and answers
 * some broken frames with a Close that names no code. */
#include "gateway/protocol/websocket.h"

#include "base/text.h"

#include <errno.h>
#include <wslay/wslay.h>

static ssize_t on_recv(uint8_t *to, size_t len, int flags, void *arg)
{
    (void)flags;
    struct websocket *ws = arg;
    if (len > ws->input.len)
        len = ws->input.len;
    if (len == 0)
        return -1;
    memcpy(to, ws->input.data, len);
    ws->input = slice_skip(ws->input, len);
    return (ssize_t)len;
}

static ssize_t on_send(const uint8_t *data, size_t len, int flags, void *arg)
{
    (void)flags;
    struct websocket *ws = arg;
    ws->full = !ws->events->write(ws->arg, slice_from(data, len));
    return (ssize_t)len;
}

static const struct wslay_frame_callbacks frame_callbacks = {
    .send_callback = on_send,
    .recv_callback = on_recv,
};

int websocket_init(struct websocket *ws, const struct websocket_events *events, void *arg,
                   uint64_t max_message_len)
{
    *ws = (struct websocket){.events = events, .arg = arg, .max_message_len = max_message_len};
    return wslay_frame_context_init(&ws->frames, &frame_callbacks, ws) == 0 ? 0 : -ENOMEM;
}

void websocket_fini(struct websocket *ws)
{
    if (ws->frames)
        wslay_frame_context_free(ws->frames);
    ws->frames = NULL;
}

/* The whole frame leaves: write() takes everything. */
static bool websocket_send_frame(struct websocket *ws, uint8_t opcode, struct slice payload)
{
    struct wslay_frame_iocb frame = {
        .fin = 1,
        .opcode = opcode,
        .payload_length = payload.len,
        .data = payload.data,
        .data_length = payload.len,
    };
    wslay_frame_send(ws->frames, &frame);
    return !ws->full;
}

bool websocket_send(struct websocket *ws, struct slice message)
{
    return ws->close_sent || websocket_send_frame(ws, WSLAY_BINARY_FRAME, message);
}

bool websocket_ping(struct websocket *ws)
{
    return ws->close_sent || websocket_send_frame(ws, WSLAY_PING, SLICE(""));
}

void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason)
{
    uint8_t payload[WEBSOCKET_MAX_CONTROL] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = reason ? strlen(reason) : 0;
    if (ws->close_sent)
        return;
    if (len > sizeof payload - 2)
        len = sizeof payload - 2;
    if (len)
        memcpy(payload + 2, reason, len);
    websocket_send_frame(ws, WSLAY_CONNECTION_CLOSE,
                         slice_from(payload, code == WEBSOCKET_NO_CODE ? 0 : 2 + len));
    ws->close_sent = true;
}

static void websocket_fail(struct websocket *ws, enum websocket_code code, const char *reason)
{
    ws->read_over = true;
    ws->events->on_fail(ws->arg, code, reason);
    websocket_close(ws, code, reason);
}

static bool is_control(uint8_t opcode)
{
    return opcode >= WSLAY_CONNECTION_CLOSE;
}

/* The first thing wrong with a frame's head, apart from its length; NULL when it is right (RFC 6455
 * sections 5.1, 5.2 and 5.4). */
static const char *frame_fault(const struct websocket *ws, const struct wslay_frame_iocb *frame)
{
    if (frame->rsv)
        return "reserved bits are set, but no extension was negotiated";
    if (!frame->mask)
        return "a client's frame is not masked";
    if (frame->opcode > WSLAY_PONG ||
        (frame->opcode > WSLAY_BINARY_FRAME && !is_control(frame->opcode)))
        return "the opcode is not known";
    if (frame->opcode == WSLAY_CONTINUATION_FRAME && !ws->in_message)
        return "a continuation frame without a message to continue";
    if (!is_control(frame->opcode) && frame->opcode != WSLAY_CONTINUATION_FRAME && ws->in_message)
        return "a new message begins inside another";
    if (!is_control(frame->opcode) && ws->fragments >= WEBSOCKET_MAX_FRAGMENTS)
        return "the message has too many fragments";
    return NULL;
}

static void websocket_begin_data(struct websocket *ws, const struct wslay_frame_iocb *frame)
{
    if (!ws->in_message) {
        ws->in_message = ws->fresh = true;
        ws->message_len = 0;
    }
    ws->fragments++;
    ws->message_len += frame->payload_length; /* wslay lets no length of 2^63 or more pass */
    if (frame->opcode == WSLAY_TEXT_FRAME)
        websocket_fail(ws, WEBSOCKET_UNSUPPORTED_DATA, "messages must be binary");
    else if (ws->message_len > ws->max_message_len)
        websocket_fail(ws, WEBSOCKET_TOO_BIG, "the message is larger than the limit");
}

static void websocket_begin_frame(struct websocket *ws, const struct wslay_frame_iocb *frame)
{
    const char *fault = frame_fault(ws, frame);
    if (fault) {
        websocket_fail(ws, WEBSOCKET_PROTOCOL_ERROR, fault);
        return;
    }
    ws->in_frame = true;
    ws->frame_left = frame->payload_length;
    ws->opcode = frame->opcode;
    ws->final = frame->fin;
    ws->control_len = 0;
    if (!is_control(frame->opcode))
        websocket_begin_data(ws, frame);
}

/* Codes that may stand in a Close frame (RFC 6455 section 7.4). */
static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static void websocket_take_close(struct websocket *ws)
{
    struct slice payload = slice_from(ws->control, ws->control_len);
    unsigned code = WEBSOCKET_NO_CODE;
    if (payload.len >= 2)
        code = (unsigned)payload.data[0] << 8 | payload.data[1];
    if (payload.len == 1 || (payload.len >= 2 && !close_code_valid(code))) {
        websocket_fail(ws, WEBSOCKET_PROTOCOL_ERROR, "the close code is not valid");
        return;
    }
    if (payload.len > 2 && !text_is_utf8(slice_skip(payload, 2))) {
        websocket_fail(ws, WEBSOCKET_INVALID_DATA, "the close reason is not UTF-8");
        return;
    }
    ws->read_over = true;
    websocket_close(ws, (enum websocket_code)code, NULL);
    ws->events->on_close(ws->arg, (uint16_t)code);
}

static void websocket_end_control(struct websocket *ws)
{
    if (ws->opcode == WSLAY_CONNECTION_CLOSE)
        websocket_take_close(ws);
    else if (ws->opcode == WSLAY_PING && !ws->close_sent)
        ws->pong_waits |=
            !websocket_send_frame(ws, WSLAY_PONG, slice_from(ws->control, ws->control_len));
}

static void websocket_take_data(struct websocket *ws, struct slice bytes)
{
    bool start = ws->fresh, end = ws->final && ws->frame_left == 0;
    if (end) {
        ws->in_message = false;
        ws->fragments = 0;
    }
    if (ws->close_sent || (bytes.len == 0 && !end))
        return;
    ws->fresh = false;
    ws->events->on_data(ws->arg, bytes, start, end);
}

static void websocket_take(struct websocket *ws, const struct wslay_frame_iocb *frame)
{
    if (!ws->in_frame)
        websocket_begin_frame(ws, frame);
    if (ws->read_over)
        return;
    ws->frame_left -= frame->data_length;
    ws->in_frame = ws->frame_left > 0;
    if (!is_control(ws->opcode)) {
        websocket_take_data(ws, slice_from(frame->data, frame->data_length));
        return;
    }
    /* wslay lets no control frame of more than 125 bytes pass. */
    if (frame->data_length)
        memcpy(ws->control + ws->control_len, frame->data, frame->data_length);
    ws->control_len = (uint8_t)(ws->control_len + frame->data_length);
    if (!ws->in_frame)
        websocket_end_control(ws);
}

bool websocket_feed(struct websocket *ws, struct slice bytes)
{
    struct wslay_frame_iocb frame;
    ssize_t result = 0;
    ws->input = bytes;
    ws->pong_waits = false;
    while (!ws->read_over && (result = wslay_frame_recv(ws->frames, &frame)) >= 0)
        websocket_take(ws, &frame);
    if (!ws->read_over && result != WSLAY_ERR_WANT_READ)
        websocket_fail(ws, WEBSOCKET_PROTOCOL_ERROR,
                       "a control frame is fragmented, or a length is not valid");
    ws->input = SLICE("");
    return !ws->pong_waits;
}
