/* sink: a cursor that writes into a struct buf without a call per byte.  Ask for room once
 * (sink_need), then store.  Positions are kept as offsets, because growing moves the bytes.
 * While a sink is at work its buffer's limit is raised by some slack, so that room may be asked for
 * generously; sink_finish() judges the real length. */
#pragma once
#include "base/buf.h"

struct sink {
    struct buf *buf;
    uint8_t *at;      /* next byte to write */
    uint8_t *end;     /* end of the room */
    size_t start_len; /* buf_len() when the sink began */
    size_t max_len;   /* the buffer's own limit */
};

/* `hint` bytes are reserved at once, as far as the limit allows.  False: not even one byte fits. */
bool sink_init(struct sink *s, struct buf *buf, size_t hint, size_t slack);
/* Gives the buffer back with what was written.  False when that passes the limit, or when `keep` is
 * false: the buffer's content is then as it was before sink_init(). */
bool sink_finish(struct sink *s, bool keep);

/* sink_need()'s slow half. */
bool sink_grow(struct sink *s, size_t len);

/* Room for len bytes; false at the limit. */
static inline bool sink_need(struct sink *s, size_t len)
{
    return (size_t)(s->end - s->at) >= len || sink_grow(s, len);
}

static inline size_t sink_offset(const struct sink *s)
{
    return (size_t)(s->at - (s->buf->data + s->buf->start));
}

static inline uint8_t *sink_pointer(const struct sink *s, size_t offset)
{
    return s->buf->data + s->buf->start + offset;
}

/* Drops what was written after `offset`. */
static inline void sink_rewind(struct sink *s, size_t offset)
{
    s->at = sink_pointer(s, offset);
}

/* memcpy() for what is mostly short, as keys are: two overlapping pieces instead of a call. */
static inline void sink_copy(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len > 32 || len < 4) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    }
}

/* Stores; the room must have been asked for. */
static inline void sink_store(struct sink *s, const void *data, size_t len)
{
    sink_copy(s->at, data, len);
    s->at += len;
}

/* Asks for room and stores. */
static inline bool sink_append(struct sink *s, const void *data, size_t len)
{
    if (!sink_need(s, len))
        return false;
    if (len)
        sink_store(s, data, len);
    return true;
}

static inline bool sink_append_byte(struct sink *s, uint8_t byte)
{
    if (!sink_need(s, 1))
        return false;
    *s->at++ = byte;
    return true;
}
