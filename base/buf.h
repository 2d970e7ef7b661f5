/* buf: a growing byte buffer with a limit: appended at the end, consumed at the front.
 * The limit is given at init, so that no peer chooses an allocation size. */
#pragma once
#include "base/slice.h"

struct buf {
    uint8_t *data;  /* owned; NULL until first used */
    size_t start;   /* bytes already consumed at the front */
    size_t end;     /* one past the last byte; start <= end <= cap */
    size_t cap;     /* bytes allocated */
    size_t max_len; /* limit of buf_len() */
};

/* Allocates nothing. */
void buf_init(struct buf *b, size_t max_len);
void buf_fini(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* Borrowed until the next mutating call. */
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_from(b->data ? b->data + b->start : NULL, b->end - b->start);
}

/* Room for len more bytes, to be written by the caller and then taken in by buf_commit().
 * NULL when the limit would be passed or memory is out; the content is then unchanged. */
uint8_t *buf_reserve(struct buf *b, size_t len);

/* Takes in len bytes written at buf_reserve()'s pointer. */
static inline void buf_commit(struct buf *b, size_t len)
{
    b->end += len;
}

/* The content is announced to become `total` bytes: once a sixteenth of them is there, room for all
 * is made in one step, which saves the copies and the slack of growing.  A peer's word is worth no
 * more than that. */
void buf_expect(struct buf *b, size_t total);

/* 0, or -ENOBUFS (limit or memory; the content is unchanged). */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_byte(struct buf *b, uint8_t byte);
/* printf into the buffer; no terminating NUL is counted. */
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends what a file has.  0; -ENOBUFS when that is more than the limit (a part may be there
 * then), or memory is out; or what errno says. */
int buf_read_file(struct buf *b, const char *path);

/* Drops len bytes at the front; len is at most buf_len(). */
void buf_consume(struct buf *b, size_t len);
/* Empties it; keeps the memory unless more than keep_cap bytes are allocated. */
void buf_reset(struct buf *b, size_t keep_cap);
