#include "gateway/front/http1_response.h"

enum {
    POOL_PER_FIELD = 64, /* the library's note of a request field */
    POOL_REST = 512,     /* both first lines, Date, what frames the response */
    BLOCK_BYTES = 16 << 10
};

size_t http1_response_room(const struct exchange *ex)
{
    size_t used = ex->request.target.len + ex->firewall.bytes +
                  ex->firewall.count * POOL_PER_FIELD + POOL_REST;
    return used < HTTP1_POOL_BYTES ? HTTP1_POOL_BYTES - used : 0;
}

/* The answer to HEAD, or a 304, when the length of the body is not known: it must not say a wrong
 * one (RFC 9110 section 8.6).  Without one the library would write the last chunk of a chunked
 * response even here, and the client would read it as the next response; so the connection ends
 * instead. */
static struct MHD_Response *response_without_length(struct exchange *ex,
                                                    MHD_ContentReaderCallback on_read)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, ex, NULL);
    if (response)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

static struct MHD_Response *response_of_kind(struct exchange *ex, MHD_ContentReaderCallback on_read,
                                             MHD_UpgradeHandler on_upgrade)
{
    if (ex->upgraded)
        return MHD_create_response_for_upgrade(on_upgrade, ex);
    struct slice body = exchange_output(ex);
    bool bodiless = ex->request.method == METHOD_HEAD || ex->http_status == 304;
    if (bodiless && body.len == 0 && ex->http_status != 204)
        return response_without_length(ex, on_read);
    if (ex->reply != REPLY_ENDED || ex->trailers.count > 0)
        return MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, ex->firewall.http_1_0 ? BLOCK_BYTES : 1, on_read, ex, NULL);
    if (!bodiless) {
        ex->bytes_out = body.len;
        metrics_add(ex->all->ctx->metrics, METRIC_BYTES_OUT, body.len);
    }
    return MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data,
                                           MHD_RESPMEM_PERSISTENT);
}

static void put_slice(char **at, struct slice s)
{
    memcpy(*at, s.data, s.len);
    *at += s.len;
}

/* The library allocates three times and compares the name with four others for each field.  So all
 * fields go in as one: the first one's value is followed by the others, with blanks where the
 * library would not take line ends, and the line ends are put into its copy. */
static bool add_fields(struct MHD_Response *response, struct exchange *ex)
{
    const struct metadata *fields = &ex->head;
    if (fields->count == 0)
        return true;
    size_t len = fields->bytes + fields->count * 4 + 1;
    char *text = arena_alloc(&ex->arena, len), *at = text;
    if (!text)
        return false;
    put_slice(&at, fields->entries[0].value);
    for (uint32_t i = 1; i < fields->count; i++) {
        put_slice(&at, SLICE("  "));
        put_slice(&at, fields->entries[i].name);
        put_slice(&at, SLICE(": "));
        put_slice(&at, fields->entries[i].value);
    }
    *at = 0;
    const char *first = (const char *)fields->entries[0].name.data;
    MHD_add_response_header(response, first, text);
    char *copy = (char *)(uintptr_t)MHD_get_response_header(response, first);
    if (!copy)
        return false;
    at = copy + fields->entries[0].value.len;
    for (uint32_t i = 1; i < fields->count; i++) {
        at[0] = '\r';
        at[1] = '\n';
        at += 4 + fields->entries[i].name.len + fields->entries[i].value.len;
    }
    return true;
}

struct MHD_Response *http1_response_new(struct exchange *ex, MHD_ContentReaderCallback on_read,
                                        MHD_UpgradeHandler on_upgrade)
{
    struct MHD_Response *response = response_of_kind(ex, on_read, on_upgrade);
    if (!response)
        return NULL;
    if (!add_fields(response, ex)) {
        MHD_destroy_response(response);
        return NULL;
    }
    if (ex->must_close && !ex->upgraded)
        MHD_add_response_header(response, "Connection", "close");
    return response;
}

void http1_response_trailers(struct MHD_Response *response, const struct exchange *ex)
{
    for (uint32_t i = 0; i < ex->trailers.count; i++)
        MHD_add_response_footer(response, (const char *)ex->trailers.entries[i].name.data,
                                (const char *)ex->trailers.entries[i].value.data);
}
