/* h2_internal: what h2_session.c, h2_receive.c and h2_stream.c share: the session and the stream.
 * Private to grpc/h2_*.c.  h2_session.c has the life of a connection and its output, h2_receive.c
 * nghttp2's receive callbacks, h2_stream.c one stream's sending half. */
#pragma once
#include "base/list.h"
#include "grpc/h2_guard.h"
#include "grpc/h2_memory.h"
#include "grpc/h2_stream.h"

#include <nghttp2/nghttp2.h>

enum {
    H2_BLOCK_ROOM_LEN = 4096, /* header block text that needs no allocation */
    H2_BLOCK_ENTRIES = 32,
    H2_KEEP_STREAMS = 64, /* ended streams kept for reuse */
    H2_KEEP_QUEUE_LEN = 4096,
    H2_HARD_HEADER_FACTOR = 4,
    H2_MAX_INFORMATIONAL = 32, /* 1xx responses before the final one */
};

/* A copied field list as nghttp2 wants it: the nghttp2_nv array, then the text that it points at.
 * It stays untouched until the stream is reused, so nghttp2 need not copy. */
struct h2_fields {
    struct buf room;
    size_t count; /* entries of the array */
};

struct h2_stream {
    struct h2_session *session;
    const struct h2_stream_events *events; /* NULL: nobody listens */
    void *arg;
    int32_t id;            /* 0 while it waits for reuse */
    struct list node;      /* in session->streams or session->spare */
    struct list writable;  /* in session->writable, or alone */
    struct buf queue;      /* DATA not framed yet */
    struct h2_fields head; /* request or response headers, until they are framed */
    struct h2_fields trailers;
    bool owned;            /* h2_stream_set_events() was called */
    bool responded;        /* headers were submitted */
    bool deferred;         /* nghttp2 waits for h2_stream_wake() */
    bool ended;            /* nothing more will be queued */
    bool throttled;        /* h2_stream_write() answered false */
    bool reset;            /* RST_STREAM was submitted: only on_close follows */
    uint32_t reset_error;  /* its code, also when the stream closes before it leaves */
    bool stop_after_end;   /* RST_STREAM(NO_ERROR) once the response is out */
    bool got_headers;      /* client: the final response headers came */
    bool remote_ended;     /* END_STREAM came, or comes with the DATA being delivered */
    bool never_sent;       /* client: the request was refused before it left */
    uint8_t informational; /* client: 1xx responses so far */
};

/* A header block being received; at most one at a time in a session. */
struct h2_block {
    struct metadata fields;
    struct arena arena; /* what `room` cannot hold */
    size_t room_len;    /* bytes of room in use */
    size_t bytes;       /* decoded so far, as RFC 9113 section 6.5.2 counts */
    bool too_large;     /* over the soft limit: fields are dropped, the stream will be reset */
    struct metadata_entry entries[H2_BLOCK_ENTRIES];
    uint8_t room[H2_BLOCK_ROOM_LEN];
};

struct h2_session {
    nghttp2_session *ng;
    struct h2_memory memory;
    enum h2_role role;
    struct h2_session_config config;
    struct h2_session_events events;
    void *arg;
    void (*on_output)(void *arg);
    void *output_arg;
    uint64_t now_ms;        /* of the last input */
    struct h2_stream *last; /* the stream found last, or NULL */
    struct list streams;    /* open, oldest first */
    struct list spare;      /* kept for reuse */
    struct list writable;   /* streams whose on_writable is due */
    size_t stream_count, spare_count;
    size_t stoppers; /* streams with stop_after_end */
    struct h2_guard guard;
    uint32_t peer_max_streams; /* client: last value told by on_settings */
    bool got_settings;
    bool settings_acked; /* the peer acknowledged our SETTINGS */
    bool announced;      /* server: our SETTINGS are out */
    bool output_told;    /* on_output was called and no output taken since */
    bool in_output;
    bool failed;          /* GOAWAY with an error is queued or sent; input is refused */
    bool closed;          /* that GOAWAY is sent: output is over */
    bool ending;          /* no new streams: the connection is over */
    uint32_t end_error;   /* what open streams get once closed */
    uint32_t goaway_sent; /* error code of the last GOAWAY sent */
    struct status why;    /* valid when failed */
    struct buf *out;      /* inside h2_session_output() */
    size_t out_max;
    struct h2_block block;
};

/* h2_session.c */
void h2_session_wake(struct h2_session *s);
void h2_session_set_output(struct h2_session *s, void (*on_output)(void *arg), void *arg);
/* GOAWAY with that error, then the end; the first cause wins. */
void h2_session_fail(struct h2_session *s, uint32_t error, const char *text);
/* Every open stream gets on_close(error) and is gone; no new one starts.  Callable in any event. */
void h2_session_end_streams(struct h2_session *s, uint32_t error);
/* Why h2_session_done() is true: STATUS_OK after an orderly end. */
void h2_session_reason(const struct h2_session *s, struct status *why);

/* h2_receive.c */
void h2_receive_set_callbacks(nghttp2_session_callbacks *callbacks);

/* h2_stream.c */
/* The open stream of that identifier, or NULL. */
struct h2_stream *h2_stream_find(struct h2_session *s, int32_t id);
/* Copies md; false when memory is out. */
bool h2_fields_keep(struct h2_fields *fields, const struct metadata *md);
const nghttp2_nv *h2_fields_array(const struct h2_fields *fields);
void h2_stream_set_callbacks(nghttp2_session_callbacks *callbacks);
/* One more open stream, without an identifier yet; NULL when memory is out. */
struct h2_stream *h2_stream_open(struct h2_session *s);
/* The end of it: on_close(error), then its memory is kept or freed. */
void h2_stream_closed(struct h2_stream *stream, uint32_t error);
void h2_stream_free_spare(struct h2_session *s);
/* Reads the stream's queue for DATA frames. */
nghttp2_data_provider h2_stream_provider(struct h2_stream *stream);
/* RST_STREAM now; nothing but on_close follows. */
void h2_stream_abort(struct h2_stream *stream, uint32_t error);
