/* text: small conversions that RPC, HTTP and JSON share: UTF-8 check, decimal digits, base64 in
 * both alphabets. */
#pragma once
#include "base/slice.h"

#include <sys/types.h>

enum { TEXT_UINT64_LEN = 20 }; /* digits of 2^64-1 */

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool text_is_utf8(struct slice s);

/* Decimal digits without a NUL; returns their number (1 to 20). */
size_t text_format_uint64(char out[static TEXT_UINT64_LEN], uint64_t value);
/* Digits only, the whole slice, at least one.  0, -EINVAL, or -ERANGE above 2^64-1. */
int text_parse_uint64(struct slice s, uint64_t *value);

/* Bytes that base64 text of len bytes needs: with padding, and the most that decoding yields. */
static inline size_t text_base64_len(size_t len)
{
    return (len + 2) / 3 * 4;
}
static inline size_t text_base64_decoded_max(size_t len)
{
    return len / 4 * 3 + 2;
}
/* Standard alphabet (RFC 4648 section 4); returns the bytes written: text_base64_len(in.len), or up
 * to two fewer without padding. */
size_t text_base64_encode(struct slice in, bool padding, char *out);
/* Both alphabets (sections 4 and 5), padding optional, stray trailing bits ignored.  `out` holds
 * text_base64_decoded_max(in.len); it may be in.data.  Returns the bytes written or -EINVAL. */
ssize_t text_base64_decode(struct slice in, uint8_t *out);
