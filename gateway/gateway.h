/* gateway: the whole process: listeners, workers, the control loop of the main thread (signals,
 * schema, admin), drain. */
#pragma once
#include "base/buf.h"
#include "gateway/config.h"
#include "grpc/status.h"

struct gateway;
struct schema;

/* Called once in the main thread when the first schema is loaded, for the banner. */
typedef void gateway_ready_fn(const struct config *config, const struct schema *schema);

/* Serves until SIGTERM or SIGINT, then drains.  The exit status: 0 after a drain, 1 on a failure at
 * start, whose reason is on standard error.  `on_ready` may be NULL. */
int gateway_serve(struct config *config, gateway_ready_fn *on_ready);

/* For the admin protocol, in the main thread. */
bool gateway_is_ready(const struct gateway *g, struct buf *why);
int gateway_write_metrics(struct gateway *g, struct buf *out);
