/* The same text decoded whole and in pieces must say the same; what it says must survive encoding
 * in pieces and decoding again. */
#include "gateway/protocol/grpc_web_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int decode(struct slice text, size_t step, struct buf *out, bool *mid)
{
    struct grpc_web_text_decoder d = {0};
    int error = 0;
    while (text.len > 0 && error == 0) {
        size_t len = text.len < step ? text.len : step;
        error = grpc_web_text_decode(&d, slice_first(text, len), out);
        text = slice_skip(text, len);
    }
    *mid = grpc_web_text_mid_quartet(&d);
    return error;
}

static void encode(struct slice bytes, size_t step, struct buf *out)
{
    struct grpc_web_text_encoder e = {{0}, 0};
    for (size_t i = 0; bytes.len > 0; i++) {
        size_t len = bytes.len < step ? bytes.len : step;
        if (grpc_web_text_encode(&e, slice_first(bytes, len), i % 3 == 0 || len == bytes.len, out))
            abort();
        bytes = slice_skip(bytes, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    size_t step = data[0] % 13u + 1;
    struct slice text = slice_from(data + 1, size - 1);
    struct buf whole, pieces, again, back;
    bool whole_mid, pieces_mid, back_mid;
    buf_init(&whole, 1 << 17);
    buf_init(&pieces, 1 << 17);
    buf_init(&again, 1 << 20);
    buf_init(&back, 1 << 20);
    int error = decode(text, text.len ? text.len : 1, &whole, &whole_mid);
    if (error != decode(text, step, &pieces, &pieces_mid))
        abort();
    if (error == 0) {
        if (whole_mid != pieces_mid || !slice_equal(buf_slice(&whole), buf_slice(&pieces)))
            abort();
        encode(buf_slice(&whole), step, &again);
        if (decode(buf_slice(&again), step, &back, &back_mid) || back_mid ||
            !slice_equal(buf_slice(&whole), buf_slice(&back)))
            abort();
    }
    buf_fini(&whole);
    buf_fini(&pieces);
    buf_fini(&again);
    buf_fini(&back);
    return 0;
}
