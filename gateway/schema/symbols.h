/* symbols: every name that a schema defines, packages included, in one table: finds types, methods
 * and duplicates.  A symbol is keyed by its scope ("pkg.Message") and its last word, so members
 * need no full name of their own.  Memory is the arena's.  The hash is seeded: peers choose the
 * names. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

enum { SYMBOLS_MAX = 200000 /* of one server */ };

enum symbol_kind {
    SYMBOL_PACKAGE,
    SYMBOL_MESSAGE, /* what: struct compile_message, whose first member is the message_type */
    SYMBOL_ENUM,    /* what: struct compile_enum, whose first member is the enum_type */
    SYMBOL_SERVICE,
    SYMBOL_METHOD, /* what: struct method */
    SYMBOL_MEMBER, /* a field, oneof, extension or enum value */
};

struct symbol {
    struct slice scope, name; /* borrowed; they live as long as the arena */
    enum symbol_kind kind;
    void *what;
    struct slice file; /* name of the file that defines it */
};

struct symbols {
    struct arena *arena;
    struct symbol **slots; /* open addressing, at most half full */
    uint32_t cap, count;   /* cap is zero or a power of two */
    uint32_t max;          /* of count; SYMBOLS_MAX if not set otherwise after symbols_init() */
    uint64_t seed;
};

/* Allocates nothing. */
void symbols_init(struct symbols *t, struct arena *arena);
/* Adds a copy of *new; *entry becomes the stored one, or the one that is in the way.
 * 0, -EEXIST, -ENOBUFS (`max`), -ENOMEM. */
int symbols_add(struct symbols *t, const struct symbol *new, struct symbol **entry);
/* NULL when there is none. */
struct symbol *symbols_find(const struct symbols *t, struct slice scope, struct slice name);
/* The same for "scope.name". */
struct symbol *symbols_find_full(const struct symbols *t, struct slice full_name);
