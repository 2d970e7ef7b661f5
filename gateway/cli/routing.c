#include "gateway/cli/routing.h"

#include "gateway/schema/http_rules_yaml.h"

#include <errno.h>

static int fail(const struct command *command, const struct status *st)
{
    fprintf(stderr, "drawbridge %s: %.*s\n", command->name, SLICE_PRINT(status_message(st)));
    return COMMAND_FAILED;
}

static int build_and_print(const struct command *command, const struct routing_flags *flags,
                           struct client *client,
                           int (*print)(struct routes *routes, const struct routing_flags *flags))
{
    struct status st;
    if (!client_load_schema(client, &flags->client.descriptors, 0, &st))
        return fail(command, &st);
    struct routes *routes = http_rules_yaml_build(client->schema, flags->http_rules, &st);
    if (!routes)
        return fail(command, &st);
    int status = print(routes, flags);
    routes_unref(routes);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "drawbridge %s: cannot write: %s\n", command->name, strerror(errno));
    return COMMAND_FAILED;
}

int routing_run(const struct command *command, int argc, char **argv,
                int (*print)(struct routes *routes, const struct routing_flags *flags))
{
    struct routing_flags flags = {.openapi.prefix = ""};
    struct option_list operands = {0};
    struct client client = {0};
    char error[OPTION_ERROR_LEN];
    int wrong = command_parse(command, &flags, argc, argv, &operands);
    if (wrong)
        return wrong;
    if (operands.count > 1)
        return command_wrong_usage(command, "takes one target, HOST:PORT");
    const char *target = operands.count ? operands.items[0] : NULL;
    if (!target && flags.client.descriptors.count == 0)
        return command_wrong_usage(command, "needs a target, HOST:PORT, or --descriptors FILE");
    int result = target ? client_open(&client, target, &flags.client, error) : 0;
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0) {
        fprintf(stderr, "drawbridge %s: %s\n", command->name, error);
        return COMMAND_FAILED;
    }
    int status = build_and_print(command, &flags, &client, print);
    client_close(&client);
    return status;
}
