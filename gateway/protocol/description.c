/* description: what this gateway serves, for programs: /openapi.json (OpenAPI 3.1) and
 * /descriptors.binpb (a serialised google.protobuf.FileDescriptorSet), both of the schema that is
 * in use now.  On and off together with the page (page.c).  To add a document, add a row. */
#include "gateway/protocol.h"
#include "gateway/protocol/error_body.h"
#include "gateway/protocol/protocols.h"
#include "gateway/schema/routes.h"

#include <stdio.h>

enum { ETAG_LEN = 24, MAX_HEAD = 4096, MAX_ERROR = 4096 };

struct document {
    const char *path, *type;
    /* Borrowed from the snapshot; data NULL with *st. */
    struct slice (*get)(const struct context *ctx, struct status *st);
};

static struct slice get_openapi(const struct context *ctx, struct status *st)
{
    return routes_openapi(ctx->routes, st);
}

static struct slice get_descriptors(const struct context *ctx, struct status *st)
{
    (void)st;
    return schema_descriptor_set(ctx->schema);
}

static const struct document documents[] = {
    {"/openapi.json", "application/json", get_openapi},
    {"/descriptors.binpb", "application/x-protobuf", get_descriptors},
};

static const struct document *find_document(struct slice path)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (slice_equal(path, slice_from_string(documents[i].path)))
            return &documents[i];
    return NULL;
}

/* A service's own path of that name goes first. */
static bool description_matches(const struct exchange_request *req, const struct context *ctx)
{
    struct path_match match;
    bool asks = req->method == METHOD_GET || req->method == METHOD_HEAD;
    if (!asks || !config_console_on(ctx->config) || !find_document(req->path))
        return false;
    return !ctx->routes || !routes_match(ctx->routes, SLICE("GET"), req->path, &match);
}

/* FNV-1a: tells versions apart, no more. */
static struct slice description_etag(struct exchange *ex, struct slice body)
{
    char *text = exchange_alloc(ex, ETAG_LEN);
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ body.data[i]) * 0x100000001b3;
    if (text)
        snprintf(text, ETAG_LEN, "\"%016llx\"", (unsigned long long)hash);
    return slice_from_string(text);
}

static void description_send(struct exchange *ex, const struct document *document,
                             struct slice body)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(ex), MAX_HEAD);
    struct slice etag = description_etag(ex, body);
    struct slice known = metadata_get(&exchange_request(ex)->headers, SLICE("if-none-match"));
    bool same = etag.len > 0 && slice_equal(known, etag);
    if (!same)
        metadata_add_borrowed(&head, SLICE("content-type"), slice_from_string(document->type));
    if (etag.len > 0)
        metadata_add_borrowed(&head, SLICE("etag"), etag);
    metadata_add_borrowed(&head, SLICE("cache-control"), SLICE("no-cache"));
    metadata_add_borrowed(&head, SLICE("x-content-type-options"), SLICE("nosniff"));
    exchange_head(ex, same ? 304 : 200, &head);
    if (!same)
        exchange_write(ex, body);
}

static void description_refuse(struct exchange *ex, const struct status *st)
{
    struct metadata head;
    struct buf body;
    metadata_init(&head, exchange_arena(ex), MAX_HEAD);
    metadata_add_borrowed(&head, SLICE("content-type"), SLICE("application/json"));
    metadata_add_borrowed(&head, SLICE("cache-control"), SLICE("no-store"));
    buf_init(&body, MAX_ERROR);
    error_body_append(&body, st, NULL);
    exchange_head(ex, status_to_http(st->code), &head);
    exchange_write(ex, buf_slice(&body));
    buf_fini(&body);
}

static void *description_open(struct exchange *ex)
{
    const struct context *ctx = exchange_context(ex);
    const struct document *document = find_document(exchange_request(ex)->path);
    struct slice body = {NULL, 0};
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "the services of the upstream are not known yet");
    exchange_discard_upload(ex);
    if (ctx->routes)
        body = document->get(ctx, &st);
    if (body.data)
        description_send(ex, document, body);
    else
        description_refuse(ex, &st);
    exchange_end(ex);
    return NULL;
}

static void description_on_body(struct exchange *ex, void *state, struct slice data)
{
    (void)ex, (void)state, (void)data;
}

static void description_nothing(struct exchange *ex, void *state)
{
    (void)ex, (void)state;
}

const struct protocol protocol_description = {
    .name = "description",
    .matches = description_matches,
    .open = description_open,
    .on_body = description_on_body,
    .on_body_end = description_nothing,
    .on_writable = description_nothing,
    .close = description_nothing,
};
