#include "base/nearest.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; both are at most NEAREST_MAX_LEN long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    uint8_t rows[3][NEAREST_MAX_LEN + 1];
    uint8_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (uint8_t)j;
    for (size_t i = 1; i <= a.len; i++) {
        uint8_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t x = lower(a.data[i - 1]), y = lower(b.data[j - 1]);
            size_t best = min(above[j - 1] + (size_t)(x != y), min(above[j], row[j - 1]) + 1u);
            bool swap = i > 1 && j > 1 && x == lower(b.data[j - 2]) && y == lower(a.data[i - 2]);
            row[j] = (uint8_t)min(best, swap ? before[j - 2] + 1u : best);
        }
    }
    return row[b.len];
}

/* 0 is nearest, SIZE_MAX not worth suggesting. */
static size_t nearness(struct slice typed, struct slice name)
{
    enum { LEAST_BEGINNING = 3 };
    size_t distance = edit_distance(typed, name);
    size_t bound = min(typed.len, name.len) / 3 + 1;
    if (distance > 1 && typed.len >= LEAST_BEGINNING && slice_has_prefix(name, typed))
        return 1;
    return distance <= bound && distance < name.len ? distance : SIZE_MAX;
}

struct nearest nearest_start(struct slice typed)
{
    return (struct nearest){.typed = typed, .distance = SIZE_MAX};
}

void nearest_offer(struct nearest *n, struct slice name)
{
    if (name.len > NEAREST_MAX_LEN || n->typed.len > NEAREST_MAX_LEN ||
        n->offered++ >= NEAREST_MAX_OFFERS)
        return;
    size_t distance = nearness(n->typed, name);
    if (distance < n->distance) {
        n->distance = distance;
        n->best = name;
    }
}
