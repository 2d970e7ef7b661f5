/* fake_call: the contract of gateway/call.h without a network, linked in place of gateway/upstream.
 * It records what the code under test does with its calls and lets the test play the server.  Both
 * sides are held to the order rules of call.h: breaking one aborts the test.  Ended and cancelled
 * calls stay readable until fake_call_reset(). */
#pragma once
#include "base/buf.h"
#include "gateway/call.h"

struct fake_call {
    struct upstream *upstream;
    const struct call_events *events;
    void *arg;
    /* The request, copied. */
    struct slice path, encoding;
    struct metadata metadata;
    uint64_t deadline_ms;
    size_t max_reply_len;
    bool accept_gzip;
    struct slice format;
    /* What the code under test did. */
    struct buf sent; /* frames, in the order of call_send() and call_send_frames() */
    bool half_closed, cancelled, paused;
    /* What the server did. */
    bool headers_delivered, ended;
    bool full;                   /* sends answer false */
    bool told_full;              /* one did: on_writable is due */
    struct slice reply_encoding; /* set it before fake_call_headers(); borrowed */
    struct slice reply_format;   /* the same */
    bool mid_frame;              /* set it before fake_call_frames() with part of a frame */
    uint64_t upstream_us;        /* set it for call_upstream_us() */
    /* The fake's own. */
    struct arena arena;
    struct fake_call *next;
};

/* Forgets all calls; first and last thing of every test. */
void fake_call_reset(void);
/* Calls started since the reset. */
size_t fake_call_count(void);
/* The i-th call, from 0; aborts when there is none. */
struct fake_call *fake_call_at(size_t i);
/* The newest; NULL when there is none. */
struct fake_call *fake_call_last(void);
/* Calls that neither ended nor were cancelled. */
size_t fake_call_live(void);
/* The next call_start() answers NULL. */
void fake_call_fail_start(void);

/* Messages among the sent bytes: how many are whole, and the i-th (flags in *flags unless NULL). */
size_t fake_call_sent_count(const struct fake_call *c);
struct slice fake_call_sent_message(const struct fake_call *c, size_t i, uint8_t *flags);
/* The request's field of that name; data is NULL when there is none. */
struct slice fake_call_header(const struct fake_call *c, const char *name);

/* The server's side.  metadata may be NULL for none. */
void fake_call_headers(struct fake_call *c, const struct metadata *headers);
/* One message: through on_message, or as one frame through on_frames. */
void fake_call_message(struct fake_call *c, struct slice message);
/* Bytes through on_frames. */
void fake_call_frames(struct fake_call *c, struct slice bytes);
void fake_call_status(struct fake_call *c, uint32_t code, const char *message,
                      const struct metadata *trailers);
/* The same with a whole status, for details. */
void fake_call_end(struct fake_call *c, const struct status *status,
                   const struct metadata *trailers);
/* true: sends answer false from now on; false: there is room, on_writable follows if it is due. */
void fake_call_set_full(struct fake_call *c, bool full);
