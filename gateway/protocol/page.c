/* page: the page for developers at `/`: the files of web/, embedded in the binary, and
 * /services.json, which tells the page what this gateway serves.  Nothing comes from other hosts
 * and nothing inline runs (Content Security Policy Level 3).  It is off on a gateway that listens
 * beyond loopback, unless it was asked for.  To add a file, add it to web/assets.S and a row here.
 */
#include "base/buf.h"
#include "gateway/protocol/document.h"
#include "gateway/protocol/protocols.h"
#include "gateway/schema/schema.h"

#include <jansson.h>
#include <stdlib.h>

extern const uint8_t web_index_html[], web_index_html_end[], web_app_js[], web_app_js_end[];
extern const uint8_t web_style_css[], web_style_css_end[], web_icon_svg[], web_icon_svg_end[];

enum { MAX_UPSTREAMS = 64 << 10 /* bytes of their names */ };

struct asset {
    const char *path;
    const char *type;
    const uint8_t *start, *end; /* NULL: made from the schema */
};

static const struct asset assets[] = {
    {"/", "text/html; charset=utf-8", web_index_html, web_index_html_end},
    {"/app.js", "text/javascript; charset=utf-8", web_app_js, web_app_js_end},
    {"/style.css", "text/css; charset=utf-8", web_style_css, web_style_css_end},
    {"/icon.svg", "image/svg+xml", web_icon_svg, web_icon_svg_end},
    {"/services.json", "application/json", NULL, NULL},
};

static const struct metadata_entry security_fields[] = {
#define FIELD(name, value)                                                                         \
    {                                                                                              \
        {(const uint8_t *)(name), sizeof(name) - 1},                                               \
        {                                                                                          \
            (const uint8_t *)(value), sizeof(value) - 1                                            \
        }                                                                                          \
    }
    FIELD("content-security-policy",
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
          "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    FIELD("referrer-policy", "no-referrer"),
    FIELD("cross-origin-resource-policy", "same-origin"),
#undef FIELD
};

static const struct asset *find_asset(struct slice path)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (slice_equal(path, slice_from_string(assets[i].path)))
            return &assets[i];
    return NULL;
}

static bool page_matches(const struct exchange_request *req, const struct context *ctx)
{
    return find_asset(req->path) && document_may_serve(req, ctx);
}

static json_t *page_string(struct slice s)
{
    return json_stringn((const char *)s.data, s.len);
}

/* Steals nothing; NULL when memory is out or a name of the schema is not UTF-8. */
static json_t *page_method(const struct method *method)
{
    return json_pack("{so so so so sb sb}", "path", page_string(method->path), "name",
                     page_string(method->name), "input", page_string(method->input->full_name),
                     "output", page_string(method->output->full_name), "clientStreaming",
                     method->client_streaming, "serverStreaming", method->server_streaming);
}

/* With several upstreams it says which one it is on. */
static json_t *page_service(const struct context *ctx, struct slice name)
{
    json_t *methods = json_array();
    const struct config *config = ctx->config;
    const char *upstream = NULL;
    for (size_t i = 0; i < schema_method_count(ctx->schema); i++) {
        const struct method *method = schema_method_at(ctx->schema, i);
        if (!slice_equal(method->service, name))
            continue;
        json_array_append_new(methods, page_method(method));
        upstream =
            config->upstreams_count > 1 ? config->upstreams[method->upstream].target.text : NULL;
    }
    return json_pack("{so ss* so}", "name", page_string(name), "upstream", upstream, "methods",
                     methods);
}

/* "a:1, b:2", as text in `out`; NULL when memory is out. */
static const char *page_upstreams(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config->upstreams_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", config->upstreams[i].target.text);
    return buf_append_byte(out, 0) == 0 ? (const char *)buf_slice(out).data : NULL;
}

/* What the gateway serves now, as a malloc'ed text; NULL when memory is out. */
static char *page_services(const struct context *ctx)
{
    const struct schema *schema = ctx->schema;
    json_t *services = json_array();
    for (size_t i = 0; schema && i < schema_service_count(schema); i++)
        json_array_append_new(services, page_service(ctx, schema_service_at(schema, i)));
    struct buf upstreams;
    buf_init(&upstreams, MAX_UPSTREAMS);
    json_t *root = json_pack("{ss ss* ss* so}", "version", DRAWBRIDGE_VERSION, "upstream",
                             page_upstreams(ctx->config, &upstreams), "schema",
                             schema ? schema_source(schema) : NULL, "services", services);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    buf_fini(&upstreams);
    return text;
}

static void *page_open(struct exchange *ex)
{
    const struct asset *asset = find_asset(exchange_request(ex)->path);
    char *made = asset->start ? NULL : page_services(exchange_context(ex));
    struct document document = {
        .type = slice_from_string(asset->type),
        .body = asset->start ? slice_from(asset->start, (size_t)(asset->end - asset->start))
                             : slice_from_string(made),
        .fields = security_fields,
        .fields_count = sizeof security_fields / sizeof *security_fields,
    };
    document_send(ex, &document);
    free(made);
    return NULL;
}

const struct protocol protocol_page = {
    .name = "page",
    .matches = page_matches,
    .open = page_open,
};
