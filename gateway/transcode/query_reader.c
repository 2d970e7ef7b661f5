#include "gateway/transcode/query_reader.h"

#include "base/percent.h"

bool query_reader_next(struct query_reader *r, struct slice *name, struct slice *value)
{
    while (r->rest.len > 0) {
        *value = slice_cut(&r->rest, '&');
        if (value->len == 0)
            continue;
        *name = slice_cut(value, '=');
        return true;
    }
    return false;
}

ssize_t query_decode(struct slice raw, uint8_t *out)
{
    for (size_t i = 0; i < raw.len; i++)
        out[i] = raw.data[i] == '+' ? ' ' : raw.data[i];
    return percent_decode_url(slice_from(out, raw.len), false, (char *)out);
}
