#include "gateway/schema/types.h"

#include "gateway/schema/name.h"

const struct field *message_type_field(const struct message_type *type, uint32_t number)
{
    if (number < type->by_number_len)
        return type->by_number[number] ? &type->fields[type->by_number[number] - 1] : NULL;
    size_t low = 0, high = type->field_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < type->field_count && type->fields[low].number == number;
    return found ? &type->fields[low] : NULL;
}

const struct field *message_type_field_by_name(const struct message_type *type, struct slice name)
{
    if (!type->by_name)
        return NULL;
    for (uint64_t i = name_hash(0, name);; i++) {
        uint16_t place = type->by_name[i & type->by_name_mask];
        if (place == 0)
            return NULL;
        const struct field *field = &type->fields[place - 1];
        if (slice_equal(field->json_name, name) || slice_equal(field->name, name))
            return field;
    }
}

const struct enum_value *enum_type_value(const struct enum_type *type, int32_t number)
{
    if (type->by_number_count == 0)
        return NULL;
    /* Most enums are dense: then the place follows from the number. */
    int64_t place = (int64_t)number - type->by_number[0]->number;
    if (place < 0)
        return NULL;
    if (place < type->by_number_count && type->by_number[place]->number == number)
        return type->by_number[place];
    size_t low = 0, high = type->by_number_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (type->by_number[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < type->by_number_count && type->by_number[low]->number == number;
    return found ? type->by_number[low] : NULL;
}

int enum_name_compare(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

const struct enum_value *enum_type_value_by_name(const struct enum_type *type, struct slice name)
{
    size_t low = 0, high = type->value_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = enum_name_compare(type->by_name[middle]->name, name);
        if (order == 0)
            return type->by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
