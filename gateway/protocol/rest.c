/* rest: JSON over HTTP for any method: by its google.api.http rules, and as POST
 * /pkg.Service/Method.  It is the last protocol of the table, so it also explains every request
 * that nothing serves.  To add a part of a reply's or request's form, see rest.h. */
#include "gateway/protocol/rest.h"

#include "gateway/protocol/json_options.h"
#include "gateway/protocol/protocols.h"
#include "gateway/protocol/request_metadata.h"
#include "gateway/protocol/rest_http_body.h"

static bool rest_matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)req, (void)ctx;
    return true;
}

/* Room for the JSON form of one message of max_message_bytes: base64 grows by a third. */
static size_t rest_max_body(const struct exchange *ex)
{
    size_t max = exchange_context(ex)->config->limits.max_message_bytes;
    return max / 3 * 4 + 64 * 1024;
}

static void rest_refuse(struct rest *r, int http_status, enum status_code code, const char *reason)
{
    struct slice path = exchange_request(r->ex)->path;
    status_set(&r->failure, code, "%.*s: %s", path.len > 120 ? 120 : (int)path.len,
               (const char *)path.data, reason);
    rest_reply_fail(r, http_status, NULL);
}

/* No rule has the path or, with `method`, this method anywhere (RFC 9110 section 15.6.2). */
static void rest_unknown(struct rest *r, bool method)
{
    const char *reason = method ? "no HTTP rule has this method; \"drawbridge routes\" shows them"
                                : "no such path or method; \"drawbridge list\" shows what there is";
    if (schema_partial(routes_schema(r->routes)))
        reason = "no such path or method so far; an upstream has not told its services: the log "
                 "and /readyz name it";
    rest_refuse(r, method ? 501 : 404, method ? STATUS_UNIMPLEMENTED : STATUS_NOT_FOUND, reason);
}

/* The path is not known, or not with this method. */
static void rest_no_route(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    char methods[PATH_ALLOW_LEN];
    size_t len = routes_allow(r->routes, req->path, methods);
    struct metadata allow;
    metadata_init(&allow, exchange_arena(r->ex), 1024);
    metadata_add_borrowed(&allow, SLICE("allow"), slice_from(methods, len));
    bool unknown = req->method == METHOD_CUSTOM && !routes_know_method(r->routes, req->method_name);
    if (unknown || len == 0) {
        rest_unknown(r, unknown);
    } else if (req->method == METHOD_OPTIONS) {
        rest_reply_empty(r, &allow);
    } else {
        status_set(&r->failure, STATUS_UNIMPLEMENTED, "%.*s: this path is called with %.*s",
                   req->path.len > 120 ? 120 : (int)req->path.len, (const char *)req->path.data,
                   len > 80 ? 80 : (int)len, methods);
        rest_reply_fail(r, 405, &allow);
    }
}

/* A rule for any method does not take OPTIONS away. */
static bool rest_match(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    if (!routes_match(r->routes, req->method_name, req->path, &r->match))
        return false;
    return req->method != METHOD_OPTIONS ||
           slice_equal(r->match.route->http_method, req->method_name);
}

static bool type_is(struct slice content_type, struct slice wanted)
{
    return slice_equal_ignore_case(slice_trim(slice_cut(&content_type, ';')), wanted);
}

/* A page of another origin cannot send these types without asking first (Fetch, "CORS-safelisted
 * request-header"); a GET has no body to speak of. */
static bool rest_takes_type(const struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    struct slice type = req->content_type;
    if (type.len == 0 || type_is(type, SLICE("application/json")) || r->raw_upload ||
        req->method == METHOD_GET || req->method == METHOD_HEAD)
        return true;
    return r->method->client_streaming && type_is(type, SLICE("application/x-ndjson"));
}

/* Judges a request that has a route, before its body. */
static void rest_admit(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    bool one_message = r->match.route->body != HTTP_BODY_NONE && !r->method->client_streaming;
    bool announced = req->content_length != UINT64_MAX;
    if (!rest_takes_type(r))
        rest_refuse(r, 415, STATUS_INVALID_ARGUMENT, "the content type must be application/json");
    else if (one_message && announced && req->content_length > rest_max_body(r->ex))
        rest_refuse(r, 413, STATUS_RESOURCE_EXHAUSTED,
                    "the body is larger than the limit (--max-message-bytes)");
    else if (r->framing == REST_EVENTS &&
             rest_framing_was_ended(metadata_get(&req->headers, SLICE("last-event-id"))))
        rest_reply_empty(r, NULL);
}

/* The schema goes before the log line of the exchange is written. */
static void rest_note_rpc(struct rest *r)
{
    struct exchange_outcome *outcome = exchange_outcome(r->ex);
    struct slice path = exchange_request(r->ex)->path;
    struct slice rpc = r->method->path;
    outcome->rpc = slice_equal(path, rpc) ? path : arena_copy(exchange_arena(r->ex), rpc);
    outcome->upstream = r->method->upstream;
}

/* What the request says of the form of its answers goes before the configuration. */
static void rest_take_choices(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    enum system_choice pretty = r->params.pretty;
    if (pretty == CHOICE_NONE)
        pretty = rest_framing_pretty(metadata_get(&req->headers, SLICE("accept")));
    r->pretty = system_choice(pretty, exchange_context(r->ex)->config->json_pretty);
    r->options.enums_as_numbers =
        system_choice(r->params.enums_as_numbers, r->options.enums_as_numbers);
}

/* How the matched request and its reply travel. */
static void rest_take_route(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    const struct http_route *route = r->match.route;
    r->method = route->method;
    r->raw_upload =
        route->body != HTTP_BODY_NONE && rest_http_body_is(r->method->input, route->body_field);
    if (rest_http_body_is(r->method->output, route->response_field))
        r->framing = REST_RAW;
    else if (r->method->server_streaming)
        r->framing = r->params.event_stream
                         ? REST_EVENTS
                         : rest_framing_choose(metadata_get(&req->headers, SLICE("accept")));
    r->pretty = r->pretty && (r->framing == REST_SINGLE || r->framing == REST_ARRAY);
    if (r->method->client_streaming)
        exchange_allow_slow_upload(r->ex);
    rest_note_rpc(r);
}

/* Google's client libraries name themselves; the one for long-running operations does not send
 * `$alt`. */
static bool from_google_client(const struct exchange_request *req)
{
    return metadata_get(&req->headers, SLICE("x-goog-api-client")).data != NULL;
}

/* Finds the method or answers why not. */
static void rest_route(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    bool good = req->query.len == 0 || system_params_read(&r->params, req->query, &r->failure);
    r->params.google_errors |= from_google_client(req);
    rest_take_choices(r);
    if (!r->routes) {
        rest_refuse(r, 503, STATUS_UNAVAILABLE,
                    "the upstream's services are not known: its server reflection has not "
                    "answered; enable it there, or "
                    "start drawbridge with --descriptors FILE");
    } else if (!rest_match(r)) {
        rest_no_route(r);
    } else {
        rest_take_route(r);
        if (good)
            rest_admit(r);
        else
            rest_reply_fail(r, 0, NULL);
    }
}

static void *rest_open(struct exchange *ex)
{
    struct context *ctx = exchange_context(ex);
    struct rest *r = exchange_alloc(ex, sizeof *r);
    if (!r) {
        exchange_abort(ex);
        return NULL;
    }
    *r = (struct rest){.ex = ex, .routes = ctx->routes ? routes_ref(ctx->routes) : NULL};
    r->options = json_options(ctx->config, r->routes ? routes_schema(r->routes) : NULL);
    metadata_init(&r->headers, exchange_arena(ex), 64 * 1024);
    buf_init(&r->body, rest_max_body(ex));
    buf_init(&r->reply, ctx->config->limits.max_reply_bytes * 2);
    rest_values_init(&r->values, rest_max_body(ex));
    rest_route(r);
    return r;
}

static void rest_on_body(struct exchange *ex, void *state, struct slice data)
{
    struct rest *r = state;
    if (!r || r->answered || r->upload_ended || data.len == 0)
        return;
    if (r->match.route->body == HTTP_BODY_NONE) {
        exchange_discard_upload(ex);
        rest_request_send(r, SLICE(""));
    } else if (r->method->client_streaming) {
        rest_upload_take(r, data);
    } else if (buf_len(&r->body) == 0 && data.len == exchange_request(ex)->content_length) {
        rest_request_send(r, data); /* the usual case: the whole body at once, not copied */
    } else if (buf_append_slice(&r->body, data) < 0) {
        rest_refuse(r, 413, STATUS_RESOURCE_EXHAUSTED,
                    "the body is larger than the limit (--max-message-bytes)");
    } else {
        buf_expect(&r->body, exchange_request(ex)->content_length);
    }
}

static void rest_on_body_end(struct exchange *ex, void *state)
{
    (void)ex;
    struct rest *r = state;
    if (!r || r->answered || r->upload_ended)
        return;
    if (r->method->client_streaming && r->match.route->body != HTTP_BODY_NONE) {
        rest_upload_end(r);
        return;
    }
    rest_request_send(r, buf_slice(&r->body));
    buf_fini(&r->body);
}

static void rest_on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct rest *r = state;
    if (r && r->call)
        call_resume(r->call);
}

static void rest_on_fail(struct exchange *ex, void *state, const struct status *st)
{
    (void)ex;
    struct rest *r = state;
    r->failure = *st;
    rest_reply_fail(r, 0, NULL);
}

static void rest_close(struct exchange *ex, void *state)
{
    struct rest *r = state;
    if (!r)
        return;
    if (r->call) {
        status_set(&r->failure, STATUS_CANCELLED, "the client went away");
        request_metadata_outcome(ex, &r->failure, call_upstream_us(r->call));
        call_cancel(r->call);
        r->call = NULL;
    }
    buf_fini(&r->body);
    buf_fini(&r->reply);
    rest_values_fini(&r->values);
    routes_unref(r->routes);
    r->routes = NULL;
}

const struct protocol protocol_rest = {
    .name = "rest",
    .matches = rest_matches,
    .open = rest_open,
    .on_body = rest_on_body,
    .on_body_end = rest_on_body_end,
    .on_writable = rest_on_writable,
    .on_fail = rest_on_fail,
    .close = rest_close,
};
