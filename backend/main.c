/* main: the command line of the calculator server. */
#include "backend/server.h"
#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_START = 1, EXIT_USAGE = 2, MAX_WORKERS = 256, DEFAULT_DRAIN_MS = 30000 };

struct settings {
    struct option_list listen;
    uint64_t port, workers, drain_timeout_ms;
    int log_level, log_format;
    bool help, version;
};

#define AT(member) offsetof(struct settings, member)

static const struct option options[] = {
    {.name = "listen",
     .value = "ADDR:PORT",
     .kind = OPTION_LIST,
     .offset = AT(listen),
     .help = "where to serve, may be repeated (default 127.0.0.1:50051);\n"
             "port 0 picks a free one; unix:PATH works too"},
    {.name = "port",
     .value = "N",
     .kind = OPTION_NUMBER,
     .max = 65535,
     .offset = AT(port),
     .help = "serve on all interfaces at this port"},
    {.name = "workers",
     .value = "N",
     .kind = OPTION_NUMBER,
     .min = 1,
     .max = MAX_WORKERS,
     .offset = AT(workers),
     .help = "threads (default: one per processor core)"},
    {.name = "drain-timeout",
     .value = "D",
     .kind = OPTION_DURATION,
     .max = 3600000,
     .offset = AT(drain_timeout_ms),
     .help = "how long running calls may go on after SIGTERM (default 30s)"},
    {.name = "log-level",
     .value = "L",
     .kind = OPTION_CHOICE,
     .choices = "error|warn|info|debug|off",
     .offset = AT(log_level),
     .help = "info logs every call (default warn)"},
    {.name = "log-format",
     .value = "F",
     .kind = OPTION_CHOICE,
     .choices = "text|json",
     .offset = AT(log_format),
     .help = "form of the log on standard error (default text)"},
    {.name = "tls-cert", .value = "FILE", .kind = OPTION_ABSENT, .help = "not built yet"},
    {.name = "tls-key", .value = "FILE", .kind = OPTION_ABSENT, .help = "not built yet"},
    {.name = "client-ca", .value = "FILE", .kind = OPTION_ABSENT, .help = "not built yet"},
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .offset = AT(help),
     .help = "print this text"},
    {.name = "version", .kind = OPTION_FLAG, .offset = AT(version), .help = "print the version"},
    {.name = NULL}};

/* In the order of the choices of --log-level. */
static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
                                        LOG_LEVEL_DEBUG, LOG_LEVEL_OFF};

static size_t default_workers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1)
        return 1;
    return cores > MAX_WORKERS ? MAX_WORKERS : (size_t)cores;
}

static int print_help(void)
{
    printf("Usage: calculator [OPTION]...\n\n"
           "A native gRPC server: arithmetic, streams, health and reflection.\n\n");
    options_help(options, stdout);
    printf("\nTry it: calculator-client sqrt 16\n");
    return 0;
}

static int usage(const char *error)
{
    fprintf(stderr, "calculator: %s\nTry: calculator --help\n", error);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct settings settings = {.drain_timeout_ms = DEFAULT_DRAIN_MS,
                                .workers = default_workers(),
                                .port = UINT64_MAX,
                                .log_level = 1};
    char error[OPTION_ERROR_LEN], all_interfaces[16];
    if (options_parse(options, &settings, argc, argv, NULL, error) < 0)
        return usage(error);
    if (settings.help)
        return print_help();
    if (settings.version) {
        printf("calculator %s\n", DRAWBRIDGE_VERSION);
        return 0;
    }
    if (settings.port != UINT64_MAX) {
        snprintf(all_interfaces, sizeof all_interfaces, ":%u", (unsigned)settings.port);
        if (settings.listen.count == OPTION_LIST_MAX)
            return usage("too many listeners");
        settings.listen.items[settings.listen.count++] = all_interfaces;
    }
    if (settings.listen.count == 0)
        settings.listen.items[settings.listen.count++] = "127.0.0.1:50051";
    const struct server_config config = {.listen = &settings.listen,
                                         .workers = settings.workers,
                                         .drain_timeout_ms = settings.drain_timeout_ms,
                                         .log_level = levels[settings.log_level],
                                         .log_format = (enum log_format)settings.log_format};
    int result = server_run(&config);
    if (result == -EINVAL)
        return EXIT_USAGE;
    return result < 0 ? EXIT_START : 0;
}
