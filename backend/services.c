#include "backend/services.h"

const struct service *const services[] = {
    &service_calculator, &service_health, &service_reflection_v1, &service_reflection_v1alpha, NULL,
};

/* Most names differ in their first byte: no length is counted for those. */
static bool is_named(const char *name, struct slice s)
{
    return s.len > 0 && name[0] == (char)s.data[0] && slice_equal(slice_from_string(name), s);
}

const struct method *services_find(struct slice path, const struct service **service)
{
    *service = NULL;
    if (path.len == 0 || path.data[0] != '/')
        return NULL;
    struct slice name = slice_skip(path, 1);
    struct slice service_name = slice_cut(&name, '/');
    for (const struct service *const *s = services; *s; s++) {
        if (!is_named((*s)->name, service_name))
            continue;
        *service = *s;
        for (size_t i = 0; i < (*s)->methods_len; i++)
            if (is_named((*s)->methods[i].name, name))
                return &(*s)->methods[i];
        return NULL;
    }
    return NULL;
}
