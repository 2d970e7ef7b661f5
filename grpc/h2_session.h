/* h2_session: one HTTP/2 connection (RFC 9113) without a socket, as client or as server: bytes in,
 * bytes out, events. It owns its streams (h2_stream.h).  It never reads a clock, never logs and
 * never touches a descriptor: h2_conn does. Flow control: received DATA is given back to the
 * connection window at once, and to the stream window only by h2_stream_consume(), so that a
 * stalled stream never stops its neighbours. The only home of nghttp2 (with h2_stream.c). */
#pragma once
#include "base/buf.h"
#include "grpc/metadata.h"
#include "grpc/status.h"

struct h2_session;
struct h2_stream;

enum h2_role { H2_CLIENT, H2_SERVER };

/* RFC 9113 section 7: the codes that we send or treat in a special way. */
enum h2_error {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_FLOW_CONTROL_ERROR = 3,
    H2_STREAM_CLOSED = 5,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_ENHANCE_YOUR_CALM = 11,
    H2_INADEQUATE_SECURITY = 12,
    /* Never on the wire: on_close() because the connection ended under the stream, by failure or
     * because the peer left.  status_from_h2_error() makes it UNAVAILABLE. */
    H2_CONNECTION_LOST = 0x10000,
};

struct h2_session_config {
    uint32_t max_streams;       /* server: SETTINGS_MAX_CONCURRENT_STREAMS; one more is refused by
                                 * RST_STREAM.  A handler ends its work in on_close(), so that there are
                                 * never more handlers than streams */
    uint32_t stream_window;     /* bytes of a stream's receive window */
    uint32_t connection_window; /* bytes of the connection's receive window */
    uint32_t max_header_bytes;  /* decoded bytes per header block; above it the stream is reset
                                   (hard: 4 times) */
    size_t max_send_buffer;     /* per stream: h2_stream_write() answers "full" at or above it */
    uint64_t
        ping_interval_ms; /* server: least time between PINGs while no data is sent; the third one
                           * too soon ends the connection (gRPC proposal A8).  0: not policed */
};

/* 100 streams, 1 MiB stream window, 16 MiB connection window, 16 KiB headers, 64 KiB send buffer,
 * PING at most every 5 minutes. */
extern const struct h2_session_config h2_session_config_default;

struct h2_session_events {
    /* Server: the header block of a new request is complete; `end` when nothing follows.  The
     * callee calls h2_stream_set_events() in it, or the stream is reset.  Headers are borrowed for
     * the call. */
    void (*on_request)(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end);
    /* Client: the peer's first SETTINGS came, or a later one changed the stream limit. */
    void (*on_settings)(void *arg, uint32_t max_streams);
    /* The peer sent GOAWAY: no new stream may start; streams above the last id end with
     * H2_REFUSED_STREAM. */
    void (*on_goaway)(void *arg, uint32_t error_code, struct slice debug_data);
    /* The answer to h2_session_ping(). */
    void (*on_ping_ack)(void *arg);
    /* h2_session_output() has something to give now; called at most once between two calls of it.
     */
    void (*on_output)(void *arg);
};

/* Any event may be NULL.  Nothing is called before the first input or output.  NULL when memory is
 * out. */
struct h2_session *h2_session_new(enum h2_role role, const struct h2_session_config *config,
                                  const struct h2_session_events *events, void *arg);
/* Every open stream gets on_close(H2_INTERNAL_ERROR, …) first. */
void h2_session_free(struct h2_session *s);

/* Feeds received bytes at loop time now_ms (for the token buckets of the flood limits).  False: the
 * connection is beyond repair; send what h2_session_output() still gives (a GOAWAY), then close;
 * *why says what happened. */
bool h2_session_input(struct h2_session *s, struct slice bytes, uint64_t now_ms,
                      struct status *why);
/* Appends frames to `out` until nothing is left or out holds max_bytes or more. */
void h2_session_output(struct h2_session *s, struct buf *out, size_t max_bytes);
/* Nothing to read and nothing to write any more: close the connection. */
bool h2_session_done(const struct h2_session *s);

/* Client: starts a request; `end` when no DATA follows.  Streams over the peer's limit are the
 * caller's to queue (h2_session_can_start()).  NULL when the session takes no more streams or
 * memory is out. Header values must be valid (metadata_value_valid): this is not checked again. */
struct h2_stream *h2_session_request(struct h2_session *s, const struct metadata *headers,
                                     bool end);
/* Client: whether h2_session_request() would start a stream at once. */
bool h2_session_can_start(const struct h2_session *s);
size_t h2_session_stream_count(const struct h2_session *s);

void h2_session_ping(struct h2_session *s);
/* Server, first step of a drain: GOAWAY with the highest id: "start nothing new" (RFC 9113
 * section 6.8). */
void h2_session_shutdown_notice(struct h2_session *s);
/* Second step: GOAWAY with the last id really taken; open streams go on. */
void h2_session_goaway(struct h2_session *s);
/* GOAWAY with an error and the end of every stream. */
void h2_session_terminate(struct h2_session *s, enum h2_error error, const char *debug_text);
