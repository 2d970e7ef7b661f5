/* connect_unary: unary calls of the Connect protocol (connectrpc.com/docs/protocol): one message as
 * the body of a POST, or in the query of a GET when the method has no side effects; the reply or
 * an error with its HTTP status as the response.  "application/json" is also REST's: only the
 * field Connect-Protocol-Version makes it a call of this protocol. */
#include "gateway/protocol/connect.h"
#include "gateway/protocol/connect_query.h"
#include "gateway/protocol/protocols.h"

struct connect_unary {
    struct connect c;
    bool answered;   /* the response has ended */
    bool packed;     /* the request message is compressed */
    struct buf body; /* a request that came in pieces */
};

/* Of "connect", "encoding" and a path that the schema knows one could be another API's, two not. */
static bool asks_by_query(const struct exchange_request *req, const struct context *ctx)
{
    struct connect_query q;
    if (req->method != METHOD_GET || req->query.len == 0)
        return false;
    connect_query_parse(req->query, &q);
    bool known = ctx->schema && schema_method(ctx->schema, req->path);
    return (q.version.data != NULL) + (q.encoding.data != NULL) + known >= 2;
}

static bool connect_unary_matches(const struct exchange_request *req, const struct context *ctx)
{
    struct connect_media_type type;
    bool media = connect_media_type_parse(req->content_type, &type);
    if (media && type.stream)
        return false;
    return (media && type.codec == CONNECT_PROTO) || connect_asked(req) || asks_by_query(req, ctx);
}

static void unary_fail(struct connect_unary *u)
{
    u->answered = true;
    connect_give_up(&u->c);
    connect_answer_error(&u->c, &u->c.failure, 0);
}

static void on_call_headers(void *arg, const struct metadata *headers)
{
    struct connect_unary *u = arg;
    if (!connect_headers(&u->c, headers))
        unary_fail(u);
}

static void on_call_message(void *arg, struct slice message)
{
    struct connect_unary *u = arg;
    struct slice payload;
    if (++u->c.replies > 1)
        return; /* judged at the end */
    if (!connect_message_from_wire(&u->c, message, &payload)) {
        unary_fail(u);
    } else if (u->c.codec == CONNECT_PROTO && buf_append_slice(&u->c.reply, payload) < 0) {
        status_set(&u->c.failure, STATUS_RESOURCE_EXHAUSTED, "out of memory for the reply");
        unary_fail(u);
    }
}

static struct slice codec_media_type(enum connect_codec codec)
{
    return codec == CONNECT_JSON ? SLICE("application/json") : SLICE("application/proto");
}

static void unary_answer(struct connect_unary *u)
{
    struct slice payload = buf_slice(&u->c.reply); /* JSON was made there */
    if (connect_message_pack(&u->c, &payload))
        metadata_add_borrowed(&u->c.head, SLICE("content-encoding"), SLICE("gzip"));
    if (exchange_request(u->c.ex)->method == METHOD_GET)
        metadata_add_borrowed(&u->c.head, SLICE("vary"), SLICE("accept-encoding"));
    connect_head(&u->c, 200, codec_media_type(u->c.codec));
    exchange_write(u->c.ex, payload);
    exchange_end(u->c.ex);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    struct connect_unary *u = arg;
    st = connect_ended(&u->c, st, true);
    connect_add_fields(&u->c, trailers, SLICE("trailer-"));
    u->answered = true;
    if (st->code == STATUS_OK)
        unary_answer(u);
    else
        connect_answer_error(&u->c, st, 0);
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_message = on_call_message,
    .on_status = on_call_status,
};

/* The whole request is here. */
static void unary_call(struct connect_unary *u, struct slice payload)
{
    struct slice wire;
    if (!connect_message_to_wire(&u->c, payload, u->packed, &wire) ||
        !connect_call(&u->c, &call_events, u)) {
        unary_fail(u);
        return;
    }
    call_send(u->c.call, wire);
    call_half_close(u->c.call);
}

/* 405 and 415 have no code of their own: the protocol maps them to "unknown". */
static void unary_refuse_method(struct connect_unary *u, bool get_allowed)
{
    u->answered = true;
    status_set(&u->c.failure, STATUS_UNKNOWN,
               get_allowed ? "this method is called with POST or GET"
                           : "this method is called with POST; GET is for methods with the option "
                             "idempotency_level = NO_SIDE_EFFECTS");
    connect_refuse(&u->c, 405, "allow", get_allowed ? SLICE("GET, POST") : SLICE("POST"));
}

static void unary_refuse_type(struct connect_unary *u, struct slice type, const char *wanted)
{
    u->answered = true;
    status_set(&u->c.failure, STATUS_UNKNOWN, "content type \"%.*s\" does not fit: %s is wanted",
               type.len > 80 ? 80 : (int)type.len, (const char *)type.data, wanted);
    connect_refuse(&u->c, 415, "accept-post", slice_from_string(wanted));
}

/* Refuses what cannot be a unary call of this method; true when it can. */
static bool unary_admit(struct connect_unary *u, struct slice type)
{
    const struct exchange_request *req = exchange_request(u->c.ex);
    const struct method *method = u->c.method;
    bool get = req->method == METHOD_GET;
    bool get_allowed = method && method->no_side_effects;
    if (!(req->method == METHOD_POST || (get && (get_allowed || !method))))
        unary_refuse_method(u, get_allowed);
    else if (u->c.codec == CONNECT_CODEC_UNKNOWN)
        unary_refuse_type(u, type, "application/proto, application/json");
    else if (method && (method->client_streaming || method->server_streaming))
        unary_refuse_type(u, type, "application/connect+proto, application/connect+json");
    return !u->answered;
}

/* Only the schema tells that a GET does no harm. */
static bool unary_get_known(struct connect_unary *u)
{
    if (u->c.method)
        return true;
    if (u->c.schema)
        status_set(&u->c.failure, STATUS_UNIMPLEMENTED,
                   "no such method; \"drawbridge list\" shows what there is");
    else
        status_set(&u->c.failure, STATUS_UNAVAILABLE,
                   "GET needs the upstream's schema, which is not known; call with POST");
    return false;
}

static void unary_open_get(struct connect_unary *u)
{
    const struct exchange_request *req = exchange_request(u->c.ex);
    struct connect_query q;
    struct slice payload;
    connect_query_parse(req->query, &q);
    u->c.codec = connect_codec_parse(q.encoding);
    if (!unary_admit(u, q.encoding))
        return;
    bool version = !q.version.data || slice_equal(q.version, SLICE("v1"));
    if (!version)
        status_set(&u->c.failure, STATUS_INVALID_ARGUMENT,
                   "the parameter \"connect\" is not \"v1\"");
    if (version && unary_get_known(u) &&
        connect_negotiate(&u->c, q.compression,
                          metadata_get(&req->headers, SLICE("accept-encoding"))) &&
        connect_query_message(&q, exchange_arena(u->c.ex), &payload, &u->c.failure)) {
        u->packed = u->c.encoding == COMPRESSION_GZIP;
        unary_call(u, payload);
    } else {
        unary_fail(u);
    }
}

static void unary_too_large(struct connect_unary *u)
{
    status_set(&u->c.failure, STATUS_RESOURCE_EXHAUSTED,
               "the request is larger than the limit of %zu bytes (--max-message-bytes)",
               exchange_context(u->c.ex)->config->limits.max_message_bytes);
    unary_fail(u);
}

static void unary_open_post(struct connect_unary *u)
{
    const struct exchange_request *req = exchange_request(u->c.ex);
    if (!unary_admit(u, req->content_type))
        return;
    struct slice encoding = metadata_get(&req->headers, SLICE("content-encoding"));
    if (!connect_negotiate(&u->c, encoding,
                           metadata_get(&req->headers, SLICE("accept-encoding")))) {
        if (u->c.encoding == COMPRESSION_UNKNOWN)
            metadata_add_borrowed(&u->c.head, SLICE("accept-encoding"), SLICE(COMPRESSION_ACCEPT));
        unary_fail(u);
        return;
    }
    u->packed = u->c.encoding == COMPRESSION_GZIP;
    buf_init(&u->body, connect_max_payload(&u->c));
    if (req->content_length != UINT64_MAX && req->content_length > u->body.max_len)
        unary_too_large(u);
}

static void *connect_unary_open(struct exchange *ex)
{
    const struct exchange_request *req = exchange_request(ex);
    struct connect_media_type type;
    struct connect_unary *u = exchange_alloc(ex, sizeof *u);
    if (!u) {
        exchange_abort(ex);
        return NULL;
    }
    *u = (struct connect_unary){.answered = false};
    bool media = connect_media_type_parse(req->content_type, &type);
    connect_open(&u->c, ex, media ? type.codec : CONNECT_CODEC_UNKNOWN);
    if (asks_by_query(req, exchange_context(ex)))
        unary_open_get(u);
    else
        unary_open_post(u);
    return u;
}

static void connect_unary_on_body(struct exchange *ex, void *state, struct slice data)
{
    struct connect_unary *u = state;
    if (!u || u->answered || u->c.call)
        return;
    if (buf_len(&u->body) == 0 && data.len > 0 && data.len == exchange_request(ex)->content_length)
        unary_call(u, data); /* the usual case: the whole body at once, not copied */
    else if (buf_append_slice(&u->body, data) < 0)
        unary_too_large(u);
    else
        buf_expect(&u->body, exchange_request(ex)->content_length);
}

static void connect_unary_on_body_end(struct exchange *ex, void *state)
{
    (void)ex;
    struct connect_unary *u = state;
    if (!u || u->answered || u->c.call)
        return;
    unary_call(u, buf_slice(&u->body));
    buf_fini(&u->body);
}

static void connect_unary_on_fail(struct exchange *ex, void *state, const struct status *st)
{
    (void)ex;
    struct connect_unary *u = state;
    u->c.failure = *st;
    unary_fail(u);
}

static void connect_unary_close(struct exchange *ex, void *state)
{
    (void)ex;
    struct connect_unary *u = state;
    if (!u)
        return;
    connect_close(&u->c);
    buf_fini(&u->body);
}

const struct protocol protocol_connect_unary = {
    .name = "connect",
    .matches = connect_unary_matches,
    .open = connect_unary_open,
    .on_body = connect_unary_on_body,
    .on_body_end = connect_unary_on_body_end,
    .on_fail = connect_unary_on_fail,
    .close = connect_unary_close,
};
