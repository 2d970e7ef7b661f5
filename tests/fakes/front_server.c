/* front_server: a front with the fake protocol on a loopback port, for integration tests and
 * measurements.  Prints the port on standard output, one line of JSON with every gauge and counter
 * when it gets SIGUSR1 and at its end on SIGTERM (drained) or SIGINT (at once); exits 1 if anything
 * is live then.
 *   front_server [HEADER_MS GRACE_MS STALL_MS KEEPALIVE_MS [MAX_CONNECTIONS [LOG_LEVEL]]] */
#include "gateway/front/front.h"
#include "tests/fakes/fake_protocol.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct context ctx;
static struct metrics metrics;
static struct front *front;

static uint64_t value_of(enum metric metric)
{
    return atomic_load_explicit(&metrics.values[metric], memory_order_relaxed);
}

static void print_metrics(void)
{
    static const struct {
        const char *name;
        enum metric metric;
    } rows[] = {
        {"accepted", METRIC_CONNECTIONS_ACCEPTED},
        {"connections", METRIC_CONNECTIONS_OPEN},
        {"limited", METRIC_CONNECTIONS_REFUSED},
        {"refused", METRIC_REQUESTS_REFUSED},
        {"cut", METRIC_CONNECTIONS_CUT},
        {"exchanges", METRIC_EXCHANGES_OPEN},
        {"bytes_in", METRIC_BYTES_IN},
        {"bytes_out", METRIC_BYTES_OUT},
        {"buffered", METRIC_BUFFERED_BYTES},
    };
    printf("{");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("\"%s\":%" PRIu64 ",", rows[i].name, value_of(rows[i].metric));
    printf("\"opened\":%" PRIu64 ",\"closed\":%" PRIu64 ",\"body_ends\":%" PRIu64 "}\n",
           fake_protocol_opened, fake_protocol_closed, fake_protocol_body_ends);
    fflush(stdout);
}

static void on_signal(void *arg, int signum)
{
    (void)arg;
    if (signum == SIGUSR1) {
        print_metrics();
    } else if (signum == SIGTERM) {
        ctx.draining = true;
        front_drain(front);
    } else {
        loop_stop(ctx.loop);
    }
}

static int flush_log(void *arg)
{
    (void)arg;
    log_flush(ctx.log);
    if (ctx.draining && front_idle(front))
        loop_stop(ctx.loop);
    return -1;
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static struct config config;
    config_init(&config);
    config.loopback_only = true;
    config.limits.header_timeout_ms = argument(argc, argv, 1, 10000);
    config.limits.body_grace_ms = argument(argc, argv, 2, 5000);
    config.limits.stall_timeout_ms = argument(argc, argv, 3, 30000);
    config.limits.keepalive_timeout_ms = argument(argc, argv, 4, 60000);
    log_level_parse(argc > 6 ? argv[6] : "warn", &config.log_level);
    ctx = (struct context){.loop = loop_new(),
                           .log = log_new(2, LOG_FORMAT_TEXT, config.log_level),
                           .config = &config,
                           .metrics = &metrics};
    net_raise_file_limit();
    struct front_options options = {.protocols = fake_protocols,
                                    .max_connections = argument(argc, argv, 5, 12000),
                                    .loopback_only = true};
    front = front_new(&ctx, &options);
    struct net_address address;
    if (!front || net_parse("127.0.0.1:0", &address) < 0)
        return 2;
    int listener = net_listen(&address, NET_LISTEN_SHARED);
    if (listener < 0 || front_listen_fd(front, listener) < 0)
        return 2;
    struct loop_hook hook = {.on_turn_end = flush_log};
    loop_hook_add(ctx.loop, &hook);
    loop_on_signal(ctx.loop, SIGTERM, on_signal, NULL);
    loop_on_signal(ctx.loop, SIGINT, on_signal, NULL);
    loop_on_signal(ctx.loop, SIGUSR1, on_signal, NULL);
    printf("%u\n", net_port(&address));
    fflush(stdout);
    loop_run(ctx.loop);
    front_free(front);
    print_metrics();
    loop_hook_remove(&hook);
    log_free(ctx.log);
    loop_free(ctx.loop);
    bool live = value_of(METRIC_CONNECTIONS_OPEN) || value_of(METRIC_EXCHANGES_OPEN) ||
                value_of(METRIC_BUFFERED_BYTES) || fake_protocol_opened != fake_protocol_closed;
    return live ? 1 : 0;
}
