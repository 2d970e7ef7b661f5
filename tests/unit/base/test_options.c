#include "unit/cmocka_all.h"

#include "base/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    bool console, help;
    const char *config;
    struct option_list listen, pair;
    uint64_t workers, drain_ms;
    int format;
};

#define AT(member) offsetof(struct settings, member)

static const char *judge_name(const char *value)
{
    return strchr(value, '/') ? "needs a name without a slash" : NULL;
}

static int check_pair(const char *value, char *reason)
{
    if (value[0] != '-')
        return 0;
    snprintf(reason, OPTION_ERROR_LEN, "cannot begin as \"%s\" does", value);
    return -EINVAL;
}

static const struct option table[] = {
    {.name = "listen", .value = "ADDR", .kind = OPTION_LIST, .offset = AT(listen), .help = "where"},
    {.name = "config",
     .value = "FILE",
     .letter = 'c',
     .kind = OPTION_TEXT,
     .offset = AT(config),
     .judge = judge_name,
     .help = "first line\nsecond line"},
    {.name = "workers",
     .value = "N",
     .kind = OPTION_NUMBER,
     .min = 1,
     .max = 64,
     .offset = AT(workers),
     .help = "threads"},
    {.name = "drain-timeout",
     .value = "D",
     .kind = OPTION_DURATION,
     .min = 10,
     .max = 60000,
     .offset = AT(drain_ms),
     .help = "time"},
    {.name = "log-format",
     .value = "F",
     .kind = OPTION_CHOICE,
     .choices = "text|json",
     .offset = AT(format),
     .help = "form"},
    {.name = "console", .kind = OPTION_FLAG, .offset = AT(console), .help = "on"},
    {.name = "pair",
     .value = "X",
     .kind = OPTION_LIST,
     .max = 2,
     .judge = judge_name,
     .check = check_pair,
     .offset = AT(pair),
     .key = "section.pairs",
     .help = "two"},
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .offset = AT(help), .help = "text"},
    {.name = "tls-cert", .value = "FILE", .kind = OPTION_ABSENT, .help = "later"},
    {.name = NULL}};

enum { MAX_ARGS = 80 };

/* argv is a NULL-terminated list without the program's name. */
static int parse(struct settings *s, struct option_list *operands, char *error,
                 const char *const *argv)
{
    char *args[MAX_ARGS] = {(char *)(uintptr_t) "program"};
    int argc = 1;
    for (; argv[argc - 1]; argc++)
        args[argc] = (char *)(uintptr_t)argv[argc - 1];
    *s = (struct settings){.workers = 4};
    error[0] = 0;
    if (operands)
        operands->count = 0;
    return options_parse(table, s, argc, args, operands, error);
}

#define PARSE(...) parse(&s, &operands, error, (const char *const[]){__VA_ARGS__, NULL})

static void take_every_kind(void **state)
{
    (void)state;
    struct settings s;
    struct option_list operands;
    char error[OPTION_ERROR_LEN];
    assert_int_equal(PARSE("--listen", "a:1", "x", "--listen=b:2", "-c", "file", "--workers", "8",
                           "--drain-timeout=1.5s", "--log-format", "json", "--console", "-5", "-",
                           "-.5", "--", "--help"),
                     0);
    assert_int_equal(s.listen.count, 2);
    assert_string_equal(s.listen.items[0], "a:1");
    assert_string_equal(s.listen.items[1], "b:2");
    assert_string_equal(s.config, "file");
    assert_int_equal(s.workers, 8);
    assert_int_equal(s.drain_ms, 1500);
    assert_int_equal(s.format, 1);
    assert_true(s.console);
    assert_false(s.help);
    assert_int_equal(operands.count, 5);
    assert_string_equal(operands.items[0], "x");
    assert_string_equal(operands.items[1], "-5");
    assert_string_equal(operands.items[4], "--help");

    assert_int_equal(PARSE("-h", "--console=false", "--config="), 0);
    assert_true(s.help && !s.console);
    assert_string_equal(s.config, "");
    assert_int_equal(s.workers, 4);
}

static void explain_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *argv[3], *error;
    } mistakes[] = {
        {{"--liste", "x"}, "unknown option \"--liste\"; did you mean --listen?"},
        {{"--wrokers", "1"}, "did you mean --workers?"},
        {{"--drain"}, "did you mean --drain-timeout?"},
        {{"--log_format=json"}, "did you mean --log-format?"},
        {{"--xyzzy"}, "unknown option \"--xyzzy\"; --help lists the options"},
        {{"-x"}, "unknown option \"-x\""},
        {{"-cx"}, "unknown option \"-cx\""},
        {{"--config"}, "--config needs a value: --config FILE"},
        {{"--workers", "0"}, "--workers must be at least 1, not \"0\""},
        {{"--workers", "65"}, "--workers must be at most 64, not \"65\""},
        {{"--workers", "two"}, "--workers needs a whole number, not \"two\""},
        {{"--workers", "-1"}, "--workers needs a whole number, not \"-1\""},
        {{"--workers="}, "--workers needs a whole number"},
        {{"--drain-timeout", "5"}, "--drain-timeout needs a duration such as 2s or 500ms"},
        {{"--drain-timeout", "9ms"}, "--drain-timeout must be at least 10 ms"},
        {{"--drain-timeout", "2m"}, "--drain-timeout must be at most 60000 ms"},
        {{"--log-format", "xml"}, "--log-format must be one of text|json, not \"xml\""},
        {{"--log-format", "tex"}, "--log-format must be one of text|json"},
        {{"--console=maybe"}, "--console needs true or false, not \"maybe\""},
        {{"--config", "/x"}, "--config needs a name without a slash, not \"/x\""},
        {{"--pair", "/x"}, "--pair needs a name without a slash, not \"/x\""},
        {{"--pair", "-x"}, "--pair cannot begin as \"-x\" does"},
        {{"--tls-cert", "x"}, "--tls-cert is not built yet"},
        {{"--tls-cert"}, "--tls-cert is not built yet"},
    };
    struct settings s;
    struct option_list operands;
    char error[OPTION_ERROR_LEN];
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        assert_true(parse(&s, &operands, error, mistakes[i].argv) < 0);
        if (!strstr(error, mistakes[i].error))
            fail_msg("%s: %s", mistakes[i].argv[0], error);
    }
    assert_true(parse(&s, NULL, error, (const char *const[]){"serve", NULL}) < 0);
    assert_non_null(strstr(error, "unexpected argument \"serve\""));
}

static void bound_lists(void **state)
{
    (void)state;
    struct settings s;
    char error[OPTION_ERROR_LEN];
    const char *argv[MAX_ARGS] = {NULL};
    for (int i = 0; i < OPTION_LIST_MAX; i++)
        argv[i] = "--listen=a:1";
    assert_int_equal(parse(&s, NULL, error, argv), 0);
    argv[OPTION_LIST_MAX] = "--listen=a:1";
    assert_true(parse(&s, NULL, error, argv) < 0);
    assert_non_null(strstr(error, "more than 64 times"));
}

static void bound_a_list_by_its_row(void **state)
{
    (void)state;
    struct settings s;
    struct option_list operands;
    char error[OPTION_ERROR_LEN];
    assert_int_equal(PARSE("--pair", "a", "--pair", "b"), 0);
    assert_int_equal(s.pair.count, 2);
    assert_true(PARSE("--pair", "a", "--pair", "b", "--pair", "c") < 0);
    assert_string_equal(error, "--pair is given more than 2 times");
}

/* Reasons without a subject, and the names of rows in a file. */
static void serve_other_sources(void **state)
{
    (void)state;
    struct settings s = {0};
    char text[OPTION_ERROR_LEN], key[OPTION_KEY_LEN];
    assert_int_equal(option_store(option_find(table, SLICE("workers")), &s, "9", text), 0);
    assert_int_equal(s.workers, 9);
    assert_true(option_store(option_find(table, SLICE("workers")), &s, "x", text) < 0);
    assert_string_equal(text, "needs a whole number, not \"x\"");
    option_key(option_find(table, SLICE("drain-timeout")), key);
    assert_string_equal(key, "drain_timeout");
    option_key(option_find(table, SLICE("pair")), key);
    assert_string_equal(key, "section.pairs");
}

static void read_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},        {"0s", 0},      {"2s", 2000},
                {"500ms", 500},  {"1.5s", 1500}, {"1m30s", 90000},
                {"2h", 7200000}, {"1us", 1},     {"999us", 1},
                {"1001us", 2},   {"0.0001s", 1}, {"999999999h", 3599999996400000}};
    static const char *const bad[] = {
        "",    "s",     "5",           "1 s",  "-1s",  "+1s",    "1.s",
        ".5s", "1S",    "1d",          "1s ",  "1e3s", "1s2",    "00",
        "1ss", "1..5s", "1000000000h", "0x1s", "inf",  "1.1.1s", "99999999999999999999s"};
    uint64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(option_parse_duration(slice_from_string(good[i].text), &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (option_parse_duration(slice_from_string(bad[i]), &ms) == 0)
            fail_msg("\"%s\" was accepted", bad[i]);
}

static void suggest_words(void **state)
{
    (void)state;
    static const char *const words[] = {"serve", "demo", "call", "list", "describe"};
    assert_string_equal(option_nearest_word(words, 5, SLICE("sevre")), "serve");
    assert_string_equal(option_nearest_word(words, 5, SLICE("desc")), "describe");
    assert_string_equal(option_nearest_word(words, 5, SLICE("lsit")), "list");
    assert_null(option_nearest_word(words, 5, SLICE("xyzzy")));
    assert_null(option_nearest_word(words, 5, SLICE("")));
    uint8_t longer[300];
    memset(longer, 'a', sizeof longer);
    assert_null(option_nearest_word(words, 5, slice_from(longer, sizeof longer)));
}

static void print_help(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    options_help(table, out);
    fclose(out);
    assert_non_null(strstr(text, "      --listen ADDR      where\n"));
    assert_non_null(strstr(text, "  -c, --config FILE      first line\n"
                                 "                         second line\n"));
    assert_non_null(strstr(text, "      --drain-timeout D  time\n"));
    assert_non_null(strstr(text, "                         (text|json)\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_every_kind),
        cmocka_unit_test(explain_mistakes),
        cmocka_unit_test(bound_lists),
        cmocka_unit_test(read_durations),
        cmocka_unit_test(suggest_words),
        cmocka_unit_test(print_help),
        cmocka_unit_test(bound_a_list_by_its_row),
        cmocka_unit_test(serve_other_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
