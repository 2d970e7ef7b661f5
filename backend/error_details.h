/* error_details: the payload of grpc-status-details-bin: a google.rpc.Status with one detail. */
#pragma once
#include "base/arena.h"
#include "grpc/status.h"

/* The serialised google.rpc.Status of `status` with a google.rpc.BadRequest that names one field.
 * It lives in the arena; data is NULL when memory is out. */
struct slice error_details_bad_request(const struct status *status, const char *field,
                                       struct arena *arena);
