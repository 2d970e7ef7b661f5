/* schema_merge: the schemas of several upstreams as one snapshot.  Each stays compiled as it is: a
 * method keeps the types of its own upstream, also where another has a different type, or file, of
 * the same name.  What is found by name (a method's path, a type in Any) is that of the first
 * schema that has it. */
#pragma once
#include "gateway/schema/schema.h"

/* A schema, and what of it an upstream serves. */
struct schema_part {
    struct schema *schema; /* borrowed; the result keeps a reference */
    size_t upstream;       /* for method.upstream */
    const char *name;      /* of the upstream, for notes */
    /* Both may be missing; a service must be in each that is given. */
    const struct schema *listed;
    const char *const *services; /* full names */
    size_t services_count;
    bool rest; /* the services that no part before it serves */
};

/* Makes it; `partial`: see schema_partial().  `note`, a sentence for the log, is called for a
 * service of two upstreams, a name that one has for something else, services that only the rest
 * has, one in `services` that is not there, types that differ, and files that are not in
 * schema_descriptor_set().  What every server brings along (packages grpc and google) is no news.
 * NULL with *st: memory is out. */
struct schema *schema_merge(const struct schema_part *parts, size_t count, bool partial,
                            void (*note)(void *arg, const char *text), void *arg,
                            struct status *st);
