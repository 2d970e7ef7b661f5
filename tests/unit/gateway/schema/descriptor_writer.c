#include "unit/gateway/schema/descriptor_writer.h"

#include <stdlib.h>

enum { MAX_PIECES = 1 << 16 };

static uint8_t *pieces[MAX_PIECES];
static size_t count;

void writer_reset(void)
{
    while (count > 0)
        free(pieces[--count]);
}

static uint8_t *new_piece(size_t len)
{
    uint8_t *piece = malloc(len + 1);
    if (!piece || count == MAX_PIECES)
        abort();
    pieces[count++] = piece;
    return piece;
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

struct slice write_number(uint32_t number, uint64_t value)
{
    uint8_t *out = new_piece(20);
    size_t len = put_varint(out, (uint64_t)number << 3);
    return slice_from(out, len + put_varint(out + len, value));
}

struct slice write_bytes(uint32_t number, struct slice bytes)
{
    uint8_t *out = new_piece(20 + bytes.len);
    size_t len = put_varint(out, (uint64_t)number << 3 | 2);
    len += put_varint(out + len, bytes.len);
    if (bytes.len)
        memcpy(out + len, bytes.data, bytes.len);
    return slice_from(out, len + bytes.len);
}

struct slice write_text(uint32_t number, const char *text)
{
    return write_bytes(number, slice_from_string(text));
}

struct slice write_all(const struct slice *all)
{
    size_t len = 0;
    for (size_t i = 0; all[i].len != SIZE_MAX; i++)
        len += all[i].len;
    uint8_t *out = new_piece(len), *at = out;
    for (size_t i = 0; all[i].len != SIZE_MAX; i++) {
        if (all[i].len)
            memcpy(at, all[i].data, all[i].len);
        at += all[i].len;
    }
    return slice_from(out, len);
}
