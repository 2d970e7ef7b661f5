/* Table test of the framing firewall: each row is a request head and what it deserves. */
#include "gateway/front/firewall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct config config;

/* Feeds "Name: value\n" lines; what stands before the first colon is the name. */
static struct firewall_verdict judge(struct firewall *fw, const char *line, const char *fields)
{
    static char copy[64 << 10];
    snprintf(copy, sizeof copy, "%s", fields);
    firewall_init(fw, &config.limits);
    struct slice rest = slice_from(copy, strlen(copy));
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        firewall_field(fw, (uint8_t *)(uintptr_t)name.data, name.len, &value);
    }
    struct slice words = slice_from_string(line);
    struct slice method = slice_cut(&words, ' ');
    struct slice target = slice_cut(&words, ' ');
    return firewall_judge(fw, method, target, words);
}

static void expect(const char *line, const char *fields, int http_status)
{
    struct firewall fw;
    struct firewall_verdict verdict = judge(&fw, line, fields);
    if (verdict.http_status != http_status)
        print_error("%s | %s: %d (%s), not %d\n", line, fields, verdict.http_status,
                    verdict.reason ? verdict.reason : "passed", http_status);
    assert_int_equal(verdict.http_status, http_status);
    assert_true(http_status == 0 ? verdict.reason == NULL : verdict.reason != NULL);
}

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fields;
        int http_status;
    } rows[] = {
        {"GET / HTTP/1.1", "Host: a\n", 0},
        {"GET / HTTP/1.0", "", 0},
        {"POST /a?b=c%00 HTTP/1.1", "Host: a:8080\nContent-Length: 10\n", 0},
        {"POST /a HTTP/1.1", "Host: [::1]:8080\nTransfer-Encoding: Chunked\n", 0},
        {"OPTIONS /a HTTP/1.1", "Host:\n", 0},
        {"GET / HTTP/1.1", "", 400},
        {"GET / HTTP/1.1", "Host: a\nHost: a\n", 400},
        {"GET / HTTP/1.0", "Host: a\nhost: b\n", 400},
        {"GET / HTTP/1.1", "Host: a/b\n", 400},
        {"GET / HTTP/1.1", "Host: a b\n", 400},
        {"GET / HTTP/1.1", "Host: user@a\n", 400},
        {"GET / HTTP/1.1", "Host: a, b\n", 400},
        {"GET / HTTP/1.1", "Host: a\nOrigin: http://a\nOrigin: http://b\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX Y: b\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX : b\n", 400},
        {"GET / HTTP/1.1", "Host: a\n: b\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX(: b\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX: b\x01\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX: 12345678\x7f\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX: 1234567\r89012345678\n", 400},
        {"GET / HTTP/1.1", "Host: a\nX: 123\t456789\xff\xc3\xa4 ~\n", 0},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 5\nTransfer-Encoding: chunked\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 5\nContent-Length: 5\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 5, 5\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: +5\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: -1\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 0x5\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length:\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 18446744073709551616\n", 400},
        {"POST / HTTP/1.1", "Host: a\nContent-Length: 18446744073709551615\n", 413},
        {"POST / HTTP/1.1", "Host: a\nTransfer-Encoding: identity\n", 501},
        {"POST / HTTP/1.1", "Host: a\nTransfer-Encoding: gzip, chunked\n", 501},
        {"POST / HTTP/1.1", "Host: a\nTransfer-Encoding: chunked, chunked\n", 501},
        {"POST / HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
         501},
        {"POST / HTTP/1.1", "Host: a\nTransfer-Encoding:\n", 501},
        {"POST / HTTP/1.0", "Transfer-Encoding: chunked\n", 400},
        {"GET / HTTP/1.2", "Host: a\n", 505},
        {"GET / HTTP/2.0", "Host: a\n", 505},
        {"GET / http/1.1", "Host: a\n", 505},
        {"GET / HTTP/1.1 ", "Host: a\n", 505},
        {"GET /", "Host: a\n", 505},
        {"TRACE / HTTP/1.1", "Host: a\n", 405},
        {"CONNECT a:443 HTTP/1.1", "Host: a\n", 405},
        {"SEARCH / HTTP/1.1", "Host: a\nContent-Length: 5\n", 0},
        {"get / HTTP/1.1", "Host: a\n", 0},
        {"connect / HTTP/1.1", "Host: a\n", 0},
        {"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", "Host: a\n", 0},
        {"A-METHOD-OF-EXACTLY-32-CHARACTERS / HTTP/1.1", "Host: a\n", 501},
        {"METHOD-OF-EXACTLY-32-CHARACTERS- / HTTP/1.1", "Host: a\n", 0},
        {"SEA(RCH / HTTP/1.1", "Host: a\n", 501},
        {"S\xc3\x84 / HTTP/1.1", "Host: a\n", 501},
        {" / HTTP/1.1", "Host: a\n", 501},
        {"GET http://a/ HTTP/1.1", "Host: a\n", 400},
        {"GET a:443 HTTP/1.1", "Host: a\n", 400},
        {"OPTIONS * HTTP/1.1", "Host: a\n", 400},
        {"GET /\x7f HTTP/1.1", "Host: a\n", 400},
        {"GET /\xc3\xa4 HTTP/1.1", "Host: a\n", 400},
        {"GET /a#b HTTP/1.1", "Host: a\n", 400},
        {"GET //../%2f%00 HTTP/1.1", "Host: a\n", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].line, rows[i].fields, rows[i].http_status);
}

/* Every byte, at every place of a value up to three words long. */
static void test_every_byte_of_a_value(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t len = 1; len <= 24; len++) {
            for (size_t at = 0; at < len; at++) {
                uint8_t name[] = "x", host[] = "host", value[24];
                memset(value, 'v', sizeof value);
                value[at] = (uint8_t)c;
                struct firewall fw;
                firewall_init(&fw, &config.limits);
                struct slice host_value = SLICE("a"), other_value = slice_from(value, len);
                firewall_field(&fw, host, 4, &host_value);
                firewall_field(&fw, name, 1, &other_value);
                bool ok = c == '\t' || (c >= 0x20 && c != 0x7f);
                int got =
                    firewall_judge(&fw, SLICE("GET"), SLICE("/"), SLICE("HTTP/1.1")).http_status;
                assert_int_equal(got, ok ? 0 : 400);
            }
        }
    }
}

static void test_every_byte_of_a_name(void **state)
{
    (void)state;
    static const char tokens[] = "!#$%&'*+-.^_`|~0123456789"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (unsigned c = 0; c < 256; c++) {
        uint8_t name[] = {'X', (uint8_t)c, 'z'};
        struct firewall fw;
        firewall_init(&fw, &config.limits);
        struct slice value = SLICE("v");
        bool usual = firewall_field(&fw, name, 3, &value);
        assert_int_equal(fw.bad_name, !(c && strchr(tokens, (int)c)));
        assert_int_equal(name[0], 'x');
        assert_int_equal(name[1], c >= 'A' && c <= 'Z' ? c + 32 : c);
        assert_int_equal(usual, metadata_name_valid(slice_from(name, 3)));
    }
}

static void test_results(void **state)
{
    (void)state;
    struct firewall fw;
    struct firewall_verdict verdict =
        judge(&fw, "PATCH /x HTTP/1.1",
              "HOST:  a \nContent-Type: application/json\norigin: http://b\nExpect: 100-continue\n"
              "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\ncontent-length: 007\n"
              "Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: x\n");
    assert_int_equal(verdict.http_status, 0);
    assert_int_equal(fw.method, METHOD_PATCH);
    assert_int_equal(fw.content_length, 7);
    assert_false(fw.chunked);
    assert_true(slice_equal(fw.value[FIREWALL_HOST], SLICE("a")));
    assert_true(slice_equal(fw.value[FIREWALL_CONTENT_TYPE], SLICE("application/json")));
    assert_true(slice_equal(fw.value[FIREWALL_ORIGIN], SLICE("http://b")));
    assert_true(slice_equal(fw.value[FIREWALL_EXPECT], SLICE("100-continue")));
    assert_true(slice_equal(fw.value[FIREWALL_SEC_FETCH_SITE], SLICE("same-origin")));
    assert_true(slice_equal(fw.value[FIREWALL_SEC_FETCH_MODE], SLICE("cors")));
    assert_true(slice_equal(fw.value[FIREWALL_REQUEST_METHOD], SLICE("POST")));
    assert_true(slice_equal(fw.value[FIREWALL_REQUEST_HEADERS], SLICE("x")));
    assert_int_equal(fw.count, 9);
    assert_true(slice_equal(fw.method_name, SLICE("PATCH")));
    judge(&fw, "Search /x HTTP/1.1", "Host: a\n");
    assert_int_equal(fw.method, METHOD_CUSTOM);
    assert_true(slice_equal(fw.method_name, SLICE("Search")));
    judge(&fw, "A-METHOD-OF-MORE-THAN-32-CHARACTERS /x HTTP/1.1", "Host: a\n");
    assert_true(slice_equal(fw.method_name, SLICE("A-METHOD-OF-MORE-THAN-32-CHARACT")));
    judge(&fw, "GET /x HTTP/1.1", "Host: a\n");
    assert_int_equal(fw.content_length, UINT64_MAX);
    assert_null(fw.value[FIREWALL_ORIGIN].data);
}

static void test_limits(void **state)
{
    (void)state;
    static char line[10000], fields[20000];
    snprintf(line, sizeof line, "GET /%0*d HTTP/1.1", 8191, 0);
    expect(line, "Host: a\n", 0);
    snprintf(line, sizeof line, "GET /%0*d HTTP/1.1", 8192, 0);
    expect(line, "Host: a\n", 414);
    /* "host" + "a" + 4, "x" + value + 4 */
    snprintf(fields, sizeof fields, "Host: a\nX: %0*d\n", (16 << 10) - 14, 0);
    expect("GET / HTTP/1.1", fields, 0);
    snprintf(fields, sizeof fields, "Host: a\nX: %0*d\n", (16 << 10) - 13, 0);
    expect("GET / HTTP/1.1", fields, 431);
    size_t len = (size_t)snprintf(fields, sizeof fields, "Host: a\n");
    for (int i = 0; i < 99; i++)
        len += (size_t)snprintf(fields + len, sizeof fields - len, "x: y\n");
    expect("GET / HTTP/1.1", fields, 0);
    snprintf(fields + len, sizeof fields - len, "x: y\n");
    expect("GET / HTTP/1.1", fields, 431);
}

int main(void)
{
    config_init(&config);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_byte_of_a_value),
        cmocka_unit_test(test_every_byte_of_a_name),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
