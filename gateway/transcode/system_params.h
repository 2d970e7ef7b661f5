/* system_params: the query parameters that Google's client libraries add to every request
 * (Google Cloud APIs, "System parameters"): `$alt=json;enum-encoding=int` and the like.  They speak
 * to the gateway and are never bound to a field. */
#pragma once
#include "grpc/status.h"

struct system_params {
    bool google_errors;    /* `$alt` was given: the client reads Google's form of errors only */
    bool enums_as_numbers; /* `enum-encoding=int` */
    bool event_stream;     /* `alt=sse` */
    bool pretty;           /* `prettyPrint=true` */
};

/* Whether the decoded name is one of them. */
bool system_params_known(struct slice name);
/* Reads them out of a raw query; whatever else stands there is left to query_params.h.  False with
 * INVALID_ARGUMENT when `alt` asks for a form that is not served; *s is filled as far as it is
 * understood also then. */
bool system_params_read(struct system_params *s, struct slice query, struct status *st);
