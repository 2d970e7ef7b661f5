/* cli: the sub-commands, one file each; commands.c has them in its table.  A new one gets a line
 * here. */
#pragma once
#include "gateway/commands.h"

extern const struct command command_serve;
extern const struct command command_demo;
extern const struct command command_call;
extern const struct command command_list;
extern const struct command command_describe;
extern const struct command command_routes;
extern const struct command command_openapi;
extern const struct command command_descriptors;
extern const struct command command_check;
extern const struct command command_healthcheck;
extern const struct command command_version;
