/* nearest: of many known names the one that somebody who typed an unknown one most likely meant
 * ("did you mean"). Changes, insertions, deletions and swaps of neighbours count one each; case
 * does not count; a name that begins with what was typed is near.  The work is bounded, so that a
 * peer's bad request stays cheap. */
#pragma once
#include "base/slice.h"

struct nearest {
    struct slice typed; /* borrowed */
    struct slice best;  /* the nearest offered so far; data NULL: none is near enough to suggest */
    size_t distance;    /* of the best; SIZE_MAX while there is none */
    size_t offered;
};

struct nearest nearest_start(struct slice typed);
/* Considers one more name; borrowed.  After NEAREST_MAX_OFFERS names, and for names above
 * NEAREST_MAX_LEN bytes, it does nothing. */
enum { NEAREST_MAX_LEN = 64, NEAREST_MAX_OFFERS = 1024 };
void nearest_offer(struct nearest *n, struct slice name);
