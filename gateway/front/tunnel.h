/* tunnel: a connection that has left HTTP behind: raw bytes between its descriptor and its
 * exchange, on the worker's loop, without the HTTP library.  Output leaves once per turn of the
 * loop; a client that ends its side, or takes nothing for too long, ends the exchange.  After the
 * exchange the connection lingers a moment, reading and dropping, so that the last bytes are not
 * lost to a reset (RFC 9112 section 9.6). */
#pragma once
#include "gateway/front/connection.h"

struct tunnel;
struct tunnels; /* those of one front */

/* Borrows `all` and outlives its tunnels.  NULL when memory is out. */
struct tunnels *tunnels_new(struct connections *all);
void tunnels_free(struct tunnels *tunnels);

/* Prepares conn->tunnel on `fd`, which it takes; `early` are bytes already read from it.  The
 * connection's present descriptor stays its owner's.  False when memory is out: nothing is taken.
 */
bool tunnel_prepare(struct tunnels *tunnels, struct connection *conn, int fd, struct slice early);
/* The HTTP library has let go of the connection: the bytes flow. */
void tunnel_start(struct tunnel *t);
/* Something changed in the exchange or the connection: looked at in this turn or the next. */
void tunnel_wake(struct tunnel *t);
/* Ends connection and exchange now; not from a callback of the protocol. */
void tunnel_close(struct tunnel *t);
