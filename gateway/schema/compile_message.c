/* Pass 2 of compile.h for messages: their fields with types, presence and encoding, and the look-up
 * tables. */
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"

#include <stdlib.h>

enum {
    LABEL_REQUIRED = 2,
    LABEL_REPEATED = 3,
    MAX_NUMBER = (1 << 29) - 1,
    FIRST_RESERVED = 19000, /* Protobuf language specification: reserved for the implementation */
    LAST_RESERVED = 19999,
    MAX_FIELDS = UINT16_MAX - 1,
};

/* A FieldDescriptorProto as it stands. */
struct descriptor {
    struct slice name, extendee, type_name, json_name, options;
    uint64_t number, label, type, oneof_index;
    bool has_oneof, has_json_name, proto3_optional;
    bool has_packed, packed;
    bool malformed;
};

/* A oneof of the message being compiled. */
struct oneof {
    struct features features;
    uint16_t place; /* 1 + among the real ones; 0: synthetic or unused */
};

static void read_string(struct descriptor *d, const struct proto_field *field)
{
    switch (field->number) {
    case 1:
        d->name = field->bytes;
        break;
    case 2:
        d->extendee = field->bytes;
        break;
    case 6:
        d->type_name = field->bytes;
        break;
    case 8:
        d->options = field->bytes;
        break;
    case 10:
        d->json_name = field->bytes;
        d->has_json_name = true;
        break;
    default:
        break;
    }
}

static void read_number(struct descriptor *d, const struct proto_field *field)
{
    switch (field->number) {
    case 3:
        d->number = field->value;
        break;
    case 4:
        d->label = field->value;
        break;
    case 5:
        d->type = field->value;
        break;
    case 9:
        d->oneof_index = field->value;
        d->has_oneof = true;
        break;
    case 17:
        d->proto3_optional = field->value != 0;
        break;
    default:
        break;
    }
}

static struct descriptor read_descriptor(struct slice bytes)
{
    struct descriptor d = {0};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.wire_type == WIRE_LEN)
            read_string(&d, &field);
        else if (field.wire_type == WIRE_VARINT)
            read_number(&d, &field);
    }
    d.malformed = r.malformed;
    proto_reader_init(&r, d.options);
    while (proto_reader_next(&r, &field)) {
        if (field.number != 2 || field.wire_type != WIRE_VARINT)
            continue;
        d.has_packed = true;
        d.packed = field.value != 0;
    }
    d.malformed |= r.malformed;
    return d;
}

static uint8_t wire_type_of(enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
    case FIELD_FIXED64:
    case FIELD_SFIXED64:
        return WIRE_FIXED64;
    case FIELD_FLOAT:
    case FIELD_FIXED32:
    case FIELD_SFIXED32:
        return WIRE_FIXED32;
    case FIELD_STRING:
    case FIELD_MESSAGE:
    case FIELD_BYTES:
        return WIRE_LEN;
    case FIELD_GROUP:
        return WIRE_SGROUP;
    default:
        return WIRE_VARINT;
    }
}

static uint8_t write_tag(uint8_t out[static 5], uint32_t number, uint8_t wire_type)
{
    uint32_t tag = number << 3 | wire_type;
    uint8_t len = 0;
    for (; tag >= 0x80; tag >>= 7)
        out[len++] = (uint8_t)(tag | 0x80);
    out[len++] = (uint8_t)tag;
    return len;
}

static bool fail_field(struct compile *c, const struct compile_message *m,
                       const struct descriptor *d, const char *reason)
{
    return compile_fail(c, m->file, m->type.full_name, d->name, "%s", reason);
}

/* What the field refers to.  A descriptor may leave the choice between message and enum to its
 * reader (FieldDescriptorProto.type_name in descriptor.proto). */
static bool resolve_type(struct compile *c, const struct compile_file *file, struct slice scope,
                         const struct descriptor *d, struct field *f)
{
    bool refers =
        d->type == 0 || d->type == FIELD_MESSAGE || d->type == FIELD_GROUP || d->type == FIELD_ENUM;
    if (d->type > FIELD_SINT64)
        return compile_fail(c, file, scope, d->name, "unknown field type %llu",
                            (unsigned long long)d->type);
    f->kind = (enum field_kind)d->type;
    if (!refers)
        return true;
    struct symbol *symbol = compile_resolve(c, scope, d->type_name);
    if (!symbol)
        return compile_fail_unknown(c, file, scope, d->name, d->type_name);
    bool message = symbol->kind == SYMBOL_MESSAGE;
    if (d->type != 0 && message != (d->type != FIELD_ENUM))
        return compile_fail(c, file, scope, d->name, "\"%.*s\" is not %s",
                            COMPILE_SHOW(d->type_name), message ? "an enum" : "a message");
    if (d->type == 0)
        f->kind = message ? FIELD_MESSAGE : FIELD_ENUM;
    if (message)
        f->message = symbol->what;
    else
        f->enumeration = symbol->what;
    return true;
}

static bool is_packable(enum field_kind kind)
{
    uint8_t wire_type = wire_type_of(kind);
    return wire_type != WIRE_LEN && wire_type != WIRE_SGROUP;
}

/* Everything that follows from kind, label and features. */
static void set_encoding(struct field *f, const struct descriptor *d, const struct features *s,
                         bool in_map_entry)
{
    f->number = (uint32_t)d->number;
    f->repeated = d->label == LABEL_REPEATED;
    f->map = f->repeated && f->kind == FIELD_MESSAGE && f->message->map_entry;
    /* Maps and what they hold are never delimited (FeatureSet.message_encoding). */
    if (f->kind == FIELD_MESSAGE && s->encoding == ENCODING_DELIMITED && !f->map && !in_map_entry)
        f->kind = FIELD_GROUP;
    f->wire_type = wire_type_of(f->kind);
    bool legacy = s->edition < EDITION_2023 && d->has_packed;
    f->packed = f->repeated && is_packable(f->kind) &&
                (legacy ? d->packed : s->repeated == REPEATED_PACKED);
    f->required = d->label == LABEL_REQUIRED || (!f->repeated && s->presence == PRESENCE_REQUIRED);
    f->presence =
        !f->repeated && (f->message || f->extension || d->has_oneof || d->proto3_optional ||
                         f->required || s->presence == PRESENCE_EXPLICIT);
    f->check_utf8 = f->kind == FIELD_STRING && s->utf8 == UTF8_VERIFY;
    f->tag_len = write_tag(f->tag, f->number, f->wire_type);
    f->packed_tag_len = write_tag(f->packed_tag, f->number, WIRE_LEN);
}

static bool set_names(struct compile *c, struct field *f)
{
    f->json_key = name_quote(c->arena, f->json_name, SLICE(":"));
    f->proto_key = slice_equal(f->json_name, f->name) ? f->json_key
                                                      : name_quote(c->arena, f->name, SLICE(":"));
    return (f->json_key.data && f->proto_key.data) || compile_fail_memory(c);
}

static bool check_descriptor(struct compile *c, const struct compile_message *m,
                             const struct descriptor *d)
{
    if (d->malformed)
        return fail_field(c, m, d, "the descriptor is malformed");
    if (d->number == 0 || d->number > MAX_NUMBER)
        return fail_field(c, m, d, "the field number is out of range");
    if (d->number >= FIRST_RESERVED && d->number <= LAST_RESERVED)
        return fail_field(c, m, d, "the field number is reserved (19000 to 19999)");
    if (d->label > LABEL_REPEATED)
        return fail_field(c, m, d, "unknown label");
    if (d->has_oneof && d->oneof_index >= m->oneofs)
        return fail_field(c, m, d, "the field is in a oneof that does not exist");
    if (d->has_oneof && d->label == LABEL_REPEATED)
        return fail_field(c, m, d, "a repeated field cannot be in a oneof");
    if (d->has_json_name && !name_is_file(d->json_name))
        return fail_field(c, m, d, "the JSON name is empty, too long or not plain UTF-8");
    return true;
}

static bool compile_field(struct compile *c, struct compile_message *m, struct oneof *oneofs,
                          struct slice bytes, struct field *f)
{
    struct descriptor d = read_descriptor(bytes);
    if (!check_descriptor(c, m, &d))
        return false;
    bool real_oneof = d.has_oneof && !d.proto3_optional;
    struct features features = real_oneof ? oneofs[d.oneof_index].features : m->features;
    if (!features_apply(&features, d.options, FEATURES_IN_FIELD))
        return fail_field(c, m, &d, "the descriptor is malformed");
    if (!resolve_type(c, m->file, m->type.full_name, &d, f))
        return false;
    set_encoding(f, &d, &features, m->type.map_entry);
    f->name = d.name;
    f->json_name = d.has_json_name ? d.json_name : name_lower_camel(c->arena, d.name);
    if (!f->json_name.data)
        return compile_fail_memory(c);
    if (real_oneof) {
        f->oneof = (uint16_t)(d.oneof_index + 1); /* becomes its place in number_oneofs() */
        oneofs[d.oneof_index].place = 1;
    }
    return set_names(c, f);
}

bool compile_attach_extension(struct compile *c, struct compile_extension *e)
{
    struct descriptor d = read_descriptor(e->bytes);
    struct symbol *symbol = compile_resolve(c, e->scope, d.extendee);
    if (!symbol)
        return compile_fail_unknown(c, e->file, e->scope, d.name, d.extendee);
    if (symbol->kind != SYMBOL_MESSAGE)
        return compile_fail(c, e->file, e->scope, d.name, "\"%.*s\" is not a message",
                            COMPILE_SHOW(d.extendee));
    struct compile_message *m = symbol->what;
    *m->last_extension = e;
    m->last_extension = &e->next_of_message;
    m->extensions++;
    return true;
}

static bool compile_extension(struct compile *c, const struct compile_extension *e, struct field *f)
{
    struct descriptor d = read_descriptor(e->bytes);
    d.has_oneof = false;
    struct compile_message origin = {
        .type = {.full_name = e->scope}, .file = e->file, .features = e->features};
    struct features features = e->features;
    if (!check_descriptor(c, &origin, &d))
        return false;
    if (!features_apply(&features, d.options, FEATURES_IN_FIELD))
        return fail_field(c, &origin, &d, "the descriptor is malformed");
    if (!resolve_type(c, e->file, e->scope, &d, f))
        return false;
    f->extension = true;
    set_encoding(f, &d, &features, false);
    struct slice full_name = name_join(c->arena, e->scope, d.name);
    char *text = full_name.data ? arena_printf(c->arena, "[%.*s]", SLICE_PRINT(full_name)) : NULL;
    if (!text)
        return compile_fail_memory(c);
    f->name = f->json_name = slice_from_string(text);
    return set_names(c, f);
}

static bool read_oneofs(struct compile *c, const struct compile_message *m, struct oneof *oneofs)
{
    struct proto_reader r, inner;
    struct proto_field field, option;
    proto_reader_init(&r, m->bytes);
    for (uint32_t i = 0; proto_reader_next(&r, &field);) {
        if (field.number != 8 || field.wire_type != WIRE_LEN)
            continue;
        struct features *features = &oneofs[i++].features;
        *features = m->features;
        proto_reader_init(&inner, field.bytes);
        while (proto_reader_next(&inner, &option))
            if (option.number == 2 && option.wire_type == WIRE_LEN)
                inner.malformed |= !features_apply(features, option.bytes, FEATURES_IN_ONEOF);
        if (inner.malformed)
            return compile_fail(c, m->file, m->type.full_name, (struct slice){NULL, 0},
                                "the descriptor of a oneof is malformed");
    }
    return true;
}

static void number_oneofs(struct compile_message *m, struct oneof *oneofs, struct field *fields)
{
    for (uint32_t i = 0; i < m->oneofs; i++)
        if (oneofs[i].place)
            oneofs[i].place = ++m->type.oneof_count;
    for (uint32_t i = 0; i < m->fields; i++)
        if (fields[i].oneof)
            fields[i].oneof = oneofs[fields[i].oneof - 1].place;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool sort_fields(struct compile *c, struct compile_message *m, struct field *fields,
                        size_t count)
{
    if (count)
        qsort(fields, count, sizeof *fields, compare_numbers);
    size_t kept = 0;
    /* Options of unrelated organisations may share a number; nothing but the descriptors
     * themselves would print them, so the first stays. */
    bool options = slice_has_prefix(m->type.full_name, SLICE("google.protobuf."));
    for (size_t i = 0; i < count; i++) {
        const struct field *before = kept ? &fields[kept - 1] : NULL;
        if (before && before->number == fields[i].number) {
            if (options && before->extension && fields[i].extension)
                continue;
            return compile_fail(c, m->file, m->type.full_name, fields[i].name,
                                "its number %u is that of %.*s", fields[i].number,
                                COMPILE_SHOW(before->name));
        }
        fields[kept] = fields[i];
        fields[kept].index = (uint16_t)kept;
        kept++;
    }
    m->type.fields = fields;
    m->type.field_count = (uint16_t)kept;
    return true;
}

static bool fill_fields(struct compile *c, struct compile_message *m, struct oneof *oneofs,
                        struct field *fields)
{
    size_t i = 0;
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, m->bytes);
    while (proto_reader_next(&r, &field))
        if (field.number == 2 && field.wire_type == WIRE_LEN &&
            !compile_field(c, m, oneofs, field.bytes, &fields[i++]))
            return false;
    for (const struct compile_extension *e = m->first_extension; e; e = e->next_of_message)
        if (!compile_extension(c, e, &fields[i++]))
            return false;
    return true;
}

bool compile_message_fields(struct compile *c, struct compile_message *m)
{
    size_t count = (size_t)m->fields + m->extensions;
    if (count > MAX_FIELDS || m->oneofs > MAX_FIELDS)
        return compile_fail(c, m->file, m->type.full_name, (struct slice){NULL, 0},
                            "more than %d fields", MAX_FIELDS);
    struct field *fields = arena_zalloc(c->arena, count * sizeof *fields);
    struct oneof *oneofs = arena_zalloc(c->arena, m->oneofs * sizeof *oneofs);
    if (!fields || !oneofs)
        return compile_fail_memory(c);
    if (!read_oneofs(c, m, oneofs) || !fill_fields(c, m, oneofs, fields))
        return false;
    number_oneofs(m, oneofs, fields);
    return sort_fields(c, m, fields, count);
}
