#include "gateway/transcode/wire.h"

#include "base/word.h"

/* Up to eight bytes at once: the seven bits of each move together in three steps. */
static uint64_t join_sevens(uint64_t word)
{
    word = (word & 0x007f007f007f007fu) | (word & 0x7f007f007f007f00u) >> 1;
    word = (word & 0x00003fff00003fffu) | (word & 0x3fff00003fff0000u) >> 2;
    return (word & 0x000000000fffffffu) | (word & 0x0fffffff00000000u) >> 4;
}

const uint8_t *wire_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t sum = 0;
    if (end - at >= WORD_LEN) {
        uint64_t word = word_load(at);
        uint64_t last = ~word & WORD_EACH(0x80); /* the bytes that end a varint */
        if (last) {
            *value = join_sevens(word & (last ^ (last - 1)));
            return at + (unsigned)__builtin_ctzll(last) / 8 + 1;
        }
    }
    if (end - at > WIRE_VARINT_LEN)
        end = at + WIRE_VARINT_LEN;
    for (unsigned shift = 0; at < end; shift += 7) {
        uint64_t byte = *at++;
        sum += byte << shift;
        if (byte < 0x80) {
            *value = sum;
            return at;
        }
        sum -= (uint64_t)0x80 << shift;
    }
    return NULL;
}

const uint8_t *wire_long_tag(const uint8_t *at, const uint8_t *end, uint32_t *tag)
{
    uint64_t value;
    const uint8_t *next = wire_varint(at, end, &value);
    if (!next || next - at > WIRE_TAG_LEN || value > UINT32_MAX || value < 8)
        return NULL;
    *tag = (uint32_t)value;
    return next;
}

const uint8_t *wire_bytes(const uint8_t *at, const uint8_t *end, struct slice *bytes)
{
    uint64_t len;
    at = wire_varint(at, end, &len);
    if (!at || len > (uint64_t)(end - at))
        return NULL;
    *bytes = slice_from(at, (size_t)len);
    return at + len;
}

/* Over the fields of a group, up to and over its end tag, which starts at *close. */
static const uint8_t *skip_group(const uint8_t *at, const uint8_t *end, uint32_t number,
                                 unsigned depth, const uint8_t **close)
{
    while (at) {
        uint32_t tag;
        *close = at;
        at = wire_tag(at, end, &tag);
        if (at && wire_tag_type(tag) == WIRE_EGROUP)
            return wire_tag_number(tag) == number ? at : NULL;
        if (at)
            at = wire_skip(at, end, tag, depth);
    }
    return NULL;
}

const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t tag, unsigned depth)
{
    uint64_t value;
    struct slice bytes;
    const uint8_t *close;
    switch (wire_tag_type(tag)) {
    case WIRE_VARINT:
        return wire_varint(at, end, &value);
    case WIRE_FIXED64:
        return end - at >= 8 ? at + 8 : NULL;
    case WIRE_LEN:
        return wire_bytes(at, end, &bytes);
    case WIRE_SGROUP:
        return depth ? skip_group(at, end, wire_tag_number(tag), depth - 1, &close) : NULL;
    case WIRE_FIXED32:
        return end - at >= 4 ? at + 4 : NULL;
    default:
        return NULL;
    }
}

const uint8_t *wire_group(const uint8_t *at, const uint8_t *end, uint32_t number,
                          struct slice *content)
{
    const uint8_t *close;
    const uint8_t *next = skip_group(at, end, number, WIRE_DEPTH_MAX, &close);
    if (next)
        *content = slice_from(at, (size_t)(close - at));
    return next;
}
