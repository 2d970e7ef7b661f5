#include "gateway/protocol/document.h"

#include "gateway/schema/routes.h"

#include <stdio.h>

enum { ETAG_LEN = 24, MAX_HEAD = 4096 };

bool document_may_serve(const struct exchange_request *req, const struct context *ctx)
{
    struct path_match match;
    if ((req->method != METHOD_GET && req->method != METHOD_HEAD) ||
        !config_console_on(ctx->config))
        return false;
    return !ctx->routes || !routes_match(ctx->routes, SLICE("GET"), req->path, &match);
}

/* FNV-1a: tells versions apart, no more. */
static struct slice make_etag(struct slice body, char text[static ETAG_LEN])
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ body.data[i]) * 0x100000001b3;
    return slice_from(text,
                      (size_t)snprintf(text, ETAG_LEN, "\"%016llx\"", (unsigned long long)hash));
}

/* The comparison is weak: a proxy that compressed the body has made the tag so. */
static bool client_has(const struct exchange *ex, struct slice etag)
{
    struct slice rest = metadata_get(&exchange_request(ex)->headers, SLICE("if-none-match"));
    while (rest.data) {
        struct slice tag = slice_trim(slice_cut(&rest, ','));
        if (slice_has_prefix(tag, SLICE("W/")))
            tag = slice_skip(tag, 2);
        if (slice_equal(tag, etag) || slice_equal(tag, SLICE("*")))
            return true;
    }
    return false;
}

void document_send(struct exchange *ex, const struct document *document)
{
    char text[ETAG_LEN];
    struct slice etag = make_etag(document->body, text);
    bool known = client_has(ex, etag);
    struct metadata head;
    metadata_init(&head, exchange_arena(ex), MAX_HEAD);
    if (!known)
        metadata_add_borrowed(&head, SLICE("content-type"), document->type);
    metadata_add_borrowed(&head, SLICE("etag"), etag);
    /* Kept, but asked for again. */
    metadata_add_borrowed(&head, SLICE("cache-control"), SLICE("no-cache"));
    metadata_add_borrowed(&head, SLICE("x-content-type-options"), SLICE("nosniff"));
    for (size_t i = 0; i < document->fields_count; i++)
        metadata_add_borrowed(&head, document->fields[i].name, document->fields[i].value);
    exchange_head(ex, known ? 304 : 200, &head);
    exchange_write(ex, document->body); /* of a 304 only the length is sent */
    exchange_end(ex);
}
