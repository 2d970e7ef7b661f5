/* yaml_tree: a text in YAML or JSON (which is YAML, yaml.org/spec/1.2.2 section 1.3) as one tree of
 * nodes that know their place.  It owns the nodes, their texts and what is wrong with them.  It
 * refuses what makes a short text large or ambiguous: aliases, tags, duplicate keys, a second
 * document.  What the nodes mean is the business of their readers, which add their own errors. */
#pragma once
#include "base/arena.h"

enum {
    YAML_MAX_BYTES = 4 << 20,
    YAML_MAX_NODES = 250000,
    YAML_MAX_DEPTH = 64,
    YAML_MAX_KEYS = 1000, /* of one mapping */
    YAML_MAX_ERRORS = 20, /* kept; more are only counted */
    YAML_ERROR_LEN = 512
};

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool plain;                  /* a text without quotes: may be null, a number, a boolean */
    unsigned line, column;       /* of its first character, from 1; columns are characters */
    size_t count;                /* items or members */
    struct slice text;           /* UTF-8, no NUL in it, one behind it */
    const struct yaml_node *key; /* of a member of a mapping; NULL for an item of a list */
    struct yaml_node *first;     /* item or member, in the order of the text */
    struct yaml_node *next;      /* in the same list or mapping */
};

struct yaml_tree {
    const char *source;           /* a file's name; begins every error */
    const struct yaml_node *root; /* NULL: nothing but comments, or null */
    size_t error_count;
    char errors[YAML_MAX_ERRORS][YAML_ERROR_LEN]; /* "SOURCE:LINE:COLUMN: reason" */
    struct arena arena;
};

/* Copies `source`. */
void yaml_tree_init(struct yaml_tree *tree, const char *source);
void yaml_tree_fini(struct yaml_tree *tree);
/* Once per tree.  False when the text cannot be understood: there is no root, and an error says
 * why.  True with a root that can be looked at; duplicate keys then stand in it and in the errors.
 */
bool yaml_tree_parse(struct yaml_tree *tree, struct slice text);
/* The same for the content of the file `source`. */
bool yaml_tree_load(struct yaml_tree *tree);
/* Adds an error at the node's place (NULL: where the text begins); returns false. */
bool yaml_error(struct yaml_tree *tree, const struct yaml_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "a text", "a list", "a mapping", "null". */
const char *yaml_kind_name(const struct yaml_node *node);
/* Nothing, "~" or "null", without quotes (YAML 1.2.2 section 10.3.2). */
bool yaml_is_null(const struct yaml_node *node);
/* The member of that name; NULL when there is none or the node is no mapping. */
const struct yaml_node *yaml_member(const struct yaml_node *mapping, struct slice name);
