/* serve: `drawbridge serve`: the settings, then the gateway. */
#include "gateway/cli/banner.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/settings.h"
#include "gateway/gateway.h"

#include <unistd.h>

static void on_ready(const struct config *config, const struct schema *schema)
{
    banner_print(config, schema, stderr);
}

static int run_serve(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    int status = settings_read(&settings, command, argc, argv);
    if (status == 0)
        status = gateway_serve(&settings.config, isatty(STDERR_FILENO) ? on_ready : NULL);
    settings_fini(&settings);
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "serve a gRPC server to browsers and curl",
    .operands = "",
    .details =
        "Learns the services of --upstream by server reflection (or from --descriptors) and\n"
        "serves them as gRPC-Web and as JSON.  Each option is also an environment variable:\n"
        "--max-timeout is DRAWBRIDGE_MAX_TIMEOUT; lists are separated by spaces.  The file of\n"
        "--config has a key for each: limits.max_timeout; config/drawbridge.yaml names them all.\n"
        "An option wins over its variable, and that over the file; a list does so as a whole.",
    .examples = "  drawbridge serve --upstream localhost:50051\n"
                "  drawbridge serve --upstream localhost:50051 --listen 0.0.0.0:8080 "
                "--cors-origin https://app.example\n"
                "  drawbridge serve --config drawbridge.yaml",
    .options = config_flags_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_serve,
};
