#include "gateway/protocol/rest_http_body.h"

#include "gateway/transcode/wire.h"

#include <errno.h>

enum { CONTENT_TYPE = 1, DATA = 2 };

bool rest_http_body_is(const struct message_type *type, const struct field *field)
{
    if (field)
        type = field->repeated ? NULL : field->message;
    return type && slice_equal(type->full_name, SLICE("google.api.HttpBody"));
}

/* The last value of a length-delimited field; *bytes stays when there is none. */
static bool find_bytes(struct slice wire, uint32_t number, struct slice *bytes)
{
    const uint8_t *at = wire.data, *end = at + wire.len;
    while (at && at < end) {
        uint32_t tag;
        at = wire_tag(at, end, &tag);
        if (!at)
            break;
        if (tag == (number << 3 | WIRE_LEN))
            at = wire_bytes(at, end, bytes);
        else
            at = wire_skip(at, end, tag, WIRE_DEPTH_MAX);
    }
    return at || wire.len == 0;
}

bool rest_http_body_read(struct slice wire, const struct field *field, struct rest_http_body *body)
{
    struct slice inner = {NULL, 0};
    *body = (struct rest_http_body){.data = {NULL, 0}};
    if (field) {
        if (!find_bytes(wire, field->number, &inner))
            return false;
        wire = inner;
    }
    return find_bytes(wire, CONTENT_TYPE, &body->content_type) &&
           find_bytes(wire, DATA, &body->data);
}

static size_t field_len(struct slice value)
{
    return value.len ? 1 + wire_varint_len(value.len) + value.len : 0;
}

static uint8_t *put_field(uint8_t *to, uint32_t number, struct slice value)
{
    if (value.len == 0)
        return to;
    *to++ = (uint8_t)(number << 3 | WIRE_LEN);
    to = wire_put_varint(to, value.len);
    memcpy(to, value.data, value.len);
    return to + value.len;
}

int rest_http_body_append(struct buf *out, const struct field *field, struct rest_http_body body)
{
    size_t len = field_len(body.content_type) + field_len(body.data);
    size_t head = field ? field->tag_len + wire_varint_len(len) : 0;
    uint8_t *to = buf_reserve(out, head + len);
    if (!to)
        return -ENOBUFS;
    if (field) {
        memcpy(to, field->tag, field->tag_len);
        to = wire_put_varint(to + field->tag_len, len);
    }
    put_field(put_field(to, CONTENT_TYPE, body.content_type), DATA, body.data);
    buf_commit(out, head + len);
    return 0;
}
