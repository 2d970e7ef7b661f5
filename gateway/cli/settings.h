/* settings: what `serve` and `check` have in common: command line, environment and configuration
 * file into one struct config, and what is wrong with them on standard error. */
#pragma once
#include "gateway/commands.h"
#include "gateway/config_file.h"

struct settings {
    struct config config; /* borrows from the others */
    struct config_flags flags;
    struct yaml_tree file;
};

/* 0, or the exit status, with the reason printed.  settings_fini() in any case. */
int settings_read(struct settings *s, const struct command *command, int argc, char **argv);
void settings_fini(struct settings *s);
