/* Fields behind the body: for whom, which, and how they are announced. */
#include "gateway/front/trailers.h"

#include "unit/cmocka_all.h"

static void who_takes_trailers(void **state)
{
    (void)state;
    static const struct {
        const char *te;
        bool accepted;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"trailers", true},
        {"Trailers", true},
        {"deflate, trailers;q=0.5", false}, /* no weight belongs there */
        {"deflate;q=0.5 , trailers ", true},
        {"trailers,gzip", true},
        {"trailer", false},
        {"xtrailers", false},
        {"gzip", false},
        {",,", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (trailers_accepted(slice_from_string(rows[i].te)) != rows[i].accepted)
            fail_msg("TE: %s", rows[i].te);
}

static void what_may_be_a_trailer(void **state)
{
    (void)state;
    static const char *const good[] = {"x-a",          "server-timing", "etag", "grpc-trailer-a",
                                       "digest",       "contents",      "x-te", "iff",
                                       "x-cookie-bin", "secret"};
    static const char *const bad[] = {"transfer-encoding",
                                      "content-length",
                                      "content-type",
                                      "content-encoding",
                                      "content-range",
                                      "trailer",
                                      "te",
                                      "connection",
                                      "keep-alive",
                                      "upgrade",
                                      "host",
                                      "set-cookie",
                                      "cookie",
                                      "authorization",
                                      "location",
                                      "retry-after",
                                      "vary",
                                      "cache-control",
                                      "expires",
                                      "age",
                                      "date",
                                      "www-authenticate",
                                      "warning",
                                      "if-match",
                                      "range",
                                      "max-forwards",
                                      "expect",
                                      "proxy-authenticate",
                                      "pragma",
                                      "access-control-allow-origin",
                                      "sec-websocket-accept"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!trailers_allowed(slice_from_string(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (trailers_allowed(slice_from_string(bad[i])))
            fail_msg("%s", bad[i]);
}

static void names_are_announced_once(void **state)
{
    (void)state;
    struct metadata_entry entries[] = {{SLICE("a"), SLICE("1")},
                                       {SLICE("b"), SLICE("2")},
                                       {SLICE("a"), SLICE("3")},
                                       {SLICE("c"), SLICE("4")}};
    struct metadata md = {.entries = entries, .count = 4};
    struct buf names;
    buf_init(&names, 100);
    trailers_append_names(&md, &names);
    assert_true(slice_equal(buf_slice(&names), SLICE("a, b, c")));
    buf_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_trailers),
        cmocka_unit_test(what_may_be_a_trailer),
        cmocka_unit_test(names_are_announced_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
