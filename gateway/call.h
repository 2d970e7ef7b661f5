/* call: one RPC to the upstream, as a front protocol sees it.  Implemented by upstream/.
 *
 * Events come in this order: headers at most once, any number of messages (or runs of frames), then
 * status exactly once and last; the call is gone when on_status returns.  Sending never fails:
 * failure arrives as a status.  No event is called inside call_start(), and none after
 * call_cancel(). */
#pragma once
#include "grpc/metadata.h"
#include "grpc/status.h"

struct upstream; /* the channels of one worker */
struct call;

struct call_events {
    /* Response metadata without pseudo headers and without the fields that the protocol consumes;
     * borrowed.  Not called for a trailers-only reply: its fields come as trailers of on_status. */
    void (*on_headers)(void *arg, const struct metadata *headers);
    /* One whole, decompressed message; borrowed.  Used when on_frames is NULL. */
    void (*on_message)(void *arg, struct slice message);
    /* Bytes of checked frames as they came (flags and lengths within limits); a piece may end
     * anywhere, also inside a prefix.  Compressed frames are decoded first unless the request
     * accepts gzip. */
    void (*on_frames)(void *arg, struct slice bytes);
    /* After call_send*() returned false: there is room again. */
    void (*on_writable)(void *arg);
    /* Last event.  trailers is never NULL; both are borrowed. */
    void (*on_status)(void *arg, const struct status *status, const struct metadata *trailers);
};

/* All text, that of the metadata too, is borrowed until the call is gone; the lists are not. */
struct call_request {
    struct slice path;               /* "/pkg.Service/Method" */
    const struct metadata *metadata; /* stripped and validated by the caller; "-bin" values without
                                        padding; NULL: none */
    uint64_t
        deadline_ms; /* time of the loop; 0: none.  Enforced here, sent on as the remaining time */
    struct slice
        encoding; /* grpc-encoding of frames that the caller compressed itself; empty: identity */
    struct slice format;  /* of the messages: "json" makes the content type application/grpc+json;
                             empty: proto */
    bool accept_gzip;     /* on_frames may deliver compressed frames */
    size_t max_reply_len; /* bytes of one uncompressed reply message; RESOURCE_EXHAUSTED above */
};

/* Starts a call; `events` is a const table and outlives the call.  NULL only when memory is out. */
struct call *call_start(struct upstream *up, const struct call_request *req,
                        const struct call_events *events, void *arg);
/* Sends one message; copies.  False: it was taken, but send no more until on_writable. */
bool call_send(struct call *c, struct slice message);
/* Sends bytes that are already framed and checked; a piece may end anywhere.  The same answer. */
bool call_send_frames(struct call *c, struct slice bytes);
void call_half_close(struct call *c);
/* The browser is slow: no more messages until call_resume(); what has arrived is held, the peer's
 * window closes. */
void call_pause(struct call *c);
void call_resume(struct call *c);
/* Gives the call up: RST_STREAM(CANCEL) goes upstream with this turn's output; no event follows, c
 * is gone. */
void call_cancel(struct call *c);
/* The grpc-encoding of the reply's compressed frames; empty for identity.  Valid from on_headers
 * on. */
struct slice call_reply_encoding(const struct call *c);
/* What the reply's content type says of its messages ("proto", "json"); empty when it says nothing.
 * Valid from on_headers on. */
struct slice call_reply_format(const struct call *c);
/* Whether the bytes given to on_frames so far end inside a frame, a long one: short frames come
 * whole.  Valid in on_status too: then no further frame can be appended to them. */
bool call_reply_mid_frame(const struct call *c);
/* Microseconds between the first byte sent upstream and the status (or now); for metrics. */
uint64_t call_upstream_us(const struct call *c);
