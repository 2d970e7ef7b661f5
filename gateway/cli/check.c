/* check: `drawbridge check`: everything that `serve` would refuse, found without starting: the
 * values of options, environment and configuration file, descriptor files, HTTP rules and their
 * conflicts, listeners that overlap.  Nothing is connected to and no port is opened. */
#include "gateway/cli/cli.h"
#include "gateway/cli/settings.h"
#include "gateway/schema/http_rules_yaml.h"
#include "gateway/schema_parts.h"

static int fail(struct slice reason)
{
    fprintf(stderr, "drawbridge check: %.*s\n", SLICE_PRINT(reason));
    return COMMAND_FAILED;
}

static size_t count_asked(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->upstreams_count; i++)
        count += schema_parts_asks(config, i);
    return count;
}

/* "a:1, b:2 and c:3 when they are there": those that serve will ask. */
static void print_asked(const struct config *config)
{
    size_t count = count_asked(config), shown = 0;
    for (size_t i = 0; i < config->upstreams_count; i++) {
        if (!schema_parts_asks(config, i))
            continue;
        const char *before = shown == 0 ? "" : shown + 1 == count ? " and " : ", ";
        printf("%s%s", before, config->upstreams[i].target.text);
        shown++;
    }
    printf(" when %s there\n", count > 1 ? "they are" : "it is");
}

/* With reflection the methods are not known here: the rules are only read. */
static int check_rules(const struct config *config)
{
    struct status st;
    size_t count = 0;
    if (config->http_rules && !http_rules_yaml_check(config->http_rules, &count, &st))
        return fail(status_message(&st));
    fputs("ok: the services are learnt from ", stdout);
    print_asked(config);
    if (config->http_rules)
        printf("%s: %zu bindings are well-formed; whether they fit the services shows then, or "
               "now with --descriptors\n",
               config->http_rules, count);
    return 0;
}

static void ignore_note(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

/* Of the files, what is served before any upstream has been asked; NULL with *st. */
static struct routes *build_routes(const struct config *config, struct schema *files,
                                   struct status *st)
{
    struct schema *told[CONFIG_MAX_UPSTREAMS] = {[0] = NULL};
    struct schema_parts parts;
    if (!schema_parts_check(config, files, st))
        return NULL;
    schema_parts_init(&parts, config, files, told);
    struct schema *schema = schema_parts_merge(&parts, ignore_note, NULL, st);
    struct routes *routes = schema ? http_rules_yaml_build(schema, config->http_rules, st) : NULL;
    schema_unref(schema);
    return routes;
}

static void print_routes(const struct config *config, const struct schema *files,
                         const struct routes *routes)
{
    const struct schema *served = routes_schema(routes);
    size_t others = schema_service_count(files) - schema_service_count(served);
    printf("ok: %zu services, %zu methods, %zu HTTP routes\n", schema_service_count(served),
           schema_method_count(served), routes_count(routes));
    if (count_asked(config) > 0) {
        fputs("which upstream has which service is learnt from ", stdout);
        print_asked(config);
    } else if (others > 0) {
        printf("%zu services of the descriptors are in no list and not served\n", others);
    }
}

static int check_routes(const struct config *config)
{
    struct status st;
    struct schema *files = schema_load_files(config->descriptors, config->descriptors_count, &st);
    struct routes *routes = files ? build_routes(config, files, &st) : NULL;
    if (routes)
        print_routes(config, files, routes);
    bool good = routes != NULL;
    schema_unref(files);
    routes_unref(routes);
    return good ? 0 : fail(status_message(&st));
}

static void print_listener(const struct net_address *address, const char *role)
{
    char text[NET_TEXT_LEN];
    net_format(address, text);
    printf("listen on %s (%s)\n", text, role);
}

static int check_settings(const struct settings *settings)
{
    const struct config *config = &settings->config;
    if (settings->flags.config)
        printf("%s: every key and value is understood\n", settings->file.source);
    for (size_t i = 0; i < config->upstreams_count; i++) {
        const struct config_upstream *up = &config->upstreams[i];
        printf("upstream %s, as %s", up->target.text,
               up->authority ? up->authority : up->target.authority);
        for (size_t k = 0; k < up->services_count; k++)
            printf("%s%s", k == 0 ? ", for " : ", ", up->services[k]);
        putchar('\n');
    }
    for (size_t i = 0; i < config->listen_count; i++)
        print_listener(&config->listen[i], "http");
    if (config->admin_on)
        print_listener(&config->admin, "admin");
    return config->descriptors_count ? check_routes(config) : check_rules(config);
}

static int run_check(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    int status = settings_read(&settings, command, argc, argv);
    if (status == 0)
        status = check_settings(&settings);
    settings_fini(&settings);
    return status;
}

const struct command command_check = {
    .name = "check",
    .summary = "validate what serve would be given, without starting",
    .operands = "",
    .details =
        "Takes the options, the environment and the --config of drawbridge serve, and prints\n"
        "what it has checked.  Exit status 0: serve would start with them; 1: it would not,\n"
        "and the reasons are on standard error.",
    .examples = "  drawbridge check --config drawbridge.yaml\n"
                "  drawbridge check --upstream localhost:50051 --descriptors api.binpb "
                "--http-rules rules.yaml",
    .options = config_flags_options,
    .usage_status = COMMAND_FAILED,
    .run = run_check,
};
