#include "base/text.h"
#include "gateway/protocol/error_body.h"
#include "gateway/protocol/request_metadata.h"
#include "gateway/protocol/rest.h"
#include "gateway/protocol/rest_http_body.h"

enum { MAX_ERROR_BODY = 4 << 20, KEEP_REPLY = 64 * 1024 };

/* The HTTP status that the service chose for a success; 0 when it is none. */
static int read_http_code(struct slice text)
{
    uint64_t code;
    if (text.len != 3 || text_parse_uint64(text, &code) < 0 || code < 200 || code > 399)
        return 0;
    return (int)code;
}

static bool has_no_content(int http_status)
{
    return http_status == 204 || http_status == 205 || http_status == 304;
}

/* x-http-code is for the gateway alone. */
static void take_fields(const struct metadata *from, struct metadata *to, int *http_code)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct metadata_entry field = from->entries[i];
        if (slice_equal(field.name, SLICE("x-http-code")))
            *http_code = read_http_code(field.value);
        else
            metadata_add(to, field.name, field.value);
    }
}

void rest_reply_headers(struct rest *r, const struct metadata *headers)
{
    take_fields(headers, &r->headers, &r->http_code);
}

static struct slice reply_prefix(const struct rest *r)
{
    return slice_from_string(exchange_context(r->ex)->config->response_metadata_prefix);
}

static void reply_head(struct rest *r, int http_status, struct slice content_type,
                       const struct metadata *extra)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(r->ex), SIZE_MAX);
    if (content_type.len)
        metadata_add_borrowed(&head, SLICE("content-type"), content_type);
    request_metadata_to_front_prefixed(&r->headers, reply_prefix(r), &head);
    for (uint32_t i = 0; extra && i < extra->count; i++)
        metadata_add_borrowed(&head, extra->entries[i].name, extra->entries[i].value);
    r->head_sent = true;
    exchange_head(r->ex, http_status, &head);
}

static void reply_trailers(struct rest *r, const struct metadata *trailers)
{
    struct metadata own, fields;
    int too_late;
    metadata_init(&own, exchange_arena(r->ex), SIZE_MAX);
    metadata_init(&fields, exchange_arena(r->ex), SIZE_MAX);
    take_fields(trailers, &own, &too_late);
    request_metadata_to_front_prefixed(&own, reply_prefix(r), &fields);
    exchange_trailers(r->ex, &fields);
}

/* Indents the next text of the reply, when that was asked for.  False at the limit. */
static bool reply_indent(struct rest *r, struct buf *text)
{
    struct json_pretty next = r->indent;
    struct buf indented;
    if (!r->pretty)
        return true;
    buf_init(&indented, text->max_len);
    if (json_pretty_append(&next, buf_slice(text), &indented) < 0) {
        buf_fini(&indented);
        return false;
    }
    buf_fini(text);
    *text = indented;
    r->indent = next;
    return true;
}

/* The head of a stream that goes well so far. */
static void reply_stream_head(struct rest *r)
{
    struct metadata extra;
    metadata_init(&extra, exchange_arena(r->ex), SIZE_MAX);
    if (r->framing != REST_RAW)
        metadata_add_borrowed(&extra, SLICE("vary"), SLICE("accept"));
    if (r->framing == REST_EVENTS)
        metadata_add_borrowed(&extra, SLICE("cache-control"), SLICE("no-cache"));
    reply_head(r, r->http_code && !has_no_content(r->http_code) ? r->http_code : 200,
               r->framing == REST_RAW ? r->reply_type
                                      : slice_from_string(rest_framing_content_type(r->framing)),
               &extra);
}

static const struct schema *reply_schema(const struct rest *r)
{
    return r->routes ? routes_schema(r->routes) : NULL;
}

static void append_error(struct rest *r, const struct status *st, int http_status, struct buf *out)
{
    const size_t before = buf_len(out);
    struct status bare = *st;
    bare.details = (struct slice){NULL, 0};
    for (;;) {
        int error = r->params.google_errors
                        ? error_body_append_google(out, st, http_status, reply_schema(r))
                        : error_body_append(out, st, reply_schema(r));
        if (error == 0 || st == &bare)
            return;
        st = &bare; /* too large: at least what happened must arrive */
        out->end = out->start + before;
    }
}

/* A client of an RPC protocol other than JSON would take a JSON body for an error of its own. */
static bool speaks_other_rpc(struct slice content_type)
{
    static const struct {
        const char *prefix;
    } dialects[] = {{"application/grpc"}, {"application/connect"}, {"application/proto"}};
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        struct slice prefix = slice_from_string(dialects[i].prefix);
        if (content_type.len >= prefix.len &&
            slice_equal_ignore_case(slice_first(content_type, prefix.len), prefix))
            return true;
    }
    return false;
}

/* Who sends a body that is not JSON and does not say what it accepts has shown no sign of knowing
 * JSON; browsers and curl always send Accept. */
static bool shows_no_json(const struct exchange_request *req)
{
    struct slice rest = req->content_type, type = slice_trim(slice_cut(&rest, ';'));
    return type.len > 0 && !slice_equal_ignore_case(type, SLICE("application/json")) &&
           !metadata_get(&req->headers, SLICE("accept")).data;
}

static void reply_error(struct rest *r, const struct status *st, int http_status,
                        const struct metadata *extra)
{
    const struct exchange_request *req = exchange_request(r->ex);
    struct buf body;
    struct metadata head;
    bool text = speaks_other_rpc(req->content_type) || (http_status == 415 && shows_no_json(req));
    if (!http_status)
        http_status = status_to_http(st->code);
    r->answered = true;
    exchange_discard_upload(r->ex);
    buf_init(&body, MAX_ERROR_BODY);
    if (text)
        buf_append_slice(&body, status_message(st));
    else
        append_error(r, st, http_status, &body);
    buf_append_byte(&body, '\n');
    if (!text)
        reply_indent(r, &body);
    metadata_init(&head, exchange_arena(r->ex), SIZE_MAX);
    for (uint32_t i = 0; extra && i < extra->count; i++)
        metadata_add_borrowed(&head, extra->entries[i].name, extra->entries[i].value);
    if (http_status == 503 || http_status == 429)
        metadata_add_borrowed(&head, SLICE("retry-after"), SLICE("1"));
    reply_head(r, http_status,
               text ? SLICE("text/plain; charset=utf-8") : SLICE("application/json"), &head);
    exchange_write(r->ex, buf_slice(&body));
    buf_fini(&body);
    exchange_end(r->ex);
}

/* The end of a stream that had begun: lines and events get a last record; an array gets a last
 * element and is cut, so that no client takes it for complete; raw bytes are cut. */
static void reply_break(struct rest *r, const struct status *st)
{
    r->answered = true;
    exchange_discard_upload(r->ex);
    buf_reset(&r->reply, KEEP_REPLY);
    if (r->framing != REST_RAW) {
        rest_framing_before_error(r->framing, &r->reply);
        if (!r->params.google_errors)
            buf_append_slice(&r->reply, SLICE("{\"error\":"));
        append_error(r, st, status_to_http(st->code), &r->reply);
        if (!r->params.google_errors)
            buf_append_byte(&r->reply, '}');
        rest_framing_behind(r->framing, &r->reply);
        reply_indent(r, &r->reply);
        exchange_write(r->ex, buf_slice(&r->reply));
    }
    if (r->framing == REST_LINES || r->framing == REST_EVENTS)
        exchange_end(r->ex);
    else
        exchange_abort(r->ex);
}

void rest_reply_fail(struct rest *r, int http_status, const struct metadata *extra)
{
    uint64_t upstream_us = r->call ? call_upstream_us(r->call) : 0;
    if (r->answered)
        return;
    if (r->call)
        call_cancel(r->call);
    r->call = NULL;
    request_metadata_outcome(r->ex, &r->failure, upstream_us);
    if (r->head_sent)
        reply_break(r, &r->failure);
    else
        reply_error(r, &r->failure, http_status, extra);
}

void rest_reply_empty(struct rest *r, const struct metadata *extra)
{
    r->answered = true;
    exchange_discard_upload(r->ex);
    reply_head(r, 204, SLICE(""), extra);
    exchange_end(r->ex);
}

/* Fills r->reply with the element.  False with r->failure. */
static bool reply_print(struct rest *r, struct slice message)
{
    const struct http_route *route = r->match.route;
    struct rest_http_body raw;
    if (r->framing != REST_RAW) {
        rest_framing_before(r->framing, r->replies, &r->reply);
        bool good =
            route->response_field
                ? wire_field_to_json(r->method->output, route->response_field, message, &r->options,
                                     &r->reply, &r->failure)
                : wire_to_json(r->method->output, message, &r->options, &r->reply, &r->failure);
        rest_framing_behind(r->framing, &r->reply);
        if (!good || reply_indent(r, &r->reply))
            return good;
        status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED,
                   "the indented reply is larger than the limit: ask for it without");
        return false;
    }
    if (!rest_http_body_read(message, route->response_field, &raw)) {
        status_set(&r->failure, STATUS_INTERNAL, "the upstream's google.api.HttpBody is malformed");
        return false;
    }
    if (r->replies == 1)
        r->reply_type = raw.content_type.len ? arena_copy(exchange_arena(r->ex), raw.content_type)
                                             : SLICE("application/octet-stream");
    if (buf_append_slice(&r->reply, raw.data) == 0)
        return true;
    status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED, "the reply is larger than the limit");
    return false;
}

/* HEAD asks for the head of a stream: known with the first message. */
static void reply_stream_head_only(struct rest *r)
{
    struct status ok;
    status_ok(&ok);
    request_metadata_outcome(r->ex, &ok, call_upstream_us(r->call));
    call_cancel(r->call);
    r->call = NULL;
    r->answered = true;
    exchange_discard_upload(r->ex);
    reply_stream_head(r);
    exchange_end(r->ex);
}

void rest_reply_message(struct rest *r, struct slice message)
{
    bool stream = r->method->server_streaming;
    if (++r->replies > 1 && !stream)
        return; /* judged at the end */
    if (!reply_print(r, message)) {
        rest_reply_fail(r, 0, NULL);
        return;
    }
    if (!stream)
        return;
    if (exchange_request(r->ex)->method == METHOD_HEAD) {
        reply_stream_head_only(r);
        return;
    }
    if (!r->head_sent)
        reply_stream_head(r);
    bool room = exchange_write(r->ex, buf_slice(&r->reply));
    buf_reset(&r->reply, KEEP_REPLY);
    if (!room)
        call_pause(r->call);
}

static void reply_complete(struct rest *r)
{
    r->answered = true;
    exchange_discard_upload(r->ex);
    if (r->method->server_streaming) {
        if (r->reply_type.len == 0)
            r->reply_type = SLICE("application/octet-stream");
        if (!r->head_sent)
            reply_stream_head(r);
        rest_framing_finish(r->framing, r->replies, &r->reply);
        reply_indent(r, &r->reply);
        if (r->pretty)
            buf_append_byte(&r->reply, '\n');
        exchange_write(r->ex, buf_slice(&r->reply));
    } else if (has_no_content(r->http_code)) {
        reply_head(r, r->http_code, SLICE(""), NULL);
    } else {
        reply_head(r, r->http_code ? r->http_code : 200,
                   r->framing == REST_RAW ? r->reply_type : SLICE("application/json"), NULL);
        if (r->pretty)
            buf_append_byte(&r->reply, '\n');
        exchange_write(r->ex, buf_slice(&r->reply));
    }
    exchange_end(r->ex);
}

void rest_reply_status(struct rest *r, const struct status *st, const struct metadata *trailers)
{
    uint64_t upstream_us = call_upstream_us(r->call);
    r->call = NULL;
    if (st->code == STATUS_OK && !r->method->server_streaming && r->replies != 1) {
        status_set(&r->failure, STATUS_UNIMPLEMENTED,
                   "the upstream sent %llu replies where the method has one",
                   (unsigned long long)r->replies);
        st = &r->failure;
    }
    request_metadata_outcome(r->ex, st, upstream_us);
    if (trailers->count > 0 && (st->code == STATUS_OK || r->head_sent))
        reply_trailers(r, trailers);
    if (st->code == STATUS_OK) {
        reply_complete(r);
    } else if (r->head_sent) {
        reply_break(r, st);
    } else {
        rest_reply_headers(r, trailers);
        reply_error(r, st, 0, NULL);
    }
}
