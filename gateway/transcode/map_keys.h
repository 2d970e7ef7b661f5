/* map_keys: the set of keys of one map, to notice a key that comes twice.  A few keys are compared
 * one by one without memory; many go to a hash table that is keyed by chance, so that no peer can
 * make them collide. */
#pragma once
#include "gateway/schema/types.h"

enum { MAP_KEYS_SMALL = 16 };

struct map_key {
    struct slice text; /* string keys; borrowed */
    uint64_t number;   /* other keys, as a 64-bit varint carries them */
};

struct map_keys {
    struct map_key small[MAP_KEYS_SMALL];
    struct map_key *keys; /* small, or owned */
    uint32_t *table;      /* owned; 1 + place in keys; NULL while the keys are few */
    uint64_t seed;
    size_t count, cap;
};

void map_keys_init(struct map_keys *m);
void map_keys_fini(struct map_keys *m);
/* 0: added; 1: it was there, at *place in order of addition; -ENOMEM. */
int map_keys_add(struct map_keys *m, struct map_key key, size_t *place);

/* The key of a serialised map entry; a missing one is the default.  False: malformed. */
bool map_keys_read(const struct field *map, struct slice entry, struct map_key *key);
/* Whether a key occurs twice in the entries of `map` that follow each other from `at`, which stands
 * behind the first one's tag.  0, 1, -ENOMEM, or -EINVAL: malformed. */
int map_keys_run(const struct field *map, const uint8_t *at, const uint8_t *end);
