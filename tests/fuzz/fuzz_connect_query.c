/* Any query: what is found lies in it, the first of each name counts, and a message that decodes is
 * no longer than its text. */
#include "gateway/protocol/connect_query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice part, struct slice query)
{
    if (part.len > 0 && (part.data < query.data || part.data + part.len > query.data + query.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice query = slice_from(data, size), message;
    struct connect_query q;
    struct arena arena;
    struct status st;
    if (size > 1 << 16)
        return 0;
    connect_query_parse(query, &q);
    check_inside(q.version, query);
    check_inside(q.encoding, query);
    check_inside(q.message, query);
    check_inside(q.base64, query);
    check_inside(q.compression, query);
    arena_init(&arena, NULL, 0, 1 << 20);
    if (connect_query_message(&q, &arena, &message, &st)) {
        if (!q.message.data || message.len > q.message.len)
            abort();
    } else if (st.code != STATUS_INVALID_ARGUMENT || !st.text[0]) {
        abort();
    }
    arena_fini(&arena);
    return 0;
}
