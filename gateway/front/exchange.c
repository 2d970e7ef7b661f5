/* Response fields are copied with a NUL behind name and value, because HTTP libraries want strings.
 * A closed exchange keeps its memory for the next one. */
#include "gateway/front/exchange_front.h"

#include "gateway/front/refusal.h"
#include "gateway/front/trailers.h"

#include <assert.h>
#include <stdlib.h>

enum {
    MAX_SPARE = 256,
    KEEP_OUT = 16 << 10,
    MAX_RESPONSE_FIELDS = 64 << 10,
    MAX_TRAILERS = 4 << 10, /* so much is left of the HTTP library's buffer */
    ESCAPED_MAX = 6,        /* JSON text of one byte: six bytes of escape */
    DISCARD_MAX = 4, /* messages: the client hears of its status only when its upload is done */
    SLACK = 1 << 20
};

void exchanges_init(struct exchanges *all, struct context *ctx,
                    const struct protocol *const *protocols, struct cors_policy cors)
{
    *all = (struct exchanges){.ctx = ctx, .protocols = protocols, .cors = cors};
    list_init(&all->spare);
}

void exchanges_fini(struct exchanges *all)
{
    LIST_EACH(node, &all->spare)
    {
        struct exchange *ex = LIST_ENTRY(node, struct exchange, node);
        buf_fini(&ex->out);
        free(ex);
    }
    list_init(&all->spare);
    all->spare_count = 0;
}

static struct exchange *exchange_new(struct exchanges *all)
{
    struct exchange *ex;
    if (!list_empty(&all->spare)) {
        ex = LIST_ENTRY(all->spare.prev, struct exchange, node);
        list_remove(&ex->node);
        all->spare_count--;
        return ex;
    }
    ex = malloc(sizeof *ex);
    if (!ex)
        return NULL;
    list_init(&ex->node);
    buf_init(&ex->out, all->ctx->config->limits.max_reply_bytes * ESCAPED_MAX + SLACK);
    return ex;
}

struct exchange *exchange_open(struct exchanges *all)
{
    const struct config_limits *limits = &all->ctx->config->limits;
    struct exchange *ex = exchange_new(all);
    if (!ex)
        return NULL;
    struct buf out = ex->out;
    memset(ex, 0, offsetof(struct exchange, arena));
    list_init(&ex->node);
    ex->out = out;
    ex->all = all;
    arena_init(&ex->arena, ex->room, sizeof ex->room,
               2 * limits->max_message_bytes + limits->max_reply_bytes + SLACK);
    /* The library's pool bounds the request's fields; the firewall judges their sum. */
    metadata_init(&ex->request.headers, &ex->arena, SIZE_MAX / 2);
    ex->request.headers.entries = ex->fields;
    ex->request.headers.cap = EXCHANGE_FIELDS;
    metadata_init(&ex->head, &ex->arena, MAX_RESPONSE_FIELDS);
    firewall_init(&ex->firewall, limits);
    ex->request.start_us = loop_now_us(all->ctx->loop);
    metrics_add(all->ctx->metrics, METRIC_EXCHANGES_OPEN, 1);
    return ex;
}

void exchange_add_field(struct exchange *ex, uint8_t *name, size_t name_len, struct slice value)
{
    bool usual = firewall_field(&ex->firewall, name, name_len, &value);
    /* Beyond the limit the request is refused anyway. */
    if (usual && ex->firewall.count <= ex->firewall.limits->max_header_count)
        metadata_add_borrowed(&ex->request.headers, slice_from(name, name_len), value);
}

/* The response half moves here and nowhere else. */
static void exchange_set_reply(struct exchange *ex, enum exchange_reply next)
{
    switch (next) {
    case REPLY_HEAD:
        assert(ex->reply == REPLY_NONE);
        break;
    case REPLY_ENDED:
        assert(ex->reply == REPLY_HEAD);
        break;
    case REPLY_ABORTED:
    case REPLY_NONE:
        break;
    }
    ex->reply = next;
}

/* Like any other unknown path. */
static void exchange_refuse_path(struct exchange *ex)
{
    refusal_answer_call(ex, 404, STATUS_UNIMPLEMENTED,
                        arena_printf(&ex->arena, "everything is below %.*s/ (--path-prefix)",
                                     SLICE_PRINT(ex->all->path_prefix)));
}

static struct cors_request page_of(const struct exchange *ex)
{
    const struct firewall *fw = &ex->firewall;
    return (struct cors_request){
        .origin = ex->request.origin,
        .host = ex->request.host,
        .sec_fetch_site = fw->value[FIREWALL_SEC_FETCH_SITE],
        .sec_fetch_mode = fw->value[FIREWALL_SEC_FETCH_MODE],
        .request_method = fw->value[FIREWALL_REQUEST_METHOD],
        .request_headers = fw->value[FIREWALL_REQUEST_HEADERS],
        .request_private_network = fw->value[FIREWALL_REQUEST_PRIVATE_NETWORK],
    };
}

static void exchange_answer_preflight(struct exchange *ex)
{
    struct cors_request page = page_of(ex);
    struct metadata fields;
    ex->preflight = true;
    metadata_init(&fields, &ex->arena, MAX_RESPONSE_FIELDS);
    if (ex->cors != CORS_SAME_ORIGIN &&
        cors_preflight_fields(&ex->all->cors, ex->cors, &page, &fields) < 0) {
        exchange_abort(ex);
        return;
    }
    exchange_head(ex, 204, &fields);
    exchange_end(ex);
}

/* Takes the target apart.  False: it is not below the path prefix, which then stays. */
static bool exchange_set_target(struct exchange *ex, struct slice target)
{
    struct exchange_request *req = &ex->request;
    struct slice prefix = ex->all->path_prefix, query = target;
    req->target = target;
    req->path = slice_cut(&query, '?');
    req->query = query;
    bool below = slice_has_prefix(req->path, prefix) && req->path.len > prefix.len &&
                 req->path.data[prefix.len] == '/';
    if (below)
        req->path = slice_skip(req->path, prefix.len);
    return below || prefix.len == 0;
}

static void exchange_fill_request(struct exchange *ex)
{
    struct exchange_request *req = &ex->request;
    req->method = ex->firewall.method;
    req->method_name = ex->firewall.method_name;
    req->content_type = ex->firewall.value[FIREWALL_CONTENT_TYPE];
    req->content_length = ex->firewall.content_length;
    req->origin = ex->firewall.value[FIREWALL_ORIGIN];
    req->host = ex->firewall.value[FIREWALL_HOST];
}

static bool is_upgradable(const struct exchange *ex)
{
    const struct firewall *fw = &ex->firewall;
    bool body = fw->chunked || (fw->content_length != UINT64_MAX && fw->content_length > 0);
    return fw->method == METHOD_GET && !fw->http_1_0 && !body;
}

/* Of the bytes that wait for slow clients, here and behind paused calls. */
static bool over_memory(const struct exchanges *all, size_t percent)
{
    return metrics_get(all->ctx->metrics, METRIC_BUFFERED_BYTES) / percent >=
           all->ctx->config->limits.max_buffered_bytes / 100;
}

static void exchange_choose_protocol(struct exchange *ex)
{
    const struct protocol *const *p = ex->all->protocols;
    while (p[1] && !(*p)->matches(&ex->request, ex->all->ctx))
        p++;
    ex->protocol = *p;
    ex->state = ex->protocol->open(ex);
}

static bool is_preflight(const struct exchange *ex)
{
    return ex->firewall.method == METHOD_OPTIONS && ex->request.origin.data &&
           ex->firewall.value[FIREWALL_REQUEST_METHOD].data;
}

/* Copies what is borrowed of the HTTP library.  False when memory is out. */
static bool exchange_keep_request(struct exchange *ex)
{
    struct exchange_request *req = &ex->request;
    struct metadata old = req->headers;
    struct slice target = arena_copy(&ex->arena, req->target);
    metadata_init(&req->headers, &ex->arena, SIZE_MAX / 2);
    for (uint32_t i = 0; i < old.count; i++)
        if (metadata_add(&req->headers, old.entries[i].name, old.entries[i].value) < 0)
            return false;
    exchange_set_target(ex, target);
    req->method_name = arena_copy(&ex->arena, req->method_name);
    req->content_type = metadata_get(&req->headers, SLICE("content-type"));
    req->origin = metadata_get(&req->headers, SLICE("origin"));
    req->host = metadata_get(&req->headers, SLICE("host"));
    return req->target.data != NULL;
}

void exchange_begin(struct exchange *ex, struct slice method, struct slice target,
                    struct slice version)
{
    struct firewall_verdict verdict = firewall_judge(&ex->firewall, method, target, version);
    bool served = exchange_set_target(ex, target);
    exchange_fill_request(ex);
    if (verdict.http_status) {
        ex->must_close = true;
        refusal_answer(ex, verdict.http_status, verdict.reason);
        return;
    }
    /* The library answers a broken chunk or trailer section by itself, and may build that answer
     * where the request's head stood, while the exchange goes on. */
    if (ex->firewall.chunked && !exchange_keep_request(ex)) {
        exchange_abort(ex);
        return;
    }
    ex->request.upgradable = is_upgradable(ex);
    struct cors_request page = page_of(ex);
    ex->cors = cors_decide(&ex->all->cors, &page);
    ex->request.any_origin = ex->cors == CORS_ALLOWED_ANY;
    if (ex->cors == CORS_REFUSED) {
        refusal_answer(ex, 403, "this origin is not allowed; allow it with --cors-origin");
    } else if (over_memory(ex->all, 95)) {
        ex->must_close = true;
        refusal_answer(ex, 503, "too many responses wait for slow clients");
    } else if (is_preflight(ex)) {
        exchange_answer_preflight(ex);
    } else if (!served) {
        exchange_refuse_path(ex);
    } else {
        exchange_choose_protocol(ex);
    }
}

const struct exchange_request *exchange_request(const struct exchange *ex)
{
    return &ex->request;
}

struct context *exchange_context(const struct exchange *ex)
{
    return ex->all->ctx;
}

struct exchange_outcome *exchange_outcome(struct exchange *ex)
{
    return &ex->outcome;
}

void *exchange_alloc(struct exchange *ex, size_t size)
{
    return arena_alloc(&ex->arena, size);
}

struct arena *exchange_arena(struct exchange *ex)
{
    return &ex->arena;
}

/* Fields that frame the message belong to the front. */
static bool is_framing(struct slice name)
{
    return slice_equal(name, SLICE("connection")) || slice_equal(name, SLICE("content-length")) ||
           slice_equal(name, SLICE("transfer-encoding")) ||
           slice_equal(name, SLICE("keep-alive")) || slice_equal(name, SLICE("upgrade")) ||
           slice_equal(name, SLICE("date"));
}

static void exchange_copy_field(struct exchange *ex, const struct metadata_entry *field,
                                struct metadata *to)
{
    if (is_framing(field->name) || field->name.len == 0 || field->value.len == 0 ||
        !metadata_value_valid(field->value))
        return;
    uint8_t *name = arena_alloc(&ex->arena, field->name.len + field->value.len + 2);
    if (!name)
        return;
    uint8_t *value = name + field->name.len + 1;
    memcpy(name, field->name.data, field->name.len);
    name[field->name.len] = 0;
    memcpy(value, field->value.data, field->value.len);
    value[field->value.len] = 0;
    metadata_add_borrowed(to, slice_from(name, field->name.len),
                          slice_from(value, field->value.len));
}

void exchange_head(struct exchange *ex, int http_status, const struct metadata *headers)
{
    if (ex->reply == REPLY_ABORTED)
        return;
    exchange_set_reply(ex, REPLY_HEAD);
    ex->http_status = http_status;
    for (uint32_t i = 0; headers && i < headers->count; i++)
        exchange_copy_field(ex, &headers->entries[i], &ex->head);
    if (!ex->hold)
        ex->all->wake(ex);
}

void exchange_hold(struct exchange *ex)
{
    ex->hold = true;
}

void exchange_upgrade(struct exchange *ex, struct slice name, const struct metadata *headers)
{
    assert(ex->request.upgradable);
    ex->upgraded = true;
    metadata_add_borrowed(&ex->head, SLICE("upgrade"), name);
    exchange_head(ex, 101, headers);
    if (!exchange_keep_request(ex)) /* it goes with the library */
        exchange_abort(ex);
}

static void exchange_count_buffered(struct exchange *ex, size_t before)
{
    metrics_add(ex->all->ctx->metrics, METRIC_BUFFERED_BYTES,
                (uint64_t)buf_len(&ex->out) - (uint64_t)before);
}

bool exchange_write(struct exchange *ex, struct slice data)
{
    if (ex->reply == REPLY_ENDED || ex->reply == REPLY_ABORTED)
        return true;
    size_t before = buf_len(&ex->out);
    /* At once: growing to the bound step by step would copy it twice. */
    if (ex->hold && before < EXCHANGE_HIGH_WATER && before + data.len >= EXCHANGE_HIGH_WATER)
        buf_reserve(&ex->out, EXCHANGE_HOLD);
    if (buf_append_slice(&ex->out, data) < 0) {
        exchange_abort(ex);
        return true;
    }
    exchange_count_buffered(ex, before);
    size_t limit = ex->hold ? EXCHANGE_HOLD : EXCHANGE_HIGH_WATER;
    bool full = buf_len(&ex->out) >= limit;
    ex->hold = ex->hold && !full;
    /* Who was told "full" once is told when there is room, whatever is written until then. */
    ex->blocked |= full;
    if (ex->reply == REPLY_HEAD && !ex->hold)
        ex->all->wake(ex);
    return !ex->blocked;
}

void exchange_trailers(struct exchange *ex, const struct metadata *trailers)
{
    if (trailers->count == 0 || ex->firewall.http_1_0 || ex->request.method == METHOD_HEAD ||
        !trailers_accepted(metadata_get(&ex->request.headers, SLICE("te"))))
        return;
    metadata_init(&ex->trailers, &ex->arena, MAX_TRAILERS);
    for (uint32_t i = 0; i < trailers->count; i++)
        if (trailers_allowed(trailers->entries[i].name))
            exchange_copy_field(ex, &trailers->entries[i], &ex->trailers);
}

void exchange_end(struct exchange *ex)
{
    if (ex->reply == REPLY_ABORTED)
        return;
    exchange_set_reply(ex, REPLY_ENDED);
    /* Nobody reads the rest of an upload whose answer is known. */
    exchange_discard_upload(ex);
}

void exchange_abort(struct exchange *ex)
{
    exchange_set_reply(ex, REPLY_ABORTED);
    exchange_discard_upload(ex);
}

void exchange_pause_upload(struct exchange *ex)
{
    if (ex->upload == UPLOAD_OPEN)
        ex->upload_paused = true;
}

void exchange_resume_upload(struct exchange *ex)
{
    if (!ex->upload_paused)
        return;
    ex->upload_paused = false;
    ex->all->wake(ex);
}

void exchange_discard_upload(struct exchange *ex)
{
    if (ex->upload == UPLOAD_OPEN)
        ex->upload = UPLOAD_DISCARD;
    ex->upload_paused = false;
    ex->all->wake(ex);
}

void exchange_allow_slow_upload(struct exchange *ex)
{
    ex->upload_slow = true;
}

size_t exchange_take_body(struct exchange *ex, struct slice data)
{
    if (ex->upload == UPLOAD_DISCARD || !ex->protocol) {
        ex->discarded += data.len;
    } else if (ex->upload_paused) {
        return 0;
    } else {
        ex->protocol->on_body(ex, ex->state, data);
    }
    ex->bytes_in += data.len;
    metrics_add(ex->all->ctx->metrics, METRIC_BYTES_IN, data.len);
    return data.len;
}

void exchange_take_body_end(struct exchange *ex)
{
    if (ex->body_end_seen || ex->upload_paused || ex->upgraded)
        return;
    ex->body_end_seen = true;
    bool wanted = ex->upload == UPLOAD_OPEN;
    ex->upload = UPLOAD_DONE;
    if (wanted && ex->protocol && ex->reply != REPLY_ABORTED)
        ex->protocol->on_body_end(ex, ex->state);
}

/* A client stream has no length of its own either; its time is limited. */
bool exchange_discarded_too_much(const struct exchange *ex)
{
    return !ex->upload_slow &&
           ex->discarded > DISCARD_MAX * ex->all->ctx->config->limits.max_message_bytes + SLACK;
}

/* As far as they are known when the head is sent. */
static void exchange_announce_trailers(struct exchange *ex)
{
    struct buf names;
    buf_init(&names, MAX_TRAILERS);
    trailers_append_names(&ex->trailers, &names);
    struct metadata_entry field = {SLICE("trailer"), buf_slice(&names)};
    exchange_copy_field(ex, &field, &ex->head);
    buf_fini(&names);
}

void exchange_commit(struct exchange *ex)
{
    ex->committed = true;
    if (ex->upgraded)
        return;
    if (ex->http_status == 204 || ex->http_status == 304)
        ex->trailers.count = 0;
    if (ex->trailers.count > 0)
        exchange_announce_trailers(ex);
    if (ex->cors > CORS_SAME_ORIGIN && ex->cors != CORS_REFUSED && !ex->preflight)
        cors_response_fields(ex->cors, ex->request.origin, &ex->head);
    if (ex->all->ctx->draining || over_memory(ex->all, 92))
        ex->must_close = true;
}

void exchange_limit_head(struct exchange *ex, size_t room)
{
    if (ex->upgraded || !ex->protocol || ex->head.bytes <= room)
        return;
    if (ex->protocol->close)
        ex->protocol->close(ex, ex->state);
    ex->protocol = NULL;
    size_t before = buf_len(&ex->out);
    buf_reset(&ex->out, KEEP_OUT);
    exchange_count_buffered(ex, before);
    metadata_init(&ex->head, &ex->arena, MAX_RESPONSE_FIELDS);
    ex->trailers.count = 0;
    ex->hold = ex->blocked = false;
    exchange_set_reply(ex, REPLY_NONE);
    refusal_answer_call(ex, 429, STATUS_RESOURCE_EXHAUSTED,
                        "the reply's metadata is too large to be sent as HTTP fields; the fewer "
                        "the request has, the more fit");
    exchange_commit(ex);
}

struct slice exchange_output(const struct exchange *ex)
{
    return buf_slice(&ex->out);
}

size_t exchange_take_output(struct exchange *ex, void *to, size_t len)
{
    size_t before = buf_len(&ex->out);
    if (len > before)
        len = before;
    const uint8_t *from = exchange_output(ex).data;
    if (len == 0 || !from)
        return 0;
    memcpy(to, from, len);
    exchange_drop_output(ex, len);
    return len;
}

void exchange_drop_output(struct exchange *ex, size_t len)
{
    size_t before = buf_len(&ex->out);
    buf_consume(&ex->out, len);
    exchange_count_buffered(ex, before);
    ex->bytes_out += len;
    metrics_add(ex->all->ctx->metrics, METRIC_BYTES_OUT, len);
    if (ex->blocked && ex->protocol && ex->reply == REPLY_HEAD &&
        buf_len(&ex->out) < EXCHANGE_LOW_WATER) {
        ex->blocked = false;
        ex->protocol->on_writable(ex, ex->state);
    }
}

static void exchange_log(const struct exchange *ex, uint64_t us)
{
    struct log *log = ex->all->ctx->log;
    const struct config *config = ex->all->ctx->config;
    bool call = ex->outcome.rpc.len > 0;
    bool info = call && !ex->all->quiet;
    if (!log_begin(log, info ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, call ? "call" : "request"))
        return;
    log_str(log, "method", ex->request.method_name);
    log_str(log, "path", ex->request.path);
    if (call && !slice_equal(ex->outcome.rpc, ex->request.path))
        log_str(log, "rpc", ex->outcome.rpc);
    if (call && config->upstreams_count > 1)
        log_text(log, "upstream", config->upstreams[ex->outcome.upstream].target.text);
    log_text(log, "protocol", ex->protocol ? ex->protocol->name : "front");
    log_uint(log, "http_status", (uint64_t)ex->http_status);
    if (call)
        log_text(log, "code", status_name(ex->outcome.code));
    log_uint(log, "bytes_in", ex->bytes_in);
    log_uint(log, "bytes_out", ex->bytes_out);
    log_duration_us(log, "duration_ms", us);
    if (call)
        log_duration_us(log, "upstream_ms", ex->outcome.upstream_us);
    log_str(log, "peer", ex->request.peer);
    if (ex->outcome.message.len)
        log_str(log, "message", ex->outcome.message);
    log_end(log);
}

bool exchange_fail(struct exchange *ex, const struct status *st)
{
    bool running = ex->reply == REPLY_NONE || ex->reply == REPLY_HEAD;
    if (running && ex->protocol && ex->protocol->on_fail)
        ex->protocol->on_fail(ex, ex->state, st);
    return ex->reply == REPLY_ENDED || ex->reply == REPLY_ABORTED;
}

void exchange_close(struct exchange *ex)
{
    struct exchanges *all = ex->all;
    if (ex->protocol && ex->protocol->close)
        ex->protocol->close(ex, ex->state);
    uint64_t us = loop_now_us(all->ctx->loop) - ex->request.start_us;
    if (!ex->committed)
        ex->http_status = 499; /* the client left before it got an answer */
    if (ex->outcome.rpc.len)
        metrics_call(all->ctx->metrics, ex->protocol ? ex->protocol->name : "front",
                     ex->outcome.code, us, ex->outcome.upstream_us);
    exchange_log(ex, us);
    metrics_sub(all->ctx->metrics, METRIC_EXCHANGES_OPEN, 1);
    metrics_sub(all->ctx->metrics, METRIC_BUFFERED_BYTES, buf_len(&ex->out));
    buf_reset(&ex->out, KEEP_OUT);
    arena_fini(&ex->arena);
    if (all->spare_count == MAX_SPARE) {
        buf_fini(&ex->out);
        free(ex);
        return;
    }
    list_append(&all->spare, &ex->node);
    all->spare_count++;
}
