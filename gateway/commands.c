#include "gateway/commands.h"

#include "gateway/cli/cli.h"

#include <stdarg.h>

static int run_help(const struct command *command, int argc, char **argv);

static const struct command command_help = {
    .name = "help",
    .summary = "explain a command",
    .operands = "[COMMAND]",
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_help,
};

/* Planned commands are rows without run(). */
static const struct command planned[] = {
    {.name = "contrast", .summary = "measure REST against gRPC-Web and gRPC"},
};

static const struct command *const table[] = {
    &command_serve,   &command_demo,    &command_call,        &command_list,  &command_describe,
    &command_routes,  &command_openapi, &command_descriptors, &command_check, &command_healthcheck,
    &command_version, &command_help,    &planned[0],
};
enum { TABLE_LEN = sizeof table / sizeof *table };

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < TABLE_LEN; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

static void print_overview(FILE *out)
{
    fputs("drawbridge lets browsers (gRPC-Web) and curl (JSON) call any gRPC server.\n\n"
          "Usage: drawbridge COMMAND [options]\n\n",
          out);
    for (size_t i = 0; i < TABLE_LEN; i++)
        if (table[i]->run)
            fprintf(out, "  %-12s %s\n", table[i]->name, table[i]->summary);
    fputs("\nNot built yet:", out);
    for (size_t i = 0; i < TABLE_LEN; i++)
        if (!table[i]->run)
            fprintf(out, " %s", table[i]->name);
    fputs("\n\nTo begin:\n"
          "  drawbridge demo                            a calculator, the gateway and a page\n"
          "  drawbridge serve --upstream HOST:PORT      the gateway for your own server\n"
          "  drawbridge help COMMAND                    the options of a command\n",
          out);
}

static void print_command(const struct command *command, FILE *out)
{
    fprintf(out, "drawbridge %s: %s\n\nUsage: drawbridge %s%s%s%s\n", command->name,
            command->summary, command->name, command->options ? " [options]" : "",
            *command->operands ? " " : "", command->operands);
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
    if (command->options) {
        fputs("\nOptions:\n", out);
        options_help(command->options, out);
    }
    if (command->examples)
        fprintf(out, "\nExamples:\n%s\n", command->examples);
}

static int unknown_command(const char *name)
{
    const char *names[TABLE_LEN];
    for (size_t i = 0; i < TABLE_LEN; i++)
        names[i] = table[i]->name;
    const char *nearest = option_nearest_word(names, TABLE_LEN, slice_from_string(name));
    fprintf(stderr, "drawbridge: unknown command \"%.60s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean %s?\n", nearest);
    else
        fputs("; drawbridge --help lists the commands\n", stderr);
    return COMMAND_WRONG_USAGE;
}

static int not_built(const struct command *command)
{
    fprintf(stderr, "drawbridge: the command %s (%s) is not built yet\n", command->name,
            command->summary);
    return COMMAND_WRONG_USAGE;
}

static int run_help(const struct command *command, int argc, char **argv)
{
    if (argc > 2)
        return command_wrong_usage(command, "one command at a time");
    if (argc < 2) {
        print_overview(stdout);
        return 0;
    }
    const struct command *subject = command_find(argv[1]);
    if (!subject)
        return unknown_command(argv[1]);
    if (!subject->run)
        return not_built(subject);
    print_command(subject, stdout);
    return 0;
}

/* "--help" anywhere before "--" asks for help, whatever else is wrong with the line. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int commands_run(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? command_version.name : argv[1];
    if (name[0] == '-') {
        fprintf(stderr,
                "drawbridge: unknown option \"%.60s\"; options stand behind a command, "
                "as in drawbridge serve --upstream HOST:PORT\n",
                name);
        return COMMAND_WRONG_USAGE;
    }
    const struct command *command = command_find(name);
    if (!command)
        return unknown_command(name);
    if (!command->run)
        return not_built(command);
    if (wants_help(argc - 1, argv + 1)) {
        print_command(command, stdout);
        return 0;
    }
    return command->run(command, argc - 1, argv + 1);
}

int command_parse(const struct command *command, void *settings, int argc, char **argv,
                  struct option_list *operands)
{
    static const struct option none[] = {{0}};
    char error[OPTION_ERROR_LEN];
    const struct option *options = command->options ? command->options : none;
    if (options_parse(options, settings, argc, argv, operands, error) < 0)
        return command_wrong_usage(command, "%s", error);
    return 0;
}

int command_wrong_usage(const struct command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "drawbridge %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n(drawbridge help %s shows how it is used)\n", command->name);
    return command->usage_status;
}
