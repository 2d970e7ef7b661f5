/* acceptor: the listeners of one front: accepts, keeps the connection limit, and looks at a
 * connection's first bytes before HTTP/1.1 gets it.  A client that speaks TLS or HTTP/2 to this
 * port is told so, on the wire where its protocol can carry it and in the log. */
#pragma once
#include "gateway/front/connection.h"

enum { ACCEPTOR_MAX_LISTENERS = 16 };

struct listener {
    struct acceptor *acceptor;
    struct loop_io *io;
    int fd;
};

struct acceptor {
    struct connections *all; /* borrowed */
    struct listener listeners[ACCEPTOR_MAX_LISTENERS];
    size_t count;
    bool paused;        /* at a limit */
    struct timer retry; /* after the system refused a descriptor */
    uint64_t told_ms;   /* when a hint was last logged: at most one a second */
};

/* Fills in the callbacks of `all`. */
void acceptor_init(struct acceptor *a, struct connections *all);
/* Closes the listeners. */
void acceptor_fini(struct acceptor *a);
/* Takes the listener, also on failure.  0, -ENOMEM, -ENOBUFS (too many listeners). */
int acceptor_listen(struct acceptor *a, int listener);
/* Accepts what is queued, then closes the listeners. */
void acceptor_drain(struct acceptor *a);
