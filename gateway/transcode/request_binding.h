/* request_binding: the request message of a matched HTTP request: its body, then what the query and
 * the path bind, appended in that order, so that by protobuf's merge rules the path wins over the
 * body (google/api/http.proto, "Rules for HTTP mapping"). */
#pragma once
#include "gateway/schema/path_router.h"
#include "gateway/transcode/transcode.h"

struct request_binding {
    const struct path_match *match;
    struct slice query; /* raw; empty: none */
    struct slice body;  /* JSON; empty: the message or field stays unset */
    bool ignore_unknown_params;
    const struct slice *ignored_params; /* names of parameters that are passed over */
    size_t ignored_param_count;
    bool decode_slashes; /* "%2F" also in variables of several segments */
};

/* Appends the message to out.  False with *st: INVALID_ARGUMENT naming the parameter or the place
 * in the body, RESOURCE_EXHAUSTED at a limit; what was appended is then to be dropped.  Streams:
 * the first message is bound like this, the others are the body alone. */
bool request_binding_write(const struct request_binding *b, const struct transcode_options *options,
                           struct buf *out, struct status *st);
/* The body of the request alone. */
bool request_binding_write_body(const struct http_route *route, struct slice body,
                                const struct transcode_options *options, struct buf *out,
                                struct status *st);
