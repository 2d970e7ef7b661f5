/* upstream_flags: one upstream as a configuration file lists it, `{target: localhost:50051,
 * services: [pkg.Service]}`, as a table of options whose keys begin there.  A new setting of an
 * upstream is one member, one row and one line in config_flags_apply(). */
#pragma once
#include "base/options.h"

struct upstream_flags {
    const char *target, *authority; /* borrowed; NULL: not given */
    struct option_list services;
};

extern const struct option upstream_flags_options[];
