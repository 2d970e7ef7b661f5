/* connect_query: the query of a unary call made with GET (connectrpc.com/docs/protocol,
 * "Unary-Get-Request"): ?connect=v1&encoding=json&message=…&base64=1&compression=gzip. */
#pragma once
#include "base/arena.h"
#include "grpc/status.h"

/* Values as they stand in the query; data is NULL for what is absent. */
struct connect_query {
    struct slice version, encoding, message, base64, compression;
};

/* The first of each name; other names are passed over. */
void connect_query_parse(struct slice query, struct connect_query *q);
/* Decodes the message, without its compression, into the arena.  False with INVALID_ARGUMENT, or
 * RESOURCE_EXHAUSTED when memory is out. */
bool connect_query_message(const struct connect_query *q, struct arena *arena,
                           struct slice *message, struct status *st);
