#include "gateway/schema/merged_files.h"

#include "base/buf.h"
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"
#include "gateway/schema/schema_builder.h"

#include <errno.h>
#include <stdlib.h>

/* FileDescriptorSet, FileDescriptorProto, DescriptorProto, EnumDescriptorProto */
enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_IMPORT = 3 };
enum { FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6, FILE_EXTENSION = 7 };
enum { NESTED_MESSAGE = 3, NESTED_ENUM = 4, ENUM_VALUE = 2, ANY_NAME = 1 };

struct merged_file {
    struct slice name;  /* as written */
    struct slice bytes; /* the same, with the names of its imports as written */
    struct merged_file *next;
};

struct merged_files {
    struct arena arena;
    struct merged_file *first, **end;
    struct symbols by_name; /* what: struct merged_file; the scope is empty */
    struct symbols symbols; /* what: struct merged_file that defines it */
    size_t sets;
};

/* One set on its way in. */
struct incoming {
    struct merged_files *m;
    struct symbols files; /* name in the set -> struct merged_file; NULL: left out */
};

/* The names that a file defines: its types, and what stands beside them. */
struct names {
    struct slice (*list)[2]; /* scope, name */
    size_t count, cap;
    struct arena *arena;
};

struct merged_files *merged_files_new(void)
{
    struct merged_files *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    arena_init(&m->arena, NULL, 0, SIZE_MAX / 2); /* bounded by what was compiled before */
    symbols_init(&m->by_name, &m->arena);
    symbols_init(&m->symbols, &m->arena);
    m->by_name.max = m->symbols.max = UINT32_MAX; /* bounded likewise */
    m->end = &m->first;
    return m;
}

void merged_files_free(struct merged_files *m)
{
    if (m)
        arena_fini(&m->arena);
    free(m);
}

static bool add_name(struct names *n, struct slice scope, struct slice definition)
{
    enum { FIRST_CAP = 64 };
    if (n->count == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : FIRST_CAP;
        struct slice(*wider)[2] = arena_alloc(n->arena, cap * sizeof *wider);
        if (!wider)
            return false;
        if (n->count)
            memcpy(wider, n->list, n->count * sizeof *wider);
        n->list = wider;
        n->cap = cap;
    }
    n->list[n->count][0] = scope;
    n->list[n->count++][1] = proto_reader_find_bytes(definition, ANY_NAME);
    return true;
}

/* The values of an enum are siblings of it. */
static bool add_enum(struct names *n, struct slice scope, struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    bool good = add_name(n, scope, bytes);
    proto_reader_init(&r, bytes);
    while (good && proto_reader_next(&r, &field))
        if (field.number == ENUM_VALUE && field.wire_type == WIRE_LEN)
            good = add_name(n, scope, field.bytes);
    return good;
}

/* Messages nest no deeper than COMPILE_MAX_NESTING. */
static bool add_message(struct names *n, struct slice scope, struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    struct slice inside = name_join(n->arena, scope, proto_reader_find_bytes(bytes, ANY_NAME));
    bool good = inside.data && add_name(n, scope, bytes);
    proto_reader_init(&r, bytes);
    while (good && proto_reader_next(&r, &field)) {
        if (field.number == NESTED_MESSAGE && field.wire_type == WIRE_LEN)
            good = add_message(n, inside, field.bytes);
        else if (field.number == NESTED_ENUM && field.wire_type == WIRE_LEN)
            good = add_enum(n, inside, field.bytes);
    }
    return good;
}

static bool read_names(struct names *n, struct slice file)
{
    struct slice package = proto_reader_find_bytes(file, FILE_PACKAGE);
    struct proto_reader r;
    struct proto_field field;
    bool good = true;
    proto_reader_init(&r, file);
    while (good && proto_reader_next(&r, &field)) {
        if (field.number == FILE_MESSAGE)
            good = add_message(n, package, field.bytes);
        else if (field.number == FILE_ENUM)
            good = add_enum(n, package, field.bytes);
        else if (field.number == FILE_SERVICE || field.number == FILE_EXTENSION)
            good = add_name(n, package, field.bytes);
    }
    return good;
}

static const struct symbol *find_file(const struct symbols *files, struct slice name)
{
    return symbols_find(files, (struct slice){NULL, 0}, name);
}

static bool put(struct symbols *to, struct slice scope, struct slice name, struct merged_file *file)
{
    struct symbol *entry, symbol = {.scope = scope, .name = name, .what = file};
    int rc = symbols_add(to, &symbol, &entry);
    return rc == 0 || rc == -EEXIST;
}

static int write_field(struct buf *out, uint32_t number, struct slice bytes)
{
    enum { PREFIX_MAX = 6 };
    uint8_t prefix[PREFIX_MAX], *end = prefix;
    *end++ = (uint8_t)(number << 3 | WIRE_LEN);
    size_t len = bytes.len;
    for (; len >= 0x80; len >>= 7)
        *end++ = (uint8_t)(len | 0x80);
    *end++ = (uint8_t)len;
    int rc = buf_append(out, prefix, (size_t)(end - prefix));
    return rc < 0 ? rc : buf_append_slice(out, bytes);
}

/* The file with another name, and its imports under the names that they have now; data is NULL when
 * memory is out. */
static struct slice rename_file(const struct incoming *in, struct slice bytes, struct slice name)
{
    enum { MAX_RENAMED = 2 * SCHEMA_MAX_BYTES };
    struct buf out;
    struct proto_reader r;
    struct proto_field field;
    int rc = 0;
    buf_init(&out, MAX_RENAMED);
    proto_reader_init(&r, bytes);
    for (const uint8_t *at = bytes.data; rc == 0 && proto_reader_next(&r, &field);
         at = r.rest.data) {
        const struct symbol *import =
            field.number == FILE_IMPORT ? find_file(&in->files, field.bytes) : NULL;
        if (field.number == FILE_NAME)
            rc = write_field(&out, FILE_NAME, name);
        else if (import)
            rc = write_field(&out, FILE_IMPORT, ((const struct merged_file *)import->what)->name);
        else
            rc = buf_append(&out, at, (size_t)(r.rest.data - at));
    }
    struct slice copy = {NULL, 0};
    if (rc == 0)
        copy = arena_copy(&in->m->arena, buf_slice(&out));
    buf_fini(&out);
    return copy;
}

static bool wants_left_out(const struct incoming *in, struct slice file)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, file);
    while (proto_reader_next(&r, &field)) {
        const struct symbol *import =
            field.number == FILE_IMPORT ? find_file(&in->files, field.bytes) : NULL;
        if (import && !import->what)
            return true;
    }
    return false;
}

/* Whether a name is taken; then *stand_in is the file that has all of them, or NULL. */
static bool is_taken(const struct merged_files *m, const struct names *n,
                     struct merged_file **stand_in)
{
    size_t taken = 0;
    bool one_file = true;
    *stand_in = NULL;
    for (size_t i = 0; i < n->count; i++) {
        const struct symbol *known = symbols_find(&m->symbols, n->list[i][0], n->list[i][1]);
        if (!known)
            continue;
        one_file &= taken++ == 0 || known->what == *stand_in;
        *stand_in = known->what;
    }
    if (taken < n->count || !one_file)
        *stand_in = NULL;
    return taken > 0;
}

static struct merged_file *append(struct merged_files *m, struct slice name, struct slice bytes,
                                  const struct names *n)
{
    struct merged_file *file = arena_zalloc(&m->arena, sizeof *file);
    bool good = file && bytes.data && put(&m->by_name, (struct slice){NULL, 0}, name, file);
    for (size_t i = 0; i < n->count && good; i++)
        good = put(&m->symbols, n->list[i][0], n->list[i][1], file);
    if (!good)
        return NULL;
    file->name = name;
    file->bytes = bytes;
    *m->end = file;
    m->end = &file->next;
    return file;
}

/* A name that is free, made from one that is not. */
static struct slice other_name(struct merged_files *m, struct slice name)
{
    struct slice other = name;
    for (size_t i = m->sets; other.data && find_file(&m->by_name, other); i++)
        other =
            slice_from_string(arena_printf(&m->arena, "upstream%zu/%.*s", i, SLICE_PRINT(name)));
    return other;
}

/* Where the file is found from now on; NULL: nowhere.  False when memory is out. */
static bool place_file(const struct incoming *in, struct slice bytes, struct merged_file **place)
{
    struct merged_files *m = in->m;
    struct names names = {.arena = &m->arena};
    struct slice name = proto_reader_find_bytes(bytes, FILE_NAME);
    *place = NULL;
    if (wants_left_out(in, bytes))
        return true;
    struct slice own = rename_file(in, bytes, name);
    const struct symbol *known = find_file(&m->by_name, name);
    if (own.data && known && slice_equal(((const struct merged_file *)known->what)->bytes, own)) {
        *place = known->what;
        return true;
    }
    if (!own.data || !read_names(&names, bytes))
        return false;
    bool taken = is_taken(m, &names, place);
    if (known && !*place && merged_files_common(proto_reader_find_bytes(bytes, FILE_PACKAGE)))
        *place = known->what;
    if (taken || *place)
        return true;
    struct slice free_name = other_name(m, name);
    if (known && free_name.data)
        own = rename_file(in, bytes, free_name);
    *place = free_name.data ? append(m, free_name, own, &names) : NULL;
    return *place != NULL;
}

bool merged_files_add(struct merged_files *m, struct slice set, size_t *left_out)
{
    struct incoming in = {.m = m};
    struct proto_reader r;
    struct proto_field field;
    bool good = true;
    m->sets++;
    *left_out = 0;
    symbols_init(&in.files, &m->arena);
    proto_reader_init(&r, set);
    while (good && proto_reader_next(&r, &field)) {
        struct merged_file *place;
        if (field.number != SET_FILE)
            continue;
        good = place_file(&in, field.bytes, &place) &&
               put(&in.files, (struct slice){NULL, 0},
                   proto_reader_find_bytes(field.bytes, FILE_NAME), place);
        *left_out += good && !place;
    }
    return good;
}

struct slice merged_files_write(const struct merged_files *m, struct arena *arena)
{
    struct buf out;
    struct slice set = {NULL, 0};
    int rc = 0;
    buf_init(&out, SIZE_MAX / 2);
    for (const struct merged_file *f = m->first; f && rc == 0; f = f->next)
        rc = write_field(&out, SET_FILE, f->bytes);
    if (rc == 0)
        set = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return set;
}
