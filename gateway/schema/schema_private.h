/* schema_private: what schema.c (one source) and schema_merge.c (several) know of a snapshot. */
#pragma once
#include "base/arena.h"
#include "gateway/schema/schema.h"
#include "gateway/schema/symbols.h"

#include <stdatomic.h>

enum { SCHEMA_ARENA_MAX = 192 << 20, SCHEMA_SOURCE_LEN = 512 };

struct schema {
    atomic_uint refs;
    struct arena arena; /* everything below but the parts */
    struct symbols symbols;
    struct slice set;
    const struct method *methods;
    const struct slice *services;
    size_t method_count, service_count;
    const char *source;
    bool partial;
    struct schema **parts; /* references: what a merged schema's tables are part of */
    size_t part_count;
};

/* Empty, with one reference.  NULL with *st. */
struct schema *schema_new(struct status *st);
