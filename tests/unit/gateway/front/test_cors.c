/* The cross-origin policy as a table: who asks, under which name, with which configuration. */
#include "gateway/front/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct slice field(const char *text)
{
    return slice_from_string(text); /* NULL: absent */
}

static void test_decisions(void **state)
{
    (void)state;
    static const char *const listed[] = {"https://app.example", "http://dev.example:5173"};
    static const char *const any[] = {"*"};
    const struct cors_policy local = {.loopback_only = true}, public_none = {.max_age_s = 0},
                             public_list = {listed, 2, false, 0, false},
                             local_list = {listed, 2, true, 0, false},
                             everyone = {any, 1, false, 0, false},
                             local_any = {any, 1, true, 0, false};
    const struct {
        const struct cors_policy *policy;
        const char *origin, *host, *site, *mode;
        enum cors_verdict verdict;
    } rows[] = {
        /* no browser: not judged, whatever the Host */
        {&local, NULL, "127.0.0.1:8080", NULL, NULL, CORS_NO_BROWSER},
        {&local, NULL, "health.example", NULL, NULL, CORS_NO_BROWSER},
        {&public_none, NULL, NULL, NULL, NULL, CORS_NO_BROWSER},
        /* on loopback only: loopback pages */
        {&local, "http://localhost:5173", "127.0.0.1:8080", NULL, NULL, CORS_ALLOWED},
        {&local, "https://localhost", "localhost:8080", NULL, NULL, CORS_ALLOWED},
        {&local, "http://app.localhost:3000", "localhost:8080", NULL, NULL, CORS_ALLOWED},
        {&local, "http://[::1]:3000", "localhost:8080", NULL, NULL, CORS_ALLOWED},
        {&local, "http://127.0.0.2", "localhost:8080", NULL, NULL, CORS_ALLOWED},
        {&local, "http://localhost:8080", "localhost:8080", NULL, NULL, CORS_SAME_ORIGIN},
        {&local, "http://127.0.0.1.evil.example", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "http://localhost.evil.example", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "http://evillocalhost", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "https://evil.example", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "null", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "file://", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "http://", "localhost:8080", NULL, NULL, CORS_REFUSED},
        {&local, "", "localhost:8080", NULL, NULL, CORS_REFUSED},
        /* DNS rebinding: same-origin by name, but not a name of this machine */
        {&local, "http://evil.example:8080", "evil.example:8080", NULL, NULL, CORS_REFUSED},
        {&local, NULL, "evil.example:8080", "same-origin", NULL, CORS_REFUSED},
        {&local, NULL, "evil.example:8080", "none", "navigate", CORS_REFUSED},
        {&local, NULL, "localhost:8080", "same-origin", NULL, CORS_SAME_ORIGIN},
        {&local, NULL, "localhost:8080", "none", "navigate", CORS_SAME_ORIGIN},
        {&local_list, "https://app.example", "app.example", NULL, NULL, CORS_ALLOWED},
        {&local_list, NULL, "app.example:8443", "same-origin", NULL, CORS_SAME_ORIGIN},
        {&local_list, "http://app.example:8443", "app.example:8443", NULL, NULL, CORS_SAME_ORIGIN},
        /* public: same-origin under any name, listed ones, nobody else */
        {&public_none, "https://api.example", "api.example", NULL, NULL, CORS_SAME_ORIGIN},
        {&public_none, "https://api.example", "api.example:443", NULL, NULL, CORS_SAME_ORIGIN},
        {&public_none, "http://api.example:80", "API.example", NULL, NULL, CORS_SAME_ORIGIN},
        {&public_none, "https://api.example:8443", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_none, "http://[::1]:80", "[::1]", NULL, NULL, CORS_SAME_ORIGIN},
        {&public_none, "http://localhost:5173", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "https://app.example", "api.example", NULL, NULL, CORS_ALLOWED},
        {&public_list, "HTTPS://APP.example", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "http://app.example", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "https://app.example:8443", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "https://app.example.evil", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "https://sub.app.example", "api.example", NULL, NULL, CORS_REFUSED},
        {&public_list, "http://dev.example:5173", "api.example", NULL, NULL, CORS_ALLOWED},
        {&public_list, "null", "api.example", NULL, NULL, CORS_REFUSED},
        /* what <img> and <script> load has no Origin */
        {&public_list, NULL, "api.example", "cross-site", "no-cors", CORS_REFUSED},
        {&public_list, NULL, "api.example", "same-site", "no-cors", CORS_REFUSED},
        {&public_list, NULL, "api.example", "cross-site", "navigate", CORS_SAME_ORIGIN},
        /* everyone, but never "null" */
        {&everyone, "https://evil.example", "api.example", NULL, NULL, CORS_ALLOWED_ANY},
        {&everyone, "null", "api.example", NULL, NULL, CORS_REFUSED},
        {&everyone, NULL, "api.example", "cross-site", "no-cors", CORS_ALLOWED_ANY},
        {&local_any, "http://evil.example", "evil.example", NULL, NULL, CORS_ALLOWED_ANY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cors_request req = {.origin = field(rows[i].origin),
                                   .host = field(rows[i].host),
                                   .sec_fetch_site = field(rows[i].site),
                                   .sec_fetch_mode = field(rows[i].mode)};
        enum cors_verdict got = cors_decide(rows[i].policy, &req);
        if (got != rows[i].verdict)
            print_error("row %zu: origin %s host %s: %d, not %d\n", i, rows[i].origin, rows[i].host,
                        (int)got, (int)rows[i].verdict);
        assert_int_equal(got, rows[i].verdict);
    }
}

static void assert_field(const struct metadata *md, const char *name, const char *value)
{
    struct slice got = metadata_get(md, slice_from_string(name));
    if (!value) {
        assert_null(got.data);
        return;
    }
    assert_non_null(got.data);
    assert_string_equal((const char *)got.data, value); /* NUL-terminated, as promised */
    assert_int_equal(got.len, strlen(value));
}

static void test_preflight(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata md;
    struct cors_policy policy = {.max_age_s = 7200};
    struct cors_request req = {.origin = SLICE("https://app.example"),
                               .request_headers = SLICE("x-grpc-web, Content-Type"),
                               .request_private_network = SLICE("true")};
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    assert_int_equal(cors_preflight_fields(&policy, CORS_ALLOWED, &req, &md), 0);
    assert_field(&md, "vary", "Origin");
    assert_field(&md, "access-control-allow-origin", "https://app.example");
    assert_field(&md, "access-control-allow-credentials", "true");
    assert_field(&md, "access-control-allow-methods",
                 "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_field(&md, "access-control-allow-headers", "x-grpc-web, Content-Type");
    assert_field(&md, "access-control-max-age", "7200");
    assert_field(&md, "access-control-allow-private-network", NULL);
    static const char *const bad[] = {"a\r\nb: c", "a;b", "a\"b", "", "a(b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        metadata_init(&md, &arena, 1 << 16);
        req.request_headers = slice_from_string(bad[i]);
        assert_int_equal(cors_preflight_fields(&policy, CORS_ALLOWED_ANY, &req, &md), 0);
        assert_field(&md, "access-control-allow-headers", NULL);
        assert_field(&md, "access-control-allow-origin", "*");
        assert_field(&md, "access-control-allow-credentials", NULL);
    }
    policy.private_network = true;
    policy.max_age_s = 0;
    static const char *const asked[] = {"true", "True", "false", NULL};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        metadata_init(&md, &arena, 1 << 16);
        req.request_private_network = field(asked[i]);
        assert_int_equal(cors_preflight_fields(&policy, CORS_ALLOWED, &req, &md), 0);
        assert_field(&md, "access-control-allow-private-network", i == 0 ? "true" : NULL);
        assert_field(&md, "access-control-max-age", "0");
    }
    arena_fini(&arena);
}

/* fetch(url, {method: "SEARCH"}) asks before it calls. */
static void test_preflight_of_methods(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *added;
    } rows[] = {
        {NULL, ""},
        {"POST", ""},
        {"DELETE", ""},
        {"SEARCH", ", SEARCH"},
        {"patch", ", patch"},
        {"GE", ", GE"},
        {"*", ", *"},
        {"TRACE", ""},
        {"CONNECT", ""},
        {"", ""},
        {"A B", ""},
        {"A,B", ""},
        {"A\r\nB: c", ""},
        {"S\xc3\x84", ""},
        {"A-METHOD-OF-EXACTLY-32-CHARACTERS", ""},
    };
    struct arena arena;
    struct cors_policy policy = {.max_age_s = 7200};
    arena_init(&arena, NULL, 0, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct metadata md;
        char wanted[100];
        struct cors_request req = {.origin = SLICE("https://app.example"),
                                   .request_method = field(rows[i].asked)};
        metadata_init(&md, &arena, 1 << 16);
        snprintf(wanted, sizeof wanted, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS%s",
                 rows[i].added);
        assert_int_equal(cors_preflight_fields(&policy, CORS_ALLOWED, &req, &md), 0);
        assert_field(&md, "access-control-allow-methods", wanted);
    }
    arena_fini(&arena);
}

static void test_response(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata md;
    arena_init(&arena, NULL, 0, 1 << 16);
    metadata_init(&md, &arena, 1 << 16);
    assert_int_equal(cors_response_fields(CORS_SAME_ORIGIN, SLICE("https://a.example"), &md), 0);
    assert_int_equal(cors_response_fields(CORS_NO_BROWSER, (struct slice){NULL, 0}, &md), 0);
    assert_int_equal(cors_response_fields(CORS_ALLOWED_ANY, (struct slice){NULL, 0}, &md), 0);
    assert_int_equal(md.count, 0);
    metadata_add(&md, SLICE("content-type"), SLICE("application/grpc-web"));
    assert_int_equal(cors_response_fields(CORS_ALLOWED, SLICE("https://a.example"), &md), 0);
    assert_field(&md, "access-control-expose-headers",
                 "grpc-status, grpc-message, grpc-status-details-bin");
    assert_field(&md, "access-control-allow-origin", "https://a.example");
    assert_field(&md, "access-control-allow-credentials", "true");
    assert_field(&md, "vary", "Origin");
    metadata_init(&md, &arena, 1 << 16);
    metadata_add(&md, SLICE("x-custom"), SLICE("1"));
    metadata_add(&md, SLICE("content-type"), SLICE("a/b"));
    metadata_add(&md, SLICE("trace-bin"), SLICE("AA"));
    metadata_add(&md, SLICE("grpc-status"), SLICE("0"));
    assert_int_equal(cors_response_fields(CORS_ALLOWED_ANY, SLICE("https://a.example"), &md), 0);
    assert_field(&md, "access-control-expose-headers",
                 "grpc-status, grpc-message, grpc-status-details-bin, x-custom, trace-bin");
    assert_field(&md, "access-control-allow-origin", "*");
    assert_field(&md, "access-control-allow-credentials", NULL);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_preflight_of_methods),
        cmocka_unit_test(test_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
