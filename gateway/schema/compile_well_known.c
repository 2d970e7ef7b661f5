/* The messages of google.protobuf that have a JSON form of their own (ProtoJSON).  Transcoding
 * knows their fields, so a peer's definition must have them: the shapes are checked here. */
#include "gateway/schema/compile.h"

#define NAME(text) "google.protobuf." text

static const struct {
    const char *full_name;
    enum well_known well_known;
    const char *fields; /* kind_letter() of field 1, 2, ...; there are no others */
} shapes[] = {
    {NAME("Any"), WELL_KNOWN_ANY, "sb"},
    {NAME("Timestamp"), WELL_KNOWN_TIMESTAMP, "li"},
    {NAME("Duration"), WELL_KNOWN_DURATION, "li"},
    {NAME("FieldMask"), WELL_KNOWN_FIELD_MASK, "S"},
    {NAME("Struct"), WELL_KNOWN_STRUCT, "M"},
    {NAME("Value"), WELL_KNOWN_VALUE, "edstrk"},
    {NAME("ListValue"), WELL_KNOWN_LIST_VALUE, "V"},
    {NAME("Empty"), WELL_KNOWN_EMPTY, ""},
    {NAME("DoubleValue"), WELL_KNOWN_WRAPPER, "d"},
    {NAME("FloatValue"), WELL_KNOWN_WRAPPER, "f"},
    {NAME("Int64Value"), WELL_KNOWN_WRAPPER, "l"},
    {NAME("UInt64Value"), WELL_KNOWN_WRAPPER, "L"},
    {NAME("Int32Value"), WELL_KNOWN_WRAPPER, "i"},
    {NAME("UInt32Value"), WELL_KNOWN_WRAPPER, "I"},
    {NAME("BoolValue"), WELL_KNOWN_WRAPPER, "t"},
    {NAME("StringValue"), WELL_KNOWN_WRAPPER, "s"},
    {NAME("BytesValue"), WELL_KNOWN_WRAPPER, "b"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

enum well_known compile_well_known_of(struct slice full_name)
{
    if (!slice_has_prefix(full_name, SLICE(NAME(""))))
        return WELL_KNOWN_NONE;
    for (size_t i = 0; i < SHAPES; i++)
        if (slice_equal(full_name, slice_from_string(shapes[i].full_name)))
            return shapes[i].well_known;
    return WELL_KNOWN_NONE;
}

static char message_letter(const struct field *f)
{
    if (f->map) {
        const struct field *key = &f->message->fields[0], *value = &f->message->fields[1];
        bool values = value->message && value->message->well_known == WELL_KNOWN_VALUE;
        return key->kind == FIELD_STRING && values ? 'M' : '?';
    }
    switch (f->message->well_known) {
    case WELL_KNOWN_STRUCT:
        return f->repeated ? '?' : 'r';
    case WELL_KNOWN_LIST_VALUE:
        return f->repeated ? '?' : 'k';
    case WELL_KNOWN_VALUE:
        return f->repeated ? 'V' : '?';
    default:
        return '?';
    }
}

static char kind_letter(const struct field *f)
{
    static const char letters[] = {
        [FIELD_DOUBLE] = 'd', [FIELD_FLOAT] = 'f',  [FIELD_INT64] = 'l',
        [FIELD_UINT64] = 'L', [FIELD_INT32] = 'i',  [FIELD_UINT32] = 'I',
        [FIELD_BOOL] = 't',   [FIELD_STRING] = 's', [FIELD_BYTES] = 'b',
    };
    if (f->kind == FIELD_MESSAGE)
        return message_letter(f);
    if (f->kind == FIELD_ENUM)
        return f->enumeration->null_value && !f->repeated ? 'e' : '?';
    if (f->repeated)
        return f->kind == FIELD_STRING ? 'S' : '?';
    if ((size_t)f->kind >= sizeof letters || !letters[f->kind])
        return '?';
    return letters[f->kind];
}

static bool has_shape(const struct message_type *type, const char *fields)
{
    size_t count = 0;
    for (; fields[count]; count++) {
        const struct field *f = message_type_field(type, (uint32_t)count + 1);
        if (!f || kind_letter(f) != fields[count])
            return false;
    }
    return type->field_count == count;
}

bool compile_well_known(struct compile *c)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct symbol *symbol =
            symbols_find_full(c->symbols, slice_from_string(shapes[i].full_name));
        if (!symbol || symbol->kind != SYMBOL_MESSAGE)
            continue;
        const struct compile_message *m = symbol->what;
        if (!has_shape(&m->type, shapes[i].fields))
            return compile_fail(c, m->file, m->type.full_name, (struct slice){NULL, 0},
                                "differs from the well-known message of that name");
    }
    return true;
}
