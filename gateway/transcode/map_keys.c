#include "gateway/transcode/map_keys.h"

#include "gateway/transcode/wire.h"

#include <errno.h>
#include <stdlib.h>

void map_keys_init(struct map_keys *m)
{
    m->keys = m->small;
    m->table = NULL;
    m->count = 0;
    m->cap = MAP_KEYS_SMALL;
    m->seed = 0;
}

void map_keys_fini(struct map_keys *m)
{
    if (m->keys != m->small)
        free(m->keys);
    free(m->table);
}

static bool key_equal(const struct map_key *a, const struct map_key *b)
{
    return a->number == b->number && slice_equal(a->text, b->text);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t key_hash(const struct map_keys *m, const struct map_key *key)
{
    uint64_t hash = mix(key->number ^ m->seed, 0x9e3779b97f4a7c15u) ^ key->text.len;
    for (size_t i = 0; i < key->text.len; i += 8) {
        uint64_t word = 0;
        size_t left = key->text.len - i;
        memcpy(&word, key->text.data + i, left < 8 ? left : 8);
        hash = mix(hash ^ word, m->seed | 1);
    }
    return mix(hash, 0x9e3779b97f4a7c15u);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct map_keys *m, const struct map_key *key)
{
    size_t mask = 2 * m->cap - 1;
    for (size_t i = key_hash(m, key);; i++) {
        uint32_t *slot = &m->table[i & mask];
        if (*slot == 0 || key_equal(&m->keys[*slot - 1], key))
            return slot;
    }
}

static bool map_keys_grow(struct map_keys *m)
{
    size_t cap = m->cap * 4;
    struct map_key *keys = malloc(cap * sizeof *keys);
    uint32_t *table = calloc(2 * cap, sizeof *table);
    if (!keys || !table) {
        free(keys);
        free(table);
        return false;
    }
    memcpy(keys, m->keys, m->count * sizeof *keys);
    map_keys_fini(m);
    m->keys = keys;
    m->table = table;
    m->cap = cap;
    /* The addresses of this process are not known to a peer. */
    m->seed = mix((uintptr_t)keys ^ (uintptr_t)&map_keys_grow, (uintptr_t)m | 1);
    for (size_t i = 0; i < m->count; i++)
        *find_slot(m, &keys[i]) = (uint32_t)i + 1;
    return true;
}

int map_keys_add(struct map_keys *m, struct map_key key, size_t *place)
{
    if (!m->table) {
        for (size_t i = 0; i < m->count; i++)
            if (key_equal(&m->keys[i], &key)) {
                *place = i;
                return 1;
            }
    }
    if (m->count == m->cap && !map_keys_grow(m))
        return -ENOMEM;
    if (m->table) {
        uint32_t *slot = find_slot(m, &key);
        if (*slot) {
            *place = *slot - 1;
            return 1;
        }
        *slot = (uint32_t)m->count + 1;
    }
    *place = m->count;
    m->keys[m->count++] = key;
    return 0;
}

/* One value of the key's kind; NULL: malformed. */
static const uint8_t *read_key(const struct field *f, const uint8_t *at, const uint8_t *end,
                               struct map_key *key)
{
    if (f->wire_type == WIRE_LEN)
        return wire_bytes(at, end, &key->text);
    if (f->wire_type == WIRE_VARINT) {
        at = wire_varint(at, end, &key->number);
        if (f->kind == FIELD_BOOL)
            key->number = key->number != 0;
        else if (f->kind == FIELD_INT32 || f->kind == FIELD_SINT32 || f->kind == FIELD_UINT32)
            key->number = (uint32_t)key->number;
        return at;
    }
    size_t len = f->wire_type == WIRE_FIXED32 ? 4 : 8;
    if ((size_t)(end - at) < len)
        return NULL;
    key->number = wire_get_fixed(at, len);
    return at + len;
}

bool map_keys_read(const struct field *map, struct slice entry, struct map_key *key)
{
    const struct field *f = &map->message->fields[0];
    const uint8_t *at = entry.data, *end = at + entry.len;
    *key = (struct map_key){.number = 0};
    while (at && at < end) {
        uint32_t tag;
        at = wire_tag(at, end, &tag);
        if (!at)
            return false;
        if (wire_tag_number(tag) == 1 && wire_tag_type(tag) == f->wire_type)
            at = read_key(f, at, end, key);
        else
            at = wire_skip(at, end, tag, WIRE_DEPTH_MAX);
    }
    return at != NULL;
}

/* Behind the next tag when another entry follows, else NULL. */
static const uint8_t *next_entry(const struct field *map, const uint8_t *at, const uint8_t *end)
{
    uint32_t tag;
    if (at == end)
        return NULL;
    at = wire_tag(at, end, &tag);
    return at && tag == (map->number << 3 | WIRE_LEN) ? at : NULL;
}

int map_keys_run(const struct field *map, const uint8_t *at, const uint8_t *end)
{
    struct slice entry;
    struct map_key key;
    size_t place;
    const uint8_t *next = wire_bytes(at, end, &entry);
    if (next && !next_entry(map, next, end))
        return 0; /* a single one is not even read */
    struct map_keys keys;
    map_keys_init(&keys);
    int rc = 0;
    while (rc == 0 && at) {
        at = wire_bytes(at, end, &entry);
        if (!at || !map_keys_read(map, entry, &key)) {
            rc = -EINVAL;
        } else {
            rc = map_keys_add(&keys, key, &place);
            at = next_entry(map, at, end);
        }
    }
    map_keys_fini(&keys);
    return rc;
}
