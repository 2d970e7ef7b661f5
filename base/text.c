#include "base/text.h"

#include "base/word.h"

#include <errno.h>
#ifdef __x86_64__
#include <emmintrin.h>
#endif

/* Length of the UTF-8 sequence at p (left bytes remain), 0 when malformed: the table of RFC 3629
 * section 4. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    size_t len;
    if (c < 0xc2)
        return 0;
    if (c < 0xe0) {
        len = 2;
    } else if (c < 0xf0) {
        len = 3;
        low = c == 0xe0 ? 0xa0 : 0x80;
        high = c == 0xed ? 0x9f : 0xbf;
    } else if (c < 0xf5) {
        len = 4;
        low = c == 0xf0 ? 0x90 : 0x80;
        high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool text_is_utf8(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        if (s.len - i >= WORD_LEN && (word_load(s.data + i) & WORD_EACH(0x80)) == 0) {
            i += WORD_LEN;
            continue;
        }
        if (s.data[i] < 0x80) {
            i++;
            continue;
        }
        size_t len = utf8_sequence(s.data + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t text_format_uint64(char out[static TEXT_UINT64_LEN], uint64_t value)
{
    char reversed[TEXT_UINT64_LEN];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

int text_parse_uint64(struct slice s, uint64_t *value)
{
    uint64_t sum = 0;
    if (s.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(s.data[i] - '0'), &sum))
            return -ERANGE;
    }
    *value = sum;
    return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The two digits of every twelve bits: half the look-ups and half the stores of one by one. */
#define PAIRS_OF_8(c, a, b, d, e, f, g, h, i)                                                      \
    {c, a}, {c, b}, {c, d}, {c, e}, {c, f}, {c, g}, {c, h},                                        \
    {                                                                                              \
        c, i                                                                                       \
    }
#define PAIRS(c)                                                                                   \
    PAIRS_OF_8(c, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'),                                         \
        PAIRS_OF_8(c, 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P'),                                     \
        PAIRS_OF_8(c, 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X'),                                     \
        PAIRS_OF_8(c, 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f'),                                     \
        PAIRS_OF_8(c, 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'),                                     \
        PAIRS_OF_8(c, 'o', 'p', 'q', 'r', 's', 't', 'u', 'v'),                                     \
        PAIRS_OF_8(c, 'w', 'x', 'y', 'z', '0', '1', '2', '3'),                                     \
        PAIRS_OF_8(c, '4', '5', '6', '7', '8', '9', '+', '/')
static const char base64_pairs[4096][2] = {
    PAIRS('A'), PAIRS('B'), PAIRS('C'), PAIRS('D'), PAIRS('E'), PAIRS('F'), PAIRS('G'), PAIRS('H'),
    PAIRS('I'), PAIRS('J'), PAIRS('K'), PAIRS('L'), PAIRS('M'), PAIRS('N'), PAIRS('O'), PAIRS('P'),
    PAIRS('Q'), PAIRS('R'), PAIRS('S'), PAIRS('T'), PAIRS('U'), PAIRS('V'), PAIRS('W'), PAIRS('X'),
    PAIRS('Y'), PAIRS('Z'), PAIRS('a'), PAIRS('b'), PAIRS('c'), PAIRS('d'), PAIRS('e'), PAIRS('f'),
    PAIRS('g'), PAIRS('h'), PAIRS('i'), PAIRS('j'), PAIRS('k'), PAIRS('l'), PAIRS('m'), PAIRS('n'),
    PAIRS('o'), PAIRS('p'), PAIRS('q'), PAIRS('r'), PAIRS('s'), PAIRS('t'), PAIRS('u'), PAIRS('v'),
    PAIRS('w'), PAIRS('x'), PAIRS('y'), PAIRS('z'), PAIRS('0'), PAIRS('1'), PAIRS('2'), PAIRS('3'),
    PAIRS('4'), PAIRS('5'), PAIRS('6'), PAIRS('7'), PAIRS('8'), PAIRS('9'), PAIRS('+'), PAIRS('/'),
};

/* Whole groups of three bytes; returns the bytes taken. */
static size_t base64_encode_groups(struct slice in, char *to)
{
    size_t i = 0;
    for (; in.len - i >= 8; i += 6, to += 8) { /* eight are loaded, six are used */
        uint64_t v;
        memcpy(&v, in.data + i, sizeof v);
        v = be64toh(v);
        memcpy(to, base64_pairs[v >> 52], 2);
        memcpy(to + 2, base64_pairs[v >> 40 & 0xfff], 2);
        memcpy(to + 4, base64_pairs[v >> 28 & 0xfff], 2);
        memcpy(to + 6, base64_pairs[v >> 16 & 0xfff], 2);
    }
    for (; in.len - i >= 3; i += 3, to += 4) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];
        memcpy(to, base64_pairs[v >> 12], 2);
        memcpy(to + 2, base64_pairs[v & 0xfff], 2);
    }
    return i;
}

size_t text_base64_encode(struct slice in, bool padding, char *out)
{
    size_t i = base64_encode_groups(in, out);
    char *to = out + i / 3 * 4;
    if (i == in.len)
        return (size_t)(to - out);
    bool two = in.len - i == 2;
    uint32_t v = (uint32_t)in.data[i] << 16 | (two ? (uint32_t)in.data[i + 1] << 8 : 0);
    *to++ = base64_digits[v >> 18];
    *to++ = base64_digits[v >> 12 & 63];
    if (two)
        *to++ = base64_digits[v >> 6 & 63];
    else if (padding)
        *to++ = '=';
    if (padding)
        *to++ = '=';
    return (size_t)(to - out);
}

/* Value of a digit; '-' and '_' are the URL-safe 62 and 63. */
#define NO 0xff
#define NO_16 NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO
static const uint8_t base64_values[256] = {
    NO_16, NO_16, /**/
    NO,    NO,    NO,    NO,    NO,    NO,    NO,    NO,
    NO,    NO,    NO,    62,    NO,    62,    NO,    63, /* '+' '-' '/' */
    52,    53,    54,    55,    56,    57,    58,    59,
    60,    61,    NO,    NO,    NO,    NO,    NO,    NO, /* '0' to '9' */
    NO,    0,     1,     2,     3,     4,     5,     6,
    7,     8,     9,     10,    11,    12,    13,    14, /* 'A' */
    15,    16,    17,    18,    19,    20,    21,    22,
    23,    24,    25,    NO,    NO,    NO,    NO,    63, /* 'Z' '_' */
    NO,    26,    27,    28,    29,    30,    31,    32,
    33,    34,    35,    36,    37,    38,    39,    40, /* 'a' */
    41,    42,    43,    44,    45,    46,    47,    48,
    49,    50,    51,    NO,    NO,    NO,    NO,    NO, /* 'z' */
    NO_16, NO_16, NO_16, NO_16, NO_16, NO_16, NO_16, NO_16,
};

/* Four digits as 24 bits; more when one of them is none. */
static inline uint32_t base64_group(const uint8_t *digits)
{
    uint32_t a = base64_values[digits[0]], b = base64_values[digits[1]];
    uint32_t c = base64_values[digits[2]], d = base64_values[digits[3]];
    uint32_t bad = (a | b | c | d) & 0x80;
    return bad << 24 | a << 18 | b << 12 | c << 6 | d;
}

#ifdef __x86_64__
/* All ones where low <= c <= high. */
static inline __m128i bytes_between(__m128i c, char low, char high)
{
    return _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8((char)(low - 1))),
                         _mm_cmplt_epi8(c, _mm_set1_epi8((char)(high + 1))));
}

static inline __m128i bytes_either(__m128i c, char a, char b)
{
    return _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8(a)), _mm_cmpeq_epi8(c, _mm_set1_epi8(b)));
}

/* Two groups of 24 bits, in the halves of a word, as six bytes; eight are written. */
static inline void put_groups(uint8_t *to, uint64_t groups)
{
    uint64_t bytes = htobe64(groups << 40 | groups >> 32 << 16);
    memcpy(to, &bytes, sizeof bytes);
}
#endif

/* Sixteen digits at a time as long as there are only digits.  Returns the digits taken; two bytes
 * more than they yield are written. */
static size_t base64_decode_blocks(struct slice in, uint8_t *to)
{
    size_t i = 0;
#ifdef __x86_64__
    for (; in.len - i >= 20; i += 16, to += 12) {
        __m128i c = _mm_loadu_si128((const __m128i *)(in.data + i));
        __m128i upper = bytes_between(c, 'A', 'Z'), lower = bytes_between(c, 'a', 'z');
        __m128i digit = bytes_between(c, '0', '9'), v62 = bytes_either(c, '+', '-');
        __m128i v63 = bytes_either(c, '/', '_');
        __m128i shift = _mm_or_si128(_mm_and_si128(upper, _mm_set1_epi8(-'A')),
                                     _mm_and_si128(lower, _mm_set1_epi8(26 - 'a')));
        shift = _mm_or_si128(shift, _mm_and_si128(digit, _mm_set1_epi8(52 - '0')));
        __m128i letter = _mm_or_si128(_mm_or_si128(upper, lower), digit);
        __m128i other = _mm_or_si128(v62, v63);
        if (_mm_movemask_epi8(_mm_or_si128(letter, other)) != 0xffff)
            break;
        __m128i value = _mm_and_si128(letter, _mm_add_epi8(c, shift));
        value = _mm_or_si128(value, _mm_and_si128(other, _mm_set1_epi8(62)));
        value = _mm_sub_epi8(value, v63); /* all ones are -1 */
        /* Neighbours join: to 12 bits, to 24 bits. */
        __m128i first = _mm_slli_epi16(_mm_and_si128(value, _mm_set1_epi16(0xff)), 6);
        __m128i twos = _mm_or_si128(first, _mm_srli_epi16(value, 8));
        __m128i fours = _mm_madd_epi16(twos, _mm_set1_epi32(1 << 16 | 1 << 12));
        put_groups(to, (uint64_t)_mm_cvtsi128_si64(fours));
        put_groups(to + 6, (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(fours, fours)));
    }
#else
    (void)in, (void)to;
#endif
    return i;
}

ssize_t text_base64_decode(struct slice in, uint8_t *out)
{
    for (size_t padded = in.len; in.len > 0 && padded - in.len < 2 && in.data[in.len - 1] == '=';)
        in.len--;
    if (in.len % 4 == 1)
        return -EINVAL;
    size_t i = base64_decode_blocks(in, out);
    uint8_t *to = out + i / 4 * 3;
    for (; in.len - i >= 4; i += 4, to += 3) {
        uint32_t bits = base64_group(in.data + i);
        if (bits >> 24)
            return -EINVAL;
        to[0] = (uint8_t)(bits >> 16);
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)bits;
    }
    if (i == in.len)
        return to - out;
    const uint8_t *at = in.data + i;
    bool three = in.len - i == 3;
    uint32_t bits = base64_group((const uint8_t[]){at[0], at[1], three ? at[2] : 'A', 'A'});
    if (bits >> 24)
        return -EINVAL;
    *to++ = (uint8_t)(bits >> 16);
    if (three)
        *to++ = (uint8_t)(bits >> 8);
    return to - out;
}
