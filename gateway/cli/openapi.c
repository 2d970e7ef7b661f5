/* openapi: `drawbridge openapi [TARGET]`: the OpenAPI document that the gateway would serve at
 * /openapi.json. */
#include "gateway/schema/openapi.h"

#include "gateway/cli/cli.h"
#include "gateway/cli/routing.h"

#include <stdlib.h>

static int print_openapi(struct routes *routes, const struct routing_flags *flags)
{
    struct status st;
    char *text = openapi_text(routes, "", true, &st);
    (void)flags;
    if (!text) {
        fprintf(stderr, "drawbridge openapi: %.*s\n", SLICE_PRINT(status_message(&st)));
        return COMMAND_FAILED;
    }
    puts(text);
    free(text);
    return 0;
}

static int run_openapi(const struct command *command, int argc, char **argv)
{
    return routing_run(command, argc, argv, print_openapi);
}

static const struct option openapi_options[] = {
    ROUTING_OPTIONS,
    {.name = NULL},
};

const struct command command_openapi = {
    .name = "openapi",
    .summary = "print an OpenAPI document of the HTTP side",
    .operands = "[HOST:PORT]",
    .details =
        "OpenAPI 3.1, as the gateway serves it at /openapi.json.  Comments are in it when the\n"
        "server sends them, or the descriptors were made with --include_source_info.",
    .examples = "  drawbridge openapi localhost:50051 > openapi.json",
    .options = openapi_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_openapi,
};
