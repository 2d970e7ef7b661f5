/* request_metadata: what of an HTTP request goes upstream as call metadata, and what of a reply
 * comes back as HTTP fields: the same for every front protocol.  Strips what belongs to one hop or
 * to the protocol, checks "-bin" values, adds x-forwarded-for, -proto and -host. */
#pragma once
#include "gateway/exchange.h"
#include "grpc/status.h"

/* Fills md (initialised here, in the exchange's arena; entries mostly borrow from the request).
 * False with *st: INVALID_ARGUMENT for a bad "-bin" value, RESOURCE_EXHAUSTED over the limit. */
bool request_metadata_collect(struct exchange *ex, struct metadata *md, struct status *st);
/* The same, where the names of fields that begin with `prefix` (lower case) lose it: what is left
 * is judged like any other name. */
bool request_metadata_collect_unprefixed(struct exchange *ex, struct slice prefix,
                                         struct metadata *md, struct status *st);
/* The same of other fields than the request's, which live as long as the exchange; names and
 * values are valid as the request's are. */
bool request_metadata_collect_from(struct exchange *ex, const struct metadata *fields,
                                   struct metadata *md, struct status *st);
/* Reads grpc-timeout and the configured default and cap.  *deadline_ms is loop time, 0 when there
 * is none. False with INVALID_ARGUMENT for a malformed one. */
bool request_metadata_deadline(struct exchange *ex, uint64_t *deadline_ms, struct status *st);
bool request_metadata_deadline_from(struct exchange *ex, const struct metadata *fields,
                                    uint64_t *deadline_ms, struct status *st);
/* Loop time after so many milliseconds, no later than the configured cap; UINT64_MAX: the client
 * gave none, the configured default counts.  0 when there is none of these. */
uint64_t request_metadata_deadline_after(struct exchange *ex, uint64_t timeout_ms);
/* Appends the fields of a reply's metadata that may pass to the browser; names and values are
 * borrowed. */
void request_metadata_to_front(const struct metadata *from, struct metadata *to);
/* The same with `prefix` before each name, copied into to->arena; but for "location", which means
 * something to HTTP itself. */
void request_metadata_to_front_prefixed(const struct metadata *from, struct slice prefix,
                                        struct metadata *to);
/* Fills the outcome for log and metrics; the message is copied into the exchange. */
void request_metadata_outcome(struct exchange *ex, const struct status *st, uint64_t upstream_us);
