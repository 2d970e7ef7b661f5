/* check: `drawbridge check`: everything that `serve` would refuse, found without starting: the
 * values of options and environment, descriptor files, HTTP rules and their conflicts.  Nothing is
 * connected to and no port is opened. */
#include "gateway/cli/cli.h"
#include "gateway/config_flags.h"
#include "gateway/schema/http_rules_yaml.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_RULES_MEMORY = 64 << 20 };

static int fail(struct slice reason)
{
    fprintf(stderr, "drawbridge check: %.*s\n", SLICE_PRINT(reason));
    return COMMAND_FAILED;
}

/* With reflection the methods are not known here: the rules are only read. */
static int check_rules(const struct config *config)
{
    struct arena arena;
    struct http_rule *rules;
    struct status st;
    size_t count = 0;
    arena_init(&arena, NULL, 0, MAX_RULES_MEMORY);
    bool good = !config->http_rules ||
                http_rules_yaml_load(config->http_rules, &arena, &rules, &count, &st);
    arena_fini(&arena);
    if (!good)
        return fail(status_message(&st));
    printf("ok: the services are learnt from %s when it is there\n", config->upstream);
    if (config->http_rules)
        printf("%s: %zu bindings are well-formed; whether they fit the services shows then, or "
               "now with --descriptors\n",
               config->http_rules, count);
    return 0;
}

static int check_routes(const struct config *config)
{
    struct status st;
    struct schema *schema = schema_load_files(config->descriptors, config->descriptors_count, &st);
    if (!schema)
        return fail(status_message(&st));
    struct routes *routes = http_rules_yaml_build(schema, config->http_rules, &st);
    schema_unref(schema);
    if (!routes)
        return fail(status_message(&st));
    schema = routes_schema(routes);
    printf("ok: %zu services, %zu methods, %zu HTTP routes\n", schema_service_count(schema),
           schema_method_count(schema), routes_count(routes));
    routes_unref(routes);
    return 0;
}

static int run_check(const struct command *command, int argc, char **argv)
{
    struct config_flags flags;
    struct config config;
    char error[OPTION_ERROR_LEN];
    (void)command;
    config_init(&config);
    config_flags_init(&flags);
    int result = config_flags_environment(&flags, getenv, error);
    if (result == 0)
        result = config_flags_parse(&flags, argc, argv, error);
    if (result == 0)
        result = config_flags_apply(&flags, &config, error);
    int status;
    if (result < 0)
        status = fail(slice_from_string(error));
    else
        status = config.descriptors_count ? check_routes(&config) : check_rules(&config);
    config_flags_fini(&flags);
    return status;
}

const struct command command_check = {
    .name = "check",
    .summary = "validate what serve would be given, without starting",
    .operands = "",
    .details = "Takes the options and the environment of drawbridge serve.  Exit status 0: serve\n"
               "would start with them; 1: it would not, and the reason is on standard error.",
    .examples = "  drawbridge check --upstream localhost:50051 --descriptors api.binpb "
                "--http-rules rules.yaml",
    .options = config_flags_options,
    .usage_status = COMMAND_FAILED,
    .run = run_check,
};
