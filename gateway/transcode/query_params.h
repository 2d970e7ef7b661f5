/* query_params: binds the query of a URL to the fields of a request that neither the path nor the
 * body binds (google/api/http.proto, "Rules for HTTP mapping").  A name is a dotted path of proto
 * or JSON names, `map[key]` for an entry of a map; lists repeat the name. */
#pragma once
#include "gateway/schema/http_route.h"
#include "gateway/transcode/param_set.h"
#include "gateway/transcode/param_writer.h"

struct query_params {
    const struct http_route *route;
    struct slice query; /* raw */
    bool ignore_unknown;
    const struct slice *ignored; /* names to pass over, decoded */
    size_t ignored_count;
};

/* Writes all parameters.  `seen` holds what is bound already and takes what is bound here; *room is
 * query.len bytes for decoded texts, which `seen` may borrow from.  *masked becomes true when the
 * route's mask_field was given.  False with *st: INVALID_ARGUMENT naming the parameter, or
 * RESOURCE_EXHAUSTED. */
bool query_params_write(const struct query_params *q, struct param_writer *w,
                        struct param_set *seen, uint8_t *room, bool *masked);
