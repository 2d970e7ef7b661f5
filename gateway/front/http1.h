/* http1: HTTP/1.1 on libmicrohttpd, the only file that knows that library.  It owns one daemon
 * without threads and without listener, nested in the worker's loop by its epoll descriptor, and
 * translates between the daemon's callbacks and exchanges.  Connections come from the acceptor. */
#pragma once
#include "gateway/front/connection.h"
#include "gateway/front/exchange_front.h"

struct http1;

/* Both are borrowed and outlive it; fills in their callbacks.  NULL when memory or descriptors are
 * out. */
struct http1 *http1_new(struct connections *all, struct exchanges *exchanges);
/* Serves a fresh connection from now on.  On failure the connection is closed and gone. */
void http1_add(struct http1 *h, struct connection *conn);
/* Ends every connection it serves, then frees. */
void http1_free(struct http1 *h);
