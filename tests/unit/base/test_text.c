#include "unit/cmocka_all.h"

#include "base/percent.h"
#include "base/text.h"

#include <errno.h>

static void utf8_follows_rfc3629(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"", true},
        {"plain ascii, longer than a word", true},
        {"\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xc0\x80", false},         /* overlong */
        {"\xe0\x80\x80", false},
        {"\xf0\x80\x80\x80", false},
        {"\xc3", false}, /* truncated */
        {"12345678\xe2\x82", false},
        {"\x80", false},
        {"\xff", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(text_is_utf8(slice_from_string(rows[i].text)), rows[i].ok);
}

static void base64_both_alphabets(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg", "foob"},
        {"-_", "\xfb"},
        {"+/", "\xfb"},
        {"Zm8", "fo"},
        {"Zh==", "f"},
        {"-_-_", "\xfb\xff\xbf"},
    };
    uint8_t out[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ssize_t n = text_base64_decode(slice_from_string(rows[i].in), out);
        assert_int_equal(n, strlen(rows[i].out));
        assert_memory_equal(out, rows[i].out, (size_t)n);
    }
    static const char *const bad[] = {"Z", "Zg=a", "Zg===", "Z!==", "====", "Zm9vY"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(text_base64_decode(slice_from_string(bad[i]), out), -EINVAL);
}

static void base64_round_trip(void **state)
{
    (void)state;
    uint8_t in[100], back[200];
    char text[200];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 37);
    for (size_t len = 0; len <= sizeof in; len++) {
        for (int padding = 0; padding < 2; padding++) {
            size_t n = text_base64_encode(slice_from(in, len), padding, text);
            assert_true(n <= text_base64_len(len) && (!padding || n % 4 == 0));
            assert_int_equal(text_base64_decode(slice_from(text, n), back), len);
            assert_memory_equal(back, in, len);
        }
    }
}

/* Every byte at every place of a text that is longer than a block, decoded over itself too. */
static void base64_knows_its_digits(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { LEN = 44 };
    for (size_t at = 0; at < LEN; at++) {
        for (unsigned c = 0; c < 256; c++) {
            uint8_t text[LEN], out[LEN / 4 * 3 + 2];
            memset(text, 'A', LEN);
            text[at] = (uint8_t)c;
            const char *digit = c ? strchr(digits, (int)c) : NULL;
            unsigned value = c == '-'   ? 62
                             : c == '_' ? 63
                             : digit    ? (unsigned)(digit - digits)
                                        : 64;
            ssize_t len = text_base64_decode(slice_from(text, LEN), out);
            bool padding = c == '=' && at == LEN - 1;
            assert_int_equal(len, padding ? 32 : value < 64 ? 33 : -EINVAL);
            for (size_t i = 0; value < 64 && i < 33; i++) {
                unsigned group = i / 3 == at / 4 ? value << (18 - at % 4 * 6) : 0;
                assert_int_equal(out[i], group >> (16 - i % 3 * 8) & 0xff);
            }
            assert_int_equal(text_base64_decode(slice_from(text, LEN), text), len);
            if (len > 0)
                assert_memory_equal(text, out, (size_t)len);
        }
    }
}

static void decimal_numbers(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(text_parse_uint64(SLICE("18446744073709551615"), &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(text_parse_uint64(SLICE("18446744073709551616"), &value), -ERANGE);
    assert_int_equal(text_parse_uint64(SLICE(""), &value), -EINVAL);
    assert_int_equal(text_parse_uint64(SLICE("+1"), &value), -EINVAL);
    char digits[TEXT_UINT64_LEN];
    assert_int_equal(text_format_uint64(digits, UINT64_MAX), 20);
    assert_int_equal(text_format_uint64(digits, 0), 1);
    assert_int_equal(digits[0], '0');
}

static void percent_messages(void **state)
{
    (void)state;
    char out[64];
    size_t n = percent_encode_message(SLICE("a%b\r\n\xc3\xa9~"), out);
    assert_true(slice_equal(slice_from(out, n), SLICE("a%25b%0D%0A%C3%A9~")));
    n = percent_decode_message(SLICE("a%25b%0d%zz%4"), out);
    assert_true(slice_equal(slice_from(out, n), SLICE("a%b\r%zz%4")));
}

static void percent_urls(void **state)
{
    (void)state;
    char out[64];
    ssize_t n = percent_decode_url(SLICE("a%2Fb%3a"), false, out);
    assert_true(slice_equal(slice_from(out, (size_t)n), SLICE("a/b:")));
    n = percent_decode_url(SLICE("a%2fb%3A"), true, out);
    assert_true(slice_equal(slice_from(out, (size_t)n), SLICE("a%2fb:")));
    assert_int_equal(percent_decode_url(SLICE("%"), false, out), -EINVAL);
    assert_int_equal(percent_decode_url(SLICE("%4"), false, out), -EINVAL);
    assert_int_equal(percent_decode_url(SLICE("%g0"), false, out), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_follows_rfc3629), cmocka_unit_test(base64_both_alphabets),
        cmocka_unit_test(base64_round_trip),    cmocka_unit_test(base64_knows_its_digits),
        cmocka_unit_test(decimal_numbers),      cmocka_unit_test(percent_messages),
        cmocka_unit_test(percent_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
