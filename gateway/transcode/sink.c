#include "gateway/transcode/sink.h"

static void sink_set_room(struct sink *s)
{
    struct buf *b = s->buf;
    size_t room = b->cap - b->start < b->max_len ? b->cap - b->start : b->max_len;
    s->at = b->data + b->end;
    s->end = b->data + b->start + room;
}

bool sink_init(struct sink *s, struct buf *buf, size_t hint, size_t slack)
{
    *s = (struct sink){.buf = buf, .start_len = buf_len(buf), .max_len = buf->max_len};
    size_t room = buf->max_len > s->start_len ? buf->max_len - s->start_len : 0;
    if (slack > SIZE_MAX - buf->max_len)
        slack = SIZE_MAX - buf->max_len;
    buf->max_len += slack;
    if (!buf_reserve(buf, hint < room ? hint : room)) {
        buf->max_len = s->max_len;
        return false;
    }
    sink_set_room(s);
    return true;
}

bool sink_grow(struct sink *s, size_t len)
{
    s->buf->end = (size_t)(s->at - s->buf->data);
    bool ok = buf_reserve(s->buf, len) != NULL;
    sink_set_room(s);
    return ok;
}

bool sink_finish(struct sink *s, bool keep)
{
    size_t len = sink_offset(s);
    keep = keep && len <= s->max_len;
    s->buf->end = s->buf->start + (keep ? len : s->start_len);
    s->buf->max_len = s->max_len;
    return keep;
}
