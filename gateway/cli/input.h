/* input: JSON documents from a text, a file or standard input, one after the other.  They may stand
 * one to a line (NDJSON) or spread over lines: a document ends where its brackets close.  It does
 * not judge the JSON itself. */
#pragma once
#include "base/buf.h"

struct input {
    int fd;          /* -1: nothing more to read */
    bool owns_fd;    /* opened here */
    struct buf held; /* read and not yet handed out */
    size_t given;    /* bytes at its front that the last document took */
};

/* Where from: NULL or "-" or "@-": standard input; "@FILE"; else the text itself.  0, or negative
 * errno (the file cannot be opened). */
int input_open(struct input *in, const char *source);
void input_close(struct input *in);

enum input_result {
    INPUT_DOCUMENT, /* *document, borrowed until the next call */
    INPUT_WAIT,     /* read more: input_read() when in->fd is readable */
    INPUT_END,
};
/* `whole`: everything up to the end is one document. */
enum input_result input_next(struct input *in, bool whole, struct slice *document);
/* Reads what there is; blocks when there is nothing.  0 (also at the end, then fd is -1), or
 * negative errno: -ENOBUFS when a document is too long. */
int input_read(struct input *in);
