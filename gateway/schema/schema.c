#include "gateway/schema/schema.h"

#include "base/buf.h"
#include "gateway/schema/compile.h"
#include "gateway/schema/proto_reader.h"
#include "gateway/schema/schema_builder.h"
#include "gateway/schema/schema_private.h"
#include "gateway/schema/well_known_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool fail_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the descriptors need too much memory");
    return false;
}

static uint8_t *write_file(uint8_t *to, struct slice bytes)
{
    *to++ = 1 << 3 | WIRE_LEN; /* FileDescriptorSet.file */
    size_t len = bytes.len;
    for (; len >= 0x80; len >>= 7)
        *to++ = (uint8_t)(len | 0x80);
    *to++ = (uint8_t)len;
    memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

static struct slice find_missing(const struct schema_builder *b, struct slice bytes)
{
    enum { IMPORT = 3 };
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number != IMPORT || field.wire_type != WIRE_LEN)
            continue;
        const struct descriptor_file *import = schema_builder_find(b, field.bytes);
        if (!import || !import->bytes.data)
            return field.bytes;
    }
    return (struct slice){NULL, 0};
}

/* Copies the files, in order, into one set that belongs to the schema.  NULL when memory is out. */
static struct compile_file *copy_files(struct schema *s, const struct schema_builder *b,
                                       struct descriptor_file *const *files, size_t count)
{
    enum { PREFIX_MAX = 6 };
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += files[i]->bytes.len + PREFIX_MAX;
    uint8_t *set = arena_alloc(&s->arena, len), *to = set;
    struct compile_file *copies = arena_zalloc(&s->arena, count * sizeof *copies);
    if (!set || !copies)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        to = write_file(to, files[i]->bytes);
        struct slice bytes = slice_from(to - files[i]->bytes.len, files[i]->bytes.len);
        copies[i] = (struct compile_file){.bytes = bytes,
                                          .name = arena_copy(&s->arena, files[i]->name),
                                          .source = files[i]->source,
                                          .missing_import = find_missing(b, bytes)};
        if (!copies[i].name.data)
            return NULL;
    }
    s->set = slice_from(set, (size_t)(to - set));
    return copies;
}

/* Whether an embedded file can be added: a runtime file (not options), and a peer has not defined
 * its types in a file of another name. */
static bool is_useful(const struct schema *s, struct slice bytes, struct slice *name)
{
    struct slice package = {NULL, 0};
    struct proto_reader r, inner;
    struct proto_field field, member;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number == 1)
            *name = field.bytes;
        else if (field.number == 2)
            package = field.bytes;
        if (field.number != 4 && field.number != 5)
            continue;
        proto_reader_init(&inner, field.bytes);
        while (proto_reader_next(&inner, &member))
            if (member.number == 1 && symbols_find(&s->symbols, package, member.bytes))
                return false;
    }
    return !slice_equal(*name, SLICE("google/protobuf/descriptor.proto")) &&
           !slice_has_prefix(*name, SLICE("google/api/"));
}

/* Any and error details name types that no file of the peer need import. */
static bool declare_well_known(struct schema *s, struct compile *c)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, well_known_files());
    while (proto_reader_next(&r, &field)) {
        struct slice name = {NULL, 0};
        if (!is_useful(s, field.bytes, &name))
            continue;
        struct compile_file *file = arena_zalloc(&s->arena, sizeof *file);
        if (!file)
            return compile_fail_memory(c);
        *file = (struct compile_file){
            .bytes = field.bytes, .name = name, .source = "the well-known files"};
        if (!compile_declare(c, file))
            return false;
    }
    return true;
}

static bool compile_all(struct schema *s, struct compile_file *files, size_t count,
                        struct status *st)
{
    struct compile c;
    compile_init(&c, &s->arena, &s->symbols, st);
    for (size_t i = 0; i < count; i++)
        if (!compile_declare(&c, &files[i]))
            return false;
    if (!declare_well_known(s, &c) || !compile_define(&c))
        return false;
    s->methods = c.methods;
    s->method_count = c.method_count;
    s->services = c.service_names;
    s->service_count = c.service_count;
    return true;
}

static bool fill(struct schema *s, struct schema_builder *b, struct status *st)
{
    char source[SCHEMA_SOURCE_LEN];
    size_t count;
    struct descriptor_file *const *files = schema_builder_order(b, &count, st);
    if (!files)
        return false;
    schema_builder_describe(b, source, sizeof source);
    s->source = (const char *)arena_copy(&s->arena, slice_from_string(source)).data;
    struct compile_file *copies = copy_files(s, b, files, count);
    if (!s->source || !copies)
        return fail_memory(st);
    return compile_all(s, copies, count, st);
}

struct schema *schema_new(struct status *st)
{
    struct schema *s = calloc(1, sizeof *s);
    if (!s) {
        fail_memory(st);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    arena_init(&s->arena, NULL, 0, SCHEMA_ARENA_MAX);
    symbols_init(&s->symbols, &s->arena);
    return s;
}

struct schema *schema_build(struct schema_builder *b, struct status *st)
{
    struct schema *s = schema_new(st);
    if (!s)
        return NULL;
    if (fill(s, b, st))
        return s;
    schema_unref(s);
    return NULL;
}

static bool read_file(const char *path, struct buf *out, struct status *st)
{
    int result = buf_read_file(out, path);
    if (result == -ENOBUFS)
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "%.150s: longer than %d MiB", path,
                   SCHEMA_MAX_BYTES >> 20);
    else if (result < 0)
        status_set(st, STATUS_INVALID_ARGUMENT, "%.150s: %s", path, strerror(-result));
    return result == 0;
}

static bool add_paths(struct schema_builder *b, const char *const *paths, size_t count,
                      struct status *st)
{
    enum { SLACK = 1 << 20 }; /* lengths and tags of the set */
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        struct buf bytes;
        buf_init(&bytes, SCHEMA_MAX_BYTES + SLACK);
        good = read_file(paths[i], &bytes, st) &&
               schema_builder_add_set(b, buf_slice(&bytes), paths[i], st);
        buf_fini(&bytes);
    }
    return good;
}

struct schema *schema_load_files(const char *const *paths, size_t count, struct status *st)
{
    struct schema_builder *b = schema_builder_new();
    if (!b) {
        fail_memory(st);
        return NULL;
    }
    struct schema *s = add_paths(b, paths, count, st) ? schema_build(b, st) : NULL;
    schema_builder_free(b);
    const char *source = s ? arena_printf(&s->arena, "descriptors: %s", s->source) : NULL;
    if (source)
        s->source = source;
    return s;
}

struct schema *schema_ref(struct schema *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void schema_unref(struct schema *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->part_count; i++)
        schema_unref(s->parts[i]);
    arena_fini(&s->arena);
    free(s);
}

const struct method *schema_method(const struct schema *s, struct slice path)
{
    const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
    if (!slash || slash == path.data || path.data[0] != '/')
        return NULL;
    struct slice service = slice_from(path.data + 1, (size_t)(slash - path.data) - 1);
    struct slice name = slice_skip(path, (size_t)(slash - path.data) + 1);
    const struct symbol *symbol = symbols_find(&s->symbols, service, name);
    return symbol && symbol->kind == SYMBOL_METHOD ? symbol->what : NULL;
}

const struct message_type *schema_message(const struct schema *s, struct slice full_name)
{
    const struct symbol *symbol = symbols_find_full(&s->symbols, full_name);
    return symbol && symbol->kind == SYMBOL_MESSAGE ? symbol->what : NULL;
}

const struct enum_type *schema_enum(const struct schema *s, struct slice full_name)
{
    const struct symbol *symbol = symbols_find_full(&s->symbols, full_name);
    return symbol && symbol->kind == SYMBOL_ENUM ? symbol->what : NULL;
}

const struct field *schema_extension(const struct schema *s, const struct message_type *type,
                                     uint32_t number)
{
    (void)s; /* the extensions that a schema knows stand in its message tables */
    const struct field *field = message_type_field(type, number);
    return field && field->extension ? field : NULL;
}

size_t schema_method_count(const struct schema *s)
{
    return s->method_count;
}

const struct method *schema_method_at(const struct schema *s, size_t i)
{
    return i < s->method_count ? &s->methods[i] : NULL;
}

struct slice schema_method_file(const struct schema *s, const struct method *method)
{
    const struct symbol *symbol = symbols_find(&s->symbols, method->service, method->name);
    return symbol && symbol->what == method ? symbol->file : (struct slice){NULL, 0};
}

size_t schema_service_count(const struct schema *s)
{
    return s->service_count;
}

struct slice schema_service_at(const struct schema *s, size_t i)
{
    return i < s->service_count ? s->services[i] : (struct slice){NULL, 0};
}

struct slice schema_descriptor_set(const struct schema *s)
{
    return s->set;
}

bool schema_partial(const struct schema *s)
{
    return s->partial;
}

const char *schema_source(const struct schema *s)
{
    return s->source;
}
