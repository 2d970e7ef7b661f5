/* admin: what the operator's listener serves: /healthz, /readyz, /metrics.  To add a page, add a
 * row to `pages`. */
#include "gateway/gateway.h"
#include "gateway/protocol.h"

struct page {
    struct slice path;
    /* Fills the body; returns the HTTP status. */
    int (*write)(struct gateway *g, struct buf *body);
    const char *content_type;
};

static int write_healthz(struct gateway *g, struct buf *body)
{
    (void)g;
    buf_printf(body, "ok\n");
    return 200;
}

static int write_readyz(struct gateway *g, struct buf *body)
{
    return gateway_is_ready(g, body) ? 200 : 503;
}

static int write_metrics(struct gateway *g, struct buf *body)
{
    return gateway_write_metrics(g, body) < 0 ? 500 : 200;
}

#define PATH(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
static const struct page pages[] = {
    {PATH("/healthz"), write_healthz, "text/plain; charset=utf-8"},
    {PATH("/readyz"), write_readyz, "text/plain; charset=utf-8"},
    {PATH("/metrics"), write_metrics, "text/plain; version=0.0.4; charset=utf-8"},
};
#undef PATH

static bool admin_matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)req, (void)ctx;
    return true;
}

static const struct page *admin_page(struct slice path)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (slice_equal(path, pages[i].path))
            return &pages[i];
    return NULL;
}

static void *admin_open(struct exchange *ex)
{
    const struct exchange_request *req = exchange_request(ex);
    const struct page *page = admin_page(req->path);
    struct metadata head;
    struct buf body;
    int http_status = 404;
    metadata_init(&head, exchange_arena(ex), 4096);
    buf_init(&body, 4 << 20);
    if (page && (req->method == METHOD_GET || req->method == METHOD_HEAD)) {
        http_status = page->write(exchange_context(ex)->gateway, &body);
    } else if (req->method == METHOD_CUSTOM) {
        http_status = 501;
    } else if (page) {
        http_status = 405;
        metadata_add_borrowed(&head, SLICE("allow"), SLICE("GET, HEAD"));
    }
    if (http_status == 404)
        buf_printf(
            &body,
            "nothing here: this is the admin listener, with /healthz, /readyz and /metrics\n");
    metadata_add_borrowed(
        &head, SLICE("content-type"),
        slice_from_string(page ? page->content_type : "text/plain; charset=utf-8"));
    metadata_add_borrowed(&head, SLICE("cache-control"), SLICE("no-store"));
    exchange_head(ex, http_status, &head);
    exchange_write(ex, buf_slice(&body));
    exchange_end(ex);
    buf_fini(&body);
    return NULL;
}

const struct protocol protocol_admin = {
    .name = "admin",
    .matches = admin_matches,
    .open = admin_open,
};
