/* reply: the response half of a call, from HTTP/2 events to call_events: checks the headers, cuts
 * or follows the messages, decompresses, holds what arrives while the caller is paused, and knows
 * the status in the end.  It has no stream and no clock: call.c feeds it and gives windows back. An
 * event may end the call (reply_stop()); everything here checks for that after each event. */
#pragma once
#include "base/buf.h"
#include "gateway/call.h"
#include "grpc/frame.h"

enum reply_phase {
    REPLY_NOTHING, /* nothing has come */
    REPLY_OPEN,    /* headers have come */
    REPLY_ENDING,  /* trailers have come; held bytes are still to be delivered */
    REPLY_DONE,    /* status and trailers are final */
    REPLY_STOPPED, /* no event any more */
};

enum reply_mode {
    REPLY_MESSAGES, /* whole messages for on_message */
    REPLY_PASS,     /* bytes go to on_frames as they come; short frames whole */
    REPLY_MEASURE,  /* whole frames for on_frames, the compressed ones decoded to be measured */
    REPLY_DECODE,   /* whole messages, decompressed and framed again for on_frames */
};

struct reply {
    const struct call_events *events; /* borrowed */
    void *arg;
    struct arena *arena;    /* borrowed; the call's */
    struct buf *inflated;   /* borrowed scratch, shared by the calls of one loop */
    size_t max_message_len; /* uncompressed */
    bool accept_gzip;
    bool paused;
    bool mid_frame;         /* what on_frames got so far ends inside a frame */
    enum reply_phase phase; /* changed by reply_enter() only */
    enum reply_mode mode;
    struct slice encoding; /* grpc-encoding, in the arena */
    struct slice format;   /* of the content type, behind the '+'; in the arena */
    struct frame_reader reader;
    struct frame_walker walker;
    struct buf partial; /* PASS: the begin of a short frame; a status can still follow instead */
    struct buf held;    /* came while paused; its window is not given back yet */
    struct status status;
    struct metadata trailers;
};

/* max_held bounds what is held while paused: the stream's window.  The rest of r is kept from call
 * to call or set here; r was zeroed once before its first use. */
void reply_start(struct reply *r, const struct call_events *events, void *arg, size_t max_held);
/* Ends it: no event follows.  Frees nothing: the caller of an event may still stand on the bytes.
 */
void reply_stop(struct reply *r);
/* At the end of the turn: frees what is large, keeps what is small for the next call. */
void reply_release(struct reply *r);
/* Frees everything. */
void reply_fini(struct reply *r);

/* Response headers; `end`: there will be no more (trailers-only). */
void reply_headers(struct reply *r, const struct metadata *headers, bool end);
/* DATA bytes.  Returns how many were delivered and may be given back to the window. */
size_t reply_data(struct reply *r, struct slice data);
/* END_STREAM; trailers NULL when none came. */
void reply_end(struct reply *r, const struct metadata *trailers);
/* Delivers what was held, unless paused again.  Returns like reply_data(). */
size_t reply_deliver_held(struct reply *r);
/* The call failed for a reason of its own: that is its status, unless one is final already. */
void reply_fail(struct reply *r, const struct status *st);

/* The status is final: time for on_status. */
static inline bool reply_done(const struct reply *r)
{
    return r->phase == REPLY_DONE;
}
