/* schema_parts: which upstream serves what, by descriptor files, the services that the
 * configuration lists, and what reflection told; and one schema of it all.  Who asks, and when, is
 * the business of schema_source; `drawbridge check` does without asking. */
#pragma once
#include "gateway/config.h"
#include "gateway/schema/schema_merge.h"

struct schema_parts {
    struct schema_part list[CONFIG_MAX_UPSTREAMS + 1];
    size_t count; /* 0: nothing is known yet */
    bool partial; /* an upstream has not told its services yet, and no other has them meanwhile */
};

/* Whether the upstream of that place must be asked.  With files that is only to tell which of
 * several upstreams has which service, where no list says so. */
bool schema_parts_asks(const struct config *config, size_t place);
/* Whether the files have every service that is listed; false with *st, which names what is not
 * there. */
bool schema_parts_check(const struct config *config, const struct schema *files, struct status *st);
/* Fills *parts, which borrow the schemas.  `files` NULL: there are none; told[place] NULL: that
 * upstream told nothing (yet). */
void schema_parts_init(struct schema_parts *parts, const struct config *config,
                       struct schema *files, struct schema *const *told);
/* A reference to the schema that is served; parts->count is not 0.  `note` as in schema_merge().
 * NULL with *st: memory is out. */
struct schema *schema_parts_merge(const struct schema_parts *parts,
                                  void (*note)(void *arg, const char *text), void *arg,
                                  struct status *st);
