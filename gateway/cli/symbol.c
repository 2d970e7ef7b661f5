#include "gateway/cli/symbol.h"

#include "base/options.h"

#include <stdlib.h>

/* "/pkg.Service/Method" for each way to write it; false when it does not fit. */
static bool method_path(struct slice name, char path[static SYMBOL_MAX_LEN], size_t *len)
{
    if (name.len > 0 && name.data[0] == '/')
        name = slice_skip(name, 1);
    if (name.len + 1 >= SYMBOL_MAX_LEN)
        return false;
    path[0] = '/';
    memcpy(path + 1, name.data, name.len);
    *len = name.len + 1;
    if (memchr(path + 1, '/', name.len))
        return true;
    for (size_t i = *len; i > 1; i--) {
        if (path[i - 1] == '.') {
            path[i - 1] = '/';
            return true;
        }
    }
    return false;
}

const struct method *symbol_method(const struct schema *schema, struct slice name)
{
    char path[SYMBOL_MAX_LEN];
    size_t len;
    return method_path(name, path, &len) ? schema_method(schema, slice_from(path, len)) : NULL;
}

bool symbol_is_service(const struct schema *schema, struct slice name)
{
    for (size_t i = 0; i < schema_service_count(schema); i++)
        if (slice_equal(schema_service_at(schema, i), name))
            return true;
    return false;
}

/* Of `n` names the one nearest to `typed`, copied. */
static bool nearest_of(struct slice (*at)(const struct schema *schema, size_t i),
                       const struct schema *schema, size_t n, struct slice typed,
                       char nearest[static SYMBOL_MAX_LEN])
{
    const char **words = calloc(n ? n : 1, sizeof *words);
    const char *found = NULL;
    size_t made = 0;
    for (; words && made < n; made++) {
        struct slice name = at(schema, made);
        words[made] = strndup((const char *)name.data, name.len);
        if (!words[made])
            break;
    }
    if (words)
        found = option_nearest_word(words, made, typed);
    if (found)
        snprintf(nearest, SYMBOL_MAX_LEN, "%s", found);
    while (words && made > 0)
        free((char *)(uintptr_t)words[--made]);
    free(words);
    return found != NULL;
}

static struct slice method_at(const struct schema *schema, size_t i)
{
    return slice_skip(schema_method_at(schema, i)->path, 1);
}

static struct slice method_name_at(const struct schema *schema, size_t i)
{
    return schema_method_at(schema, i)->name;
}

bool symbol_nearest_method(const struct schema *schema, struct slice name,
                           char nearest[static SYMBOL_MAX_LEN])
{
    size_t n = schema_method_count(schema);
    if (nearest_of(method_at, schema, n, name, nearest))
        return true;
    /* The service forgotten or misspelt: the method's own name may still tell. */
    struct slice last = name;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '/' || name.data[i] == '.')
            last = slice_skip(name, i + 1);
    char method[SYMBOL_MAX_LEN];
    if (!nearest_of(method_name_at, schema, n, last, method))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (slice_equal(method_name_at(schema, i), slice_from_string(method))) {
            snprintf(nearest, SYMBOL_MAX_LEN, "%.*s", SLICE_PRINT(method_at(schema, i)));
            return true;
        }
    }
    return false;
}

bool symbol_nearest_service(const struct schema *schema, struct slice name,
                            char nearest[static SYMBOL_MAX_LEN])
{
    return nearest_of(schema_service_at, schema, schema_service_count(schema), name, nearest);
}
