/* descriptors: `drawbridge descriptors [TARGET]`: the descriptor set of a server as bytes, imports
 * before importers, for --descriptors and for clients that build themselves at run time. */
#include "gateway/cli/cli.h"
#include "gateway/cli/client.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

struct descriptors_flags {
    struct client_flags client;
    const char *output;
};

static int fail(const char *what, const char *reason)
{
    fprintf(stderr, "drawbridge descriptors: %s: %s\n", what, reason);
    return COMMAND_FAILED;
}

static int write_set(struct slice set, const char *path)
{
    FILE *out = path ? fopen(path, "wbe") : stdout;
    if (!out)
        return fail(path, strerror(errno));
    bool good = fwrite(set.data, 1, set.len, out) == set.len && fflush(out) == 0;
    int error = errno;
    if (path && fclose(out) != 0 && good) {
        good = false;
        error = errno;
    }
    return good ? 0 : fail(path ? path : "standard output", strerror(error));
}

static int load_and_write(const struct descriptors_flags *flags, struct client *client)
{
    struct status st;
    if (client_load_schema(client, &flags->client.descriptors, 0, &st))
        return write_set(schema_descriptor_set(client->schema), flags->output);
    fprintf(stderr, "drawbridge descriptors: %.*s\n", SLICE_PRINT(status_message(&st)));
    return COMMAND_FAILED;
}

static int run_descriptors(const struct command *command, int argc, char **argv)
{
    struct descriptors_flags flags = {.output = NULL};
    struct option_list operands = {0};
    struct client client = {0};
    char error[OPTION_ERROR_LEN];
    int wrong = command_parse(command, &flags, argc, argv, &operands);
    if (wrong)
        return wrong;
    if (operands.count > 1)
        return command_wrong_usage(command, "takes one target, HOST:PORT");
    if (operands.count == 0 && flags.client.descriptors.count == 0)
        return command_wrong_usage(command, "needs a target, HOST:PORT, or --descriptors FILE");
    if (!flags.output && isatty(STDOUT_FILENO))
        return command_wrong_usage(command, "writes bytes: give --output FILE or redirect it");
    int result = operands.count ? client_open(&client, operands.items[0], &flags.client, error) : 0;
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0)
        return fail(operands.items[0], error);
    int status = load_and_write(&flags, &client);
    client_close(&client);
    return status;
}

static const struct option descriptors_options[] = {
    {"output", "FILE", "Where the bytes go (default: standard output).", NULL, 0, 0,
     offsetof(struct descriptors_flags, output), OPTION_TEXT, 'o'},
    CLIENT_OPTIONS(offsetof(struct descriptors_flags, client)),
    {.name = NULL},
};

const struct command command_descriptors = {
    .name = "descriptors",
    .summary = "write the descriptor set of a gRPC server",
    .operands = "[HOST:PORT]",
    .details =
        "A serialised google.protobuf.FileDescriptorSet, as --descriptors takes it and as the\n"
        "gateway serves it at /descriptors.binpb.  Several files given with --descriptors\n"
        "become one.",
    .examples = "  drawbridge descriptors localhost:50051 --output api.binpb",
    .options = descriptors_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_descriptors,
};
