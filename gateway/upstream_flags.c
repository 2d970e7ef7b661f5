#include "gateway/upstream_flags.h"

#include "gateway/schema/name.h"
#include "gateway/upstream/target.h"

#include <stddef.h>

#define AT(member) offsetof(struct upstream_flags, member)

enum { MAX_AUTHORITY = 253 + 6 }; /* a name (RFC 1035 section 2.3.4), ":65535" */

const char *upstream_flags_judge_authority(const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~%!$&'()*+,;=:[]";
    size_t len = strlen(value);
    bool good = len > 0 && len <= MAX_AUTHORITY && strspn(value, allowed) == len;
    return good ? NULL : "needs a host or HOST:PORT, without blanks and slashes";
}

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
     .judge = upstream_flags_judge_authority},
    {.name = "services", .offset = AT(services), .kind = OPTION_LIST, .judge = judge_service},
    {.name = NULL},
};
