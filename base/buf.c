#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max_len)
{
    *b = (struct buf){.max_len = max_len};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max_len = b->max_len};
}

/* Moves the content to the front of other memory. */
static bool buf_move(struct buf *b, size_t cap)
{
    size_t len = buf_len(b);
    uint8_t *data = malloc(cap);
    if (!data)
        return false;
    if (len)
        memcpy(data, b->data + b->start, len);
    free(b->data);
    *b = (struct buf){.data = data, .end = len, .cap = cap, .max_len = b->max_len};
    return true;
}

static bool buf_grow(struct buf *b, size_t need)
{
    size_t len = buf_len(b);
    /* Moving to the front pays only when it frees at least half, else it costs a copy per call. */
    if (b->start < b->cap / 2 || need > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < need)
            cap += cap;
        return buf_move(b, cap);
    }
    memmove(b->data, b->data + b->start, len);
    b->start = 0;
    b->end = len;
    return true;
}

void buf_expect(struct buf *b, size_t total)
{
    enum { BELIEVED = 16 };
    if (total > b->cap && total <= b->max_len && buf_len(b) >= total / BELIEVED)
        buf_move(b, total); /* without memory for all at once it grows as it would have */
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    size_t have = buf_len(b);
    if (len > b->max_len || have > b->max_len - len)
        return NULL;
    if (b->cap - b->end < len || !b->data) {
        if (!buf_grow(b, have + (len ? len : 1)))
            return NULL;
    }
    return b->data + b->end;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t *to = buf_reserve(b, len);
    if (!to)
        return -ENOBUFS;
    memcpy(to, data, len);
    b->end += len;
    return 0;
}

int buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.data, s.len);
}

int buf_append_byte(struct buf *b, uint8_t byte)
{
    return buf_append(b, &byte, 1);
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* vsnprintf writes a NUL behind the text: one byte more is reserved than counted. */
    uint8_t *to = len < 0 ? NULL : buf_reserve(b, (size_t)len + 1);
    if (to) {
        vsnprintf((char *)to, (size_t)len + 1, format, again);
        b->end += (size_t)len;
    }
    va_end(again);
    return to ? 0 : -ENOBUFS;
}

int buf_read_file(struct buf *b, const char *path)
{
    uint8_t piece[16 << 10];
    FILE *file = fopen(path, "rbe");
    if (!file)
        return -errno;
    int result = 0;
    for (size_t got; result == 0 && (got = fread(piece, 1, sizeof piece, file)) > 0;)
        result = buf_append(b, piece, got);
    if (result == 0 && ferror(file))
        result = -errno;
    fclose(file);
    return result;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_reset(struct buf *b, size_t keep_cap)
{
    if (b->cap > keep_cap)
        buf_fini(b);
    b->start = b->end = 0;
}
