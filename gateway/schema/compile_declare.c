/* Pass 1 of compile.h: walks the files, registers every name and leaves one entry for each message,
 * enum, extension and service. */
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"

/* Where a declaration stands. */
struct place {
    const struct compile_file *file;
    struct slice scope;
    const struct features *features;
    unsigned depth;
};

static bool fail_malformed(struct compile *c, const struct compile_file *file, struct slice scope)
{
    return compile_fail(c, file, scope, (struct slice){NULL, 0}, "the descriptor is malformed");
}

/* A bool or enum of an options message; merges over repeated occurrences of the options. */
static uint64_t find_option(struct slice message, uint32_t options, uint32_t number)
{
    uint64_t value = 0;
    struct proto_reader r, inner;
    struct proto_field field, option;
    proto_reader_init(&r, message);
    while (proto_reader_next(&r, &field)) {
        if (field.number != options || field.wire_type != WIRE_LEN)
            continue;
        proto_reader_init(&inner, field.bytes);
        while (proto_reader_next(&inner, &option))
            if (option.number == number && option.wire_type == WIRE_VARINT)
                value = option.value;
    }
    return value;
}

/* Features of every occurrence of the options; false when something in `message` is malformed. */
static bool read_features(struct slice message, uint32_t options, uint32_t number,
                          struct features *f)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, message);
    while (proto_reader_next(&r, &field))
        if (field.number == options && field.wire_type == WIRE_LEN &&
            !features_apply(f, field.bytes, number))
            return false;
    return !r.malformed;
}

/* A name without a table of its own: field, oneof, enum value. */
static bool declare_member(struct compile *c, const struct place *at, struct slice bytes)
{
    struct symbol symbol = {.scope = at->scope,
                            .name = proto_reader_find_bytes(bytes, 1),
                            .kind = SYMBOL_MEMBER,
                            .file = at->file->name};
    return compile_add_symbol(c, at->file, &symbol);
}

static bool declare_extension(struct compile *c, const struct place *at, struct slice bytes)
{
    struct compile_extension *e = arena_zalloc(c->arena, sizeof *e);
    if (!e)
        return compile_fail_memory(c);
    e->file = at->file;
    e->bytes = bytes;
    e->scope = at->scope;
    e->features = *at->features;
    *c->extensions_end = e;
    c->extensions_end = &e->next;
    return declare_member(c, at, bytes);
}

static bool declare_enum(struct compile *c, const struct place *at, struct slice bytes)
{
    struct compile_enum *e = arena_zalloc(c->arena, sizeof *e);
    struct slice name = proto_reader_find_bytes(bytes, 1);
    struct slice full_name = name_join(c->arena, at->scope, name);
    if (!e || !full_name.data)
        return compile_fail_memory(c);
    struct symbol symbol = {at->scope, name, SYMBOL_ENUM, e, at->file->name};
    if (!compile_add_symbol(c, at->file, &symbol))
        return false;
    e->file = at->file;
    e->bytes = bytes;
    e->features = *at->features;
    if (!read_features(bytes, 3, FEATURES_IN_ENUM, &e->features))
        return fail_malformed(c, at->file, full_name);
    e->allow_alias = find_option(bytes, 3, 2) != 0;
    e->type.full_name = full_name;
    e->type.closed = e->features.enumeration == ENUM_CLOSED;
    e->type.null_value = slice_equal(full_name, SLICE("google.protobuf.NullValue"));
    *c->enums_end = e;
    c->enums_end = &e->next;

    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number != 2 || field.wire_type != WIRE_LEN)
            continue;
        e->values++;
        if (!declare_member(c, at, field.bytes)) /* values are siblings of their enum */
            return false;
    }
    return true;
}

static bool declare_service(struct compile *c, const struct place *at, struct slice bytes)
{
    struct compile_service *s = arena_zalloc(c->arena, sizeof *s);
    struct slice name = proto_reader_find_bytes(bytes, 1);
    struct slice full_name = name_join(c->arena, at->scope, name);
    if (!s || !full_name.data)
        return compile_fail_memory(c);
    struct symbol symbol = {at->scope, name, SYMBOL_SERVICE, s, at->file->name};
    if (!compile_add_symbol(c, at->file, &symbol))
        return false;
    if (!proto_reader_check(bytes))
        return fail_malformed(c, at->file, full_name);
    s->file = at->file;
    s->bytes = bytes;
    s->full_name = full_name;
    *c->services_end = s;
    c->services_end = &s->next;
    c->service_count++;

    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field))
        s->methods += field.number == 2 && field.wire_type == WIRE_LEN;
    c->method_count += s->methods;
    return true;
}

static bool declare_message(struct compile *c, const struct place *at, struct slice bytes);

static bool declare_in_message(struct compile *c, struct compile_message *m,
                               const struct place *inside, const struct proto_field *field)
{
    switch (field->number) {
    case 2:
        m->fields++;
        return declare_member(c, inside, field->bytes);
    case 3:
        return declare_message(c, inside, field->bytes);
    case 4:
        return declare_enum(c, inside, field->bytes);
    case 6:
        return declare_extension(c, inside, field->bytes);
    case 8:
        m->oneofs++;
        return declare_member(c, inside, field->bytes);
    default:
        return true;
    }
}

static struct compile_message *new_message(struct compile *c, const struct place *at,
                                           struct slice bytes)
{
    struct compile_message *m = arena_zalloc(c->arena, sizeof *m);
    struct slice name = proto_reader_find_bytes(bytes, 1);
    struct slice full_name = name_join(c->arena, at->scope, name);
    if (!m || !full_name.data) {
        compile_fail_memory(c);
        return NULL;
    }
    struct symbol symbol = {at->scope, name, SYMBOL_MESSAGE, m, at->file->name};
    if (!compile_add_symbol(c, at->file, &symbol))
        return NULL;
    m->file = at->file;
    m->bytes = bytes;
    m->features = *at->features;
    m->last_extension = &m->first_extension;
    m->type.full_name = full_name;
    m->type.well_known = compile_well_known_of(full_name);
    *c->messages_end = m;
    c->messages_end = &m->next;
    return m;
}

static bool declare_message(struct compile *c, const struct place *at, struct slice bytes)
{
    if (at->depth >= COMPILE_MAX_NESTING)
        return compile_fail(c, at->file, at->scope, proto_reader_find_bytes(bytes, 1),
                            "messages are nested more than %d deep", COMPILE_MAX_NESTING);
    struct compile_message *m = new_message(c, at, bytes);
    if (!m)
        return false;
    if (!read_features(bytes, 7, FEATURES_IN_MESSAGE, &m->features))
        return fail_malformed(c, at->file, m->type.full_name);
    m->type.map_entry = find_option(bytes, 7, 7) != 0;
    struct place inside = {at->file, m->type.full_name, &m->features, at->depth + 1};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field))
        if (field.wire_type == WIRE_LEN && !declare_in_message(c, m, &inside, &field))
            return false;
    return true;
}

/* "a.b.c" occupies a, a.b and a.b.c. */
static bool declare_package(struct compile *c, const struct compile_file *file)
{
    struct slice package = file->package;
    if (package.len && !name_is_dotted(package))
        return compile_fail(c, file, package, (struct slice){NULL, 0}, "not a valid package name");
    size_t start = 0;
    for (size_t i = 1; i <= package.len; i++) {
        if (i < package.len && package.data[i] != '.')
            continue;
        struct symbol symbol = {.scope = slice_first(package, start ? start - 1 : 0),
                                .name = slice_from(package.data + start, i - start),
                                .kind = SYMBOL_PACKAGE,
                                .file = file->name};
        if (!compile_add_symbol(c, file, &symbol))
            return false;
        start = i + 1;
    }
    return true;
}

static bool read_head(struct compile *c, struct compile_file *file)
{
    uint64_t edition = 0;
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, file->bytes);
    while (proto_reader_next(&r, &field))
        if (field.number == 14 && field.wire_type == WIRE_VARINT)
            edition = field.value;
    const struct slice none = {NULL, 0};
    struct slice syntax = proto_reader_find_bytes(file->bytes, 12);
    file->package = proto_reader_find_bytes(file->bytes, 2);
    if (syntax.len == 0 || slice_equal(syntax, SLICE("proto2")))
        edition = EDITION_PROTO2;
    else if (slice_equal(syntax, SLICE("proto3")))
        edition = EDITION_PROTO3;
    else if (!slice_equal(syntax, SLICE("editions")))
        return compile_fail(c, file, none, none, "unknown syntax \"%.*s\"", COMPILE_SHOW(syntax));
    if (!features_init(&file->features, edition))
        return compile_fail(c, file, none, none, "edition %llu is not supported",
                            (unsigned long long)edition);
    if (r.malformed || !read_features(file->bytes, 8, FEATURES_IN_FILE, &file->features))
        return fail_malformed(c, file, none);
    return declare_package(c, file);
}

static bool declare_in_file(struct compile *c, const struct place *at,
                            const struct proto_field *field)
{
    switch (field->number) {
    case 4:
        return declare_message(c, at, field->bytes);
    case 5:
        return declare_enum(c, at, field->bytes);
    case 6:
        return declare_service(c, at, field->bytes);
    case 7:
        return declare_extension(c, at, field->bytes);
    default:
        return true;
    }
}

bool compile_declare(struct compile *c, struct compile_file *file)
{
    if (!read_head(c, file))
        return false;
    struct place at = {file, file->package, &file->features, 0};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, file->bytes);
    while (proto_reader_next(&r, &field))
        if (field.wire_type == WIRE_LEN && !declare_in_file(c, &at, &field))
            return false;
    return true;
}
