/* commands: the sub-commands of drawbridge as one const table: finding, help, wrong usage.  A new
 * sub-command is one file in cli/ with its `struct command`, one line in cli/cli.h and one line in
 * the table of commands.c.  Commands that are planned but not built stand there too, so that using
 * one is told apart from a typing mistake. */
#pragma once
#include "base/options.h"

/* sysexits.h has the last two; the other numbers are what most programs use. */
enum {
    COMMAND_FAILED = 1,       /* did not succeed; the reason is on standard error */
    COMMAND_WRONG_USAGE = 2,  /* of every command but `call` */
    COMMAND_CALL_USAGE = 64,  /* of `call`, whose exit statuses 0 to 16 are gRPC statuses */
    COMMAND_CALL_FAILURE = 65 /* of `call`: no RPC took place */
};

struct command {
    const char *name;
    const char *summary;          /* one line of the list of commands */
    const char *operands;         /* what stands behind the name in the usage line; may be "" */
    const char *details;          /* paragraphs of help above the options; NULL: none */
    const char *examples;         /* lines of help below the options; NULL: none */
    const struct option *options; /* NULL: takes none */
    int usage_status;             /* exit status of wrong usage */
    /* argv[0] is the name of the command; the exit status.  NULL: not built yet. */
    int (*run)(const struct command *command, int argc, char **argv);
};

/* The whole program: argv of main, the exit status. */
int commands_run(int argc, char **argv);
/* Parses by command->options; operands may be NULL (then there may be none).  0, or the exit status
 * of wrong usage, with the reason already printed. */
int command_parse(const struct command *command, void *settings, int argc, char **argv,
                  struct option_list *operands);
/* Prints "drawbridge NAME: reason" and where help is; returns the exit status of wrong usage. */
int command_wrong_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
