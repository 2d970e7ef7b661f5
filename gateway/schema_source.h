/* schema_source: where the snapshot of schema and routes comes from and when it is fetched again:
 * descriptor files or the upstreams' server reflection, at start, at a configured interval and on
 * demand (SIGHUP).  Every upstream is asked by itself: what is known is published, who is missing
 * is asked again, also at a refresh, and one that fails, be it for a bad HTTP rule, keeps what was
 * there.  With files and several upstreams reflection tells which upstream has which service.  It
 * logs what methods came and went.  Belongs to the main thread. */
#pragma once
#include "gateway/context.h"

struct routes;
struct schema_source;

/* ctx (loop, log, config, upstreams) is borrowed and outlives it.  on_routes is called with each
 * new snapshot and takes over its one reference.  NULL when memory is out. */
struct schema_source *schema_source_new(const struct context *ctx,
                                        void (*on_routes)(void *arg, struct routes *routes),
                                        void *arg);
void schema_source_free(struct schema_source *s);
/* Reads the descriptor files now, and starts to ask the upstreams until they answer.  False when a
 * file is bad; the reason is in schema_source_failure(). */
bool schema_source_start(struct schema_source *s);
/* Fetches again; the present snapshot stays until there is a new one. */
void schema_source_refresh(struct schema_source *s);
/* Whether every upstream that must be asked has said what it has, or that it cannot tell. */
bool schema_source_complete(const struct schema_source *s);
/* Why there is no snapshot, it is not complete, or the last refresh failed; "" when all is well. */
const char *schema_source_failure(struct schema_source *s);
