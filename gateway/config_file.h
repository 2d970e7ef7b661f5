/* config_file: the configuration file: YAML or JSON whose keys are the `key` column of
 * config_flags_options (`limits: {body_grace: 5s}`; options without one go by their name), and a
 * few sections that are more than one value (a row of `sections` in the .c).  A new option needs
 * nothing here.  Names of files are relative to the folder of the configuration file. */
#pragma once
#include "gateway/config_flags.h"
#include "gateway/yaml_tree.h"

/* Reads the file `file->source` (yaml_tree_init()) into *flags, which borrow its texts.  False with
 * every error in `file`: "FILE:LINE:COLUMN: key: reason". */
bool config_file_load(struct yaml_tree *file, struct config_flags *flags);
/* The same for a text. */
bool config_file_parse(struct yaml_tree *file, struct slice text, struct config_flags *flags);
/* A sentence of config_flags_apply() that quotes a value of this file becomes an error of the file,
 * with its place; otherwise false. */
bool config_file_blame(struct yaml_tree *file, const char *sentence);
/* One line for each error. */
void config_file_print_errors(const struct yaml_tree *file, FILE *out);
