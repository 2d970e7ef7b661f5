/* Reader and walker over the same bytes in pieces chosen by the input: both must agree on messages
 * and failures. */
#include "grpc/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = data[0] % 31u + 1;
    struct slice rest = slice_from(data + 1, size - 1);
    struct frame_reader reader;
    struct frame_walker walker;
    struct frame frame;
    uint64_t messages = 0;
    enum frame_result read = FRAME_NEED_MORE, walked = FRAME_NEED_MORE;
    frame_reader_init(&reader, FRAME_COMPRESSED, 1000);
    frame_walker_init(&walker, FRAME_COMPRESSED, 1000);
    while (rest.len > 0 && read == FRAME_NEED_MORE && walked == FRAME_NEED_MORE) {
        struct slice piece = slice_first(rest, rest.len < step ? rest.len : step);
        rest = slice_skip(rest, piece.len);
        walked = frame_walker_feed(&walker, piece, &frame);
        while ((read = frame_reader_next(&reader, &piece, &frame)) == FRAME_READY)
            messages++;
    }
    if (read != walked || frame_reader_mid_frame(&reader) != frame_walker_mid_frame(&walker))
        abort();
    if (read == FRAME_NEED_MORE && walker.messages - (walker.left > 0) != messages)
        abort();
    frame_reader_fini(&reader);
    return 0;
}
