/* wire: the smallest pieces of the protobuf encoding: varints, tags, fixed-width numbers, skipping.
 * Readers never look at or past `end` and return NULL when the bytes are malformed. */
#pragma once
#include "gateway/schema/types.h"

#include <endian.h>

enum { WIRE_VARINT_LEN = 10, WIRE_TAG_LEN = 5, WIRE_DEPTH_MAX = 100 };

/* wire_varint()'s slow half. */
const uint8_t *wire_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *value);

static inline const uint8_t *wire_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (at < end && *at < 0x80) {
        *value = *at;
        return at + 1;
    }
    return wire_long_varint(at, end, value);
}

/* wire_tag()'s slow half. */
const uint8_t *wire_long_tag(const uint8_t *at, const uint8_t *end, uint32_t *tag);

/* Field number and wire type.  Refused: number 0, tags over 5 bytes or 32 bits. */
static inline const uint8_t *wire_tag(const uint8_t *at, const uint8_t *end, uint32_t *tag)
{
    if (at < end && *at < 0x80 && *at >= 8) {
        *tag = *at;
        return at + 1;
    }
    return wire_long_tag(at, end, tag);
}

/* The content of a length-delimited field. */
const uint8_t *wire_bytes(const uint8_t *at, const uint8_t *end, struct slice *bytes);
/* Steps over a value whose tag was just read; `depth` levels of groups may be entered. */
const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t tag, unsigned depth);
/* The content of a group whose start tag was just read; returns what follows the end tag. */
const uint8_t *wire_group(const uint8_t *at, const uint8_t *end, uint32_t number,
                          struct slice *content);

static inline uint32_t wire_tag_number(uint32_t tag)
{
    return tag >> 3;
}
static inline enum wire_type wire_tag_type(uint32_t tag)
{
    return (enum wire_type)(tag & 7);
}

static inline size_t wire_varint_len(uint64_t value)
{
    return (size_t)(9 * (64 - __builtin_clzll(value | 1)) + 64) / 64;
}

/* At most WIRE_VARINT_LEN bytes; returns the end. */
static inline uint8_t *wire_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

/* Little-endian, 4 and 8 bytes. */
static inline uint8_t *wire_put_fixed(uint8_t *to, uint64_t value, size_t len)
{
    if (len == 8) {
        value = htole64(value);
        memcpy(to, &value, 8);
    } else {
        uint32_t narrow = htole32((uint32_t)value);
        memcpy(to, &narrow, 4);
    }
    return to + len;
}

static inline uint64_t wire_get_fixed(const uint8_t *at, size_t len)
{
    uint64_t wide;
    uint32_t narrow;
    if (len == 8) {
        memcpy(&wide, at, 8);
        return le64toh(wide);
    }
    memcpy(&narrow, at, 4);
    return le32toh(narrow);
}

static inline uint64_t wire_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value < 0 ? -1 : 0);
}
static inline int64_t wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}
