/* demo: `drawbridge demo`: the calculator and a gateway in front of it, with three commands to try.
 * The calculator is a child process that dies with this one; its lines go through a pipe, because
 * they tell its port and that it is ready. */
#include "gateway/cli/banner.h"
#include "gateway/cli/child.h"
#include "gateway/cli/cli.h"
#include "gateway/config_flags.h"
#include "gateway/gateway.h"

#include <stdlib.h>

enum { READY_TIMEOUT_MS = 10000 };

struct demo_flags {
    const char *listen, *calculator_listen, *admin;
};

/* gateway_ready_fn has no argument of its own. */
static char calculator_target[NET_TEXT_LEN];
static const char *program; /* what the printed commands call this program */

static void on_ready(const struct config *config, const struct schema *schema)
{
    char url[BANNER_URL_LEN];
    banner_url(&config->listen[0], url);
    fprintf(stderr,
            "\nThe calculator answers gRPC on %s, with %zu methods; the gateway is its bridge.\n\n"
            "  In the browser:      %s/\n\n"
            "  JSON, by curl:\n"
            "    curl -H 'content-type: application/json' -d '{\"value\":16}' "
            "%s/Calculator/SquareRoot\n"
            "  gRPC-Web, by curl (a 5-byte frame prefix, then the message: field 1 = 16.0f):\n"
            "    printf '\\000\\000\\000\\000\\005\\015\\000\\000\\200\\101' | "
            "curl -s -H 'content-type: application/grpc-web+proto' --data-binary @- "
            "%s/Calculator/SquareRoot | od -A d -t x1z\n"
            "  native gRPC, straight to the calculator:\n"
            "    %s call %s Calculator/SquareRoot '{\"value\":16}'\n\n"
            "Ctrl-C stops both.\n\n",
            calculator_target, schema_method_count(schema), url, url, url, program,
            calculator_target);
}

static int apply(const struct demo_flags *flags, struct config *config,
                 char error[static OPTION_ERROR_LEN])
{
    struct config_flags serve;
    config_flags_init(&serve);
    serve.upstream = (struct option_list){.items = {calculator_target}, .count = 1};
    if (flags->listen)
        serve.listen = (struct option_list){.items = {flags->listen}, .count = 1};
    serve.admin = flags->admin;
    serve.log_level = LOG_LEVEL_WARN;
    int result = config_flags_apply(&serve, config, error);
    config_flags_fini(&serve);
    return result;
}

/* Reads the calculator's lines until it says where it listens. */
static bool wait_until_ready(struct child *calculator)
{
    char line[CHILD_LINE_LEN];
    while (child_read_line(calculator, READY_TIMEOUT_MS, line)) {
        char address[NET_TEXT_LEN];
        if (sscanf(line, "listening on %127s (grpc)", address) == 1) {
            snprintf(calculator_target, sizeof calculator_target, "%s", address);
            return true;
        }
        fprintf(stderr, "%s\n", line);
    }
    return false;
}

static int serve_calculator(const struct command *command, const struct demo_flags *flags,
                            struct child *calculator)
{
    struct config config;
    char error[OPTION_ERROR_LEN];
    if (!wait_until_ready(calculator)) {
        fprintf(stderr, "drawbridge demo: the calculator did not start\n");
        return COMMAND_FAILED;
    }
    if (!child_forward(calculator)) {
        fprintf(stderr, "drawbridge demo: no thread for the calculator's lines\n");
        return COMMAND_FAILED;
    }
    if (apply(flags, &config, error) < 0)
        return command_wrong_usage(command, "%s", error);
    return gateway_serve(&config, on_ready);
}

static int run_demo(const struct command *command, int argc, char **argv)
{
    struct demo_flags flags = {.calculator_listen = "127.0.0.1:50051"};
    static char path[CHILD_PATH_LEN], own[CHILD_PATH_LEN];
    struct child calculator;
    int wrong = command_parse(command, &flags, argc, argv, NULL);
    if (wrong)
        return wrong;
    if (!child_find("calculator", path)) {
        fprintf(stderr, "drawbridge demo: the program calculator is neither beside this one nor on "
                        "the PATH; build it (target calculator)\n");
        return COMMAND_FAILED;
    }
    program = child_own_name(own);
    char *child_argv[] = {path, "--listen", (char *)(uintptr_t)flags.calculator_listen, NULL};
    if (!child_start(&calculator, child_argv)) {
        fprintf(stderr, "drawbridge demo: %s cannot be started\n", path);
        return COMMAND_FAILED;
    }
    int status = serve_calculator(command, &flags, &calculator);
    child_stop(&calculator);
    return status;
}

static const struct option options[] = {
    {"listen", "ADDR:PORT", "Where the gateway serves HTTP (default 127.0.0.1:8080).", NULL, 0, 0,
     offsetof(struct demo_flags, listen), OPTION_TEXT, 'l'},
    {"calculator-listen", "ADDR:PORT",
     "Where the calculator serves gRPC (default 127.0.0.1:50051).\nPort 0 picks a free one.", NULL,
     0, 0, offsetof(struct demo_flags, calculator_listen), OPTION_TEXT, 0},
    {"admin", "ADDR:PORT", "The gateway's admin listener, or off (default 127.0.0.1:9901).", NULL,
     0, 0, offsetof(struct demo_flags, admin), OPTION_TEXT, 0},
    {.name = NULL},
};

const struct command command_demo = {
    .name = "demo",
    .summary = "start a calculator and a gateway, with commands to try",
    .operands = "",
    .options = options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_demo,
};
