/* openapi: `drawbridge openapi [TARGET]`: the OpenAPI document that the gateway would serve at
 * /openapi.json. */
#include "gateway/schema/openapi.h"

#include "gateway/cli/cli.h"
#include "gateway/cli/routing.h"
#include "gateway/config_flags.h"

#include <stdlib.h>

#define AT(member) offsetof(struct routing_flags, openapi.member)

static int print_openapi(struct routes *routes, const struct routing_flags *flags)
{
    struct status st;
    char *text = openapi_text(routes, &flags->openapi, true, &st);
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
    CONFIG_PATH_PREFIX_OPTION(AT(prefix)),
    CONFIG_JSON_FORM_OPTIONS(AT(enums_as_numbers), AT(proto_names), AT(int64_as_numbers)),
    {.name = NULL},
};

const struct command command_openapi = {
    .name = "openapi",
    .summary = "print an OpenAPI document of the HTTP side",
    .operands = "[HOST:PORT]",
    .details =
        "OpenAPI 3.1, as the gateway serves it at /openapi.json when it is started with the same\n"
        "options.  Comments are in it when the server sends them, or the descriptors were made\n"
        "with --include_source_info.",
    .examples = "  drawbridge openapi localhost:50051 > openapi.json",
    .options = openapi_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_openapi,
};
