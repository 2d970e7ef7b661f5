/* rest: JSON over HTTP for any method: POST /pkg.Service/Method with the request message as JSON,
 * the reply as JSON. Server streams come as a JSON array, or as NDJSON when the client accepts
 * application/x-ndjson.  It is the last protocol of the table, so it also explains every request
 * that nothing serves. */
#include "gateway/call.h"
#include "gateway/protocol.h"
#include "gateway/protocol/error_body.h"
#include "gateway/protocol/request_metadata.h"
#include "gateway/schema/schema.h"
#include "gateway/transcode/transcode.h"

#include <stdio.h>

enum rest_framing { REST_SINGLE, REST_ARRAY, REST_LINES };

struct rest {
    struct exchange *ex;
    struct call *call;           /* between the whole request and the status */
    struct schema *schema;       /* a reference, while open */
    const struct method *method; /* of schema */
    enum rest_framing framing;
    bool answered;           /* the response has ended or was cut */
    bool head_sent;          /* streams: the first message has gone out */
    uint64_t replies;        /* messages received */
    struct buf body;         /* request JSON that came in pieces */
    struct buf reply;        /* reply JSON: of the unary reply, or of one stream element */
    struct metadata headers; /* of the reply, kept until the head */
    struct status failure;   /* scratch for what goes wrong here */
};

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

static bool is_json(struct slice content_type)
{
    struct slice type = slice_trim(slice_cut(&content_type, ';'));
    return type.len == 0 || slice_equal_ignore_case(type, SLICE("application/json"));
}

static void rest_head(struct rest *r, int http_status, const char *content_type,
                      const struct metadata *extra)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(r->ex), SIZE_MAX);
    metadata_add_borrowed(&head, SLICE("content-type"), slice_from_string(content_type));
    request_metadata_to_front(&r->headers, &head);
    for (uint32_t i = 0; extra && i < extra->count; i++)
        metadata_add_borrowed(&head, extra->entries[i].name, extra->entries[i].value);
    r->head_sent = true;
    exchange_head(r->ex, http_status, &head);
}

/* Who neither sends JSON nor says what it accepts has shown no sign of knowing JSON. */
static bool rest_client_reads_json(const struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    return is_json(req->content_type) || metadata_get(&req->headers, SLICE("accept")).data;
}

/* Answers with a status as JSON, or as a line of text for who may not know JSON.  http_status 0:
 * the status's own. */
static void rest_answer_status(struct rest *r, const struct status *st, int http_status,
                               const struct metadata *extra)
{
    struct buf body;
    if (r->answered)
        return;
    r->answered = true;
    exchange_discard_upload(r->ex);
    buf_init(&body, 4 << 20);
    bool json = rest_client_reads_json(r);
    if (json)
        error_body_append(&body, st, r->schema);
    else
        buf_append_slice(&body, status_message(st));
    buf_append_byte(&body, '\n');
    struct metadata head;
    metadata_init(&head, exchange_arena(r->ex), SIZE_MAX);
    for (uint32_t i = 0; extra && i < extra->count; i++)
        metadata_add_borrowed(&head, extra->entries[i].name, extra->entries[i].value);
    if (st->code == STATUS_UNAVAILABLE || st->code == STATUS_RESOURCE_EXHAUSTED)
        metadata_add_borrowed(&head, SLICE("retry-after"), SLICE("1"));
    rest_head(r, http_status ? http_status : status_to_http(st->code),
              json ? "application/json" : "text/plain; charset=utf-8", &head);
    exchange_write(r->ex, buf_slice(&body));
    buf_fini(&body);
    exchange_end(r->ex);
}

/* r->failure is the answer: before the call, or instead of what it still says. */
static void rest_fail(struct rest *r, int http_status, const struct metadata *extra)
{
    uint64_t upstream_us = r->call ? call_upstream_us(r->call) : 0;
    if (r->call) {
        call_cancel(r->call);
        r->call = NULL;
    }
    request_metadata_outcome(r->ex, &r->failure, upstream_us);
    rest_answer_status(r, &r->failure, http_status, extra);
}

/* The end of a stream that had begun: NDJSON gets a last record; an array gets a last element and
 * is cut, so that no client takes it for complete. */
static void rest_break_stream(struct rest *r, const struct status *st)
{
    r->answered = true;
    buf_reset(&r->reply, 64 * 1024);
    buf_printf(&r->reply, r->framing == REST_ARRAY ? ",{\"error\":" : "{\"error\":");
    error_body_append(&r->reply, st, r->schema);
    buf_append(&r->reply, "}\n", 2);
    exchange_write(r->ex, buf_slice(&r->reply));
    if (r->framing == REST_ARRAY)
        exchange_abort(r->ex);
    else
        exchange_end(r->ex);
}

static const char *rest_content_type(const struct rest *r)
{
    return r->framing == REST_LINES ? "application/x-ndjson" : "application/json";
}

static void on_call_headers(void *arg, const struct metadata *headers)
{
    struct rest *r = arg;
    for (uint32_t i = 0; i < headers->count; i++)
        metadata_add(&r->headers, headers->entries[i].name, headers->entries[i].value);
}

/* Writes the element in r->reply, with what its framing puts around it. */
static void rest_write_element(struct rest *r)
{
    if (!r->head_sent)
        rest_head(r, 200, rest_content_type(r), NULL);
    if (r->framing == REST_LINES)
        buf_append_byte(&r->reply, '\n');
    else
        exchange_write(r->ex, r->replies == 1 ? SLICE("[") : SLICE(","));
    bool room = exchange_write(r->ex, buf_slice(&r->reply));
    buf_reset(&r->reply, 64 * 1024);
    if (!room)
        call_pause(r->call);
}

static void on_call_message(void *arg, struct slice message)
{
    struct rest *r = arg;
    const struct transcode_options options = {.schema = r->schema};
    r->replies++;
    if (r->framing == REST_SINGLE && r->replies > 1)
        return; /* judged at the end */
    if (!wire_to_json(r->method->output, message, &options, &r->reply, &r->failure)) {
        if (!r->head_sent) {
            rest_fail(r, 0, NULL);
            return;
        }
        request_metadata_outcome(r->ex, &r->failure, call_upstream_us(r->call));
        call_cancel(r->call);
        r->call = NULL;
        rest_break_stream(r, &r->failure);
        return;
    }
    if (r->framing != REST_SINGLE)
        rest_write_element(r);
}

static void rest_complete(struct rest *r)
{
    r->answered = true;
    if (r->framing == REST_SINGLE) {
        rest_head(r, 200, "application/json", NULL);
        exchange_write(r->ex, buf_slice(&r->reply));
    } else {
        if (!r->head_sent)
            rest_head(r, 200, rest_content_type(r), NULL);
        if (r->framing == REST_ARRAY)
            exchange_write(r->ex, r->replies == 0 ? SLICE("[]") : SLICE("]"));
    }
    exchange_end(r->ex);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    struct rest *r = arg;
    uint64_t upstream_us = call_upstream_us(r->call);
    r->call = NULL;
    if (st->code == STATUS_OK && r->framing == REST_SINGLE && r->replies != 1) {
        status_set(&r->failure, STATUS_UNIMPLEMENTED,
                   "the upstream sent %llu replies to a unary call",
                   (unsigned long long)r->replies);
        st = &r->failure;
    }
    request_metadata_outcome(r->ex, st, upstream_us);
    if (st->code == STATUS_OK) {
        rest_complete(r);
    } else if (r->head_sent) {
        rest_break_stream(r, st);
    } else {
        on_call_headers(r, trailers);
        rest_answer_status(r, st, 0, NULL);
    }
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_message = on_call_message,
    .on_status = on_call_status,
};

/* The whole request is here: transcodes it and makes the call. */
static void rest_call(struct rest *r, struct slice json)
{
    struct context *ctx = exchange_context(r->ex);
    const struct transcode_options options = {.schema = r->schema,
                                              .ignore_unknown = ctx->config->json_ignore_unknown};
    struct metadata md;
    struct call_request call = {
        .path = r->method->path,
        .metadata = &md,
        .max_reply_len = ctx->config->limits.max_reply_bytes,
    };
    struct buf wire;
    buf_init(&wire, ctx->config->limits.max_message_bytes);
    if (json.len == 0)
        json = SLICE("{}");
    if (json_to_wire(r->method->input, json, &options, &wire, &r->failure) &&
        request_metadata_collect(r->ex, &md, &r->failure) &&
        request_metadata_deadline(r->ex, &call.deadline_ms, &r->failure)) {
        r->call = call_start(ctx->upstream, &call, &call_events, r);
        if (!r->call)
            status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (r->call) {
        call_send(r->call, buf_slice(&wire));
        call_half_close(r->call);
    } else {
        rest_fail(r, 0, NULL);
    }
    buf_fini(&wire);
}

static void rest_refuse(struct rest *r, int http_status, enum status_code code, const char *reason)
{
    struct slice path = exchange_request(r->ex)->path;
    status_set(&r->failure, code, "%.*s: %s", path.len > 120 ? 120 : (int)path.len,
               (const char *)path.data, reason);
    struct metadata allow;
    metadata_init(&allow, exchange_arena(r->ex), 1024);
    if (http_status == 405)
        metadata_add_borrowed(&allow, SLICE("allow"), SLICE("POST"));
    rest_fail(r, http_status, &allow);
}

/* Finds the method or answers why not. */
static void rest_route(struct rest *r)
{
    const struct exchange_request *req = exchange_request(r->ex);
    if (!r->schema) {
        rest_refuse(r, 503, STATUS_UNAVAILABLE,
                    "the upstream's services are not known: its server reflection has not "
                    "answered; enable it there, or "
                    "start drawbridge with --descriptors FILE");
        return;
    }
    r->method = schema_method(r->schema, req->path);
    if (!r->method)
        rest_refuse(r, 404, STATUS_NOT_FOUND,
                    "no such method; \"drawbridge list\" shows what there is");
    else if (req->method != METHOD_POST)
        rest_refuse(r, 405, STATUS_UNIMPLEMENTED, "this method is called with POST");
    else if (!is_json(req->content_type))
        rest_refuse(r, 415, STATUS_INVALID_ARGUMENT,
                    "the content type must be application/json or application/grpc-web");
    else if (r->method->client_streaming)
        rest_refuse(r, 501, STATUS_UNIMPLEMENTED,
                    "client streams are not served as JSON; use gRPC-Web");
    else if (req->content_length != UINT64_MAX && req->content_length > rest_max_body(r->ex))
        rest_refuse(r, 413, STATUS_RESOURCE_EXHAUSTED,
                    "the body is larger than the limit (--max-message-bytes)");
}

static void *rest_open(struct exchange *ex)
{
    const struct exchange_request *req = exchange_request(ex);
    struct context *ctx = exchange_context(ex);
    struct rest *r = exchange_alloc(ex, sizeof *r);
    if (!r) {
        exchange_abort(ex);
        return NULL;
    }
    *r = (struct rest){.ex = ex, .schema = ctx->schema ? schema_ref(ctx->schema) : NULL};
    metadata_init(&r->headers, exchange_arena(ex), 64 * 1024);
    buf_init(&r->body, rest_max_body(ex));
    buf_init(&r->reply, ctx->config->limits.max_reply_bytes * 2);
    rest_route(r);
    if (r->method)
        exchange_outcome(ex)->rpc = req->path;
    if (r->method && r->method->server_streaming) {
        struct slice accept = metadata_get(&req->headers, SLICE("accept"));
        bool lines = accept.len && memmem(accept.data, accept.len, "application/x-ndjson", 20);
        r->framing = lines ? REST_LINES : REST_ARRAY;
    }
    return r;
}

static void rest_on_body(struct exchange *ex, void *state, struct slice data)
{
    struct rest *r = state;
    if (!r || r->answered || r->call)
        return;
    if (buf_len(&r->body) == 0 && data.len > 0 && data.len == exchange_request(ex)->content_length)
        rest_call(r, data); /* the usual case: the whole body at once, not copied */
    else if (buf_append_slice(&r->body, data) < 0)
        rest_refuse(r, 413, STATUS_RESOURCE_EXHAUSTED,
                    "the body is larger than the limit (--max-message-bytes)");
}

static void rest_on_body_end(struct exchange *ex, void *state)
{
    (void)ex;
    struct rest *r = state;
    if (!r || r->answered || r->call)
        return;
    rest_call(r, buf_slice(&r->body));
    buf_fini(&r->body);
}

static void rest_on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct rest *r = state;
    if (r && r->call)
        call_resume(r->call);
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
    schema_unref(r->schema);
    r->schema = NULL;
}

const struct protocol protocol_rest = {
    .name = "rest",
    .matches = rest_matches,
    .open = rest_open,
    .on_body = rest_on_body,
    .on_body_end = rest_on_body_end,
    .on_writable = rest_on_writable,
    .close = rest_close,
};
