#include "gateway/upstream_flags.h"

#include "gateway/schema/name.h"
#include "gateway/upstream/target.h"

#include <stddef.h>

#define AT(member) offsetof(struct upstream_flags, member)

static const char *judge_service(const char *value)
{
    return name_is_dotted(slice_from_string(value))
               ? NULL
               : "needs the full name of a service such as package.Service";
}

const struct option upstream_flags_options[] = {
    {.name = "target", .offset = AT(target), .kind = OPTION_TEXT, .check = target_check},
    {.name = "authority",
     .offset = AT(authority),
     .kind = OPTION_TEXT,
     .judge = target_judge_authority},
    {.name = "services", .offset = AT(services), .kind = OPTION_LIST, .judge = judge_service},
    {.name = NULL},
};
