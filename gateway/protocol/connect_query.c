#include "gateway/protocol/connect_query.h"

#include "base/text.h"
#include "gateway/transcode/query_reader.h"

void connect_query_parse(struct slice query, struct connect_query *q)
{
    *q = (struct connect_query){.version = {NULL, 0}};
    const struct {
        struct slice name;
        struct slice *value;
    } known[] = {
        {SLICE("connect"), &q->version},         {SLICE("encoding"), &q->encoding},
        {SLICE("message"), &q->message},         {SLICE("base64"), &q->base64},
        {SLICE("compression"), &q->compression},
    };
    struct query_reader reader = {query};
    struct slice name, value;
    while (query_reader_next(&reader, &name, &value))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (slice_equal(name, known[i].name) && !known[i].value->data)
                *known[i].value = value.data ? value : SLICE("");
}

bool connect_query_message(const struct connect_query *q, struct arena *arena,
                           struct slice *message, struct status *st)
{
    if (!q->message.data) {
        status_set(st, STATUS_INVALID_ARGUMENT, "the query has no parameter \"message\"");
        return false;
    }
    uint8_t *to = arena_alloc(arena, q->message.len + 1);
    if (!to) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    ssize_t len = query_decode(q->message, to);
    if (len >= 0 && slice_equal(q->base64, SLICE("1")))
        len = text_base64_decode(slice_from(to, (size_t)len), to);
    if (len < 0) {
        status_set(st, STATUS_INVALID_ARGUMENT,
                   "the parameter \"message\" is not percent-encoded%s",
                   slice_equal(q->base64, SLICE("1")) ? " base64" : "");
        return false;
    }
    *message = slice_from(to, (size_t)len);
    return true;
}
