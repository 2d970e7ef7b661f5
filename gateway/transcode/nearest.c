#include "gateway/transcode/nearest.h"

#include "base/nearest.h"

struct slice nearest_field(const struct message_type *type, struct slice wanted)
{
    struct nearest n = nearest_start(wanted);
    for (size_t i = 0; i < type->field_count; i++) {
        nearest_offer(&n, type->fields[i].json_name);
        nearest_offer(&n, type->fields[i].name);
    }
    return n.best;
}

struct slice nearest_enum_value(const struct enum_type *type, struct slice wanted)
{
    struct nearest n = nearest_start(wanted);
    for (size_t i = 0; i < type->value_count; i++)
        nearest_offer(&n, type->values[i].name);
    return n.best;
}
