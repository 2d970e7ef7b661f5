/* upstream_private: what upstream.c (connections, queue) and call.c (one RPC) of this folder know
 * of each other.  Nobody else includes it. Work that must not happen inside a caller's stack
 * (failures of call_start(), held bytes, retries) is put on up->work and done by one timer in this
 * turn or at the start of the next. */
#pragma once
#include "gateway/upstream/addresses.h"
#include "gateway/upstream/backoff.h"
#include "gateway/upstream/channel.h"
#include "gateway/upstream/reply.h"
#include "gateway/upstream/upstream.h"

enum {
    UPSTREAM_MAX_METADATA = 64 * 1024, /* request headers with metadata */
    CALL_ENTRIES = 24,                 /* header fields without an allocation */
    CALL_ROOM = 2048,                  /* bytes of the arena without an allocation */
};

struct upstream {
    struct h2_conn_set *conns;
    struct loop *loop;
    struct upstream_config config;
    struct metrics *metrics; /* may be NULL */
    struct log *log;         /* may be NULL */
    char name[NET_TEXT_LEN]; /* the address as text if there is one only, else the target */
    struct addresses addresses;
    struct channel_config channel_config;

    struct list channels; /* of struct channel */
    size_t channels_count;
    struct backoff backoff;
    uint64_t next_attempt_ms;   /* no connection is started before */
    bool failing;               /* all addresses failed in turn: new calls fail at once */
    struct status last_failure; /* of a look-up or a connection */
    bool was_ready;             /* what the listener heard last */
    void (*on_state)(void *arg, bool ready);
    void *on_state_arg;

    struct timer attempt; /* the next connection attempt */
    struct timer idle;    /* the next look at connections that are not needed */
    struct timer work_due;
    struct list work;  /* calls with something to do; by call.wait */
    struct list queue; /* calls without a stream, the oldest first; by call.wait */
    size_t queued;
    struct list open;        /* all calls; by call.open */
    struct call *free_calls; /* for the next call_start() */
    size_t free_count;
    struct call *dead_calls; /* over; their memory is reclaimed at the end of the turn */
    struct loop_task reap;
    bool reap_due, closing;
    struct buf inflated; /* scratch of the replies */
};

enum call_place {
    CALL_NEW,       /* nowhere yet */
    CALL_QUEUED,    /* in up->queue */
    CALL_STREAMING, /* has a stream */
    CALL_FALLEN,    /* the stream closed before the reply was complete; in up->work */
    CALL_LINGERING, /* the stream closed; held bytes are still to be delivered */
    CALL_OVER,      /* no event any more */
};

struct call {
    struct upstream *up;
    enum call_place place;  /* changed by call_enter() only */
    bool half_closed;       /* by our side */
    bool blocked;           /* call_send() answered false: on_writable is owed */
    bool retried;           /* the transparent retry is spent */
    bool replayable;        /* `out` holds everything sent so far */
    bool peer_ended;        /* END_STREAM came */
    bool unwritten;         /* when FALLEN: nothing of it had left */
    uint32_t close_code;    /* when FALLEN: why the stream closed */
    uint32_t timeout_entry; /* index in headers + 1; 0: no grpc-timeout */
    char timeout_text[16];
    struct channel *channel; /* of the stream; when FALLEN: it was */
    struct h2_stream *stream;
    uint64_t bytes_before; /* channel_bytes_out() when the stream started */
    size_t held_counted;   /* of the reply's held bytes, in METRIC_BUFFERED_BYTES */
    uint64_t deadline_ms;
    uint64_t start_us, end_us; /* first stream, status; 0: not yet */
    struct timer deadline;
    struct list open, wait;
    struct call *next;       /* in free_calls and dead_calls */
    struct metadata headers; /* of the request */
    struct arena arena;
    /* From here on memory is kept from call to call. */
    struct reply reply;
    struct buf out; /* bytes sent before there was a stream, and for a replay */
    struct metadata_entry entries[CALL_ENTRIES];
    max_align_t room[CALL_ROOM / sizeof(max_align_t)];
};

/* upstream.c, for call.c */

/* Has upstream_work() run soon. */
void upstream_wake(struct upstream *up);
/* Gives the call a stream, a place in the queue, or a failure. */
void upstream_dispatch(struct upstream *up, struct call *c);
/* Takes it out of the queue. */
void upstream_unqueue(struct upstream *up, struct call *c);
/* Memory for a call, from the free list if possible; NULL when memory is out. */
struct call *upstream_take_call(struct upstream *up);
/* The call is over: its memory goes to the free list at the end of the turn. */
void upstream_bury(struct upstream *up, struct call *c);

/* upstream_log.c, for upstream.c */

void upstream_log_connected(struct upstream *up, const struct channel *ch);
/* The connection is over; up->next_attempt_ms is set. */
void upstream_log_end(struct upstream *up, const struct channel *ch);
/* `why` NULL: it succeeded. */
void upstream_log_looked_up(struct upstream *up, const char *why);

/* call.c, for upstream.c */

/* Starts the call's stream on a channel that has room. */
void call_open_stream(struct call *c, struct channel *ch);
/* Does what put it on up->work. */
void call_work(struct call *c);
/* Ends it with this status from up->work. */
void call_fail_soon(struct call *c, const struct status *st);
/* Ends it without any event. */
void call_drop(struct call *c);
