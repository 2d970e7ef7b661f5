/* serve: `drawbridge serve`: flags and environment into a struct config, then the gateway. */
#include "gateway/cli/banner.h"
#include "gateway/cli/cli.h"
#include "gateway/config_flags.h"
#include "gateway/gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void on_ready(const struct config *config, const struct schema *schema)
{
    banner_print(config, schema, stderr);
}

static int run_serve(const struct command *command, int argc, char **argv)
{
    struct config_flags flags;
    struct config config;
    char error[OPTION_ERROR_LEN];
    config_flags_init(&flags);
    int result = config_flags_environment(&flags, getenv, error);
    if (result == 0)
        result = config_flags_parse(&flags, argc, argv, error);
    if (result == 0)
        result = config_flags_apply(&flags, &config, error);
    int status;
    if (result == -EINVAL) {
        status = command_wrong_usage(command, "%s", error);
    } else if (result < 0) {
        fprintf(stderr, "drawbridge serve: %s\n", error);
        status = COMMAND_FAILED;
    } else {
        status = gateway_serve(&config, isatty(STDERR_FILENO) ? on_ready : NULL);
    }
    config_flags_fini(&flags);
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "serve a gRPC server to browsers and curl",
    .operands = "",
    .details =
        "Learns the services of --upstream by server reflection (or from --descriptors) and\n"
        "serves them as gRPC-Web and as JSON.  Each option is also an environment variable:\n"
        "--max-timeout is DRAWBRIDGE_MAX_TIMEOUT; lists are separated by spaces.",
    .examples = "  drawbridge serve --upstream localhost:50051\n"
                "  drawbridge serve --upstream localhost:50051 --listen 0.0.0.0:8080 "
                "--cors-origin https://app.example",
    .options = config_flags_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_serve,
};
