/* The text of a client stream, behind a byte that says how long its pieces are: the values must be
 * the same as those of the text in one piece, and no longer than the limit. */
#include "gateway/protocol/rest_values.h"

#include <stdlib.h>

enum { MAX_VALUE = 200, MAX_OUT = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The values, each behind a byte 1, and how the text ended. */
static void cut(struct slice text, size_t step, struct buf *out)
{
    struct rest_values v;
    struct slice value;
    enum rest_values_result result = REST_VALUES_MORE;
    rest_values_init(&v, MAX_VALUE);
    while (text.len > 0 && result == REST_VALUES_MORE) {
        size_t len = text.len < step ? text.len : step;
        uint8_t *exact = malloc(len); /* the sanitizer sees an over-read */
        if (!exact)
            abort();
        memcpy(exact, text.data, len);
        text = slice_skip(text, len);
        struct slice piece = slice_from(exact, len);
        while ((result = rest_values_next(&v, &piece, &value)) == REST_VALUES_READY) {
            if (value.len == 0 || value.len > MAX_VALUE)
                abort();
            buf_append_byte(out, 1);
            buf_append_slice(out, value);
        }
        if (result == REST_VALUES_MORE && piece.len > 0)
            abort();
        free(exact);
    }
    if (result == REST_VALUES_MORE && (result = rest_values_end(&v, &value)) == REST_VALUES_READY) {
        buf_append_byte(out, 1);
        buf_append_slice(out, value);
    }
    buf_append_byte(out, (uint8_t)(2 + result));
    rest_values_fini(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf pieces, whole;
    if (size == 0)
        return 0;
    struct slice text = slice_from(data + 1, size - 1);
    buf_init(&pieces, MAX_OUT);
    buf_init(&whole, MAX_OUT);
    cut(text, 1 + data[0] % 32, &pieces);
    cut(text, SIZE_MAX, &whole);
    if (!slice_equal(buf_slice(&pieces), buf_slice(&whole)))
        abort();
    buf_fini(&pieces);
    buf_fini(&whole);
    return 0;
}
