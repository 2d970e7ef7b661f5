/* h2_guard: what a peer may do to us besides honest requests: token buckets over the frames of one
 * HTTP/2 connection (RFC 9113 section 10.5) and the stream-identifier rules of section 5.1 that
 * nghttp2 is lenient about.  It follows frame headers only, copies nothing, allocates nothing and
 * reads no clock.  A new kind of flood is one bucket here. */
#pragma once
#include "base/slice.h"

enum {
    H2_GUARD_STREAMS = 128, /* stream identifiers remembered; at least the usual stream limit */
    H2_GUARD_FRAME_HEADER_LEN = 9,
};

/* Tokens are counted in thousandths, so that slow refills need no floating point. */
struct h2_bucket {
    uint64_t level, max; /* thousandths of a token */
    uint64_t rate;       /* thousandths of a token per millisecond: tokens per second */
    uint64_t at_ms;      /* when level was true */
};

struct h2_guard {
    bool server;
    bool draining;       /* GOAWAY was sent: newer streams are unknown to the library */
    uint32_t error;      /* RFC 9113 error code once something tripped; 0: all is well */
    const char *text;    /* for the debug data of GOAWAY; a literal */
    size_t preface_left; /* server: bytes of the client's preface still to come */
    uint8_t header[H2_GUARD_FRAME_HEADER_LEN];
    uint8_t header_len;        /* bytes of the current frame header held */
    uint32_t payload_left;     /* bytes of the current payload still to come */
    uint32_t continuations;    /* CONTINUATION frames of the current header block */
    struct h2_bucket control;  /* frames that carry no request or response */
    struct h2_bucket bad;      /* invalid frames, and RST_STREAM that we had to send for them */
    struct h2_bucket resets;   /* server: RST_STREAM received, streams refused */
    uint64_t ping_interval_ms; /* server: least time between PINGs without data; 0: not policed */
    uint64_t last_ping_ms;
    uint32_t ping_strikes;
    bool sent_since_ping;               /* HEADERS or DATA went out since the last PING came in */
    uint32_t last_id;                   /* server: highest stream identifier that began */
    uint32_t streams[H2_GUARD_STREAMS]; /* server: identifier and state by (id / 2) modulo length */
};

void h2_guard_init(struct h2_guard *g, bool server, uint64_t ping_interval_ms);
/* Follows received bytes.  Returns how many of them may be processed: all, or those before the
 * frame that tripped a limit, with g->error and g->text set.  Final. */
size_t h2_guard_follow(struct h2_guard *g, struct slice bytes, uint64_t now_ms);
/* HEADERS or DATA was sent: it pays for control frames. */
void h2_guard_sent(struct h2_guard *g);
/* An invalid frame came, or the library answered one with RST_STREAM.  May set g->error. */
void h2_guard_bad_event(struct h2_guard *g, uint64_t now_ms);
/* Server: a stream over the limit was refused.  May set g->error. */
void h2_guard_refused(struct h2_guard *g, uint64_t now_ms);
/* A stream is over.  by_us: we reset it, so that frames of the peer may still be on their way. */
void h2_guard_stream_closed(struct h2_guard *g, uint32_t id, bool by_us);
