/* context: what one worker gives to everything that runs in it.  Nothing here is shared with
 * another thread but the configuration (immutable) and the schema (immutable, counted). */
#pragma once
#include "base/log.h"
#include "base/loop.h"
#include "gateway/config.h"
#include "gateway/metrics.h"

struct routes;
struct schema;
struct upstream;
struct gateway; /* the whole process; only the admin protocol looks at it */

struct context {
    struct loop *loop;
    struct log *log;
    const struct config *config;
    struct metrics *metrics;
    struct upstream *upstreams[CONFIG_MAX_UPSTREAMS]; /* in the order of the configuration */
    /* NULL until loaded; replaced only between turns, so a user that outlives its turn takes a
     * reference. */
    struct routes *routes;
    struct schema *schema; /* that of the routes */
    struct gateway *gateway;
    bool draining;
};
