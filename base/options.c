#include "base/options.h"

#include "base/nearest.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

static int fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, OPTION_ERROR_LEN, format, args);
    va_end(args);
    return -EINVAL;
}

const struct option *option_find(const struct option *table, struct slice name)
{
    for (const struct option *row = table; row->name; row++)
        if (slice_equal(slice_from_string(row->name), name))
            return row;
    return NULL;
}

const struct option *option_nearest(const struct option *table, struct slice name)
{
    struct nearest n = nearest_start(name);
    for (const struct option *row = table; row->name; row++)
        nearest_offer(&n, slice_from_string(row->name));
    return n.best.data ? option_find(table, n.best) : NULL;
}

const char *option_nearest_word(const char *const *words, size_t count, struct slice mistyped)
{
    struct nearest n = nearest_start(mistyped);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&n, slice_from_string(words[i]));
    return (const char *)n.best.data; /* the offered slices were whole strings */
}

static const struct {
    const char *name;
    uint64_t us;
} units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};

/* Takes the digits at the front; false when there are none or too many. */
static bool take_digits(struct slice *text, uint64_t *value, uint64_t *scale)
{
    size_t n = 0;
    *value = 0;
    *scale = 1;
    for (; n < text->len && text->data[n] >= '0' && text->data[n] <= '9'; n++) {
        if (n == 9)
            return false;
        *value = *value * 10 + (uint64_t)(text->data[n] - '0');
        *scale *= 10;
    }
    *text = slice_skip(*text, n);
    return n > 0;
}

/* One number with its unit, in microseconds. */
static int duration_take(struct slice *text, uint64_t *us)
{
    uint64_t whole, fraction = 0, ignored, scale = 1;
    if (!take_digits(text, &whole, &ignored))
        return -EINVAL;
    if (text->len > 0 && text->data[0] == '.') {
        *text = slice_skip(*text, 1);
        if (!take_digits(text, &fraction, &scale))
            return -EINVAL;
    }
    size_t n = 0;
    while (n < text->len && text->data[n] >= 'a' && text->data[n] <= 'z')
        n++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (slice_equal(slice_first(*text, n), slice_from_string(units[i].name))) {
            /* At most 10^9 hours: 3.6 * 10^18 microseconds; the fraction is divided first. */
            *us = whole * units[i].us + (fraction * units[i].us + scale - 1) / scale;
            *text = slice_skip(*text, n);
            return 0;
        }
    }
    return -EINVAL;
}

int option_parse_duration(struct slice text, uint64_t *ms)
{
    uint64_t total_us = 0;
    if (slice_equal(text, SLICE("0"))) {
        *ms = 0;
        return 0;
    }
    do {
        uint64_t us;
        if (duration_take(&text, &us) < 0 || us > UINT64_MAX / 2 - total_us)
            return -EINVAL;
        total_us += us;
    } while (text.len > 0);
    *ms = (total_us + 999) / 1000;
    return 0;
}

static int set_flag(bool *to, const char *value, char *reason)
{
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return fail(reason, "needs true or false, not \"%.60s\"", value);
    *to = !value || value[0] == 't';
    return 0;
}

static int set_list(const struct option *row, struct option_list *to, const char *value,
                    char *reason)
{
    size_t max = row->max ? row->max : OPTION_LIST_MAX;
    if (to->count == max)
        return fail(reason, "is given more than %zu times", max);
    to->items[to->count++] = value;
    return 0;
}

static int set_number(const struct option *row, uint64_t *to, const char *value, char *reason)
{
    uint64_t number;
    bool duration = row->kind == OPTION_DURATION;
    struct slice text = slice_from_string(value);
    if (duration && option_parse_duration(text, &number) < 0)
        return fail(reason, "needs a duration such as 2s or 500ms, not \"%.60s\"", value);
    if (!duration && text_parse_uint64(text, &number) < 0)
        return fail(reason, "needs a whole number, not \"%.60s\"", value);
    const char *unit = duration ? " ms" : "";
    if (number < row->min)
        return fail(reason, "must be at least %llu%s, not \"%.60s\"", (unsigned long long)row->min,
                    unit, value);
    if (row->max > 0 && number > row->max)
        return fail(reason, "must be at most %llu%s, not \"%.60s\"", (unsigned long long)row->max,
                    unit, value);
    *to = number;
    return 0;
}

static int set_choice(const struct option *row, int *to, const char *value, char *reason)
{
    struct slice rest = slice_from_string(row->choices);
    for (int i = 0; rest.data; i++) {
        if (slice_equal(slice_cut(&rest, '|'), slice_from_string(value))) {
            *to = i;
            return 0;
        }
    }
    return fail(reason, "must be one of %s, not \"%.60s\"", row->choices, value);
}

int option_store(const struct option *row, void *settings, const char *value,
                 char reason[static OPTION_ERROR_LEN])
{
    void *to = (char *)settings + row->offset;
    if (row->kind == OPTION_ABSENT)
        return fail(reason, "is not built yet");
    if (!value && row->kind != OPTION_FLAG)
        return fail(reason, "needs a value: --%s %s", row->name, row->value);
    const char *fault = row->judge ? row->judge(value) : NULL;
    if (fault)
        return fail(reason, "%s, not \"%.80s\"", fault, value);
    if (row->check && row->check(value, reason) < 0)
        return -EINVAL;
    switch (row->kind) {
    case OPTION_FLAG:
        return set_flag(to, value, reason);
    case OPTION_TEXT:
        *(const char **)to = value;
        return 0;
    case OPTION_LIST:
        return set_list(row, to, value, reason);
    case OPTION_NUMBER:
    case OPTION_DURATION:
        return set_number(row, to, value, reason);
    case OPTION_CHOICE:
        return set_choice(row, to, value, reason);
    case OPTION_ABSENT:
        break;
    }
    abort();
}

int option_set(const struct option *row, void *settings, const char *value,
               char error[static OPTION_ERROR_LEN])
{
    char reason[OPTION_ERROR_LEN];
    int result = option_store(row, settings, value, reason);
    return result < 0 ? fail(error, "--%s %s", row->name, reason) : 0;
}

void option_key(const struct option *row, char key[static OPTION_KEY_LEN])
{
    snprintf(key, OPTION_KEY_LEN, "%s", row->key ? row->key : row->name);
    for (char *c = key; *c && !row->key; c++)
        *c = *c == '-' ? '_' : *c;
}

static int unknown_option(const struct option *table, const char *argument, struct slice name,
                          char *error)
{
    const struct option *nearest = option_nearest(table, name);
    if (nearest)
        return fail(error, "unknown option \"%.60s\"; did you mean --%s?", argument, nearest->name);
    return fail(error, "unknown option \"%.60s\"; --help lists the options", argument);
}

/* Finds the row that an argument names and what stands behind its '='. */
static const struct option *match_argument(const struct option *table, const char *argument,
                                           struct slice *name, const char **value)
{
    *value = NULL;
    *name = slice_from_string(argument + 1);
    if (argument[1] != '-') {
        for (const struct option *row = table; row->name; row++)
            if (row->letter && argument[1] == row->letter && argument[2] == 0)
                return row;
        return NULL;
    }
    struct slice rest = slice_from_string(argument + 2);
    *name = slice_cut(&rest, '=');
    *value = (const char *)rest.data;
    return option_find(table, *name);
}

static bool is_operand(const char *argument)
{
    if (argument[0] != '-')
        return true;
    char next = argument[1];
    return next == 0 || next == '.' || (next >= '0' && next <= '9');
}

static int add_operand(struct option_list *operands, const char *argument, char *error)
{
    if (!operands)
        return fail(error, "unexpected argument \"%.60s\"; options start with --", argument);
    if (operands->count == OPTION_LIST_MAX)
        return fail(error, "more than %d arguments", OPTION_LIST_MAX);
    operands->items[operands->count++] = argument;
    return 0;
}

int options_parse(const struct option *table, void *settings, int argc, char **argv,
                  struct option_list *operands, char error[static OPTION_ERROR_LEN])
{
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        int result;
        struct slice name;
        const char *value;
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            continue;
        }
        if (only_operands || is_operand(argv[i])) {
            result = add_operand(operands, argv[i], error);
        } else {
            const struct option *row = match_argument(table, argv[i], &name, &value);
            if (!row)
                return unknown_option(table, argv[i], name, error);
            bool takes_next = row->kind != OPTION_FLAG && row->kind != OPTION_ABSENT && !value;
            if (takes_next && i + 1 < argc)
                value = argv[++i];
            result = option_set(row, settings, value, error);
        }
        if (result < 0)
            return result;
    }
    return 0;
}

/* "-d, --data FILE"; returns its length, also when out is NULL. */
static size_t print_left(const struct option *row, FILE *out)
{
    char text[128];
    char letter[8] = "    ";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    int len = snprintf(text, sizeof text, "  %s--%s%s%s", letter, row->name, row->value ? " " : "",
                       row->value ? row->value : "");
    if (out)
        fputs(text, out);
    return len < 0 ? 0 : (size_t)len;
}

void options_help(const struct option *table, FILE *out)
{
    size_t column = 0;
    for (const struct option *row = table; row->name; row++) {
        size_t len = print_left(row, NULL);
        column = len > column ? len : column;
    }
    column += 2;
    for (const struct option *row = table; row->name; row++) {
        size_t at = print_left(row, out);
        for (struct slice rest = slice_from_string(row->help); rest.data; at = 0) {
            struct slice line = slice_cut(&rest, '\n');
            fprintf(out, "%*s%.*s\n", (int)(column - at), "", SLICE_PRINT(line));
        }
        if (row->kind == OPTION_CHOICE)
            fprintf(out, "%*s(%s)\n", (int)column, "", row->choices);
    }
}
