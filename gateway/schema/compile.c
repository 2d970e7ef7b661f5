#include "gateway/schema/compile.h"

#include "gateway/schema/name.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void compile_init(struct compile *c, struct arena *arena, struct symbols *symbols,
                  struct status *st)
{
    *c = (struct compile){.arena = arena, .symbols = symbols, .st = st};
    c->messages_end = &c->messages;
    c->enums_end = &c->enums;
    c->extensions_end = &c->extensions;
    c->services_end = &c->services;
}

bool compile_fail(struct compile *c, const struct compile_file *file, struct slice scope,
                  struct slice name, const char *format, ...)
{
    char reason[STATUS_TEXT_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    bool dot = scope.len && name.len, symbol = scope.len || name.len;
    status_set(c->st, STATUS_INVALID_ARGUMENT, "%.*s: %.*s%s%.*s%s%s (in %.60s)",
               COMPILE_SHOW(file->name), COMPILE_SHOW(scope), dot ? "." : "", COMPILE_SHOW(name),
               symbol ? ": " : "", reason, file->source);
    return false;
}

bool compile_fail_memory(struct compile *c)
{
    status_set(c->st, STATUS_RESOURCE_EXHAUSTED, "the descriptors need too much memory");
    return false;
}

bool compile_add_symbol(struct compile *c, const struct compile_file *file,
                        const struct symbol *symbol)
{
    if (!name_is_identifier(symbol->name))
        return compile_fail(c, file, symbol->scope, symbol->name, "not a valid name");
    if (symbol->scope.len + symbol->name.len >= NAME_MAX_LEN)
        return compile_fail(c, file, symbol->scope, symbol->name, "the name is longer than %d",
                            NAME_MAX_LEN);
    struct symbol *entry;
    int rc = symbols_add(c->symbols, symbol, &entry);
    if (rc == -ENOMEM)
        return compile_fail_memory(c);
    if (rc == -ENOBUFS) {
        status_set(c->st, STATUS_RESOURCE_EXHAUSTED, "the descriptors define more than %d symbols",
                   SYMBOLS_MAX);
        return false;
    }
    if (rc < 0 && (symbol->kind != SYMBOL_PACKAGE || entry->kind != SYMBOL_PACKAGE))
        return compile_fail(c, file, symbol->scope, symbol->name, "already defined in %.*s",
                            COMPILE_SHOW(entry->file));
    return true;
}

static struct symbol *find_type(const struct compile *c, struct slice scope, struct slice name)
{
    uint8_t full[2 * NAME_MAX_LEN + 1];
    size_t len = 0;
    if (scope.len) {
        memcpy(full, scope.data, scope.len);
        full[scope.len] = '.';
        len = scope.len + 1;
    }
    memcpy(full + len, name.data, name.len);
    struct symbol *found = symbols_find_full(c->symbols, slice_from(full, len + name.len));
    bool type = found && (found->kind == SYMBOL_MESSAGE || found->kind == SYMBOL_ENUM);
    return type ? found : NULL;
}

struct symbol *compile_resolve(const struct compile *c, struct slice scope, struct slice name)
{
    const struct slice outermost = {NULL, 0};
    bool absolute = name.len && name.data[0] == '.';
    if (absolute)
        name = slice_skip(name, 1);
    if (!name_is_dotted(name))
        return NULL;
    if (absolute)
        return find_type(c, outermost, name);
    for (;;) {
        struct symbol *found = find_type(c, scope, name);
        if (found || scope.len == 0)
            return found;
        const uint8_t *dot = memrchr(scope.data, '.', scope.len);
        scope.len = dot ? (size_t)(dot - scope.data) : 0;
    }
}

bool compile_fail_unknown(struct compile *c, const struct compile_file *file, struct slice scope,
                          struct slice name, struct slice written)
{
    if (written.len && written.data[0] == '.')
        written = slice_skip(written, 1);
    if (file->missing_import.len)
        return compile_fail(c, file, scope, name,
                            "unknown type \"%.*s\"; the import \"%.*s\" is missing "
                            "(protoc --include_imports adds it)",
                            COMPILE_SHOW(written), COMPILE_SHOW(file->missing_import));
    return compile_fail(c, file, scope, name, "unknown type \"%.*s\"", COMPILE_SHOW(written));
}

bool compile_define(struct compile *c)
{
    for (struct compile_extension *e = c->extensions; e; e = e->next)
        if (!compile_attach_extension(c, e))
            return false;
    for (struct compile_message *m = c->messages; m; m = m->next)
        if (!compile_message_fields(c, m) || !compile_message_tables(c, m))
            return false;
    for (struct compile_enum *e = c->enums; e; e = e->next)
        if (!compile_enum_values(c, e))
            return false;
    return compile_services(c) && compile_well_known(c);
}
