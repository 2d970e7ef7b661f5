#include "base/percent.h"

#include <errno.h>

size_t percent_encode_message(struct slice in, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = out;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    return (size_t)(to - out);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Value of the escape at `at`, -1 when there is none. */
static int percent_escape(struct slice in, size_t at)
{
    if (in.data[at] != '%' || in.len - at < 3)
        return -1;
    int high = hex_digit(in.data[at + 1]), low = hex_digit(in.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

size_t percent_decode_message(struct slice in, char *out)
{
    char *to = out;
    for (size_t i = 0; i < in.len; i++) {
        int byte = percent_escape(in, i);
        *to++ = byte < 0 ? (char)in.data[i] : (char)byte;
        if (byte >= 0)
            i += 2;
    }
    return (size_t)(to - out);
}

ssize_t percent_decode_url(struct slice in, bool keep_slash, char *out)
{
    char *to = out;
    for (size_t i = 0; i < in.len; i++) {
        int byte = percent_escape(in, i);
        if (byte < 0 && in.data[i] == '%')
            return -EINVAL;
        if (byte < 0 || (keep_slash && byte == '/')) {
            *to++ = (char)in.data[i];
            continue;
        }
        *to++ = (char)byte;
        i += 2;
    }
    return to - out;
}
