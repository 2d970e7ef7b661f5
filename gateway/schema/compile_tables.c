/* Pass 2 of compile.h: the look-up tables of a message and the shape of map entries. */
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"

enum { MIN_DENSE = 64 }; /* a number table of so few entries is always worth it */

static bool is_map_key(enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
    case FIELD_FLOAT:
    case FIELD_GROUP:
    case FIELD_MESSAGE:
    case FIELD_BYTES:
    case FIELD_ENUM:
        return false;
    default:
        return true;
    }
}

/* Protobuf language specification, maps: key = 1, value = 2, nothing else. */
static bool check_map_entry(struct compile *c, const struct compile_message *m)
{
    const struct field *f = m->type.fields;
    bool good = m->type.field_count == 2 && f[0].number == 1 && f[1].number == 2 &&
                !f[0].repeated && !f[1].repeated && !f[0].oneof && !f[1].oneof &&
                is_map_key(f[0].kind) && f[1].kind != FIELD_GROUP;
    return good || compile_fail(c, m->file, m->type.full_name, (struct slice){NULL, 0},
                                "not a valid map entry");
}

static bool number_table(struct compile *c, struct message_type *type)
{
    size_t count = type->field_count;
    if (count == 0)
        return true;
    size_t len = (size_t)type->fields[count - 1].number + 1;
    size_t max = count * 4 > MIN_DENSE ? count * 4 : MIN_DENSE;
    if (len > max)
        len = max;
    uint16_t *table = arena_zalloc(c->arena, len * sizeof *table);
    if (!table)
        return compile_fail_memory(c);
    for (size_t i = 0; i < count && type->fields[i].number < len; i++)
        table[type->fields[i].number] = (uint16_t)(i + 1);
    type->by_number = table;
    type->by_number_len = (uint32_t)len;
    return true;
}

/* Puts one name of a field into the table.  The field that has it already, or NULL. */
static const struct field *place_name(const struct message_type *type, uint16_t *table, size_t i,
                                      bool json)
{
    const struct field *f = &type->fields[i];
    struct slice key = json ? f->json_name : f->name;
    for (uint64_t at = name_hash(0, key);; at++) {
        uint16_t *slot = &table[at & type->by_name_mask];
        if (*slot == 0) {
            *slot = (uint16_t)(i + 1);
            return NULL;
        }
        const struct field *other = &type->fields[*slot - 1];
        if (slice_equal(other->json_name, key) || (!json && slice_equal(other->name, key)))
            return other;
    }
}

static bool name_table(struct compile *c, struct compile_message *m)
{
    struct message_type *type = &m->type;
    uint32_t cap = 4;
    while (cap < 4u * type->field_count)
        cap *= 2;
    uint16_t *table = arena_zalloc(c->arena, cap * sizeof *table);
    if (!table)
        return compile_fail_memory(c);
    type->by_name = table;
    type->by_name_mask = cap - 1;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *other = place_name(type, table, i, true);
        if (other && m->features.json == JSON_ALLOW)
            return compile_fail(c, m->file, type->full_name, type->fields[i].name,
                                "its JSON name \"%.*s\" is that of %.*s",
                                COMPILE_SHOW(other->json_name), COMPILE_SHOW(other->name));
    }
    /* JSON names win over proto names. */
    for (size_t i = 0; i < type->field_count; i++)
        place_name(type, table, i, false);
    return true;
}

bool compile_message_tables(struct compile *c, struct compile_message *m)
{
    if (m->type.map_entry && !check_map_entry(c, m))
        return false;
    return number_table(c, &m->type) && name_table(c, m);
}
