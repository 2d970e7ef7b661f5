#include "unit/cmocka_all.h"

#include "gateway/upstream/target.h"

#include <errno.h>

static void addresses_need_no_resolver(void **state)
{
    (void)state;
    static const struct {
        const char *text, *authority, *addresses;
    } rows[] = {
        {"127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051"},
        {"[::1]:50051", "[::1]:50051", "[::1]:50051"},
        {"dns:///127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051"},
        {"dns:127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051"},
        {"dns:[::1]", "[::1]", "[::1]:443"},
        {"ipv4:127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051"},
        {"ipv4:10.0.0.1", "10.0.0.1", "10.0.0.1:443"},
        {"ipv4:10.0.0.1:1,10.0.0.2:2,10.0.0.3", "10.0.0.1:1", "10.0.0.1:1 10.0.0.2:2 10.0.0.3:443"},
        {"ipv6:[::1]:50051", "[::1]:50051", "[::1]:50051"},
        {"[fe80::1%lo]:50051", "[fe80::1]:50051", "[fe80::1%lo]:50051"},
        {"ipv6:fe80::1%lo", "[fe80::1]", "[fe80::1%lo]:443"},
        {"ipv6:2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"},
        {"ipv6:[::1]:1,[::2]:2", "[::1]:1", "[::1]:1 [::2]:2"},
        {"unix:/run/calculator.sock", "localhost", "unix:/run/calculator.sock"},
        {"unix:relative.sock", "localhost", "unix:relative.sock"},
        {"unix:///run/calculator.sock", "localhost", "unix:/run/calculator.sock"},
        {"unix-abstract:calculator", "localhost", "unix-abstract:calculator"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target target;
        char error[OPTION_ERROR_LEN], text[NET_TEXT_LEN], all[4 * NET_TEXT_LEN] = "";
        assert_int_equal(target_parse(rows[i].text, &target, error), 0);
        assert_int_equal(target.kind, TARGET_ADDRESSES);
        assert_string_equal(target.text, rows[i].text);
        assert_string_equal(target.authority, rows[i].authority);
        for (size_t k = 0; k < target.count; k++) {
            net_format(&target.addresses[k], text);
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", k ? " " : "", text);
        }
        assert_string_equal(all, rows[i].addresses);
    }
}

static void names_keep_host_port_and_server(void **state)
{
    (void)state;
    static const struct {
        const char *text, *authority, *host;
        uint16_t port;
        const char *server;
    } rows[] = {
        {"localhost:50051", "localhost:50051", "localhost", 50051, ""},
        {":50051", "localhost:50051", "localhost", 50051, ""},
        {"dns:calc.example", "calc.example", "calc.example", 443, ""},
        {"dns:calc.example:1", "calc.example:1", "calc.example", 1, ""},
        {"dns:///calc.example", "calc.example", "calc.example", 443, ""},
        {"dns:///a_b-c.example.:65535", "a_b-c.example.:65535", "a_b-c.example.", 65535, ""},
        {"dns://10.0.0.1/calc:50051", "calc:50051", "calc", 50051, "10.0.0.1:53"},
        {"dns://127.0.0.1:5353/calc", "calc", "calc", 443, "127.0.0.1:5353"},
        {"dns://[::1]:5353/calc", "calc", "calc", 443, "[::1]:5353"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target target;
        char error[OPTION_ERROR_LEN];
        assert_int_equal(target_parse(rows[i].text, &target, error), 0);
        assert_int_equal(target.kind, TARGET_NAME);
        assert_int_equal(target.count, 0);
        assert_string_equal(target.authority, rows[i].authority);
        assert_string_equal(target.host, rows[i].host);
        assert_int_equal(target.port, rows[i].port);
        assert_string_equal(target.server, rows[i].server);
    }
}

static void what_is_no_target_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "the host is missing"},
        {"127.0.0.1", "needs HOST:PORT"},
        {"localhost", "needs HOST:PORT"},
        {"::1:50051", "needs HOST:PORT"},
        {"localhost:0", "from 1 to 65535"},
        {"localhost:65536", "\"localhost:65536\" is not HOST:PORT with a port up to 65535"},
        {"*:1", "\"*\" is neither a name nor an address"},
        {"a b:1", "\"a b\" is neither a name nor an address"},
        {"a\r\nb:1", "neither a name"},
        {"http://localhost:1", "without \"http://\""},
        {"grpc://localhost:1", "without \"grpc://\""},
        {"dns:", "the host is missing"},
        {"dns:///", "the host is missing"},
        {"dns:/a:1", "\"/a\" is neither"},
        {"dns://10.0.0.1", "write dns:///HOST:PORT"},
        {"dns://ns.example/a:1", "the name server \"ns.example\" must be a numeric address"},
        {"dns://10.0.0.1:x/a:1", "\"10.0.0.1:x\" is not HOST:PORT"},
        {"ipv4:", "\"\" is not an address"},
        {"ipv4:localhost:1", "\"localhost\" is not an address"},
        {"ipv4:10.0.0.1:1,", "\"\" is not an address"},
        {"ipv4:[::1]:1", "\"::1\" is not an IPv4 address"},
        {"ipv6:10.0.0.1:1", "\"10.0.0.1\" is not an IPv6 address"},
        {"ipv6:[::1:1", "is not HOST:PORT"},
        {"ipv4:1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
         "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
         "more than 16 addresses"},
        {"unix:", "the path is missing"},
        {"unix://run/x", "unix:///PATH"},
        {"unix-abstract:", "the path is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target target;
        char error[OPTION_ERROR_LEN] = "";
        assert_int_equal(target_parse(rows[i].text, &target, error), -EINVAL);
        if (!strstr(error, rows[i].says))
            fail_msg("%s: %s", rows[i].text, error);
    }
    char path[200] = "unix:", error[OPTION_ERROR_LEN] = "";
    struct target target;
    memset(path + 5, 'x', 150);
    assert_int_equal(target_parse(path, &target, error), -ENAMETOOLONG);
    assert_non_null(strstr(error, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_need_no_resolver),
        cmocka_unit_test(names_keep_host_port_and_server),
        cmocka_unit_test(what_is_no_target_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
