/* system_params: the query parameters that Google's client libraries add to every request
 * (Google Cloud APIs, "System parameters"): `$alt=json;enum-encoding=int` and the like.  They speak
 * to the gateway and are never bound to a field. */
#pragma once
#include "grpc/status.h"

/* What a request says of a matter that the configuration decides otherwise. */
enum system_choice { CHOICE_NONE, CHOICE_NO, CHOICE_YES };

struct system_params {
    bool google_errors; /* the client reads Google's form of errors only; set by `$alt` */
    enum system_choice enums_as_numbers; /* `enum-encoding=int`, `=string` */
    bool event_stream;                   /* `alt=sse` */
    enum system_choice pretty;           /* `prettyPrint=true`, `=false` */
};

static inline bool system_choice(enum system_choice choice, bool otherwise)
{
    return choice == CHOICE_NONE ? otherwise : choice == CHOICE_YES;
}
/* "true" and "1", "false" and "0"; anything else chooses nothing. */
enum system_choice system_choice_parse(struct slice value);

/* Whether the decoded name is one of them. */
bool system_params_known(struct slice name);
/* Reads them out of a raw query; whatever else stands there is left to query_params.h.  False with
 * INVALID_ARGUMENT when `alt` asks for a form that is not served; *s is filled as far as it is
 * understood also then. */
bool system_params_read(struct system_params *s, struct slice query, struct status *st);
