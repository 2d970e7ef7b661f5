/* connection: one client connection: its descriptor, its phase and the time limits of the phase,
 * whether it is parked and whether the client has left.  It knows nothing of HTTP: http1 moves it
 * from phase to phase.  One timer each, armed lazily: a call on a busy connection touches the
 * timer heap about once per limit, not once per call (RFC 9112 section 9.5 leaves limits to us). */
#pragma once
#include "base/list.h"
#include "gateway/context.h"

enum connection_phase {
    CONNECTION_FRESH,   /* accepted, no byte seen; only the acceptor knows it */
    CONNECTION_HEAD,    /* first request's head incomplete */
    CONNECTION_IDLE,    /* between requests */
    CONNECTION_BODY,    /* request body incomplete */
    CONNECTION_WAITING, /* the protocol has the word: no limit of ours */
    CONNECTION_SENDING, /* the client has to take response bytes */
};

struct connection;

/* Everything that connections of one front share; embedded in the front. */
struct connections {
    struct context *ctx;
    struct list idle; /* phases FRESH, HEAD and IDLE, longest first */
    struct list busy;
    size_t count, max;
    int watch_fd; /* our epoll set: fresh connections, and departures of parked ones */
    struct loop_io *watch_io;
    /* A fresh connection has bytes to read (or has ended). */
    void (*on_first_byte)(void *arg, struct connection *conn);
    /* A parked connection must be looked at: its client left or its time is up. */
    void (*on_unpark)(struct connection *conn);
    /* A connection has been stuck for too long. */
    void (*on_stuck)(struct connection *conn);
    /* A place became free. */
    void (*on_release)(void *arg);
    void *arg;
    struct http1 *http1; /* borrowed; serves them */
};

struct connection {
    struct connections *all;
    void *handle;           /* http1's; NULL while fresh */
    void *response;         /* http1's, of a chunked response in progress; borrowed from handle */
    struct exchange *ex;    /* the request in progress; NULL: none */
    struct tunnel *tunnel;  /* it has been upgraded; NULL: it speaks HTTP */
    struct list node;       /* in all->idle or all->busy */
    struct timer timer;     /* the earliest moment when a limit may be passed */
    uint64_t since_ms;      /* start of the phase */
    uint64_t progress_ms;   /* last byte of a body, either direction */
    uint64_t bytes;         /* of a body in this phase */
    uint64_t mark, mark_ms; /* the kernel's byte counter at the last look, and when that was */
    uint32_t requests, mark_requests; /* begun so far; at the last look */
    int fd;
    uint8_t phase;     /* enum connection_phase */
    bool parked;       /* suspended in http1 */
    bool waiting;      /* counted in http1's unsuspended waiters */
    bool watched;      /* in the watch set */
    bool left;         /* the client has ended its sending side */
    bool gone;         /* the client left or was cut off: end it at the next occasion */
    bool slow_allowed; /* no minimum rate for this upload */
    bool held;         /* the protocol paused the upload: no rate either */
    bool stuck;        /* it waits for the response to leave, which waits for the upload's end */
    bool discarding;   /* the upload is read and dropped */
    bool tcp;          /* not a unix socket */
    char peer[64];     /* for log and x-forwarded-for: "127.0.0.1:4321"; cut if longer */
};

/* 0, or -errno. */
int connections_init(struct connections *all, struct context *ctx, size_t max);
/* Closes fresh connections; the others must be gone. */
void connections_fini(struct connections *all);

/* A connection in phase FRESH; takes fd (closes it when memory is out and returns NULL). */
struct connection *connection_open(struct connections *all, int fd, const struct net_address *peer);
/* Shows on_first_byte when there is something to read; closes the connection when that cannot be
 * watched. */
void connection_await_byte(struct connection *conn);
/* Goes on with another descriptor of the same socket; the present one stays its owner's. */
void connection_move(struct connection *conn, int fd);
/* Forgets and frees it; the descriptor stays open (http1's library closes it). */
void connection_release(struct connection *conn);
/* The same, and closes the descriptor. */
void connection_close(struct connection *conn);

void connection_set_phase(struct connection *conn, enum connection_phase phase);
/* len bytes of a body moved. */
static inline void connection_progress(struct connection *conn, size_t len)
{
    conn->bytes += len;
    conn->progress_ms = loop_now_ms(conn->all->ctx->loop);
}
/* Looks at the limits no later than `at_ms`. */
void connection_check_at(struct connection *conn, uint64_t at_ms);
/* From now on a client that leaves is noticed: on_unpark when the connection is parked. */
void connection_watch(struct connection *conn);
/* Resets the connection now (TCP): the client cannot take what it got for complete. */
void connection_reset(struct connection *conn);
/* Ends it from our side: the descriptor is shut down and what waits for it is woken. */
void connection_cut(struct connection *conn, const char *reason);
/* Ends up to `count` connections that serve nothing, the longest idle first; returns how many.
 * With `kept_alive` only those that have been served and wait for another request. */
size_t connections_end_idle(struct connections *all, size_t count, bool kept_alive);
/* The drain begins: ends those that wait for another request, and soon those that never sent a
 * byte. */
void connections_drain(struct connections *all);
