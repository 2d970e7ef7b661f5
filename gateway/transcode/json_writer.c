#include "gateway/transcode/json_writer.h"

#include "base/text.h"
#include "base/word.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Copies many bytes at a time while none needs an escape and all are ASCII.  Returns the bytes
 * copied; room for text.len + 8 was asked for. */
static size_t copy_plain_words(uint8_t *to, struct slice text)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; text.len - i >= 16; i += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(text.data + i));
        _mm_storeu_si128((__m128i *)(to + i), chunk);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1f)), chunk);
        __m128i quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\'));
        __m128i stops = _mm_or_si128(_mm_or_si128(control, chunk), _mm_or_si128(quote, backslash));
        unsigned stop = (unsigned)_mm_movemask_epi8(stops);
        if (stop)
            return i + (unsigned)__builtin_ctz(stop);
    }
#endif
    for (; text.len - i >= WORD_LEN; i += WORD_LEN) {
        uint64_t word = word_load(text.data + i);
        word_store(to + i, word);
        uint64_t quote = word ^ WORD_EACH('"'), backslash = word ^ WORD_EACH('\\');
        uint64_t stop = ((quote - WORD_EACH(1)) & ~quote) |
                        ((backslash - WORD_EACH(1)) & ~backslash) |
                        ((word - WORD_EACH(0x20)) & ~word) | word;
        stop &= WORD_EACH(0x80);
        if (stop)
            return i + (unsigned)__builtin_ctzll(stop) / 8;
    }
    while (i < text.len && text.data[i] >= 0x20 && text.data[i] < 0x80 && text.data[i] != '"' &&
           text.data[i] != '\\') {
        to[i] = text.data[i];
        i++;
    }
    return i;
}

static uint8_t *put_escape(uint8_t *to, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *to++ = '\\';
    if (c >= 0x20 || letters[c]) {
        *to++ = c >= 0x20 ? c : (uint8_t)letters[c];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = (uint8_t)digits[c >> 4];
    to[4] = (uint8_t)digits[c & 15];
    return to + 5;
}

/* Bytes above 0x7f at the front of the text. */
static size_t high_bytes(struct slice text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] >= 0x80)
        len++;
    return len;
}

enum json_writer_result json_writer_string(struct sink *out, struct slice text)
{
    enum { ESCAPE_LEN = 6 };
    if (!sink_need(out, text.len + 10))
        return JSON_WRITER_FULL;
    *out->at++ = '"';
    while (text.len > 0) {
        size_t len = copy_plain_words(out->at, text);
        out->at += len;
        text = slice_skip(text, len);
        if (text.len == 0)
            break;
        len = high_bytes(text);
        if (!text_is_utf8(slice_first(text, len)))
            return JSON_WRITER_NOT_UTF8;
        if (!sink_need(out, text.len + ESCAPE_LEN + 10))
            return JSON_WRITER_FULL;
        if (len > 0) {
            sink_store(out, text.data, len);
        } else {
            out->at = put_escape(out->at, text.data[0]);
            len = 1;
        }
        text = slice_skip(text, len);
    }
    *out->at++ = '"';
    return JSON_WRITER_OK;
}

bool json_writer_base64(struct sink *out, struct slice bytes)
{
    if (bytes.len > SIZE_MAX / 2 || !sink_need(out, text_base64_len(bytes.len) + 2))
        return false;
    *out->at++ = '"';
    out->at += text_base64_encode(bytes, true, (char *)out->at);
    *out->at++ = '"';
    return true;
}

/* The longest valid beginning of the text. */
static size_t utf8_prefix(struct slice text)
{
    size_t i = 0;
    while (i < text.len) {
        size_t len = 1;
        while (len < 4 && len < text.len - i && (text.data[i + len] & 0xc0) == 0x80)
            len++;
        if (!text_is_utf8(slice_from(text.data + i, len)))
            break;
        i += len;
    }
    return i;
}

static bool append_lossy(struct sink *out, struct slice text)
{
    if (!sink_append_byte(out, '"'))
        return false;
    while (text.len > 0) {
        size_t len = utf8_prefix(text);
        size_t before = sink_offset(out);
        if (json_writer_string(out, slice_first(text, len)) != JSON_WRITER_OK)
            return false;
        /* Without its own quotes. */
        size_t quoted = sink_offset(out) - before;
        memmove(sink_pointer(out, before), sink_pointer(out, before + 1), quoted - 2);
        sink_rewind(out, before + quoted - 2);
        text = slice_skip(text, len);
        if (text.len == 0)
            break;
        if (!sink_append(out, "\xef\xbf\xbd", 3))
            return false;
        text = slice_skip(text, 1);
    }
    return sink_append_byte(out, '"');
}

int json_writer_append_string(struct buf *out, struct slice text)
{
    struct sink sink;
    if (!sink_init(&sink, out, text.len + 2, text.len + 32))
        return -ENOBUFS;
    bool ok = append_lossy(&sink, text);
    return sink_finish(&sink, ok) ? 0 : -ENOBUFS;
}
