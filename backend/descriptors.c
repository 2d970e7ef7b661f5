#include "backend/descriptors.h"

#include <assert.h>
#include <pthread.h>

extern const uint8_t descriptors_begin[], descriptors_end[];

static struct descriptor_file all[DESCRIPTORS_MAX];
static size_t all_len;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

/* One length-delimited field of the FileDescriptorSet; field 1 is the only one there is. */
static struct slice take_file(struct slice *set)
{
    assert(set->data[0] == (1 << 3 | 2));
    size_t len = 0;
    unsigned shift = 0, at = 1;
    do {
        len |= (size_t)(set->data[at] & 0x7f) << shift;
        shift += 7;
    } while (set->data[at++] >= 0x80);
    *set = slice_skip(*set, at);
    assert(len <= set->len);
    struct slice file = slice_first(*set, len);
    *set = slice_skip(*set, len);
    return file;
}

static void load(void)
{
    struct slice set = slice_from(descriptors_begin, (size_t)(descriptors_end - descriptors_begin));
    while (set.len > 0) {
        struct slice bytes = take_file(&set);
        assert(all_len < DESCRIPTORS_MAX);
        all[all_len].bytes = bytes;
        all[all_len].proto =
            google__protobuf__file_descriptor_proto__unpack(NULL, bytes.len, bytes.data);
        assert(all[all_len].proto);
        all_len++;
    }
}

void descriptors_load(void)
{
    pthread_once(&loaded, load);
}

const struct descriptor_file *descriptors_by_filename(const char *name)
{
    for (size_t i = 0; i < all_len; i++)
        if (strcmp(all[i].proto->name, name) == 0)
            return &all[i];
    return NULL;
}

/* Whether `path` is `name` (*rest becomes NULL) or starts with "name." (*rest is what follows). */
static bool enters(const char *path, const char *name, const char **rest)
{
    size_t len = strlen(name);
    *rest = NULL;
    if (strncmp(path, name, len) != 0)
        return false;
    if (path[len] == '.')
        *rest = path + len + 1;
    return path[len] == '.' || path[len] == 0;
}

/* Enum values are siblings of their enum (descriptor.proto). */
static bool enum_has(const Google__Protobuf__EnumDescriptorProto *e, const char *path)
{
    if (strcmp(e->name, path) == 0)
        return true;
    for (size_t i = 0; i < e->n_value; i++)
        if (strcmp(e->value[i]->name, path) == 0)
            return true;
    return false;
}

static bool message_has(const Google__Protobuf__DescriptorProto *m, const char *path)
{
    const char *rest;
    if (!enters(path, m->name, &rest))
        return false;
    if (!rest)
        return true;
    for (size_t i = 0; i < m->n_nested_type; i++)
        if (message_has(m->nested_type[i], rest))
            return true;
    for (size_t i = 0; i < m->n_enum_type; i++)
        if (enum_has(m->enum_type[i], rest))
            return true;
    for (size_t i = 0; i < m->n_field; i++)
        if (strcmp(m->field[i]->name, rest) == 0)
            return true;
    for (size_t i = 0; i < m->n_oneof_decl; i++)
        if (strcmp(m->oneof_decl[i]->name, rest) == 0)
            return true;
    for (size_t i = 0; i < m->n_extension; i++)
        if (strcmp(m->extension[i]->name, rest) == 0)
            return true;
    return false;
}

static bool service_has(const Google__Protobuf__ServiceDescriptorProto *s, const char *path)
{
    const char *rest;
    if (!enters(path, s->name, &rest))
        return false;
    if (!rest)
        return true;
    for (size_t i = 0; i < s->n_method; i++)
        if (strcmp(s->method[i]->name, rest) == 0)
            return true;
    return false;
}

static bool file_has(const Google__Protobuf__FileDescriptorProto *f, const char *symbol)
{
    const char *path = symbol;
    if (f->package && f->package[0] && (!enters(symbol, f->package, &path) || !path))
        return false;
    for (size_t i = 0; i < f->n_message_type; i++)
        if (message_has(f->message_type[i], path))
            return true;
    for (size_t i = 0; i < f->n_enum_type; i++)
        if (enum_has(f->enum_type[i], path))
            return true;
    for (size_t i = 0; i < f->n_service; i++)
        if (service_has(f->service[i], path))
            return true;
    for (size_t i = 0; i < f->n_extension; i++)
        if (strcmp(f->extension[i]->name, path) == 0)
            return true;
    return false;
}

const struct descriptor_file *descriptors_by_symbol(const char *symbol)
{
    for (size_t i = 0; i < all_len; i++)
        if (file_has(all[i].proto, symbol))
            return &all[i];
    return NULL;
}

/* Extensions are looked for at file level: none of the embedded schemas nests one. */
static bool extends(const Google__Protobuf__FieldDescriptorProto *field, const char *extended)
{
    return field->extendee && field->extendee[0] == '.' &&
           strcmp(field->extendee + 1, extended) == 0;
}

const struct descriptor_file *descriptors_by_extension(const char *extended, int32_t number)
{
    for (size_t i = 0; i < all_len; i++)
        for (size_t k = 0; k < all[i].proto->n_extension; k++)
            if (extends(all[i].proto->extension[k], extended) &&
                all[i].proto->extension[k]->number == number)
                return &all[i];
    return NULL;
}

bool descriptors_extension_numbers(const char *extended, int32_t numbers[static DESCRIPTORS_MAX],
                                   size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < all_len; i++)
        for (size_t k = 0; k < all[i].proto->n_extension; k++)
            if (extends(all[i].proto->extension[k], extended) && *len < DESCRIPTORS_MAX)
                numbers[(*len)++] = all[i].proto->extension[k]->number;
    return *len > 0 || descriptors_by_symbol(extended) != NULL;
}

size_t descriptors_with_imports(const struct descriptor_file *file,
                                const struct descriptor_file *files[static DESCRIPTORS_MAX])
{
    bool taken[DESCRIPTORS_MAX] = {false};
    size_t len = 0;
    files[len++] = file;
    taken[file - all] = true;
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < files[i]->proto->n_dependency; k++) {
            const struct descriptor_file *import =
                descriptors_by_filename(files[i]->proto->dependency[k]);
            if (import && !taken[import - all]) {
                taken[import - all] = true;
                files[len++] = import;
            }
        }
    }
    return len;
}
