#include "gateway/cli/operands.h"

#include <errno.h>

const struct option operands_options[] = {
    CLIENT_OPTIONS(0),
    {.name = NULL},
};

static int load_and_print(const struct command *command, const struct client_flags *flags,
                          struct client *client, const char *symbol,
                          int (*print)(const struct schema *schema, const char *symbol))
{
    struct status st;
    if (client_load_schema(client, &flags->descriptors, 0, &st))
        return print(client->schema, symbol);
    fprintf(stderr, "drawbridge %s: %.*s\n", command->name, SLICE_PRINT(status_message(&st)));
    return COMMAND_FAILED;
}

int operands_run(const struct command *command, int argc, char **argv,
                 int (*print)(const struct schema *schema, const char *symbol))
{
    struct client_flags flags = {0};
    struct option_list operands = {0};
    struct client client = {0};
    char error[OPTION_ERROR_LEN];
    int wrong = command_parse(command, &flags, argc, argv, &operands);
    if (wrong)
        return wrong;
    const char *target =
        operands.count > 0 && strchr(operands.items[0], ':') ? operands.items[0] : NULL;
    size_t symbol_at = target ? 1 : 0;
    if (operands.count > symbol_at + 1)
        return command_wrong_usage(command, "takes one target (HOST:PORT) and one symbol");
    if (!target && flags.descriptors.count == 0)
        return command_wrong_usage(command, "needs a target, HOST:PORT, or --descriptors FILE");
    int result = target ? client_open(&client, target, &flags, error) : 0;
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0) {
        fprintf(stderr, "drawbridge %s: %s\n", command->name, error);
        return COMMAND_FAILED;
    }
    const char *symbol = operands.count > symbol_at ? operands.items[symbol_at] : NULL;
    int status = load_and_print(command, &flags, &client, symbol, print);
    client_close(&client);
    return status;
}
