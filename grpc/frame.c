#include "grpc/frame.h"

void frame_write_prefix(uint8_t out[static FRAME_PREFIX_LEN], uint8_t flags, uint32_t len)
{
    out[0] = flags;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}

static uint32_t prefix_payload_len(const uint8_t prefix[static FRAME_PREFIX_LEN])
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 |
           prefix[4];
}

/* Moves bytes into the prefix until it is whole. */
static bool prefix_fill(uint8_t *prefix, uint8_t *have, struct slice *input)
{
    if (*have == 0 && input->len >= FRAME_PREFIX_LEN) {
        memcpy(prefix, input->data, FRAME_PREFIX_LEN);
        *have = FRAME_PREFIX_LEN;
        *input = slice_skip(*input, FRAME_PREFIX_LEN);
        return true;
    }
    while (*have < FRAME_PREFIX_LEN && input->len > 0) {
        prefix[(*have)++] = input->data[0];
        *input = slice_skip(*input, 1);
    }
    return *have == FRAME_PREFIX_LEN;
}

void frame_reader_init(struct frame_reader *r, uint8_t allowed_flags, size_t max_len)
{
    *r = (struct frame_reader){.allowed_flags = allowed_flags};
    buf_init(&r->partial, max_len < UINT32_MAX ? max_len : UINT32_MAX);
}

void frame_reader_fini(struct frame_reader *r)
{
    buf_fini(&r->partial);
}

static enum frame_result reader_check(const struct frame_reader *r, struct frame *frame)
{
    if (frame->flags & (uint8_t)~r->allowed_flags)
        return FRAME_BAD_FLAGS;
    return frame->payload.len > r->partial.max_len ? FRAME_TOO_LARGE : FRAME_READY;
}

enum frame_result frame_reader_next(struct frame_reader *r, struct slice *input,
                                    struct frame *frame)
{
    enum { KEEP_CAP = 64 * 1024 };
    if (r->delivered) {
        buf_reset(&r->partial, KEEP_CAP);
        r->delivered = false;
    }
    bool fresh = r->prefix_len < FRAME_PREFIX_LEN;
    if (!prefix_fill(r->prefix, &r->prefix_len, input))
        return FRAME_NEED_MORE;
    r->need = prefix_payload_len(r->prefix);
    *frame = (struct frame){r->prefix[0], {NULL, r->need}};
    enum frame_result checked = fresh ? reader_check(r, frame) : FRAME_READY;
    if (checked != FRAME_READY)
        return checked;
    size_t have = buf_len(&r->partial);
    if (have == 0 && input->len >= r->need) {
        frame->payload = slice_first(*input, r->need);
        *input = slice_skip(*input, r->need);
    } else {
        size_t take = r->need - have < input->len ? r->need - have : input->len;
        if (buf_append(&r->partial, input->data, take) < 0)
            return FRAME_NO_MEMORY;
        buf_expect(&r->partial, r->need);
        *input = slice_skip(*input, take);
        if (have + take < r->need)
            return FRAME_NEED_MORE;
        frame->payload = buf_slice(&r->partial);
        r->delivered = true;
    }
    r->prefix_len = 0;
    return FRAME_READY;
}

bool frame_reader_mid_frame(const struct frame_reader *r)
{
    return r->prefix_len > 0;
}

void frame_walker_init(struct frame_walker *w, uint8_t allowed_flags, size_t max_len)
{
    *w = (struct frame_walker){
        .allowed_flags = allowed_flags,
        .max_len = max_len < UINT32_MAX ? (uint32_t)max_len : UINT32_MAX,
    };
}

enum frame_result frame_walker_feed(struct frame_walker *w, struct slice bytes, struct frame *bad)
{
    const size_t total = bytes.len;
    w->whole = 0;
    while (bytes.len > 0) {
        if (w->left > 0) {
            uint32_t skip = bytes.len < w->left ? (uint32_t)bytes.len : w->left;
            bytes = slice_skip(bytes, skip);
            w->left -= skip;
            if (w->left == 0)
                w->whole = total - bytes.len;
            continue;
        }
        if (!prefix_fill(w->prefix, &w->prefix_len, &bytes))
            break;
        uint32_t len = prefix_payload_len(w->prefix);
        *bad = (struct frame){w->prefix[0], {NULL, len}};
        if (w->prefix[0] & (uint8_t)~w->allowed_flags)
            return FRAME_BAD_FLAGS;
        if (len > w->max_len)
            return FRAME_TOO_LARGE;
        w->prefix_len = 0;
        w->left = len;
        w->messages++;
        if (len == 0)
            w->whole = total - bytes.len;
    }
    return FRAME_NEED_MORE;
}

bool frame_walker_mid_frame(const struct frame_walker *w)
{
    return w->prefix_len > 0 || w->left > 0;
}
