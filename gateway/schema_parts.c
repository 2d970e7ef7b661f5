#include "gateway/schema_parts.h"

#include "base/nearest.h"

bool schema_parts_asks(const struct config *config, size_t place)
{
    bool told_by_list = config->upstreams[place].services_count > 0;
    return config->descriptors_count == 0 || (config->upstreams_count > 1 && !told_by_list);
}

/* Whether the schema has it; *near is the service that was meant. */
static bool has_service(const struct schema *schema, struct slice name, struct nearest *near)
{
    *near = nearest_start(name);
    for (size_t i = 0; i < schema_service_count(schema); i++) {
        struct slice service = schema_service_at(schema, i);
        if (slice_equal(service, name))
            return true;
        nearest_offer(near, service);
    }
    return false;
}

bool schema_parts_check(const struct config *config, const struct schema *files, struct status *st)
{
    for (size_t i = 0; i < config->upstreams_count; i++) {
        const struct config_upstream *up = &config->upstreams[i];
        for (size_t k = 0; k < up->services_count; k++) {
            struct nearest near;
            if (has_service(files, slice_from_string(up->services[k]), &near))
                continue;
            bool found = near.best.data;
            status_set(
                st, STATUS_INVALID_ARGUMENT,
                "upstream %.100s: services: the descriptors have no service \"%.100s\"%s%.*s%s",
                up->target.text, up->services[k], found ? ", did you mean \"" : "",
                SLICE_PRINT(near.best), found ? "\"?" : "");
            return false;
        }
    }
    return true;
}

void schema_parts_init(struct schema_parts *parts, const struct config *config,
                       struct schema *files, struct schema *const *told)
{
    const struct config_upstream *first = &config->upstreams[0];
    bool rest = files && first->services_count == 0;
    parts->count = 0;
    parts->partial = false;
    for (size_t i = 0; i < config->upstreams_count; i++) {
        const struct config_upstream *up = &config->upstreams[i];
        parts->partial |= !rest && !told[i] && schema_parts_asks(config, i);
        if (!told[i] && (!files || up->services_count == 0))
            continue;
        parts->list[parts->count++] = (struct schema_part){
            .schema = files ? files : told[i],
            .listed = files ? told[i] : NULL,
            .upstream = i,
            .name = up->target.text,
            .services = up->services,
            .services_count = up->services_count,
        };
    }
    if (rest)
        parts->list[parts->count++] =
            (struct schema_part){.schema = files, .name = first->target.text, .rest = true};
}

struct schema *schema_parts_merge(const struct schema_parts *parts,
                                  void (*note)(void *arg, const char *text), void *arg,
                                  struct status *st)
{
    const struct schema_part *first = &parts->list[0];
    bool whole = first->services_count == 0 && !first->listed && first->upstream == 0;
    if (parts->count == 1 && whole && !parts->partial)
        return schema_ref(first->schema);
    return schema_merge(parts->list, parts->count, parts->partial, note, arg, st);
}
