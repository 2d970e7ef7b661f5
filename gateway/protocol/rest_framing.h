/* rest_framing: what stands around the messages of a reply on REST: nothing for one message; for
 * streams a JSON array, newline-delimited JSON or server-sent events (WHATWG HTML, "Server-sent
 * events"), as the client's Accept field asks.  Elements count from 1.  All functions append to a
 * buffer. */
#pragma once
#include "base/buf.h"
#include "gateway/transcode/system_params.h"

enum rest_framing {
    REST_SINGLE, /* one message: unary replies */
    REST_ARRAY,
    REST_LINES,
    REST_EVENTS,
    REST_RAW /* google.api.HttpBody: the bytes that it holds */
};

/* REST_ARRAY, REST_LINES or REST_EVENTS: the best that an Accept field lists (RFC 9110 section
 * 12.5.1); the array when it lists none of them. */
enum rest_framing rest_framing_choose(struct slice accept);
/* Whether the field asks for indented JSON: `application/json; pretty=1`, or `=0`. */
enum system_choice rest_framing_pretty(struct slice accept);
const char *rest_framing_content_type(enum rest_framing framing);

/* Before and behind the n-th element. */
void rest_framing_before(enum rest_framing framing, uint64_t n, struct buf *out);
void rest_framing_behind(enum rest_framing framing, struct buf *out);
/* Behind the last of n elements, when all went well. */
void rest_framing_finish(enum rest_framing framing, uint64_t n, struct buf *out);
/* Before an error that ends the stream. */
void rest_framing_before_error(enum rest_framing framing, struct buf *out);
/* Whether a request with this Last-Event-ID comes from an EventSource whose stream had ended: it
 * is to be told so instead of starting over. */
bool rest_framing_was_ended(struct slice last_event_id);
