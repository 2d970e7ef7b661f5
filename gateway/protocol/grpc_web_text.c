#include "gateway/protocol/grpc_web_text.h"

#include "base/text.h"

#include <errno.h>

enum { NO_DIGIT = 0xff };

static uint8_t digit_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}

/* Takes one character into the quartet; false when it cannot stand there. */
static bool take_digit(struct grpc_web_text_decoder *d, uint8_t c)
{
    uint8_t value = digit_value(c);
    if (c == '=' && d->digits >= 2)
        d->padding++;
    else if (value == NO_DIGIT || d->padding > 0)
        return false;
    d->bits = d->bits << 6 | (c == '=' ? 0u : value);
    d->digits++;
    return true;
}

int grpc_web_text_decode(struct grpc_web_text_decoder *d, struct slice in, struct buf *out)
{
    size_t len = (d->digits + in.len) / 4 * 3;
    uint8_t *to = len > 0 ? buf_reserve(out, len) : NULL;
    if (len > 0 && !to)
        return -ENOBUFS;
    len = 0;
    for (size_t i = 0; i < in.len; i++) {
        if (!take_digit(d, in.data[i]))
            return -EINVAL;
        if (d->digits < 4)
            continue;
        to[len] = (uint8_t)(d->bits >> 16);
        to[len + 1] = (uint8_t)(d->bits >> 8);
        to[len + 2] = (uint8_t)d->bits;
        len += 3u - d->padding;
        *d = (struct grpc_web_text_decoder){0};
    }
    buf_commit(out, len);
    return 0;
}

bool grpc_web_text_mid_quartet(const struct grpc_web_text_decoder *d)
{
    return d->digits > 0;
}

/* The text of one run of bytes, behind what is in out. */
static int append_text(struct slice in, struct buf *out)
{
    uint8_t *to = buf_reserve(out, text_base64_len(in.len));
    if (!to)
        return -ENOBUFS;
    buf_commit(out, text_base64_encode(in, true, (char *)to));
    return 0;
}

/* Completes the group of three that an earlier piece began, as far as the input goes. */
static int complete_group(struct grpc_web_text_encoder *e, struct slice *in, bool flush,
                          struct buf *out)
{
    uint8_t group[3] = {0};
    memcpy(group, e->kept, sizeof e->kept);
    size_t len = e->len;
    while (len < sizeof group && in->len > 0) {
        group[len++] = in->data[0];
        *in = slice_skip(*in, 1);
    }
    if (len < sizeof group && !flush) {
        memcpy(e->kept, group, sizeof e->kept);
        e->len = (uint8_t)len;
        return 0;
    }
    e->len = 0;
    return append_text(slice_from(group, len), out);
}

int grpc_web_text_encode(struct grpc_web_text_encoder *e, struct slice in, bool flush,
                         struct buf *out)
{
    if (e->len > 0 && complete_group(e, &in, flush, out) < 0)
        return -ENOBUFS;
    if (in.len == 0)
        return 0;
    size_t rest = flush ? 0 : in.len % 3;
    struct slice now = slice_first(in, in.len - rest);
    for (size_t i = 0; i < rest; i++)
        e->kept[i] = in.data[now.len + i];
    e->len = (uint8_t)rest;
    return append_text(now, out);
}
