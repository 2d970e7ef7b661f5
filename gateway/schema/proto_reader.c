#include "gateway/schema/proto_reader.h"

#include "gateway/schema/types.h"

enum { MAX_VARINT_LEN = 10, MAX_GROUP_DEPTH = 64, MAX_NUMBER = (1 << 29) - 1 };

void proto_reader_init(struct proto_reader *r, struct slice bytes)
{
    *r = (struct proto_reader){.rest = bytes};
}

static bool read_varint(struct slice *rest, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rest->len && i < MAX_VARINT_LEN; i++) {
        uint8_t byte = rest->data[i];
        if (i == MAX_VARINT_LEN - 1 && byte > 1)
            return false;
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = sum;
            *rest = slice_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct slice *rest, uint64_t len, struct slice *bytes)
{
    if (len > rest->len)
        return false;
    *bytes = slice_first(*rest, (size_t)len);
    *rest = slice_skip(*rest, (size_t)len);
    return true;
}

static bool read_fixed(struct slice *rest, size_t len, uint64_t *value)
{
    struct slice bytes;
    if (!read_bytes(rest, len, &bytes))
        return false;
    *value = 0;
    for (size_t i = 0; i < len; i++)
        *value |= (uint64_t)bytes.data[i] << (8 * i);
    return true;
}

static bool read_tag(struct slice *rest, struct proto_field *field)
{
    uint64_t tag;
    if (!read_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_NUMBER)
        return false;
    *field = (struct proto_field){.number = (uint32_t)(tag >> 3), .wire_type = tag & 7};
    return true;
}

/* The content of everything but groups. */
static bool read_content(struct slice *rest, struct proto_field *field)
{
    switch (field->wire_type) {
    case WIRE_VARINT:
        return read_varint(rest, &field->value);
    case WIRE_FIXED64:
        return read_fixed(rest, 8, &field->value);
    case WIRE_FIXED32:
        return read_fixed(rest, 4, &field->value);
    case WIRE_LEN: {
        uint64_t len;
        return read_varint(rest, &len) && read_bytes(rest, len, &field->bytes);
    }
    default:
        return false;
    }
}

/* Nested groups are followed with a stack of their numbers: each must be closed by its own. */
static bool read_group(struct slice *rest, struct proto_field *group)
{
    uint32_t open[MAX_GROUP_DEPTH] = {group->number};
    size_t depth = 1;
    const uint8_t *start = rest->data;
    while (depth > 0) {
        struct proto_field inner;
        const uint8_t *before = rest->data;
        if (!read_tag(rest, &inner))
            return false;
        if (inner.wire_type == WIRE_EGROUP) {
            if (inner.number != open[--depth])
                return false;
            group->bytes = slice_from(start, (size_t)(before - start));
        } else if (inner.wire_type == WIRE_SGROUP) {
            if (depth == MAX_GROUP_DEPTH)
                return false;
            open[depth++] = inner.number;
        } else if (!read_content(rest, &inner)) {
            return false;
        }
    }
    return true;
}

bool proto_reader_next(struct proto_reader *r, struct proto_field *field)
{
    if (r->malformed || r->rest.len == 0)
        return false;
    bool good = read_tag(&r->rest, field) &&
                (field->wire_type == WIRE_SGROUP ? read_group(&r->rest, field)
                                                 : read_content(&r->rest, field));
    r->malformed = !good;
    return good;
}

bool proto_reader_check(struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field))
        continue;
    return !r.malformed;
}

struct slice proto_reader_find_bytes(struct slice message, uint32_t number)
{
    struct slice found = {NULL, 0};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, message);
    while (proto_reader_next(&r, &field))
        if (field.number == number && field.wire_type == WIRE_LEN)
            found = field.bytes;
    return found;
}
