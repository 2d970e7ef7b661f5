/* websocket: the server's side of a WebSocket behind its handshake (RFC 6455 sections 5 to 7), on
 * wslay's reader and writer of frames.  It takes the client's bytes and gives bytes for the client,
 * knows no socket and assembles no message: data passes as it comes, in any number of frames.
 * Pings are answered and the closing handshake is kept here; what the messages mean and when to
 * give up waiting is its owner's. */
#pragma once
#include "base/slice.h"

/* Close codes (RFC 6455 section 7.4.1). */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED_DATA = 1003,
    WEBSOCKET_NO_CODE = 1005, /* the Close frame carried none; never sent */
    WEBSOCKET_INVALID_DATA = 1007,
    WEBSOCKET_POLICY_VIOLATION = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011
};

enum { WEBSOCKET_MAX_FRAGMENTS = 1024, WEBSOCKET_MAX_CONTROL = 125 };

struct websocket_events {
    /* Bytes for the client; copied.  False: enough is waiting. */
    bool (*write)(void *arg, struct slice bytes);
    /* Bytes of a binary message.  `start`: its first ones, `end`: its last; an empty message has
     * one event with both.  Borrowed. */
    void (*on_data)(void *arg, struct slice bytes, bool start, bool end);
    /* The client broke a rule.  Messages may still be sent from here; then Close goes out with that
     * code and reason and nothing else is read. */
    void (*on_fail)(void *arg, enum websocket_code code, const char *reason);
    /* The client's Close came and has been answered if it was the first.  Last event. */
    void (*on_close)(void *arg, uint16_t code);
};

struct wslay_frame_context;

struct websocket {
    const struct websocket_events *events;
    void *arg;
    struct wslay_frame_context *frames; /* owned */
    struct slice input;                 /* of the present feed, what is not read yet */
    uint64_t frame_left;                /* payload of the present frame still to come */
    uint64_t message_len;               /* of the present message so far, announced bytes too */
    uint64_t max_message_len;
    uint32_t fragments; /* frames of the present message */
    uint8_t opcode, control_len;
    bool in_frame, final;       /* inside a frame; it is its message's last */
    bool in_message, fresh;     /* a data message is open; none of its bytes has been delivered */
    bool full;                  /* the last answer of write() was false */
    bool pong_waits;            /* in the present feed, at a pong */
    bool close_sent, read_over; /* nothing is sent any more; nothing is read any more */
    uint8_t control[WEBSOCKET_MAX_CONTROL];
};

/* `events` is a const table and outlives it.  0, or -ENOMEM. */
int websocket_init(struct websocket *ws, const struct websocket_events *events, void *arg,
                   uint64_t max_message_len);
/* A zeroed one may be given too. */
void websocket_fini(struct websocket *ws);
/* Takes all the bytes.  False: answers to pings met a full output, so feed no more until there is
 * room. */
bool websocket_feed(struct websocket *ws, struct slice bytes);
/* Sends one binary message.  The answer is that of write().  Nothing happens after Close. */
bool websocket_send(struct websocket *ws, struct slice message);
bool websocket_ping(struct websocket *ws);
/* Sends Close, once; pings are not answered any more, on_data is not called any more. */
void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason);
