#include "gateway/protocol/connect.h"

#include "gateway/protocol/json_options.h"

enum {
    KEEP_SCRATCH = 64 * 1024, /* of each buffer, between messages */
    SLACK = 64 * 1024,        /* what the text of a message or gzip may add to small ones */
    MIN_PACKED = 1024,        /* a shorter payload is hardly worth the deflating */
};

/* Of a message in the client's codec. */
static size_t max_encoded(const struct connect *c)
{
    size_t max = exchange_context(c->ex)->config->limits.max_message_bytes;
    return c->codec == CONNECT_JSON ? max / 3 * 4 + SLACK : max; /* base64 grows by a third */
}

size_t connect_max_payload(const struct connect *c)
{
    return max_encoded(c) + (c->encoding == COMPRESSION_GZIP ? SLACK : 0);
}

/* Broken gzip is the client's fault, in a protocol that has a code for that. */
static bool inflate(struct connect *c, struct slice payload)
{
    buf_reset(&c->inflated, KEEP_SCRATCH);
    c->inflated.max_len = max_encoded(c);
    if (compression_inflate(payload, &c->inflated, &c->failure))
        return true;
    if (c->failure.code == STATUS_INTERNAL)
        c->failure.code = c->failure.raw_code = STATUS_INVALID_ARGUMENT;
    return false;
}

bool connect_message_to_wire(struct connect *c, struct slice payload, bool compressed,
                             struct slice *wire)
{
    const struct config *config = exchange_context(c->ex)->config;
    size_t limit = config->limits.max_message_bytes;
    *wire = payload;
    if (compressed && payload.len > 0) { /* no bytes at all are an empty message */
        if (!inflate(c, payload))
            return false;
        *wire = buf_slice(&c->inflated);
    }
    if (c->codec == CONNECT_JSON) {
        const struct transcode_options options = json_options(config, c->schema);
        buf_reset(&c->request, KEEP_SCRATCH);
        if (!json_to_wire(c->method->input, *wire, &options, &c->request, &c->failure))
            return false;
        *wire = buf_slice(&c->request);
    }
    if (wire->len > limit)
        status_set(
            &c->failure, STATUS_RESOURCE_EXHAUSTED,
            "request message of %zu bytes is larger than the limit of %zu (--max-message-bytes)",
            wire->len, limit);
    return wire->len <= limit;
}

bool connect_message_from_wire(struct connect *c, struct slice wire, struct slice *payload)
{
    const struct transcode_options options =
        json_options(exchange_context(c->ex)->config, c->schema);
    *payload = wire;
    if (c->codec != CONNECT_JSON)
        return true;
    buf_reset(&c->reply, KEEP_SCRATCH);
    bool ok = wire_to_json(c->method->output, wire, &options, &c->reply, &c->failure);
    *payload = buf_slice(&c->reply);
    return ok;
}

bool connect_message_pack(struct connect *c, struct slice *payload)
{
    if (!c->accept_gzip || payload->len < MIN_PACKED)
        return false;
    buf_reset(&c->packed, KEEP_SCRATCH);
    if (compression_deflate(*payload, &c->packed) < 0 || buf_len(&c->packed) >= payload->len)
        return false;
    *payload = buf_slice(&c->packed);
    return true;
}
