/* operands: the common run of the commands that only look at a schema: [TARGET] [SYMBOL].  A target
 * has a colon, a symbol has none; with --descriptors no target is needed. */
#pragma once
#include "gateway/cli/client.h"
#include "gateway/commands.h"

extern const struct option operands_options[];

/* Parses, loads the schema and calls `print` with the symbol (NULL: none given); returns its exit
 * status, or that of what failed before, with the reason printed. */
int operands_run(const struct command *command, int argc, char **argv,
                 int (*print)(const struct schema *schema, const char *symbol));
