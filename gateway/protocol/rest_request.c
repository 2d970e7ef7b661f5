#include "gateway/protocol/request_metadata.h"
#include "gateway/protocol/rest.h"
#include "gateway/protocol/rest_http_body.h"
#include "gateway/transcode/request_binding.h"

/* The content type goes with the first message of a stream. */
static bool bind_raw(struct rest *r, struct slice body, bool first, struct buf *wire)
{
    const struct rest_http_body raw = {
        .content_type = first ? exchange_request(r->ex)->content_type : SLICE(""),
        .data = body,
    };
    if (rest_http_body_append(wire, r->match.route->body_field, raw) == 0)
        return true;
    status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED,
               "the body is larger than the limit of %zu bytes (--max-message-bytes)",
               wire->max_len);
    return false;
}

bool rest_request_bind(struct rest *r, struct slice body, struct buf *wire)
{
    const struct http_route *route = r->match.route;
    const struct config *config = exchange_context(r->ex)->config;
    bool first = r->requests++ == 0;
    if (r->raw_upload && !bind_raw(r, body, first, wire))
        return false;
    if (r->raw_upload)
        body = SLICE("");
    if (!first)
        return request_binding_write_body(route, body, &r->options, wire, &r->failure);
    const struct request_binding binding = {
        .match = &r->match,
        .query = exchange_request(r->ex)->query,
        .body = body,
        .ignore_unknown_params = config->json_ignore_unknown,
        .ignored_params = config->ignore_query,
        .ignored_param_count = config->ignore_query_count,
        .decode_slashes = config->decode_slashes,
    };
    return request_binding_write(&binding, &r->options, wire, &r->failure);
}

static void on_call_headers(void *arg, const struct metadata *headers)
{
    rest_reply_headers(arg, headers);
}

static void on_call_message(void *arg, struct slice message)
{
    rest_reply_message(arg, message);
}

static void on_call_writable(void *arg)
{
    rest_upload_resume(arg);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    rest_reply_status(arg, st, trailers);
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_message = on_call_message,
    .on_writable = on_call_writable,
    .on_status = on_call_status,
};

bool rest_request_start(struct rest *r)
{
    struct context *ctx = exchange_context(r->ex);
    struct metadata md;
    struct call_request call = {
        .path = r->method->path,
        .metadata = &md,
        .max_reply_len = ctx->config->limits.max_reply_bytes,
    };
    struct slice prefix = slice_from_string(ctx->config->request_metadata_prefix);
    if (!request_metadata_collect_unprefixed(r->ex, prefix, &md, &r->failure) ||
        !request_metadata_deadline(r->ex, &call.deadline_ms, &r->failure))
        return false;
    r->call = call_start(exchange_upstream(r->ex), &call, &call_events, r);
    if (!r->call)
        status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return r->call != NULL;
}

void rest_request_send(struct rest *r, struct slice body)
{
    struct buf wire;
    buf_init(&wire, exchange_context(r->ex)->config->limits.max_message_bytes);
    bool bound = rest_request_bind(r, body, &wire);
    r->upload_ended = true;
    if (bound && rest_request_start(r)) {
        call_send(r->call, buf_slice(&wire));
        call_half_close(r->call);
    } else {
        bool too_large = !bound && r->failure.code == STATUS_RESOURCE_EXHAUSTED;
        rest_reply_fail(r, too_large ? 413 : 0, NULL);
    }
    buf_fini(&wire);
}
