/* h2_stream: one request and its response on an h2_session.  The session owns it; it is gone after
 * on_close(). Sending copies into a bounded queue and never fails: failure arrives as on_close().
 */
#pragma once
#include "grpc/h2_session.h"

/* Order: on_headers at most once (client), on_data any number, on_end at most once, then on_close
 * once and last, in every case.  Any may be NULL. */
struct h2_stream_events {
    /* Client: the final response headers (1xx are skipped); `end` when trailers-only: on_end does
     * not come then.  (The same holds for `end` of on_request.) */
    void (*on_headers)(void *arg, const struct metadata *headers, bool end);
    /* Bytes of DATA; borrowed.  Their owner gives the window back by h2_stream_consume(). */
    void (*on_data)(void *arg, struct slice data);
    /* END_STREAM from the peer; trailers is NULL without a trailer block. */
    void (*on_end)(void *arg, const struct metadata *trailers);
    /* The send queue fell below half of max_send_buffer after h2_stream_write() had answered false.
     */
    void (*on_writable)(void *arg);
    /* H2_NO_ERROR after a complete exchange, else the code of the RST_STREAM either side sent;
     * H2_REFUSED_STREAM also for streams above a GOAWAY's last id; H2_ENHANCE_YOUR_CALM when the
     * peer's headers were too large.  The owner stops its work for the stream here. */
    void (*on_close)(void *arg, uint32_t error_code);
};

/* Events are borrowed (const tables).  NULL events: the stream goes on without an owner and is
 * dropped silently. */
void h2_stream_set_events(struct h2_stream *stream, const struct h2_stream_events *events,
                          void *arg);
/* The session it lives on. */
struct h2_session *h2_stream_session(const struct h2_stream *stream);

/* Server: response headers (":status" first); `end` when nothing follows (trailers-only). */
void h2_stream_respond(struct h2_stream *stream, const struct metadata *headers, bool end);
/* Queues bytes for DATA.  False: now full; everything was taken all the same, but write no more
 * until on_writable. */
bool h2_stream_write(struct h2_stream *stream, struct slice data);
/* The same for two pieces (a frame's prefix and its payload). */
bool h2_stream_write2(struct h2_stream *stream, struct slice first, struct slice second);
/* Client: half close.  Server: ends without trailers. */
void h2_stream_end(struct h2_stream *stream);
/* Server: trailers follow the queued DATA and end the stream.  Copied. */
void h2_stream_trailers(struct h2_stream *stream, const struct metadata *trailers);
/* RST_STREAM; on_close follows, not inside this call, and nothing before it.  H2_NO_ERROR on a
 * server whose response is queued to its end: the response goes out first, then RST_STREAM asks a
 * client that has not ended yet to stop (RFC 9113 section 8.1).  Without it such a stream stays
 * open until the client ends. */
void h2_stream_reset(struct h2_stream *stream, enum h2_error error);
/* Gives len bytes of the receive window back: the bytes have gone on to where they were going.
 * Not needed for bytes that came without an on_data to take them. */
void h2_stream_consume(struct h2_stream *stream, size_t len);
/* Bytes queued and not yet sent. */
size_t h2_stream_queued(const struct h2_stream *stream);
