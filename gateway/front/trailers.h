/* trailers: which fields may stand behind the body of a response, and for whom (RFC 9110 section
 * 6.5).  Pure functions; a name that must not is one row in trailers.c. */
#pragma once
#include "base/buf.h"
#include "grpc/metadata.h"

/* Whether a TE field says that the client takes them (RFC 9110 section 10.1.4). */
bool trailers_accepted(struct slice te);
/* Whether the field means something there: none that frames, routes, authorises or says how to read
 * or to cache the response, because a recipient may merge trailers into the head. */
bool trailers_allowed(struct slice name);
/* Appends the value of the field Trailer: each name once (RFC 9110 section 6.6.2). */
void trailers_append_names(const struct metadata *trailers, struct buf *out);
