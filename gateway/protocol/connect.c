#include "gateway/protocol/connect.h"

#include "base/text.h"
#include "gateway/protocol/connect_error.h"
#include "gateway/protocol/request_metadata.h"

enum { MAX_ERROR_BODY = 4 << 20, MAX_TIMEOUT_DIGITS = 10 };

static bool cut_prefix(struct slice *s, struct slice prefix)
{
    if (s->len < prefix.len || !slice_equal_ignore_case(slice_first(*s, prefix.len), prefix))
        return false;
    *s = slice_skip(*s, prefix.len);
    return true;
}

enum connect_codec connect_codec_parse(struct slice name)
{
    if (slice_equal_ignore_case(name, SLICE("proto")))
        return CONNECT_PROTO;
    return slice_equal_ignore_case(name, SLICE("json")) ? CONNECT_JSON : CONNECT_CODEC_UNKNOWN;
}

bool connect_media_type_parse(struct slice text, struct connect_media_type *type)
{
    struct slice rest = slice_trim(slice_cut(&text, ';'));
    if (!cut_prefix(&rest, SLICE("application/")))
        return false;
    type->stream = cut_prefix(&rest, SLICE("connect+"));
    type->codec = connect_codec_parse(rest);
    return true;
}

bool connect_asked(const struct exchange_request *req)
{
    return metadata_get(&req->headers, SLICE("connect-protocol-version")).data != NULL;
}

void connect_open(struct connect *c, struct exchange *ex, enum connect_codec codec)
{
    struct context *ctx = exchange_context(ex);
    const struct config_limits *limits = &ctx->config->limits;
    struct slice path = exchange_request(ex)->path;
    *c = (struct connect){.ex = ex, .codec = codec};
    c->schema = ctx->schema ? schema_ref(ctx->schema) : NULL;
    c->method = c->schema ? schema_method(c->schema, path) : NULL;
    exchange_outcome(ex)->rpc = path;
    exchange_outcome(ex)->upstream = c->method ? c->method->upstream : 0;
    metadata_init(&c->head, exchange_arena(ex), SIZE_MAX);
    buf_init(&c->inflated, limits->max_message_bytes); /* of JSON more: connect_message.c */
    buf_init(&c->request, limits->max_message_bytes);
    buf_init(&c->reply, limits->max_reply_bytes * 2); /* JSON is longer */
    buf_init(&c->packed, limits->max_reply_bytes * 2);
    status_ok(&c->failure);
}

void connect_close(struct connect *c)
{
    if (c->call) {
        status_set(&c->failure, STATUS_CANCELLED, "the client went away");
        connect_give_up(c);
    }
    buf_fini(&c->inflated);
    buf_fini(&c->request);
    buf_fini(&c->reply);
    buf_fini(&c->packed);
    schema_unref(c->schema);
    c->schema = NULL;
    c->method = NULL;
}

static bool negotiate_version(struct connect *c)
{
    struct slice version =
        metadata_get(&exchange_request(c->ex)->headers, SLICE("connect-protocol-version"));
    if (!version.data || slice_equal(version, SLICE("1")))
        return true;
    status_set(&c->failure, STATUS_INVALID_ARGUMENT,
               "connect-protocol-version \"%.*s\" is not supported: 1 is",
               version.len > 40 ? 40 : (int)version.len, (const char *)version.data);
    return false;
}

/* JSON needs the message types; protobuf passes without them and the upstream judges. */
static bool negotiate_codec(struct connect *c)
{
    if (c->codec == CONNECT_PROTO || c->method)
        return true;
    if (c->schema)
        status_set(&c->failure, STATUS_UNIMPLEMENTED,
                   schema_partial(c->schema)
                       ? "no such method so far; an upstream has not told its services"
                       : "no such method; \"drawbridge list\" shows what there is");
    else
        status_set(
            &c->failure, STATUS_UNAVAILABLE,
            "JSON needs the upstream's schema, which is not known: its server reflection has "
            "not answered; enable it there, start drawbridge with --descriptors FILE, or "
            "call with application/proto");
    return false;
}

bool connect_negotiate(struct connect *c, struct slice encoding, struct slice accept_encoding)
{
    c->encoding = compression_parse(encoding);
    c->accept_gzip = compression_accepts_gzip(accept_encoding);
    if (!negotiate_version(c))
        return false;
    if (c->encoding == COMPRESSION_UNKNOWN) {
        status_set(&c->failure, STATUS_UNIMPLEMENTED,
                   "compression \"%.*s\" is not supported: use one of " COMPRESSION_ACCEPT,
                   encoding.len > 40 ? 40 : (int)encoding.len, (const char *)encoding.data);
        return false;
    }
    return negotiate_codec(c);
}

static bool connect_deadline(struct connect *c, uint64_t *deadline_ms)
{
    struct slice text =
        metadata_get(&exchange_request(c->ex)->headers, SLICE("connect-timeout-ms"));
    uint64_t timeout_ms = UINT64_MAX;
    if (text.data && (text.len > MAX_TIMEOUT_DIGITS || text_parse_uint64(text, &timeout_ms) < 0)) {
        status_set(&c->failure, STATUS_INVALID_ARGUMENT,
                   "connect-timeout-ms \"%.*s\" is malformed: 1 to 10 digits are wanted",
                   text.len > 40 ? 40 : (int)text.len, (const char *)text.data);
        return false;
    }
    *deadline_ms = request_metadata_deadline_after(c->ex, timeout_ms);
    return true;
}

/* Fields of the protocol itself.  Content-Encoding is of the body, which ends here. */
static bool is_protocol_field(struct slice name)
{
    return slice_has_prefix(name, SLICE("connect-")) ||
           slice_equal(name, SLICE("content-encoding"));
}

static bool connect_metadata(struct connect *c, struct metadata *md)
{
    if (!request_metadata_collect(c->ex, md, &c->failure))
        return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < md->count; i++)
        if (!is_protocol_field(md->entries[i].name))
            md->entries[kept++] = md->entries[i];
    md->count = kept;
    return true;
}

bool connect_call(struct connect *c, const struct call_events *events, void *arg)
{
    struct context *ctx = exchange_context(c->ex);
    struct metadata md;
    struct call_request call = {
        .path = exchange_request(c->ex)->path,
        .metadata = &md,
        .max_reply_len = ctx->config->limits.max_reply_bytes,
    };
    if (!connect_metadata(c, &md) || !connect_deadline(c, &call.deadline_ms))
        return false;
    c->call = call_start(exchange_upstream(c->ex), &call, events, arg);
    if (!c->call)
        status_set(&c->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return c->call != NULL;
}

void connect_give_up(struct connect *c)
{
    uint64_t upstream_us = c->call ? call_upstream_us(c->call) : 0;
    if (c->call)
        call_cancel(c->call);
    c->call = NULL;
    request_metadata_outcome(c->ex, &c->failure, upstream_us);
}

const struct status *connect_ended(struct connect *c, const struct status *st, bool one_reply)
{
    uint64_t upstream_us = call_upstream_us(c->call);
    c->call = NULL;
    if (st->code == STATUS_OK && one_reply && c->replies != 1) {
        status_set(&c->failure, STATUS_UNIMPLEMENTED,
                   "the upstream sent %llu replies where the method has one",
                   (unsigned long long)c->replies);
        st = &c->failure;
    }
    request_metadata_outcome(c->ex, st, upstream_us);
    return st;
}

bool connect_headers(struct connect *c, const struct metadata *headers)
{
    struct slice format = call_reply_format(c->call);
    connect_add_fields(c, headers, SLICE(""));
    if (format.len == 0 || slice_equal_ignore_case(format, SLICE("proto")))
        return true;
    status_set(&c->failure, STATUS_INTERNAL,
               "the upstream replies with application/grpc+%.*s where protobuf is wanted",
               format.len > 40 ? 40 : (int)format.len, (const char *)format.data);
    return false;
}

void connect_add_fields(struct connect *c, const struct metadata *from, struct slice prefix)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct slice name = from->entries[i].name, value = from->entries[i].value;
        if (metadata_stripped_front(name) || is_protocol_field(name) ||
            !metadata_value_valid(value))
            continue;
        uint8_t *to = exchange_alloc(c->ex, prefix.len + name.len);
        if (!to)
            return;
        memcpy(to, prefix.data, prefix.len);
        memcpy(to + prefix.len, name.data, name.len);
        metadata_add(&c->head, slice_from(to, prefix.len + name.len), value);
    }
}

void connect_head(struct connect *c, int http_status, struct slice content_type)
{
    metadata_add_borrowed(&c->head, SLICE("content-type"), content_type);
    c->head_sent = true;
    exchange_head(c->ex, http_status, &c->head);
}

/* 404 only for what does not exist: a method that does, but is not implemented, is 501. */
static int error_http_status(const struct connect *c, const struct status *st)
{
    if (st->code == STATUS_UNIMPLEMENTED && c->schema && !c->method)
        return 404;
    return status_to_http(st->code);
}

void connect_answer_error(struct connect *c, const struct status *st, int http_status)
{
    struct buf body;
    buf_init(&body, MAX_ERROR_BODY);
    exchange_discard_upload(c->ex);
    connect_error_append(&body, st, c->schema);
    connect_head(c, http_status ? http_status : error_http_status(c, st),
                 SLICE("application/json"));
    exchange_write(c->ex, buf_slice(&body));
    buf_fini(&body);
    exchange_end(c->ex);
}

void connect_refuse(struct connect *c, int http_status, const char *field, struct slice value)
{
    metadata_add_borrowed(&c->head, slice_from_string(field), value);
    connect_give_up(c);
    connect_answer_error(c, &c->failure, http_status);
}
