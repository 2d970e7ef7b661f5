/* description: what this gateway serves, for programs: /openapi.json (OpenAPI 3.1) and
 * /descriptors.binpb (a serialised google.protobuf.FileDescriptorSet), both of the schema that is
 * in use now.  On and off together with the page (page.c).  To add a document, add a row. */
#include "gateway/protocol/document.h"
#include "gateway/protocol/error_body.h"
#include "gateway/protocol/protocols.h"
#include "gateway/schema/openapi.h"

enum { MAX_HEAD = 4096, MAX_ERROR = 4096 };

struct description {
    const char *path, *type;
    /* Borrowed from the snapshot; data NULL with *st. */
    struct slice (*get)(const struct context *ctx, struct status *st);
};

static struct slice get_openapi(const struct context *ctx, struct status *st)
{
    const struct config *config = ctx->config;
    const struct openapi_options options = {
        .prefix = config->path_prefix,
        .proto_names = config->json_proto_names,
        .enums_as_numbers = config->json_enums_as_numbers,
        .int64_as_numbers = config->json_int64_as_numbers,
    };
    return routes_openapi(ctx->routes, &options, st);
}

static struct slice get_descriptors(const struct context *ctx, struct status *st)
{
    (void)st;
    return schema_descriptor_set(ctx->schema);
}

static const struct description descriptions[] = {
    {"/openapi.json", "application/json", get_openapi},
    {"/descriptors.binpb", "application/x-protobuf", get_descriptors},
};

static const struct description *find_description(struct slice path)
{
    for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++)
        if (slice_equal(path, slice_from_string(descriptions[i].path)))
            return &descriptions[i];
    return NULL;
}

static bool description_matches(const struct exchange_request *req, const struct context *ctx)
{
    return find_description(req->path) && document_may_serve(req, ctx);
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
    exchange_end(ex);
    buf_fini(&body);
}

static void *description_open(struct exchange *ex)
{
    const struct context *ctx = exchange_context(ex);
    const struct description *description = find_description(exchange_request(ex)->path);
    struct document document = {.type = slice_from_string(description->type)};
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "the services of the upstream are not known yet");
    if (ctx->routes)
        document.body = description->get(ctx, &st);
    if (document.body.data)
        document_send(ex, &document);
    else
        description_refuse(ex, &st);
    return NULL;
}

const struct protocol protocol_description = {
    .name = "description",
    .matches = description_matches,
    .open = description_open,
};
