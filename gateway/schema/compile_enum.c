/* Pass 2 of compile.h for enums: values and their tables by number and by name. */
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"

#include <stdlib.h>

static bool read_value(struct slice bytes, struct enum_value *value)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number == 1 && field.wire_type == WIRE_LEN)
            value->name = field.bytes;
        else if (field.number == 2 && field.wire_type == WIRE_VARINT)
            value->number = (int32_t)(uint32_t)field.value;
    }
    return !r.malformed;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct enum_value *x = *(const struct enum_value *const *)a;
    const struct enum_value *y = *(const struct enum_value *const *)b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x > y) - (x < y); /* of aliases the first declared comes first */
}

static int compare_names(const void *a, const void *b)
{
    return enum_name_compare((*(const struct enum_value *const *)a)->name,
                             (*(const struct enum_value *const *)b)->name);
}

static bool fill_values(struct compile *c, struct compile_enum *def, struct enum_value *values)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, def->bytes);
    for (uint32_t i = 0; proto_reader_next(&r, &field);) {
        if (field.number != 2 || field.wire_type != WIRE_LEN)
            continue;
        struct enum_value *value = &values[i++];
        if (!read_value(field.bytes, value))
            return compile_fail(c, def->file, def->type.full_name, value->name,
                                "the descriptor is malformed");
        value->json = name_quote(c->arena, value->name, (struct slice){NULL, 0});
        if (!value->json.data)
            return compile_fail_memory(c);
    }
    return true;
}

static bool number_table(struct compile *c, struct compile_enum *def,
                         const struct enum_value **table)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < def->values; i++) {
        if (kept && table[kept - 1]->number == table[i]->number) {
            if (!def->allow_alias)
                return compile_fail(c, def->file, def->type.full_name, table[i]->name,
                                    "its number %d is that of %.*s (allow_alias is not set)",
                                    (int)table[i]->number, COMPILE_SHOW(table[kept - 1]->name));
            continue;
        }
        table[kept++] = table[i];
    }
    def->type.by_number = table;
    def->type.by_number_count = kept;
    return true;
}

bool compile_enum_values(struct compile *c, struct compile_enum *def)
{
    size_t count = def->values;
    const struct slice none = {NULL, 0};
    if (count == 0)
        return compile_fail(c, def->file, def->type.full_name, none, "an enum needs a value");
    struct enum_value *values = arena_zalloc(c->arena, count * sizeof *values);
    const struct enum_value **numbers =
        arena_alloc(c->arena, count * sizeof(const struct enum_value *));
    const struct enum_value **names =
        arena_alloc(c->arena, count * sizeof(const struct enum_value *));
    if (!values || !numbers || !names)
        return compile_fail_memory(c);
    if (!fill_values(c, def, values))
        return false;
    if (!def->type.closed && values[0].number != 0)
        return compile_fail(c, def->file, def->type.full_name, values[0].name,
                            "the first value of an open enum must be zero");
    for (size_t i = 0; i < count; i++)
        names[i] = numbers[i] = &values[i];
    qsort(numbers, count, sizeof(const struct enum_value *), compare_numbers);
    qsort(names, count, sizeof(const struct enum_value *), compare_names);
    def->type.values = values;
    def->type.value_count = (uint32_t)count;
    def->type.by_name = names;
    return number_table(c, def, numbers);
}
