/* upstreams: the upstreams of one thread, one for each that is configured, in that order: a call
 * finds its own by method.upstream. */
#pragma once
#include "gateway/context.h"
#include "grpc/h2_conn.h"

/* Fills ctx->upstreams; ctx has its loop, log, config and metrics.  False when memory is out; then
 * too upstreams_close() is to be called. */
bool upstreams_open(struct context *ctx, struct h2_conn_set *conns);
void upstreams_close(struct context *ctx);
