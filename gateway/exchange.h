/* exchange: one HTTP request and its response, whatever HTTP version carried it.  Implemented by
 * front/.
 *
 * The response is committed lazily: head, body and end within one turn of the loop become one
 * response with Content-Length; only a response that outlives its turn is chunked.  CORS fields and
 * Date are the front's; everything else is the protocol's.  None of these functions fails: a client
 * that left shows as protocol.close(). */
#pragma once
#include "base/arena.h"
#include "base/net.h"
#include "gateway/context.h"
#include "grpc/metadata.h"

struct exchange;

enum exchange_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_CUSTOM /* any other, by its name: "SEARCH" */
};

/* What the client asked; checked by the framing firewall; borrowed, lives as long as the exchange.
 */
struct exchange_request {
    enum exchange_method method;
    struct slice method_name;  /* case-sensitive (RFC 9110 section 9.1) */
    struct slice target;       /* raw, as it came: path and query */
    struct slice path;         /* raw path behind the configured prefix, escapes undecoded */
    struct slice query;        /* raw text behind '?'; data NULL when there is none */
    struct slice content_type; /* empty when absent */
    struct metadata headers;   /* all fields that may be metadata (metadata_name_valid(),
                                  metadata_value_valid()), names in lower case, in order */
    uint64_t content_length;   /* UINT64_MAX: not announced */
    struct slice origin;       /* Origin; data NULL when absent */
    struct slice host;         /* Host */
    struct slice peer;         /* "127.0.0.1:4321", "[::1]:4321", "unix:" */
    uint64_t start_us;         /* loop time of the first callback */
    bool upgradable; /* exchange_upgrade() may answer it: an HTTP/1.1 GET without a body */
    bool any_origin; /* from a page that only "*" allows: what its browser adds by itself
                        (cookies) does not speak for the user */
};

/* What the log line and the metrics say of the exchange; the protocol fills it before
 * exchange_end(). */
struct exchange_outcome {
    struct slice rpc;     /* "/pkg.Service/Method"; empty: not an RPC */
    uint32_t code;        /* gRPC status code */
    struct slice message; /* status message; lives as long as the exchange */
    uint64_t upstream_us; /* part of the time spent upstream */
    uint16_t upstream;    /* place of the one that serves it; the first unless the schema knows */
};

const struct exchange_request *exchange_request(const struct exchange *ex);
struct context *exchange_context(const struct exchange *ex);
struct exchange_outcome *exchange_outcome(struct exchange *ex);
/* The upstream that outcome.upstream names. */
static inline struct upstream *exchange_upstream(struct exchange *ex)
{
    return exchange_context(ex)->upstreams[exchange_outcome(ex)->upstream];
}
/* Memory that lives as long as the exchange.  NULL when the request's memory limit is passed. */
void *exchange_alloc(struct exchange *ex, size_t size);
struct arena *exchange_arena(struct exchange *ex);

/* Before the head: a part of the body is of no use to the client, as of one reply message.  Head
 * and body are then kept back until the end, as far as the length stays below a bound. */
void exchange_hold(struct exchange *ex);
/* The head, once.  Names are lower case and values valid; fields that do not pass
 * metadata_value_valid() are dropped. Copied. */
void exchange_head(struct exchange *ex, int http_status, const struct metadata *headers);
/* Appends to the body; copies.  False = full: pause the source until on_writable. */
bool exchange_write(struct exchange *ex, struct slice data);
/* Before the end: fields for behind the body.  They are sent when the client takes them ("TE:
 * trailers") and the response can have them: over HTTP/1.1 a chunked one with a body.  Else they
 * are dropped, as are those whose place is in the head (RFC 9110 section 6.5.1) and what passes 4
 * KiB. Copied. */
void exchange_trailers(struct exchange *ex, const struct metadata *trailers);
/* The body is complete.  What answers HEAD, and a 304, may leave the body out; no length is
 * announced then, and the connection may end. */
void exchange_end(struct exchange *ex);
/* Makes a broken-off response visible to the client: behind what was written the connection ends,
 * before the last chunk.  Without a head, or for HEAD, it ends at once. */
void exchange_abort(struct exchange *ex);

/* Answers an upgradable request with 101 and turns the connection into raw bytes both ways: on_body
 * and exchange_write() carry them, exchange_end() closes it behind what waits, exchange_abort() at
 * once.  Nothing limits a silent client here; one that ends its side shows as protocol.close(),
 * never as on_body_end.  `name` goes into Upgrade.  The request's slices move: read them again. */
void exchange_upgrade(struct exchange *ex, struct slice name, const struct metadata *headers);

/* Stop and restart on_body. */
void exchange_pause_upload(struct exchange *ex);
void exchange_resume_upload(struct exchange *ex);
/* The rest of the upload has no more interest: it is read and dropped up to a bound, then the
 * response is sent. */
void exchange_discard_upload(struct exchange *ex);
/* This upload may be slow or silent for ever (a client stream): no minimum rate. */
void exchange_allow_slow_upload(struct exchange *ex);
