/* json_reader: a strict pull reader of JSON text (RFC 8259) over a slice.  It makes no values: the
 * caller asks for what it expects next.  Every function that returns false has set the error. */
#pragma once
#include "gateway/transcode/number.h"

enum { JSON_DEPTH_MAX = 100 };

struct json_reader {
    const uint8_t *start, *at, *end;
    const char *error;       /* what was expected or is wrong; a constant text */
    const uint8_t *error_at; /* where */
};

/* A string as it stands between its quotes: valid UTF-8, escapes checked. */
struct json_string {
    struct slice raw; /* borrowed from the text */
    bool escaped;     /* raw holds escapes: json_string_decode() */
};

void json_reader_init(struct json_reader *r, struct slice text);

/* The next byte that is not white space, not consumed; -1 at the end. */
static inline int json_reader_peek(struct json_reader *r)
{
    while (r->at < r->end) {
        uint8_t c = *r->at;
        if (c > ' ')
            return c;
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return c;
        r->at++;
    }
    return -1;
}

/* Consumes the next byte when it is c (white space before it is skipped). */
static inline bool json_reader_take(struct json_reader *r, uint8_t c)
{
    if (json_reader_peek(r) != c)
        return false;
    r->at++;
    return true;
}

/* Sets the error at `at` and returns false. */
bool json_reader_fail(struct json_reader *r, const uint8_t *at, const char *error);
/* Consumes c, else fails with `error`. */
bool json_reader_expect(struct json_reader *r, uint8_t c, const char *error);
/* Consumes the literal when it stands next and ends there ("null", "true", "false"); no error. */
bool json_reader_literal(struct json_reader *r, struct slice literal);
bool json_reader_string(struct json_reader *r, struct json_string *s);
bool json_reader_number(struct json_reader *r, struct number *n);
/* Any value, which is checked and skipped; `depth` levels of nesting are allowed. */
bool json_reader_skip(struct json_reader *r, unsigned depth);
/* After a value inside `[` or `{`: true when a comma follows and was consumed.  Otherwise *closed
 * tells whether `close` was consumed; if not, the error is set. */
bool json_reader_more(struct json_reader *r, uint8_t close, bool *closed);
/* White space, then the end of the text. */
bool json_reader_end(struct json_reader *r);
/* 1-based, columns in characters. */
void json_reader_position(const struct json_reader *r, const uint8_t *at, size_t *line,
                          size_t *column);

/* Without escapes.  Writes at most s->raw.len bytes and returns their number. */
size_t json_string_decode(const struct json_string *s, uint8_t *out);
