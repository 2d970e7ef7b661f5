/* history: the past operations that ListHistory pages through.  They are synthetic and the same in
 * every process: record i is computed from i, nothing is stored. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"
#include "calculator.pb-c.h"

enum { HISTORY_LEN = 10000, HISTORY_TOKEN_LEN = 32 };

/* Record `index` (below HISTORY_LEN, the oldest is 0) in the arena; NULL when memory is out. */
HistoryRecord *history_record(uint32_t index, struct arena *arena);

/* The token of the page that starts at `index`, NUL-terminated. */
void history_token(uint32_t index, char token[static HISTORY_TOKEN_LEN]);
/* The reverse; the empty token is the first page.  0, or -EINVAL for what history_token() never
 * gave. */
int history_parse_token(struct slice token, uint32_t *index);
