#include "unit/cmocka_all.h"

#include "base/net.h"

static struct net_address address(const char *text)
{
    struct net_address a;
    if (net_parse(text, &a) < 0)
        fail_msg("%s is no address", text);
    return a;
}

static void listeners_that_overlap(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool overlap;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"0.0.0.0:80", "127.0.0.1:80", true},
        {"0.0.0.0:80", "127.0.0.1:81", false},
        {"0.0.0.0:80", "[::1]:80", false},
        {"[::]:80", "[::1]:80", true},
        {"[::]:80", "127.0.0.1:80", true},
        {"[::]:80", "0.0.0.0:80", true},
        {"0.0.0.0:0", "0.0.0.0:0", false},
        {"unix:/a", "unix:/a", true},
        {"unix:/a", "unix:/b", false},
        {"unix:/a", "0.0.0.0:80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_address a = address(rows[i].a), b = address(rows[i].b);
        if (net_overlap(&a, &b) != rows[i].overlap || net_overlap(&b, &a) != rows[i].overlap)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static void numeric_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text; /* NULL: it is none */
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:7"},
        {"::1", "[::1]:7"},
        {"fe80::1%lo", "[fe80::1%lo]:7"},
        {"fe80::1%no-such-device", NULL},
        {"localhost", NULL},
        {"*", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_address a;
        char text[NET_TEXT_LEN] = "";
        bool good = net_numeric(rows[i].host, 7, &a) == 0;
        if (good)
            net_format(&a, text);
        if (good != (rows[i].text != NULL) || (good && strcmp(text, rows[i].text) != 0))
            fail_msg("%s is %s", rows[i].host, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_that_overlap),
        cmocka_unit_test(numeric_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
