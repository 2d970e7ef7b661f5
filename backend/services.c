#include "backend/services.h"

const struct service *const services[] = {
    &service_calculator, &service_health, &service_reflection_v1, &service_reflection_v1alpha, NULL,
};

const struct method *services_find(struct slice path, const struct service **service)
{
    *service = NULL;
    if (path.len == 0 || path.data[0] != '/')
        return NULL;
    struct slice name = slice_skip(path, 1);
    struct slice service_name = slice_cut(&name, '/');
    for (const struct service *const *s = services; *s; s++) {
        if (!slice_equal(slice_from_string((*s)->name), service_name))
            continue;
        *service = *s;
        for (size_t i = 0; i < (*s)->methods_len; i++)
            if (slice_equal(slice_from_string((*s)->methods[i].name), name))
                return &(*s)->methods[i];
        return NULL;
    }
    return NULL;
}
