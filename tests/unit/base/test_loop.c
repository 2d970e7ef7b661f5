#include "unit/cmocka_all.h"

#include "base/loop.h"
#include "base/net.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static char trace[64];

static void mark(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

static void on_ready(void *arg, int events)
{
    char byte;
    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
    mark("io ");
}

static void on_timer(void *arg)
{
    (void)arg;
    mark("timer ");
}

static int on_hook(void *arg)
{
    (void)arg;
    mark("hook ");
    return -1;
}

static void on_task(void *arg)
{
    (void)arg;
    mark("task ");
}

static void a_turn_runs_io_timers_hooks_tasks(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct loop *loop = loop_new();
    struct timer timer = {.on_expire = on_timer};
    struct loop_hook hook = {.on_turn_end = on_hook};
    struct loop_task task = {.run = on_task};
    struct loop_io *io = loop_io_new(loop, fds[0], LOOP_READ, on_ready, &fds[0]);
    loop_hook_add(loop, &hook);
    loop_defer(loop, &task);
    loop_timer_set(loop, &timer, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    trace[0] = 0;
    loop_turn(loop, -1);
    assert_string_equal(trace, "io timer hook task ");
    loop_io_set(io, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    trace[0] = 0;
    loop_turn(loop, 0);
    assert_string_equal(trace, "hook ");
    loop_io_free(io);
    loop_hook_remove(&hook);
    loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static void on_wake(void *arg)
{
    loop_stop(arg);
}

static void *wake_thread(void *arg)
{
    loop_wake(arg);
    return NULL;
}

static void another_thread_wakes_it(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    loop_on_wake(loop, on_wake, loop);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_thread, loop), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    loop_free(loop);
}

static void on_signal(void *arg, int signum)
{
    assert_int_equal(signum, SIGUSR1);
    loop_stop(arg);
}

static void signals_arrive_in_the_loop(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, loop), 0);
    raise(SIGUSR1);
    loop_run(loop);
    loop_free(loop);
}

static void addresses_parse_and_print(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool loopback;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},       {"[::1]:8080", "[::1]:8080", true},
        {"localhost:50051", "127.0.0.1:50051", true}, {":9", "0.0.0.0:9", false},
        {"unix:/tmp/x", "unix:/tmp/x", true},         {"10.0.0.1:0", "10.0.0.1:0", false},
    };
    char text[NET_TEXT_LEN];
    struct net_address address;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(net_is_address(rows[i].in));
        assert_int_equal(net_parse(rows[i].in, &address), 0);
        net_format(&address, text);
        assert_string_equal(text, rows[i].out);
        assert_int_equal(net_is_loopback(&address), rows[i].loopback);
    }
    static const char *const bad[] = {
        "",          "80",     "a",       "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536",
        "1.2.3.4:x", "::1:80", "[::1:80", "[]:1",    "unix:",    "1.2.3.4:-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(net_is_address(bad[i]));
        assert_int_equal(net_parse(bad[i], &address), -EINVAL);
    }
}

static void hosts_and_ports_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {{"", "", -1},          {"a", "a", -1},         {"a:1", "a", 1},
                {":2", "", 2},         {"::1", "::1", -1},     {"[::1]", "::1", -1},
                {"[::1]:3", "::1", 3}, {"a:65535", "a", 65535}};
    char host[NET_HOST_LEN];
    int port;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(net_split(slice_from_string(rows[i].text), host, &port), 0);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
    static const char *const bad[] = {"a:", "a:x", "a:65536", "[]", "[::1", "[::1]1", "[::1]:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(net_split(slice_from_string(bad[i]), host, &port), -EINVAL);
    char long_name[NET_HOST_LEN + 1];
    memset(long_name, 'a', NET_HOST_LEN);
    assert_int_equal(net_split(slice_from(long_name, NET_HOST_LEN), host, &port), -EINVAL);
}

static void a_port_in_use_is_noticed(void **state)
{
    (void)state;
    struct net_address address, peer;
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    int listener = net_listen(&address, NET_LISTEN_SHARED);
    assert_true(listener >= 0);
    assert_true(net_port(&address) > 0);
    assert_int_equal(net_probe_bind(&address), -EADDRINUSE);
    assert_int_equal(net_accept(listener, &peer), -EAGAIN);
    int second = net_listen(&address, NET_LISTEN_SHARED);
    assert_true(second >= 0);
    close(second);
    close(listener);
    assert_int_equal(net_probe_bind(&address), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_runs_io_timers_hooks_tasks),
        cmocka_unit_test(another_thread_wakes_it),
        cmocka_unit_test(signals_arrive_in_the_loop),
        cmocka_unit_test(addresses_parse_and_print),
        cmocka_unit_test(hosts_and_ports_are_split),
        cmocka_unit_test(a_port_in_use_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
