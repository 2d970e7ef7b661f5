/* Look-ups against a name server in the same loop, and upstreams whose name it knows. */
#include "unit/gateway/upstream/peer.h"

#include "gateway/upstream/resolver.h"

#include <netinet/in.h>

/* Answers every question of type A with the last byte of an address in 127.0.0.0/24; 0: the name
 * does not exist.  Other types have no data. */
struct name_server {
    int fd;
    struct loop_io *io;
    uint8_t address;
    bool silent, drops_ipv6;
    unsigned asked;
};

static void on_question(void *arg, int events)
{
    struct name_server *ns = arg;
    uint8_t packet[512], *end;
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    (void)events;
    ssize_t got =
        recvfrom(ns->fd, packet, sizeof packet - 16, 0, (struct sockaddr *)&from, &from_len);
    ns->asked++;
    if (got < 16 || ns->silent)
        return;
    end = packet + 12;
    while (*end)
        end += *end + 1;
    bool is_a = end[2] == 1;
    if (!is_a && ns->drops_ipv6)
        return;
    end += 5;
    packet[2] = 0x84; /* an answer, authoritative (RFC 1035 section 4.1.1) */
    packet[3] = ns->address ? 0 : 3;
    memset(packet + 6, 0, 6);
    if (is_a && ns->address) {
        static const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0};
        packet[7] = 1;
        memcpy(end, head, sizeof head);
        end[sizeof head] = ns->address;
        end += sizeof head + 1;
    }
    sendto(ns->fd, packet, (size_t)(end - packet), 0, (struct sockaddr *)&from, from_len);
}

/* Makes p's target a name that this server is asked for, with the port of p's listener. */
static void serve_names(struct name_server *ns, struct peer *p, const char *name)
{
    struct net_address own;
    char error[OPTION_ERROR_LEN], address[NET_TEXT_LEN];
    static char text[2 * NET_TEXT_LEN];
    assert_int_equal(net_numeric("127.0.0.1", 0, &own), 0);
    ns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(ns->fd, (struct sockaddr *)&own.storage, own.len), 0);
    own.len = sizeof own.storage;
    assert_int_equal(getsockname(ns->fd, (struct sockaddr *)&own.storage, &own.len), 0);
    net_format(&own, address);
    snprintf(text, sizeof text, "dns://%s/%s:%u", address, name, net_port(peer_address(p)));
    assert_int_equal(target_parse(text, &p->target, error), 0);
    ns->io = loop_io_new(p->loop, ns->fd, LOOP_READ, on_question, ns);
}

static void stop_names(struct name_server *ns)
{
    loop_io_free(ns->io);
    close(ns->fd);
}

struct outcome {
    unsigned calls;
    size_t count;
    char first[NET_TEXT_LEN], why[200];
};

static void on_done(void *arg, const struct net_address *addresses, size_t count, const char *why)
{
    struct outcome *o = arg;
    o->calls++;
    o->count = count;
    snprintf(o->why, sizeof o->why, "%s", why ? why : "");
    if (count)
        net_format(&addresses[0], o->first);
}

static struct outcome look_up(struct peer *p, uint64_t timeout_ms)
{
    struct outcome o = {0};
    assert_non_null(resolver_start(p->loop, &p->target, timeout_ms, on_done, &o));
    assert_int_equal(o.calls, 0);
    STEP_UNTIL(p, o.calls);
    return o;
}

static void the_named_server_is_asked(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct name_server ns = {.address = 7};
    char wanted[NET_TEXT_LEN];
    snprintf(wanted, sizeof wanted, "127.0.0.7:%u", net_port(peer_address(p)));
    serve_names(&ns, p, "calc.example");
    struct outcome o = look_up(p, 2000);
    assert_int_equal(o.count, 1);
    assert_string_equal(o.first, wanted);
    ns.address = 0;
    o = look_up(p, 2000);
    assert_int_equal(o.count, 0);
    assert_string_equal(o.why, "no address is known for calc.example");
    ns.silent = true;
    o = look_up(p, 50);
    assert_int_equal(o.count, 0);
    assert_non_null(strstr(o.why, "within 50 ms"));
    struct outcome never = {0};
    resolver_cancel(resolver_start(p->loop, &p->target, 1000, on_done, &never));
    loop_turn(p->loop, 0);
    assert_int_equal(never.calls, 0);
    stop_names(&ns);
    peer_free(p);
}

/* Such servers exist; they have the answer all the same. */
static void questions_for_ipv6_are_dropped(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct name_server ns = {.address = 7, .drops_ipv6 = true};
    serve_names(&ns, p, "calc.example");
    struct outcome o = look_up(p, 200);
    assert_int_equal(o.count, 1);
    stop_names(&ns);
    peer_free(p);
}

/* As with a /etc/resolv.conf that cannot be read. */
static void what_cannot_begin_says_why(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    char error[OPTION_ERROR_LEN];
    assert_int_equal(target_parse("calc.example:7", &p->target, error), 0);
    snprintf(p->target.server, sizeof p->target.server, "nobody");
    struct outcome o = look_up(p, 200);
    assert_int_equal(o.count, 0);
    assert_non_null(strstr(o.why, "calc.example cannot be looked up: "));
    peer_free(p);
}

static void the_hosts_file_counts(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    char error[OPTION_ERROR_LEN];
    assert_int_equal(target_parse("localhost:7", &p->target, error), 0);
    struct outcome o = look_up(p, 2000);
    assert_true(o.count >= 1);
    assert_string_equal(o.first, "127.0.0.1:7");
    peer_free(p);
}

static void an_upstream_follows_its_name(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct name_server ns = {.address = 0};
    serve_names(&ns, p, "calc.example");
    peer_start(p);
    struct heard unknown = {0}, known = {0}, moved = {0};
    ping(p, &unknown, &message_events);
    STEP_UNTIL(p, unknown.statuses);
    assert_int_equal(unknown.status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(unknown.message, "calc.example"));
    assert_non_null(strstr(unknown.message, "no address is known"));
    assert_int_equal(peer_metric(p, METRIC_UPSTREAM_CONNECTS), 0);
    ns.address = 2; /* nobody listens there; the failure has the name looked up again */
    STEP_UNTIL(p, peer_metric(p, METRIC_UPSTREAM_FAILURES) >= 2);
    assert_non_null(strstr(upstream_last_failure(p->up)->text, "(127.0.0.2:"));
    ns.address = 1;
    STEP_UNTIL(p, upstream_ready(p->up));
    ping(p, &known, &message_events);
    STEP_UNTIL(p, known.statuses);
    assert_int_equal(known.status.code, STATUS_OK);
    /* Lost: the address is tried as it is known; only its failure needs the name server. */
    unsigned asked = ns.asked;
    ns.address = 0;
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, !upstream_ready(p->up));
    ping(p, &moved, &message_events);
    STEP_UNTIL(p, moved.statuses);
    assert_int_equal(moved.status.code, STATUS_OK);
    assert_int_equal(ns.asked, asked);
    stop_names(&ns);
    peer_free(p);
}

/* A name server that fails does not take away what was known. */
static void known_addresses_stay(void **state)
{
    (void)state;
    struct peer *p = peer_new();
    struct name_server ns = {.address = 1};
    serve_names(&ns, p, "calc.example");
    struct net_address where;
    assert_int_equal(net_numeric("127.0.0.1", p->target.port, &where), 0);
    peer_start(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    ns.address = 0;
    unsigned asked = ns.asked;
    peer_unlisten(p);
    h2_conn_close(p->conn[0]);
    STEP_UNTIL(p, ns.asked > asked + 2);
    p->target.addresses[0] = where; /* where peer_listen() goes */
    p->target.count = 1;
    peer_listen(p);
    STEP_UNTIL(p, upstream_ready(p->up));
    stop_names(&ns);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_server_is_asked),
        cmocka_unit_test(questions_for_ipv6_are_dropped),
        cmocka_unit_test(what_cannot_begin_says_why),
        cmocka_unit_test(the_hosts_file_counts),
        cmocka_unit_test(an_upstream_follows_its_name),
        cmocka_unit_test(known_addresses_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
