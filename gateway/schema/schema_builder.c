#include "gateway/schema/schema_builder.h"

#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"
#include "gateway/schema/well_known_files.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_IMPORT = 3,
    ARENA_MAX = 4 * SCHEMA_MAX_BYTES,
    MAX_SOURCES = 64
};

struct schema_builder {
    struct arena arena;
    struct descriptor_file *files[SCHEMA_MAX_NAMES]; /* in order of appearance */
    struct descriptor_file *ordered[SCHEMA_MAX_NAMES];
    struct descriptor_file *slots[2 * SCHEMA_MAX_NAMES]; /* by name, open addressing */
    const char *sources[MAX_SOURCES];                    /* what errors and schema_source() name */
    size_t source_count;
    size_t names;   /* entries of files */
    size_t present; /* of these, files of peers that are here */
    size_t bytes;   /* of these */
};

struct schema_builder *schema_builder_new(void)
{
    struct schema_builder *b = calloc(1, sizeof *b);
    if (b)
        arena_init(&b->arena, NULL, 0, ARENA_MAX);
    return b;
}

void schema_builder_free(struct schema_builder *b)
{
    if (b)
        arena_fini(&b->arena);
    free(b);
}

static struct descriptor_file **find_slot(struct descriptor_file *const *slots, struct slice name)
{
    for (uint64_t i = name_hash(0, name);; i++) {
        struct descriptor_file *const *slot = &slots[i & (2 * SCHEMA_MAX_NAMES - 1)];
        if (!*slot || slice_equal((*slot)->name, name))
            return (struct descriptor_file **)slot;
    }
}

const struct descriptor_file *schema_builder_find(const struct schema_builder *b, struct slice name)
{
    return *find_slot(b->slots, name);
}

const struct descriptor_file *schema_builder_at(const struct schema_builder *b, size_t i)
{
    return i < b->names ? b->files[i] : NULL;
}

static bool fail_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the descriptors need too much memory");
    return false;
}

/* The entry of that name, made when it is new; name is copied.  NULL with *st. */
static struct descriptor_file *add_name(struct schema_builder *b, struct slice name,
                                        const char *source, struct status *st)
{
    if (!name_is_file(name)) {
        status_set(st, STATUS_INVALID_ARGUMENT,
                   "%.60s: a file or import without a valid name is in the descriptors", source);
        return NULL;
    }
    struct descriptor_file **slot = find_slot(b->slots, name);
    if (*slot)
        return *slot;
    if (b->names == SCHEMA_MAX_NAMES) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "%.60s: more than %d imports", source,
                   SCHEMA_MAX_NAMES);
        return NULL;
    }
    struct descriptor_file *file = arena_zalloc(&b->arena, sizeof *file);
    struct slice copy = arena_copy(&b->arena, name);
    if (!file || !copy.data) {
        fail_memory(st);
        return NULL;
    }
    file->name = copy;
    b->files[b->names++] = file;
    *slot = file;
    return file;
}

/* Takes the file's bytes as they are and gives every import an entry. */
static bool fill_file(struct schema_builder *b, struct descriptor_file *file, struct slice bytes,
                      const char *source, struct status *st)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field))
        if (field.number == FILE_IMPORT && field.wire_type == WIRE_LEN &&
            !add_name(b, field.bytes, source, st))
            return false;
    file->bytes = bytes;
    file->source = source;
    return true;
}

static bool read_name(struct slice bytes, struct slice *name)
{
    *name = (struct slice){NULL, 0};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field))
        if (field.number == FILE_NAME && field.wire_type == WIRE_LEN)
            *name = field.bytes;
    return !r.malformed;
}

static bool check_room(const struct schema_builder *b, size_t len, const char *source,
                       struct status *st)
{
    if (b->present < SCHEMA_MAX_FILES && len <= SCHEMA_MAX_BYTES - b->bytes)
        return true;
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "%.60s: more than %d files or %d MiB of descriptors",
               source, SCHEMA_MAX_FILES, SCHEMA_MAX_BYTES >> 20);
    return false;
}

static const char *keep_source(struct schema_builder *b, const char *source)
{
    for (size_t i = 0; i < b->source_count; i++)
        if (strcmp(b->sources[i], source) == 0)
            return b->sources[i];
    const char *copy = (const char *)arena_copy(&b->arena, slice_from_string(source)).data;
    if (copy && b->source_count < MAX_SOURCES)
        b->sources[b->source_count++] = copy;
    return copy;
}

static bool add_file(struct schema_builder *b, struct slice bytes, const char *source,
                     struct status *st)
{
    struct slice name;
    if (!read_name(bytes, &name)) {
        status_set(st, STATUS_INVALID_ARGUMENT, "%.60s: %.*s: the file descriptor is malformed",
                   source, (int)(name.len < 100 ? name.len : 100), (const char *)name.data);
        return false;
    }
    struct descriptor_file *file = add_name(b, name, source, st);
    if (!file)
        return false;
    if (file->bytes.data && !file->well_known)
        return true;
    if (!check_room(b, bytes.len, source, st))
        return false;
    struct slice copy = arena_copy(&b->arena, bytes);
    if (!copy.data)
        return fail_memory(st);
    if (!fill_file(b, file, copy, source, st))
        return false;
    file->well_known = false;
    b->present++;
    b->bytes += bytes.len;
    return true;
}

bool schema_builder_add_file(struct schema_builder *b, struct slice file, const char *source,
                             struct status *st)
{
    const char *kept = keep_source(b, source);
    return kept ? add_file(b, file, kept, st) : fail_memory(st);
}

bool schema_builder_add_set(struct schema_builder *b, struct slice set, const char *source,
                            struct status *st)
{
    const char *kept = keep_source(b, source);
    if (!kept)
        return fail_memory(st);
    size_t files = 0;
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, set);
    while (proto_reader_next(&r, &field)) {
        if (field.number != SET_FILE || field.wire_type != WIRE_LEN)
            continue;
        files++;
        if (!add_file(b, field.bytes, kept, st))
            return false;
    }
    if (!r.malformed && files > 0)
        return true;
    status_set(st, STATUS_INVALID_ARGUMENT,
               "%.100s: not a descriptor set; make one with protoc --include_imports "
               "--descriptor_set_out=FILE",
               source);
    return false;
}

const char *schema_builder_missing(const struct schema_builder *b)
{
    for (size_t i = 0; i < b->names; i++)
        if (!b->files[i]->bytes.data && !well_known_file(b->files[i]->name).data)
            return (const char *)b->files[i]->name.data;
    return NULL;
}

/* Puts embedded files where peers left a gap; their own imports follow at the end of the list. */
static bool supply_well_known(struct schema_builder *b, struct status *st)
{
    for (size_t i = 0; i < b->names; i++) {
        struct descriptor_file *file = b->files[i];
        struct slice bytes =
            file->bytes.data ? (struct slice){NULL, 0} : well_known_file(file->name);
        if (!bytes.data)
            continue;
        if (!fill_file(b, file, bytes, "the well-known files", st))
            return false;
        file->well_known = true;
    }
    return true;
}

/* The next import of the file that stands in the table; NULL when all have been looked at. */
static struct descriptor_file *next_import(const struct schema_builder *b,
                                           struct descriptor_file *file)
{
    struct proto_reader r;
    struct proto_field field;
    struct descriptor_file *import = NULL;
    proto_reader_init(&r, file->imports_left);
    while (!import && proto_reader_next(&r, &field))
        if (field.number == FILE_IMPORT && field.wire_type == WIRE_LEN)
            import = *find_slot(b->slots, field.bytes);
    file->imports_left = r.rest;
    return import;
}

static void open_file(struct descriptor_file *file, struct descriptor_file *importer)
{
    file->state = FILE_OPEN;
    file->imports_left = file->bytes;
    file->importer = importer;
}

/* Appends the file and what it imports, depth first without recursion: `importer` is the way back.
 */
static bool order_from(struct schema_builder *b, struct descriptor_file *file, size_t *count,
                       struct status *st)
{
    open_file(file, NULL);
    while (file) {
        struct descriptor_file *import = next_import(b, file);
        if (!import) {
            file->state = FILE_DONE;
            b->ordered[(*count)++] = file;
            file = file->importer;
        } else if (import->state == FILE_OPEN) {
            status_set(st, STATUS_INVALID_ARGUMENT,
                       "%.80s: imports \"%.80s\", which imports it in turn (in %.60s)",
                       (const char *)file->name.data, (const char *)import->name.data,
                       file->source);
            return false;
        } else if (import->bytes.data && import->state == FILE_WAITING) {
            open_file(import, file);
            file = import;
        }
    }
    return true;
}

struct descriptor_file *const *schema_builder_order(struct schema_builder *b, size_t *count,
                                                    struct status *st)
{
    *count = 0;
    if (!supply_well_known(b, st))
        return NULL;
    for (size_t i = 0; i < b->names; i++)
        b->files[i]->state = FILE_WAITING;
    for (size_t i = 0; i < b->names; i++)
        if (b->files[i]->bytes.data && b->files[i]->state == FILE_WAITING &&
            !order_from(b, b->files[i], count, st))
            return NULL;
    if (*count == 0)
        status_set(st, STATUS_INVALID_ARGUMENT, "there are no descriptors");
    return *count ? b->ordered : NULL;
}

size_t schema_builder_drop_incomplete(struct schema_builder *b)
{
    size_t count, dropped = 0;
    struct status ignored;
    if (!schema_builder_order(b, &count, &ignored))
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct descriptor_file *file = b->ordered[i];
        bool complete = true;
        struct proto_reader r;
        struct proto_field field;
        proto_reader_init(&r, file->bytes);
        while (proto_reader_next(&r, &field))
            if (field.number == FILE_IMPORT && field.wire_type == WIRE_LEN)
                complete &= (*find_slot(b->slots, field.bytes))->bytes.data != NULL;
        if (complete)
            continue;
        file->bytes = (struct slice){NULL, 0};
        b->present--;
        dropped++;
    }
    return dropped;
}

void schema_builder_describe(const struct schema_builder *b, char *text, size_t len)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < b->source_count && used < len; i++) {
        int n = snprintf(text + used, len - used, "%s%s", used ? ", " : "", b->sources[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}
