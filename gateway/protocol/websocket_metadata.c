#include "gateway/protocol/websocket_metadata.h"

/* Adds the lines; the text is ours to change. */
static bool parse_lines(struct slice text, struct metadata *fields, struct status *st)
{
    while (text.data) {
        struct slice value = slice_cut(&text, '\n');
        if (value.len > 0 && value.data[value.len - 1] == '\r')
            value.len--;
        if (value.len == 0)
            continue;
        struct slice name = slice_trim(slice_cut(&value, ':'));
        if (!metadata_lower_name((uint8_t *)(uintptr_t)name.data, name.len) || !value.data) {
            status_set(st, STATUS_INVALID_ARGUMENT,
                       "the first message must hold the metadata as \"name: value\" lines");
            return false;
        }
        value = slice_trim(value);
        if (!metadata_value_valid(value)) {
            status_set(st, STATUS_INVALID_ARGUMENT,
                       "the value of metadata %.*s contains control characters", SLICE_PRINT(name));
            return false;
        }
        if (metadata_add_borrowed(fields, name, value) < 0) {
            status_set(st, STATUS_RESOURCE_EXHAUSTED, "too much request metadata");
            return false;
        }
    }
    return true;
}

/* What the browser adds by itself proves nothing about a page that only "*" lets in. */
static bool is_ambient(struct slice name)
{
    return slice_equal(name, SLICE("cookie")) || slice_equal(name, SLICE("authorization"));
}

/* Scripts cannot set fields of the upgrade request, but browsers put cookies there: what the first
 * message does not name is taken from it. */
static void add_upgrade_fields(const struct exchange_request *req, struct metadata *fields)
{
    uint32_t own = fields->count;
    for (uint32_t i = 0; i < req->headers.count; i++) {
        struct metadata_entry field = req->headers.entries[i];
        struct metadata first = *fields;
        first.count = own;
        if (metadata_get(&first, field.name).data ||
            slice_equal(field.name, SLICE("grpc-timeout")) ||
            (req->any_origin && is_ambient(field.name)))
            continue;
        metadata_add_borrowed(fields, field.name, field.value);
    }
}

bool websocket_metadata_collect(struct exchange *ex, struct slice text, struct metadata *fields,
                                struct status *st)
{
    metadata_init(fields, exchange_arena(ex), SIZE_MAX / 2);
    if (!parse_lines(text, fields, st))
        return false;
    add_upgrade_fields(exchange_request(ex), fields);
    return true;
}
