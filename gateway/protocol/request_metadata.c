#include "gateway/protocol/request_metadata.h"

#include "grpc/timeout.h"

enum { MAX_METADATA_BYTES = 64 * 1024, FORWARDED_FIELDS = 3 };

/* Whether the Connection field lists the name (RFC 9110 section 7.6.1); the usual values list
 * nothing of interest. */
static bool listed_in_connection(struct slice connection, struct slice name)
{
    while (connection.data)
        if (slice_equal_ignore_case(slice_trim(slice_cut(&connection, ',')), name))
            return true;
    return false;
}

static bool connection_lists_fields(struct slice connection)
{
    return connection.len > 0 && !slice_equal_ignore_case(connection, SLICE("keep-alive")) &&
           !slice_equal_ignore_case(connection, SLICE("close"));
}

/* Ours are added instead: what a client claims about itself is not trusted. */
static bool is_forwarded(struct slice name)
{
    return slice_equal(name, SLICE("x-forwarded-for")) ||
           slice_equal(name, SLICE("x-forwarded-proto")) ||
           slice_equal(name, SLICE("x-forwarded-host"));
}

static bool collect_field(struct exchange *ex, struct metadata *md, struct metadata_entry field,
                          struct status *st)
{
    if (metadata_is_binary(field.name)) {
        if (!metadata_binary_valid(field.value)) {
            status_set(st, STATUS_INVALID_ARGUMENT, "metadata %.*s is not base64",
                       SLICE_PRINT(field.name));
            return false;
        }
        field.value = metadata_binary_unpadded(field.value, exchange_arena(ex));
    }
    if (!field.value.data || metadata_add_borrowed(md, field.name, field.value) < 0) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "request metadata is larger than %d bytes",
                   MAX_METADATA_BYTES);
        return false;
    }
    return true;
}

/* The address without its port and brackets. */
static struct slice peer_host(struct slice peer)
{
    if (slice_has_prefix(peer, SLICE("unix:")))
        return SLICE("unix");
    while (peer.len > 0 && peer.data[--peer.len] != ':')
        continue;
    if (peer.len > 1 && peer.data[0] == '[')
        peer = slice_from(peer.data + 1, peer.len - 2);
    return peer;
}

static void add_forwarded(struct exchange *ex, struct metadata *md)
{
    const struct exchange_request *req = exchange_request(ex);
    metadata_add_borrowed(md, SLICE("x-forwarded-for"), peer_host(req->peer));
    metadata_add_borrowed(md, SLICE("x-forwarded-proto"), SLICE("http"));
    if (req->host.len > 0)
        metadata_add_borrowed(md, SLICE("x-forwarded-host"), req->host);
}

static bool collect_all(struct exchange *ex, const struct metadata *fields, struct slice prefix,
                        struct metadata *md, struct status *st)
{
    metadata_init(md, exchange_arena(ex), MAX_METADATA_BYTES);
    metadata_reserve(md, fields->count + FORWARDED_FIELDS);
    struct slice connection = metadata_get(fields, SLICE("connection"));
    bool listed = connection_lists_fields(connection);
    for (uint32_t i = 0; i < fields->count; i++) {
        struct metadata_entry field = fields->entries[i];
        if (listed && listed_in_connection(connection, field.name))
            continue;
        if (prefix.len > 0 && slice_has_prefix(field.name, prefix))
            field.name = slice_skip(field.name, prefix.len);
        if (metadata_stripped_upstream(field.name) || is_forwarded(field.name))
            continue;
        if (!collect_field(ex, md, field, st))
            return false;
    }
    add_forwarded(ex, md);
    return true;
}

bool request_metadata_collect_from(struct exchange *ex, const struct metadata *fields,
                                   struct metadata *md, struct status *st)
{
    return collect_all(ex, fields, SLICE(""), md, st);
}

bool request_metadata_collect(struct exchange *ex, struct metadata *md, struct status *st)
{
    return collect_all(ex, &exchange_request(ex)->headers, SLICE(""), md, st);
}

bool request_metadata_collect_unprefixed(struct exchange *ex, struct slice prefix,
                                         struct metadata *md, struct status *st)
{
    return collect_all(ex, &exchange_request(ex)->headers, prefix, md, st);
}

uint64_t request_metadata_deadline_after(struct exchange *ex, uint64_t timeout_ms)
{
    const struct context *ctx = exchange_context(ex);
    uint64_t default_ms = ctx->config->limits.default_timeout_ms;
    uint64_t cap_ms = ctx->config->limits.max_timeout_ms;
    if (timeout_ms == UINT64_MAX && default_ms)
        timeout_ms = default_ms;
    if (cap_ms && timeout_ms > cap_ms)
        timeout_ms = cap_ms;
    if (timeout_ms == UINT64_MAX)
        return 0;
    /* Zero is already expired; a deadline of 0 would mean none. */
    uint64_t deadline_ms = loop_now_ms(ctx->loop) + timeout_ms;
    return deadline_ms ? deadline_ms : 1;
}

bool request_metadata_deadline_from(struct exchange *ex, const struct metadata *fields,
                                    uint64_t *deadline_ms, struct status *st)
{
    struct slice text = metadata_get(fields, SLICE("grpc-timeout"));
    uint64_t timeout_ms = UINT64_MAX;
    if (text.data) {
        uint64_t us;
        if (timeout_parse(text, &us) < 0) {
            status_set(st, STATUS_INVALID_ARGUMENT,
                       "grpc-timeout \"%.*s\" is malformed: 1 to 8 digits and one of H M S m u n "
                       "are wanted",
                       text.len > 40 ? 40 : (int)text.len, (const char *)text.data);
            return false;
        }
        timeout_ms = us / 1000 + (us % 1000 ? 1 : 0);
    }
    *deadline_ms = request_metadata_deadline_after(ex, timeout_ms);
    return true;
}

bool request_metadata_deadline(struct exchange *ex, uint64_t *deadline_ms, struct status *st)
{
    return request_metadata_deadline_from(ex, &exchange_request(ex)->headers, deadline_ms, st);
}

/* The same name when memory is out. */
static struct slice prefixed(struct slice name, struct slice prefix, struct arena *arena)
{
    bool stays = prefix.len == 0 || slice_equal(name, SLICE("location"));
    uint8_t *text = stays ? NULL : arena_alloc(arena, prefix.len + name.len);
    if (!text)
        return name;
    memcpy(text, prefix.data, prefix.len);
    memcpy(text + prefix.len, name.data, name.len);
    return slice_from(text, prefix.len + name.len);
}

void request_metadata_to_front(const struct metadata *from, struct metadata *to)
{
    request_metadata_to_front_prefixed(from, SLICE(""), to);
}

void request_metadata_to_front_prefixed(const struct metadata *from, struct slice prefix,
                                        struct metadata *to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct metadata_entry field = from->entries[i];
        if (metadata_stripped_front(field.name) || !metadata_value_valid(field.value))
            continue;
        metadata_add_borrowed(to, prefixed(field.name, prefix, to->arena), field.value);
    }
}

void request_metadata_outcome(struct exchange *ex, const struct status *st, uint64_t upstream_us)
{
    struct exchange_outcome *outcome = exchange_outcome(ex);
    outcome->code = st->code;
    outcome->upstream_us = upstream_us;
    struct slice message = status_message(st);
    if (message.len > 0)
        outcome->message = arena_copy(exchange_arena(ex), message);
}
