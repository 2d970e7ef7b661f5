/* json_pretty: compact JSON with line ends and indentation for people, as a pass over the finished
 * text: who does not ask for it does not pay.  The text may come in any number of pieces. */
#pragma once
#include "base/buf.h"

/* Zero-initialised: at the start of a text. */
struct json_pretty {
    unsigned depth;
    bool opened; /* the last byte was an opening bracket; "{}" and "[]" stay in one line */
    bool in_string, escaped;
};

/* Appends the next piece.  0, or -ENOBUFS. */
int json_pretty_append(struct json_pretty *p, struct slice compact, struct buf *out);
