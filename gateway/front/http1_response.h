/* http1_response: the response object of libmicrohttpd for an exchange whose head is known:
 * complete in memory, chunked, or an upgrade; with all fields of the head in it. */
#pragma once
#include "gateway/front/exchange_front.h"

#include <microhttpd.h>

enum { HTTP1_POOL_BYTES = 23 << 10 }; /* the library's memory for the heads of one connection */

/* What the head of this exchange's response may have, in bytes: the library keeps the request's
 * head in its pool until the response has been sent, and would end the connection when the
 * response's does not fit beside it. */
size_t http1_response_room(const struct exchange *ex);
/* The response, to be given back with MHD_destroy_response(); a complete one borrows the exchange's
 * output.  The callbacks get the exchange as their argument: `on_read` gives the body of a chunked
 * one, `on_upgrade` takes the socket.  NULL when memory is out. */
struct MHD_Response *http1_response_new(struct exchange *ex, MHD_ContentReaderCallback on_read,
                                        MHD_UpgradeHandler on_upgrade);
/* Behind the end of a chunked body: the daemon writes the exchange's trailers behind the last
 * chunk, which is still to come. */
void http1_response_trailers(struct MHD_Response *response, const struct exchange *ex);
