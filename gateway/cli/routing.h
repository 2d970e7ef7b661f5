/* routing: the common run of the commands that look at the HTTP side of a server: its schema, by
 * reflection or from files, and the rules of --http-rules over it. */
#pragma once
#include "gateway/cli/client.h"
#include "gateway/commands.h"
#include "gateway/schema/openapi.h"

struct routing_flags {
    struct client_flags client;
    const char *http_rules;
    bool json;                      /* of `routes` */
    struct openapi_options openapi; /* of `openapi` */
};

/* Rows for an option table whose settings are a struct routing_flags. */
#define ROUTING_OPTIONS                                                                            \
    {"http-rules",                                                                                 \
     "FILE",                                                                                       \
     "HTTP rules that override those of the schema (YAML).",                                       \
     NULL,                                                                                         \
     0,                                                                                            \
     0,                                                                                            \
     offsetof(struct routing_flags, http_rules),                                                   \
     OPTION_TEXT,                                                                                  \
     0},                                                                                           \
        CLIENT_OPTIONS(offsetof(struct routing_flags, client))

/* Parses [TARGET], builds and calls `print`; returns its exit status, or that of what failed
 * before, with the reason printed. */
int routing_run(const struct command *command, int argc, char **argv,
                int (*print)(struct routes *routes, const struct routing_flags *flags));
