/* options: the command line of a program as one const table: parsing, checking, help and
 * did-you-mean.  Each row says where its value goes: a member of the program's own settings
 * struct.  The table is the only place to edit when a program gets a new option.  The rows also
 * take values from elsewhere (environment, file) by option_find() and option_set(). */
#pragma once
#include "base/slice.h"

#include <stdio.h>

enum option_kind {
    OPTION_FLAG,     /* bool; takes no value, but "--name=true|false" is understood */
    OPTION_TEXT,     /* const char *, borrowed from argv */
    OPTION_LIST,     /* struct option_list; may be given several times */
    OPTION_NUMBER,   /* uint64_t, decimal, min to max */
    OPTION_DURATION, /* uint64_t milliseconds, min to max: "2s", "500ms", "1m30s" */
    OPTION_CHOICE,   /* int: index of the value in `choices`, "auto|on|off" */
    OPTION_ABSENT,   /* known, but not built yet: using it is an error that says so */
};

struct option {
    const char *name;    /* without dashes; NULL ends the table */
    const char *value;   /* what help calls the value, "ADDR:PORT"; NULL for a flag; "FILE" if and
                            only if it is the name of a file */
    const char *help;    /* one sentence; '\n' starts another line */
    const char *choices; /* OPTION_CHOICE: "text|json" */
    uint64_t min, max;   /* OPTION_NUMBER, OPTION_DURATION: of the value; max 0: no upper limit.
                            OPTION_LIST: max is the most items, 0: OPTION_LIST_MAX */
    size_t offset;       /* of the member in the settings struct */
    enum option_kind kind;
    char letter;     /* short form "-d"; 0: none */
    const char *key; /* in a configuration file, "limits.body_grace"; NULL: the name with '_' for
                        '-'; "": it cannot stand there */
    /* OPTION_TEXT, OPTION_LIST: what is wrong with the form of a value, "needs HOST:PORT"; NULL:
     * nothing. */
    const char *(*judge)(const char *value);
    /* The same for a form that has more than one fault: 0, or a negative errno with a sentence that
     * also says the value in `reason` (OPTION_ERROR_LEN). */
    int (*check)(const char *value, char *reason);
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

enum { OPTION_ERROR_LEN = 256, OPTION_KEY_LEN = 64 };

/* Takes "--name value", "--name=value", "--flag", "-d value" and operands in any order; "--" ends
 * the options; "-" and negative numbers are operands.  The settings keep what no option touches,
 * so fill in the defaults first.  argv[0] is skipped.  operands may be NULL: then an operand is an
 * error.  0, or -EINVAL with a sentence in `error` (wrong usage: exit 2). */
int options_parse(const struct option *table, void *settings, int argc, char **argv,
                  struct option_list *operands, char error[static OPTION_ERROR_LEN]);

/* The row of that name; NULL when there is none. */
const struct option *option_find(const struct option *table, struct slice name);
/* Stores one value (NUL-terminated, borrowed; for a flag "true", "false" or NULL for true).  A list
 * grows by one.  0, or -EINVAL with a sentence in `error`. */
int option_set(const struct option *row, void *settings, const char *value,
               char error[static OPTION_ERROR_LEN]);
/* The same, but the sentence is without its subject, for callers who call the option by another
 * name: "needs a whole number, not \"x\"". */
int option_store(const struct option *row, void *settings, const char *value,
                 char reason[static OPTION_ERROR_LEN]);
/* What the row is called in a configuration file: sections and name, joined by dots; "": it has no
 * place there. */
void option_key(const struct option *row, char key[static OPTION_KEY_LEN]);

/* One paragraph per row, in the order of the table, columns aligned. */
void options_help(const struct option *table, FILE *out);

/* The row whose name is nearest to a mistyped one; NULL when none is near enough to suggest. */
const struct option *option_nearest(const struct option *table, struct slice name);
/* Of `count` words the one nearest to a mistyped word; NULL when none is near. */
const char *option_nearest_word(const char *const *words, size_t count, struct slice mistyped);

/* One or more of DIGITS[.DIGITS] with a unit "us", "ms", "s", "m" or "h", or a bare "0"; rounded up
 * to whole milliseconds.  0, or -EINVAL. */
int option_parse_duration(struct slice text, uint64_t *ms);
