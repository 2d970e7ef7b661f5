/* channel: one HTTP/2 connection towards the upstream, from connect() to its end, and the count of
 * its streams.  It decides nothing about calls, retries or reconnecting: its owner hears every
 * change.  Owned by struct upstream. */
#pragma once
#include "base/list.h"
#include "base/net.h"
#include "gateway/metrics.h"
#include "grpc/h2_conn.h"

enum channel_state {
    CHANNEL_CONNECTING, /* connect() is under way */
    CHANNEL_GREETING,   /* connected; the peer's SETTINGS have not come */
    CHANNEL_READY,      /* takes streams */
    CHANNEL_DRAINING,   /* GOAWAY came: open streams go on, no new ones */
    CHANNEL_CLOSED,     /* over; `why` tells; its streams are closed */
};

struct channel;

struct channel_events {
    /* The state changed, or streams or stream limit did: there may be room for more calls. */
    void (*on_state)(void *arg, struct channel *ch);
    void (*on_room)(void *arg, struct channel *ch);
};

struct channel_config {
    struct h2_conn_set *conns;
    const char *name; /* of the upstream, for `why` */
    uint64_t connect_timeout_ms;
    struct metrics *metrics; /* may be NULL */
    const struct channel_events *events;
    void *arg;
};

struct channel {
    const struct channel_config *config; /* borrowed */
    struct net_address address;
    enum channel_state state; /* changed by channel_enter() only */
    bool was_ready;
    bool answered;           /* a reply came over it: the peer serves */
    bool worn;               /* enough streams were reset: no new ones */
    uint32_t resets;         /* streams that we gave up before their end */
    uint32_t max_streams;    /* what the peer allows */
    size_t streams;          /* open, those being reset included */
    struct h2_conn *conn;    /* NULL before GREETING and when CLOSED */
    struct loop_io *connect; /* while CONNECTING */
    int fd;                  /* while CONNECTING */
    struct timer timer;      /* connect timeout */
    uint64_t ready_ms;       /* when it turned READY */
    uint64_t idle_ms;        /* without streams since */
    struct status why;       /* when CLOSED; STATUS_OK: an orderly end */
    struct list node;        /* the owner's */
    bool judged;             /* the owner's: its end has been counted for the backoff */
};

/* Starts to connect.  Failure arrives as on_state(CHANNEL_CLOSED), perhaps inside this call.  NULL
 * when memory is out. */
struct channel *channel_new(const struct channel_config *config, const struct net_address *address);
/* Ends it at once; its streams hear on_close.  The state is CHANNEL_CLOSED afterwards. */
void channel_close(struct channel *ch, enum status_code code, const char *reason);
/* Only in state CHANNEL_CLOSED. */
void channel_free(struct channel *ch);

/* Whether channel_request() would start a stream at once. */
bool channel_has_room(const struct channel *ch);
/* Starts a stream with its owner's events.  NULL when there is no room or no memory. */
struct h2_stream *channel_request(struct channel *ch, const struct metadata *headers, bool end,
                                  const struct h2_stream_events *events, void *arg);
/* The owner of a stream gives it up: only its end is waited for.  Unless it is complete, it is
 * reset with this error.  A server may end a connection for many resets and all its calls with it,
 * so one that had its share takes no new streams. */
void channel_abandon(struct channel *ch, struct h2_stream *stream, bool complete,
                     enum h2_error error);
/* To be called in the on_close of a stream's owner. */
void channel_stream_closed(struct channel *ch);
/* Bytes written so far; while it stands still, nothing queued since has left. */
uint64_t channel_bytes_out(const struct channel *ch);
