#include "gateway/schema/schema_merge.h"

#include "base/buf.h"
#include "gateway/schema/compile.h"
#include "gateway/schema/merged_files.h"
#include "gateway/schema/schema_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct merge {
    struct schema *s;
    const struct schema_part *parts;
    size_t count;
    struct method *methods;
    struct slice *services;
    void (*note)(void *arg, const char *text);
    void *arg;
};

static void note(const struct merge *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const struct merge *m, const char *format, ...)
{
    enum { NOTE_LEN = 512 };
    char text[NOTE_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    m->note(m->arg, text);
}

/* Services and methods */

static bool lists(const struct schema *schema, struct slice service)
{
    for (size_t i = 0; i < schema->service_count; i++)
        if (slice_equal(schema->services[i], service))
            return true;
    return false;
}

static bool serves(const struct schema_part *part, struct slice service)
{
    if (part->listed && !lists(part->listed, service))
        return false;
    for (size_t i = 0; i < part->services_count; i++)
        if (slice_equal(slice_from_string(part->services[i]), service))
            return true;
    return part->services_count == 0;
}

/* Which upstream has a service that is merged already. */
static const struct schema_part *server_of(const struct merge *m, struct slice service)
{
    for (size_t i = 0; i < m->count; i++)
        if (lists(m->parts[i].schema, service) && serves(&m->parts[i], service))
            return &m->parts[i];
    return &m->parts[0];
}

static void note_service(const struct merge *m, const struct schema_part *part,
                         struct slice service)
{
    const struct schema_part *first = server_of(m, service);
    if (part->rest || part->upstream == first->upstream || merged_files_common(service))
        return;
    note(m, "service %.*s is on %.100s and on %.100s: calls go to %.100s", COMPILE_SHOW(service),
         first->name, part->name, first->name);
}

static const struct schema_part *definer_of(const struct merge *m, const struct symbol *symbol)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct symbol *found =
            symbols_find(&m->parts[i].schema->symbols, symbol->scope, symbol->name);
        if (found && found->what == symbol->what)
            return &m->parts[i];
    }
    return &m->parts[0];
}

/* Names of packages, types and services of one server do not clash; those of two may. */
static void note_taken(const struct merge *m, const struct schema_part *part,
                       const struct symbol *symbol, const struct symbol *other)
{
    note(m, "%s %.*s%s%.*s of %.100s is left out: %.100s has something else of that name",
         symbol->kind == SYMBOL_METHOD ? "method" : "service", COMPILE_SHOW(symbol->scope),
         symbol->scope.len > 0 ? "." : "", COMPILE_SHOW(symbol->name), part->name,
         definer_of(m, other)->name);
}

static bool add_method(struct merge *m, const struct schema_part *part, const struct method *method)
{
    struct method *copy = &m->methods[m->s->method_count];
    struct symbol *entry, symbol = {method->service, method->name, SYMBOL_METHOD, copy,
                                    schema_method_file(part->schema, method)};
    *copy = *method;
    copy->upstream = (uint16_t)part->upstream;
    int rc = symbols_add(&m->s->symbols, &symbol, &entry);
    m->s->method_count += rc == 0;
    if (rc == -EEXIST)
        note_taken(m, part, &symbol, entry);
    return rc == 0 || rc == -EEXIST;
}

/* The methods of a schema stand together by service, in the order of the services. */
static void note_rest(const struct merge *m, const struct schema_part *part, size_t before)
{
    size_t count = m->s->service_count - before;
    if (part->rest && count > 0 && m->count > 1)
        note(m,
             "no upstream is known to have %.*s and %zu more services of the files: calls go to "
             "%.100s",
             COMPILE_SHOW(m->services[before]), count - 1, part->name);
}

static void note_missing(const struct merge *m, const struct schema_part *part)
{
    for (size_t i = 0; i < part->services_count; i++)
        if (!lists(part->schema, slice_from_string(part->services[i])))
            note(m, "%.100s has no service %.200s, which is in its list of services", part->name,
                 part->services[i]);
}

static bool add_services(struct merge *m, const struct schema_part *part)
{
    const struct schema *from = part->schema;
    const struct method *method = from->methods, *end = method + from->method_count;
    size_t before = m->s->service_count;
    for (size_t i = 0; i < from->service_count; i++) {
        struct slice service = from->services[i];
        const struct symbol *known = symbols_find_full(&from->symbols, service);
        struct symbol *entry;
        int rc = serves(part, service) ? symbols_add(&m->s->symbols, known, &entry) : -ENOENT;
        if (rc == -EEXIST && entry->kind == SYMBOL_SERVICE)
            note_service(m, part, service);
        else if (rc == -EEXIST)
            note_taken(m, part, known, entry);
        else if (rc == 0)
            m->services[m->s->service_count++] = service;
        else if (rc != -ENOENT)
            return false;
        for (; method < end && slice_equal(method->service, service); method++)
            if (rc == 0 && !add_method(m, part, method))
                return false;
    }
    note_rest(m, part, before);
    note_missing(m, part);
    return true;
}

/* Types */

static struct slice bytes_of(const struct symbol *symbol)
{
    if (symbol->kind == SYMBOL_MESSAGE)
        return ((const struct compile_message *)symbol->what)->bytes;
    if (symbol->kind == SYMBOL_ENUM)
        return ((const struct compile_enum *)symbol->what)->bytes;
    return (struct slice){NULL, 0};
}

static int compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool comes_before(const struct symbol *a, const struct symbol *b)
{
    int order = compare(a->scope, b->scope);
    return order ? order < 0 : compare(a->name, b->name) < 0;
}

static void note_clashes(const struct merge *m, const struct schema_part *part,
                         const struct symbol *mine, const struct symbol *other, size_t count)
{
    char more[40] = "";
    bool dot = mine->scope.len > 0;
    if (count > 1)
        snprintf(more, sizeof more, ", with %zu more", count - 1);
    note(m,
         "%.*s%s%.*s (%.*s) of %.100s differs from that of %.100s (%.*s)%s: each server's methods "
         "use its own, look-ups by name find that of %.100s",
         COMPILE_SHOW(mine->scope), dot ? "." : "", COMPILE_SHOW(mine->name),
         COMPILE_SHOW(mine->file), part->name, definer_of(m, other)->name,
         COMPILE_SHOW(other->file), more, definer_of(m, other)->name);
}

static bool add_types(struct merge *m, const struct schema_part *part)
{
    const struct symbols *from = &part->schema->symbols;
    const struct symbol *first = NULL, *other = NULL;
    size_t clashes = 0;
    for (uint32_t i = 0; i < from->cap; i++) {
        const struct symbol *symbol = from->slots[i];
        struct symbol *entry;
        if (!symbol || (symbol->kind != SYMBOL_MESSAGE && symbol->kind != SYMBOL_ENUM))
            continue;
        int rc = symbols_add(&m->s->symbols, symbol, &entry);
        if (rc < 0 && rc != -EEXIST)
            return false;
        if (rc == 0 || slice_equal(bytes_of(symbol), bytes_of(entry)) ||
            merged_files_common(symbol->scope))
            continue;
        clashes++;
        if (first && !comes_before(symbol, first))
            continue;
        first = symbol;
        other = entry;
    }
    if (first)
        note_clashes(m, part, first, other, clashes);
    return true;
}

/* The whole */

static bool keep_parts(struct merge *m)
{
    struct schema *s = m->s;
    size_t methods = 1, services = 1; /* an arena may answer NULL to a request for nothing */
    s->parts = arena_alloc(&s->arena, m->count * sizeof(struct schema *));
    for (size_t i = 0; i < m->count && s->parts; i++) {
        s->parts[s->part_count++] = schema_ref(m->parts[i].schema);
        methods += m->parts[i].schema->method_count;
        services += m->parts[i].schema->service_count;
    }
    s->methods = m->methods = arena_alloc(&s->arena, methods * sizeof *m->methods);
    s->services = m->services = arena_alloc(&s->arena, services * sizeof *m->services);
    return s->parts && m->methods && m->services;
}

/* "reflection (v1) of a:1, reflection (v1alpha) of b:2"; what all have in common once. */
static bool describe(struct merge *m)
{
    struct buf text;
    buf_init(&text, SCHEMA_SOURCE_LEN);
    for (size_t i = 0; i < m->count; i++) {
        const struct schema_part *part = &m->parts[i];
        if (i > 0 && part->schema == m->parts[i - 1].schema)
            continue;
        bool alone = m->parts[m->count - 1].schema == part->schema;
        buf_printf(&text, "%s%s%s%s", i ? ", " : "", part->schema->source,
                   alone && i == 0 ? "" : " of ", alone && i == 0 ? "" : part->name);
    }
    m->s->source = (const char *)arena_copy(&m->s->arena, buf_slice(&text)).data;
    buf_fini(&text);
    return m->s->source != NULL;
}

static bool merge_files(struct merge *m)
{
    struct merged_files *files = merged_files_new();
    bool good = files != NULL;
    for (size_t i = 0; i < m->count && good; i++) {
        const struct schema *part = m->parts[i].schema;
        size_t left_out = 0;
        good = (i > 0 && m->parts[i - 1].schema == part) ||
               merged_files_add(files, part->set, &left_out);
        if (left_out > 0)
            note(m, "%zu files of %.100s are not in /descriptors.binpb: names in them are taken",
                 left_out, m->parts[i].name);
    }
    if (good)
        m->s->set = merged_files_write(files, &m->s->arena);
    merged_files_free(files);
    return good && m->s->set.data;
}

static bool merge_all(struct merge *m)
{
    if (!keep_parts(m) || !describe(m))
        return false;
    for (size_t i = 0; i < m->count; i++) {
        if (!add_services(m, &m->parts[i]) || !add_types(m, &m->parts[i]))
            return false;
    }
    return merge_files(m);
}

struct schema *schema_merge(const struct schema_part *parts, size_t count, bool partial,
                            void (*note_it)(void *arg, const char *text), void *arg,
                            struct status *st)
{
    struct schema *s = schema_new(st);
    if (!s)
        return NULL;
    struct merge m = {.s = s, .parts = parts, .count = count, .note = note_it, .arg = arg};
    s->partial = partial;
    s->symbols.max = (uint32_t)count * SYMBOLS_MAX; /* a large one must not keep others out */
    if (merge_all(&m))
        return s;
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the descriptors need too much memory");
    schema_unref(s);
    return NULL;
}
