/* exchange_front: the side of an exchange that the HTTP fronts see; protocols see exchange.h.  An
 * exchange holds what the client asked, what the protocol answered so far and the bytes that wait
 * for the client.  It knows no HTTP library: a front opens it, feeds it the body, asks what there
 * is to send and closes it; `wake` tells the front that something changed. */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "gateway/front/cors.h"
#include "gateway/front/firewall.h"
#include "gateway/protocol.h"

/* Room for what a small call needs: no allocation beyond the exchange itself, which is recycled. */
enum {
    EXCHANGE_ROOM = 4096,
    EXCHANGE_FIELDS = 24,
    EXCHANGE_HIGH_WATER = 64 << 10,
    EXCHANGE_LOW_WATER = 32 << 10,
    EXCHANGE_HOLD = (1 << 20) + (64 << 10) /* of a response that is kept back until its end */
};

/* The request half. */
enum exchange_upload {
    UPLOAD_OPEN,    /* body bytes go to the protocol */
    UPLOAD_DISCARD, /* they are dropped */
    UPLOAD_DONE,
};
/* The response half. */
enum exchange_reply {
    REPLY_NONE,
    REPLY_HEAD, /* head known, body grows */
    REPLY_ENDED,
    REPLY_ABORTED,
};

/* The exchanges of one front. */
struct exchanges {
    struct context *ctx;
    const struct protocol *const *protocols;
    struct cors_policy cors;
    struct slice path_prefix;
    struct list spare; /* closed ones, kept for the next */
    size_t spare_count;
    bool quiet;
    void (*wake)(struct exchange *ex); /* the front's */
};

struct exchange {
    struct exchange_request request;
    struct exchange_outcome outcome;
    struct exchanges *all;
    const struct protocol *protocol; /* NULL: the front itself answers */
    void *state;                     /* the protocol's */
    void *connection;                /* the front's */
    struct list node;                /* in all->spare */
    struct firewall firewall;
    enum cors_verdict cors;
    enum exchange_upload upload;
    enum exchange_reply reply;
    bool upload_paused, upload_slow;
    bool body_end_seen; /* by the protocol */
    bool committed;     /* the head was handed to the client's connection */
    bool blocked;       /* exchange_write() answered false */
    bool hold;          /* exchange_hold(), and the bound is not reached */
    bool preflight;     /* the front has answered it, with all its fields */
    bool must_close;    /* the connection ends with this response */
    bool upgraded;      /* the response is 101, what follows are raw bytes */
    int http_status;
    struct metadata head;     /* response fields; names and values NUL-terminated */
    struct metadata trailers; /* those behind the body, alike; none: no need of chunks */
    struct buf out;           /* body bytes that wait */
    uint64_t bytes_in, bytes_out, discarded;
    struct arena arena;
    struct metadata_entry fields[EXCHANGE_FIELDS]; /* first room of request.headers */
    _Alignas(max_align_t) uint8_t room[EXCHANGE_ROOM];
};

void exchanges_init(struct exchanges *all, struct context *ctx,
                    const struct protocol *const *protocols, struct cors_policy cors);
/* Frees the spare ones; all must be closed. */
void exchanges_fini(struct exchanges *all);

/* A new exchange, nothing known of its request yet.  NULL when memory is out. */
struct exchange *exchange_open(struct exchanges *all);
/* Takes one request field; the name is lowered in place, both are borrowed.  One that may not be
 * metadata is judged, and not listed. */
void exchange_add_field(struct exchange *ex, uint8_t *name, size_t name_len, struct slice value);
/* Decides what the complete head deserves: refusal by the firewall or the cross-origin policy, a
 * preflight's answer, or a protocol, which is opened. */
void exchange_begin(struct exchange *ex, struct slice method, struct slice target,
                    struct slice version);

/* Body bytes: how many were taken (0 while paused). */
size_t exchange_take_body(struct exchange *ex, struct slice data);
/* The body is complete; held back while paused. */
void exchange_take_body_end(struct exchange *ex);
/* So many body bytes have been dropped that the connection should end rather than read on. */
bool exchange_discarded_too_much(const struct exchange *ex);

/* Adds the front's own fields to the response's and decides about trailers; once, at commit. */
void exchange_commit(struct exchange *ex);
/* Behind it: `room` is what the front can send as a head.  A longer one is replaced, and the
 * response with it, by RESOURCE_EXHAUSTED in the front's own words; the protocol is closed then. */
void exchange_limit_head(struct exchange *ex, size_t room);
/* Moves up to len waiting bytes to `to`; may call the protocol's on_writable. */
size_t exchange_take_output(struct exchange *ex, void *to, size_t len);
/* The response cannot go on: has the protocol end it with *st, if it can.  False when it cannot:
 * the connection is to be ended. */
bool exchange_fail(struct exchange *ex, const struct status *st);
/* Neither half can go on: the upload is paused, and the response, which is full, leaves only when
 * the upload is complete. */
static inline bool exchange_stuck(const struct exchange *ex)
{
    return ex->upload_paused && ex->blocked && !ex->committed;
}
/* All waiting body bytes; those of a complete response stay until exchange_close(). */
struct slice exchange_output(const struct exchange *ex);
/* The first len of them have been sent; may call the protocol's on_writable. */
void exchange_drop_output(struct exchange *ex, size_t len);
/* Calls the protocol's close(), counts and logs, recycles. */
void exchange_close(struct exchange *ex);
