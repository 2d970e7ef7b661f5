/* client_main: calculator-client: the commands, the menu and how results are printed.  A new
 * command is one row of `commands` with its run function. */
#include "backend/client.h"
#include "backend/number_text.h"
#include "base/options.h"
#include "base/text.h"
#include "calculator.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 64, EXIT_LOCAL = 65, MAX_ARGS = OPTION_LIST_MAX };

struct arguments {
    double numbers[MAX_ARGS];
    const char *texts[MAX_ARGS]; /* the same, as typed */
    size_t len;
};

struct command {
    const char *name, *arguments, *help;
    size_t min, max; /* how many arguments */
    const char *path;
    uint32_t (*run)(struct client *client, const struct command *command,
                    const struct arguments *args);
};

static uint32_t run(struct client *client, const struct client_call *call)
{
    struct status st;
    uint32_t code = client_run(client, call, &st);
    fflush(stdout);
    if (code != STATUS_OK)
        fprintf(stderr, "calculator-client: %s: %.*s\n", status_name(code),
                SLICE_PRINT(status_message(&st)));
    return code;
}

static void print_number(const char *label, double value, const char *end)
{
    char text[NUMBER_TEXT_LEN];
    number_format(value, text);
    printf("%s%s%s", label, text, end);
}

static void on_number(void *arg, const ProtobufCMessage *reply)
{
    (void)arg;
    print_number("", ((const Number *)reply)->value, "\n");
}

static uint32_t run_two(struct client *client, const struct command *command,
                        const struct arguments *args)
{
    NumberDouble request = NUMBER_DOUBLE__INIT;
    request.value1 = (float)args->numbers[0];
    request.value2 = (float)args->numbers[1];
    const ProtobufCMessage *requests[] = {&request.base};
    return run(client, &(struct client_call){.path = command->path,
                                             .requests = requests,
                                             .requests_len = 1,
                                             .reply = &number__descriptor,
                                             .on_reply = on_number});
}

static uint32_t run_one(struct client *client, const struct command *command,
                        const struct arguments *args)
{
    Number request = NUMBER__INIT;
    request.value = (float)args->numbers[0];
    const ProtobufCMessage *requests[] = {&request.base};
    return run(client, &(struct client_call){.path = command->path,
                                             .requests = requests,
                                             .requests_len = 1,
                                             .reply = &number__descriptor,
                                             .on_reply = on_number});
}

static void on_factor(void *arg, const ProtobufCMessage *reply)
{
    (void)arg;
    printf("%llu\n", (unsigned long long)((const PrimeFactor *)reply)->factor);
    fflush(stdout);
}

static uint32_t run_factors(struct client *client, const struct command *command,
                            const struct arguments *args)
{
    PrimeFactorsRequest request = PRIME_FACTORS_REQUEST__INIT;
    if (text_parse_uint64(slice_from_string(args->texts[0]), &request.number) < 0) {
        fprintf(stderr, "calculator-client: \"%s\" is not a whole number\n", args->texts[0]);
        return EXIT_USAGE;
    }
    const ProtobufCMessage *requests[] = {&request.base};
    return run(client, &(struct client_call){.path = command->path,
                                             .requests = requests,
                                             .requests_len = 1,
                                             .reply = &prime_factor__descriptor,
                                             .on_reply = on_factor});
}

static void on_converge_step(void *arg, const ProtobufCMessage *reply)
{
    const ConvergeStep *step = (const ConvergeStep *)reply;
    (void)arg;
    printf("step %u: ", step->step);
    print_number("", step->estimate, "");
    print_number(" (moved by ", step->error, ")\n");
    fflush(stdout);
}

static uint32_t run_converge(struct client *client, const struct command *command,
                             const struct arguments *args)
{
    ConvergeRequest request = CONVERGE_REQUEST__INIT;
    request.value = args->numbers[0];
    const ProtobufCMessage *requests[] = {&request.base};
    return run(client, &(struct client_call){.path = command->path,
                                             .requests = requests,
                                             .requests_len = 1,
                                             .reply = &converge_step__descriptor,
                                             .on_reply = on_converge_step});
}

static void on_statistics(void *arg, const ProtobufCMessage *reply)
{
    const StatisticsReply *s = (const StatisticsReply *)reply;
    (void)arg;
    printf("count: %llu\n", (unsigned long long)s->count);
    print_number("sum: ", s->sum, "\n");
    print_number("mean: ", s->mean, "\n");
    print_number("variance: ", s->variance, "\n");
    print_number("min: ", s->min, "\n");
    print_number("max: ", s->max, "\n");
}

static void on_total(void *arg, const ProtobufCMessage *reply)
{
    (void)arg;
    print_number("", ((const RunningTotalReply *)reply)->total, "\n");
    fflush(stdout);
}

static uint32_t run_stream(struct client *client, const struct command *command,
                           const struct arguments *args)
{
    Number numbers[MAX_ARGS];
    const ProtobufCMessage *requests[MAX_ARGS];
    bool totals = strcmp(command->name, "total") == 0;
    for (size_t i = 0; i < args->len; i++) {
        number__init(&numbers[i]);
        numbers[i].value = (float)args->numbers[i];
        requests[i] = &numbers[i].base;
    }
    return run(client, &(struct client_call){.path = command->path,
                                             .requests = requests,
                                             .requests_len = args->len,
                                             .reply = totals ? &running_total_reply__descriptor
                                                             : &statistics_reply__descriptor,
                                             .on_reply = totals ? on_total : on_statistics});
}

static const struct command commands[] = {
    {"add", "A B", "A + B", 2, 2, "/Calculator/AddNum", run_two},
    {"sub", "A B", "A - B", 2, 2, "/Calculator/SubNum", run_two},
    {"mul", "A B", "A * B", 2, 2, "/Calculator/MulNum", run_two},
    {"div", "A B", "A / B", 2, 2, "/Calculator/DivNum", run_two},
    {"sqrt", "A", "square root of A", 1, 1, "/Calculator/SquareRoot", run_one},
    {"factors", "N", "prime factors of N, one message each", 1, 1, "/Calculator/PrimeFactors",
     run_factors},
    {"converge", "A", "Newton's steps to the root of A, one message each", 1, 1,
     "/Calculator/ConvergeSquareRoot", run_converge},
    {"stats", "N...", "statistics of a stream of numbers", 1, MAX_ARGS, "/Calculator/Statistics",
     run_stream},
    {"total", "N...", "running total of a stream, one reply each", 1, MAX_ARGS,
     "/Calculator/RunningTotal", run_stream},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

struct settings {
    const char *target;
    bool help, version;
};

#define AT(member) offsetof(struct settings, member)

static const struct option options[] = {
    {.name = "target",
     .value = "HOST:PORT",
     .kind = OPTION_TEXT,
     .offset = AT(target),
     .help = "the server (default localhost:50051)"},
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .offset = AT(help),
     .help = "print this text"},
    {.name = "version", .kind = OPTION_FLAG, .offset = AT(version), .help = "print the version"},
    {.name = NULL}};

static int print_help(void)
{
    printf("Usage: calculator-client [OPTION]... [COMMAND NUMBER...]\n\n"
           "Without a command: a menu.  The exit status is the gRPC status of the call.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s %-5s  %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    printf("\nOptions:\n");
    options_help(options, stdout);
    return 0;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = option_nearest_word(names, COMMANDS, slice_from_string(name));
    fprintf(stderr, "calculator-client: unknown command \"%s\"%s%s%s\n", name,
            nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return EXIT_USAGE;
}

static bool add_argument(struct arguments *args, const char *text)
{
    if (args->len == MAX_ARGS || !number_parse(text, &args->numbers[args->len])) {
        fprintf(stderr, "calculator-client: \"%s\" is not a number\n", text);
        return false;
    }
    args->texts[args->len++] = text;
    return true;
}

static int run_command(struct client *client, const struct option_list *words)
{
    const struct command *command = command_find(words->items[0]);
    struct arguments args = {.len = 0};
    if (!command)
        return unknown_command(words->items[0]);
    for (size_t i = 1; i < words->count; i++)
        if (!add_argument(&args, words->items[i]))
            return EXIT_USAGE;
    if (args.len < command->min || args.len > command->max) {
        fprintf(stderr, "calculator-client: usage: %s %s\n", command->name, command->arguments);
        return EXIT_USAGE;
    }
    return (int)command->run(client, command, &args);
}

/* Reads one line of words; false at the end of input. */
static bool read_words(const char *prompt, char *line, int len, struct option_list *words)
{
    words->count = 0;
    printf("%s", prompt);
    fflush(stdout);
    if (!fgets(line, len, stdin))
        return false;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word && words->count < OPTION_LIST_MAX;
         word = strtok_r(NULL, " \t\r\n", &rest))
        words->items[words->count++] = word;
    return true;
}

/* One choice of the menu; false at the end of input. */
static bool menu_run(struct client *client, const struct command *command)
{
    char line[1024], prompt[64];
    struct option_list words;
    struct arguments args = {.len = 0};
    snprintf(prompt, sizeof prompt, "%s: ", command->arguments);
    if (!read_words(prompt, line, sizeof line, &words))
        return false;
    for (size_t i = 0; i < words.count; i++)
        if (!add_argument(&args, words.items[i]))
            return true;
    if (args.len < command->min || args.len > command->max)
        printf("Expected: %s\n", command->arguments);
    else
        command->run(client, command, &args);
    return true;
}

static int menu(struct client *client)
{
    char line[1024];
    struct option_list words;
    uint64_t choice;
    bool more = true;
    while (more) {
        for (size_t i = 0; i < COMMANDS; i++)
            printf("%zu. %s %s: %s\n", i + 1, commands[i].name, commands[i].arguments,
                   commands[i].help);
        printf("0. quit\n");
        if (!read_words("Which? ", line, sizeof line, &words))
            break;
        if (words.count == 0)
            continue;
        const struct command *command = command_find(words.items[0]);
        bool number = text_parse_uint64(slice_from_string(words.items[0]), &choice) == 0;
        if (number && choice == 0)
            break;
        if (number && choice <= COMMANDS)
            command = &commands[choice - 1];
        if (command)
            more = menu_run(client, command);
        else
            printf("There is no \"%s\".\n", words.items[0]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {.target = "localhost:50051"};
    struct option_list words = {.count = 0};
    char error[OPTION_ERROR_LEN];
    if (options_parse(options, &settings, argc, argv, &words, error) < 0) {
        fprintf(stderr, "calculator-client: %s\n", error);
        return EXIT_USAGE;
    }
    if (settings.help)
        return print_help();
    if (settings.version) {
        printf("calculator-client %s\n", DRAWBRIDGE_VERSION);
        return 0;
    }
    struct client *client = client_new(settings.target);
    if (!client)
        return EXIT_LOCAL;
    int result = words.count ? run_command(client, &words) : menu(client);
    client_free(client);
    return result;
}
