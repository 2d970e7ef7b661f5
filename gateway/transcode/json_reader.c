#include "gateway/transcode/json_reader.h"

#include "base/text.h"
#include "base/word.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void json_reader_init(struct json_reader *r, struct slice text)
{
    static const uint8_t nothing[1];
    const uint8_t *data = text.data ? text.data : nothing;
    *r = (struct json_reader){.start = data, .at = data, .end = data + text.len};
}

bool json_reader_fail(struct json_reader *r, const uint8_t *at, const char *error)
{
    r->error = error;
    r->error_at = at;
    return false;
}

bool json_reader_expect(struct json_reader *r, uint8_t c, const char *error)
{
    return json_reader_take(r, c) || json_reader_fail(r, r->at, error);
}

bool json_reader_literal(struct json_reader *r, struct slice literal)
{
    json_reader_peek(r);
    struct slice left = slice_from(r->at, (size_t)(r->end - r->at));
    if (!slice_has_prefix(left, literal))
        return false;
    r->at += literal.len;
    return true;
}

/* Hex digits have their value plus one. */
static unsigned hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0' + 1u;
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 11u : 0;
}

/* Four hex digits at `at`; -1 when there are none. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned digit = hex_value(at[i]);
        if (digit == 0)
            return -1;
        value = value << 4 | (int32_t)(digit - 1);
    }
    return value;
}

/* The code point of `\uXXXX`, or of a pair of surrogates; `at` stands behind the `u`.  -1:
 * malformed or alone. */
static int32_t escaped_code_point(const uint8_t **at, const uint8_t *end)
{
    int32_t high = hex4(*at, end);
    if (high < 0 || (high & 0xfc00) == 0xdc00)
        return -1;
    *at += 4;
    if ((high & 0xfc00) != 0xd800)
        return high;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t low = hex4(*at + 2, end);
    if (low < 0 || (low & 0xfc00) != 0xdc00)
        return -1;
    *at += 6;
    return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

static const char simple_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* r->at stands on a backslash. */
static bool skip_escape(struct json_reader *r)
{
    const uint8_t *escape = r->at++;
    if (r->at == r->end)
        return json_reader_fail(r, r->end, "unexpected end inside a string");
    uint8_t c = *r->at++;
    if (simple_escapes[c])
        return true;
    if (c != 'u')
        return json_reader_fail(r, escape, "unknown escape in a string");
    if (escaped_code_point(&r->at, r->end) >= 0)
        return true;
    return json_reader_fail(r, escape, "malformed \\u escape or lone surrogate");
}

/* Moves to the next quote, backslash or control character.  Returns whether a byte above 0x7f was
 * passed. */
static bool skip_plain(struct json_reader *r)
{
    const uint8_t *at = r->at;
    uint64_t high = 0;
#ifdef __SSE2__
    while (r->end - at >= 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1f)), chunk);
        __m128i quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\'));
        unsigned stop =
            (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
        unsigned above = (unsigned)_mm_movemask_epi8(chunk);
        if (stop) {
            unsigned before = (unsigned)__builtin_ctz(stop);
            r->at = at + before;
            return (above & ((1u << before) - 1)) || high;
        }
        high |= above ? WORD_EACH(0x80) : 0;
        at += 16;
    }
#endif
    while (r->end - at >= WORD_LEN) {
        uint64_t word = word_load(at);
        uint64_t quote = word ^ WORD_EACH('"'), backslash = word ^ WORD_EACH('\\');
        uint64_t stop = ((quote - WORD_EACH(1)) & ~quote) |
                        ((backslash - WORD_EACH(1)) & ~backslash) |
                        ((word - WORD_EACH(0x20)) & ~word);
        stop &= WORD_EACH(0x80);
        if (stop) {
            /* Bytes below the first hit are exact; only those above may be false alarms. */
            unsigned before = (unsigned)__builtin_ctzll(stop) & ~7u;
            high |= word & (((uint64_t)1 << before) - 1);
            r->at = at + before / 8;
            return high & WORD_EACH(0x80);
        }
        high |= word;
        at += WORD_LEN;
    }
    for (; at < r->end && *at != '"' && *at != '\\' && *at >= 0x20; at++)
        high |= *at;
    r->at = at;
    return high & WORD_EACH(0x80);
}

/* A string of less than 16 bytes that is plain ASCII, as most are; r->at stands behind the quote.
 * False: it is another, nothing is consumed. */
static inline bool short_string(struct json_reader *r, struct json_string *s)
{
#ifdef __SSE2__
    if (r->end - r->at < 16)
        return false;
    __m128i chunk = _mm_loadu_si128((const __m128i *)r->at);
    unsigned quotes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')));
    /* Signed: bytes above 0x7f are less than a blank too. */
    __m128i odd = _mm_or_si128(_mm_cmplt_epi8(chunk, _mm_set1_epi8(' ')),
                               _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\')));
    unsigned before_quote = quotes ^ (quotes - 1);
    if (!quotes || ((unsigned)_mm_movemask_epi8(odd) & before_quote))
        return false;
    size_t len = (size_t)__builtin_ctz(quotes);
    *s = (struct json_string){.raw = slice_from(r->at, len)};
    r->at += len + 1;
    return true;
#else
    (void)r, (void)s;
    return false;
#endif
}

bool json_reader_string(struct json_reader *r, struct json_string *s)
{
    if (json_reader_peek(r) != '"')
        return json_reader_fail(r, r->at, "expected a string");
    r->at++;
    if (short_string(r, s))
        return true;
    const uint8_t *start = r->at;
    bool high = false;
    s->escaped = false;
    for (;;) {
        high |= skip_plain(r);
        if (r->at == r->end)
            return json_reader_fail(r, r->at, "unexpected end inside a string");
        if (*r->at == '"')
            break;
        if (*r->at != '\\')
            return json_reader_fail(r, r->at, "control character in a string");
        s->escaped = true;
        if (!skip_escape(r))
            return false;
    }
    s->raw = slice_from(start, (size_t)(r->at - start));
    r->at++;
    if (high && !text_is_utf8(s->raw))
        return json_reader_fail(r, start, "the string is not valid UTF-8");
    return true;
}

static uint8_t *put_utf8(uint8_t *out, int32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xf0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    }
    *out++ = (uint8_t)(0x80 | (c & 0x3f));
    return out;
}

size_t json_string_decode(const struct json_string *s, uint8_t *out)
{
    uint8_t *to = out;
    const uint8_t *at = s->raw.data, *end = at + s->raw.len;
    while (at < end) {
        const uint8_t *plain = s->escaped ? memchr(at, '\\', (size_t)(end - at)) : NULL;
        size_t len = (size_t)((plain ? plain : end) - at);
        memcpy(to, at, len);
        to += len;
        at += len;
        if (at == end)
            break;
        uint8_t c = at[1];
        at += 2;
        if (c == 'u')
            to = put_utf8(to, escaped_code_point(&at, end));
        else
            *to++ = (uint8_t)simple_escapes[c];
    }
    return (size_t)(to - out);
}

bool json_reader_number(struct json_reader *r, struct number *n)
{
    json_reader_peek(r);
    const uint8_t *end = number_parse(r->at, r->end, n);
    if (!end)
        return json_reader_fail(r, r->at, "expected a number");
    r->at = end;
    return true;
}

bool json_reader_more(struct json_reader *r, uint8_t close, bool *closed)
{
    int c = json_reader_peek(r);
    *closed = c == close;
    r->at += c == ',' || *closed;
    if (c == ',' || *closed)
        return c == ',';
    const char *error = c < 0          ? "unexpected end of the text"
                        : close == ']' ? "expected ',' or ']'"
                                       : "expected ',' or '}'";
    return json_reader_fail(r, r->at, error);
}

static bool skip_members(struct json_reader *r, bool object, unsigned depth)
{
    uint8_t close = object ? '}' : ']';
    bool closed = json_reader_take(r, close);
    bool more = !closed;
    struct json_string key;
    while (more) {
        if (object && (!json_reader_string(r, &key) || !json_reader_expect(r, ':', "expected ':'")))
            return false;
        if (!json_reader_skip(r, depth))
            return false;
        more = json_reader_more(r, close, &closed);
    }
    return closed;
}

bool json_reader_skip(struct json_reader *r, unsigned depth)
{
    struct json_string string;
    struct number number;
    int c = json_reader_peek(r);
    switch (c) {
    case '{':
    case '[':
        if (depth == 0)
            return json_reader_fail(r, r->at, "nested too deeply");
        r->at++;
        return skip_members(r, c == '{', depth - 1);
    case '"':
        return json_reader_string(r, &string);
    case 't':
        return json_reader_literal(r, SLICE("true")) ||
               json_reader_fail(r, r->at, "expected a value");
    case 'f':
        return json_reader_literal(r, SLICE("false")) ||
               json_reader_fail(r, r->at, "expected a value");
    case 'n':
        return json_reader_literal(r, SLICE("null")) ||
               json_reader_fail(r, r->at, "expected a value");
    case -1:
        return json_reader_fail(r, r->at, "unexpected end of the text");
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return json_reader_fail(r, r->at, "expected a value");
        return json_reader_number(r, &number);
    }
}

bool json_reader_end(struct json_reader *r)
{
    return json_reader_peek(r) < 0 ||
           json_reader_fail(r, r->at, "unexpected text after the end of the value");
}

void json_reader_position(const struct json_reader *r, const uint8_t *at, size_t *line,
                          size_t *column)
{
    *line = *column = 1;
    for (const uint8_t *p = r->start; p < at; p++) {
        if (*p == '\n') {
            ++*line;
            *column = 1;
        } else {
            *column += (*p & 0xc0) != 0x80;
        }
    }
}
