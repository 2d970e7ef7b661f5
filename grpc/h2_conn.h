/* h2_conn: the only part of grpc/ that touches a socket: an h2_session on a descriptor in a loop.
 * One pump: read what there is, feed the session, drain its output, arm the descriptor.  All output
 * of a loop turn leaves in one write per connection (by the h2_conn_set's turn hook); nothing is
 * read while output is stuck, so that a peer that does not read cannot make us buffer. */
#pragma once
#include "base/loop.h"
#include "grpc/h2_session.h"
#include "grpc/h2_stream.h"

/* What the connections of one loop share: who has something to write at the end of this turn, and
 * the buffers of the pump, so that an idle connection holds none. */
struct h2_conn_set {
    struct loop *loop;
    struct loop_hook hook;
    struct list dirty;
    struct buf out;     /* output of the connection being flushed */
    uint8_t *read_room; /* bytes just read; NULL until the first connection */
};

/* Adds the hook; hooks that produce output should have been added before, or it leaves a turn
 * later. */
void h2_conn_set_init(struct h2_conn_set *set, struct loop *loop);
/* After the last on_closed(). */
void h2_conn_set_fini(struct h2_conn_set *set);

struct h2_conn;

struct h2_conn_events {
    struct h2_session_events session; /* on_output is the connection's own: leave it NULL */
    /* The connection is over, once and last: every stream has had its on_close()
     * (H2_CONNECTION_LOST when the peer left or the connection failed).  why->code is STATUS_OK
     * after an orderly end (h2_conn_close(); a finished drain; a peer that left without open
     * streams), else UNAVAILABLE or INTERNAL with a text.  The conn is freed at the end of the
     * turn. */
    void (*on_closed)(void *arg, const struct status *why);
};

/* Takes over fd (also on failure, when NULL is returned and the descriptor closed).  `arg` is given
 * to all events; none comes inside this call.  A peer that does not acknowledge our SETTINGS within
 * 10 s is told SETTINGS_TIMEOUT and left.  A server closes a finished connection only after the
 * peer has, or after a second, so that its last words are not lost to a TCP reset. */
struct h2_conn *h2_conn_new(struct h2_conn_set *set, int fd, enum h2_role role,
                            const struct h2_session_config *config,
                            const struct h2_conn_events *events, void *arg);
struct h2_session *h2_conn_session(struct h2_conn *conn);
/* Bytes read from and written to the descriptor so far. */
uint64_t h2_conn_bytes_in(const struct h2_conn *conn);
uint64_t h2_conn_bytes_out(const struct h2_conn *conn);
/* Ends the connection now: streams get on_close(H2_CANCEL), then on_closed, inside this call; what
 * was queued is not sent.  Callable in any event.  Closing twice does nothing. */
void h2_conn_close(struct h2_conn *conn);
