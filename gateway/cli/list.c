/* list: `drawbridge list TARGET [SERVICE]`: the services of a server, or the methods of one, one
 * per line, as `call` and `describe` take them. */
#include "gateway/cli/cli.h"
#include "gateway/cli/operands.h"
#include "gateway/cli/symbol.h"

static int print_methods(const struct schema *schema, struct slice service)
{
    char nearest[SYMBOL_MAX_LEN];
    for (size_t i = 0; i < schema_method_count(schema); i++) {
        const struct method *method = schema_method_at(schema, i);
        if (slice_equal(method->service, service))
            printf("%.*s/%.*s\n", SLICE_PRINT(method->service), SLICE_PRINT(method->name));
    }
    if (symbol_is_service(schema, service))
        return 0;
    fprintf(stderr, "drawbridge list: no service \"%.*s\"", SLICE_PRINT(service));
    if (symbol_nearest_service(schema, service, nearest))
        fprintf(stderr, "; did you mean %s?", nearest);
    fputs("\n", stderr);
    return COMMAND_FAILED;
}

static int print_list(const struct schema *schema, const char *service)
{
    if (service)
        return print_methods(schema, slice_from_string(service));
    for (size_t i = 0; i < schema_service_count(schema); i++)
        printf("%.*s\n", SLICE_PRINT(schema_service_at(schema, i)));
    return 0;
}

static int run_list(const struct command *command, int argc, char **argv)
{
    return operands_run(command, argc, argv, print_list);
}

const struct command command_list = {
    .name = "list",
    .summary = "list the services of a gRPC server, or a service's methods",
    .operands = "[HOST:PORT] [SERVICE]",
    .details = "With --descriptors no server is needed.",
    .examples = "  drawbridge list localhost:50051\n"
                "  drawbridge list localhost:50051 Calculator",
    .options = operands_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_list,
};
