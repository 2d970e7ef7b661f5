/* h2_memory: where nghttp2's small pieces of one session come from: a free list per size, so that a
 * call costs no trip to malloc once a session is warm.  Large pieces and, under AddressSanitizer,
 * all pieces come from malloc.  What is kept is bounded per size. */
#pragma once
#include <nghttp2/nghttp2.h>
#include <stdint.h>

enum { H2_MEMORY_SIZES = 4, H2_MEMORY_SMALLEST = 64, H2_MEMORY_KEEP = 256 };

struct h2_memory {
    nghttp2_mem mem; /* to be given to nghttp2 */
    struct h2_piece *spare[H2_MEMORY_SIZES];
    uint32_t spare_count[H2_MEMORY_SIZES];
};

/* Must not move afterwards: `mem` points back at it. */
void h2_memory_init(struct h2_memory *m);
/* After the session is gone. */
void h2_memory_fini(struct h2_memory *m);
