/* front: the browser side of one worker: accepts connections on the listeners it is given and
 * serves HTTP/1.1 on them through the protocols of one table.  It owns its connections and
 * exchanges.  The public and the admin listener are two fronts with different protocols. */
#pragma once
#include "gateway/protocol.h"

struct front;

struct front_options {
    const struct protocol *const *protocols; /* NULL-terminated; the last one matches all */
    const char *path_prefix;                 /* NULL or "": everything is served */
    size_t max_connections;                  /* above, accepting pauses and idle ones are closed */
    bool loopback_only;                      /* every listener is loopback: see cors.h */
    bool quiet;                              /* finished calls are logged at level debug */
};

/* NULL when memory or descriptors are out.  ctx outlives the front; the options are copied. */
struct front *front_new(struct context *ctx, const struct front_options *options);
/* Accepts on `listener` (non-blocking; ownership passes, also on failure).  0 or -ENOMEM. */
int front_listen_fd(struct front *front, int listener);
/* Accepts what waits in the listeners' queues, then closes them; ends idle connections, and
 * upgraded ones over which nothing has come yet; responses from now on carry "Connection: close".
 * Closing a SO_REUSEPORT listener resets what is still queued in it: that is why the queue is
 * emptied first. */
void front_drain(struct front *front);
/* Behind the drain: ends every exchange with UNAVAILABLE, as far as its protocol can, so that the
 * loop has something to send.  False when there was none: nothing to wait for. */
bool front_go_away(struct front *front);
/* No connection is open. */
bool front_idle(const struct front *front);
/* Ends what is open (protocol.close() runs for each exchange) and frees.  Must not be called from
 * a callback of the front or of a protocol. */
void front_free(struct front *front);
