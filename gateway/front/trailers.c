#include "gateway/front/trailers.h"

bool trailers_accepted(struct slice te)
{
    while (te.data)
        if (slice_equal_ignore_case(slice_trim(slice_cut(&te, ',')), SLICE("trailers")))
            return true;
    return false;
}

bool trailers_allowed(struct slice name)
{
    static const char *const names[] = {
        "age",
        "authorization",
        "cache-control",
        "connection",
        "cookie",
        "date",
        "expect",
        "expires",
        "host",
        "keep-alive",
        "location",
        "max-forwards",
        "pragma",
        "range",
        "retry-after",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "warning",
        "www-authenticate",
    };
    static const char *const prefixes[] = {"content-", "if-", "access-control-", "proxy-", "sec-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(name, slice_from_string(names[i])))
            return false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (slice_has_prefix(name, slice_from_string(prefixes[i])))
            return false;
    return true;
}

static bool came_before(const struct metadata *md, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (slice_equal(md->entries[i].name, md->entries[at].name))
            return true;
    return false;
}

void trailers_append_names(const struct metadata *trailers, struct buf *out)
{
    for (uint32_t i = 0; i < trailers->count; i++)
        if (!came_before(trailers, i))
            buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_PRINT(trailers->entries[i].name));
}
