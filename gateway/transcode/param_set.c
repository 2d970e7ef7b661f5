#include "gateway/transcode/param_set.h"

/* A hop is known by the place of the hop before it (0: the request) and its field number, or the
 * number of its oneof. */
enum { PARENT_SHIFT = 32 };
static const uint64_t oneof_bit = 1u << 31;

void param_set_init(struct param_set *s)
{
    map_keys_init(&s->hops);
}

void param_set_fini(struct param_set *s)
{
    map_keys_fini(&s->hops);
}

/* *at becomes 1 + the place of the hop. */
static enum param_set_result add_hop(struct param_set *s, const struct field *f, uint64_t *at)
{
    size_t place;
    uint64_t parent = *at << PARENT_SHIFT;
    int rc = map_keys_add(&s->hops, (struct map_key){.number = parent | f->number}, &place);
    if (rc < 0)
        return PARAM_MEMORY;
    *at = place + 1;
    if (rc == 1)
        return PARAM_TWICE;
    if (!f->oneof)
        return PARAM_NEW;
    rc = map_keys_add(&s->hops, (struct map_key){.number = parent | oneof_bit | f->oneof}, &place);
    return rc < 0 ? PARAM_MEMORY : rc == 1 ? PARAM_ONEOF : PARAM_NEW;
}

static enum param_set_result add_path(struct param_set *s, struct field_path path, uint64_t *at)
{
    enum param_set_result result = PARAM_NEW;
    *at = 0;
    for (size_t i = 0; i < path.len; i++) {
        result = add_hop(s, path.fields[i], at);
        if (result == PARAM_ONEOF || result == PARAM_MEMORY)
            break;
    }
    return result;
}

enum param_set_result param_set_add(struct param_set *s, struct field_path path)
{
    uint64_t at;
    return add_path(s, path, &at);
}

enum param_set_result param_set_add_entry(struct param_set *s, struct field_path path,
                                          struct slice key)
{
    uint64_t at;
    size_t place;
    enum param_set_result result = add_path(s, path, &at);
    if (result == PARAM_ONEOF || result == PARAM_MEMORY)
        return result;
    struct map_key entry = {.text = key, .number = at << PARENT_SHIFT};
    int rc = map_keys_add(&s->hops, entry, &place);
    return rc < 0 ? PARAM_MEMORY : rc == 1 ? PARAM_TWICE : PARAM_NEW;
}
