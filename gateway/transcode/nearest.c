#include "gateway/transcode/nearest.h"

/* Bounds the work that one bad request can cause. */
enum { NAME_MAX_LEN = 64, CANDIDATES_MAX = 512 };

struct nearest {
    struct slice wanted, best;
    size_t distance; /* of the best; one more than what is still near while there is none */
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Changes, insertions, deletions and swaps of neighbours, without regard to case; both names are at
 * most NAME_MAX_LEN long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    uint8_t rows[3][NAME_MAX_LEN + 1];
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

static struct nearest nearest_start(struct slice wanted)
{
    return (struct nearest){.wanted = wanted, .distance = 1 + (wanted.len + 2) / 3};
}

static void nearest_offer(struct nearest *n, struct slice name)
{
    if (name.len > NAME_MAX_LEN || n->wanted.len > NAME_MAX_LEN)
        return;
    size_t distance = edit_distance(n->wanted, name);
    if (distance < n->distance) {
        n->distance = distance;
        n->best = name;
    }
}

struct slice nearest_field(const struct message_type *type, struct slice wanted)
{
    struct nearest n = nearest_start(wanted);
    for (size_t i = 0; i < type->field_count && i < CANDIDATES_MAX; i++) {
        nearest_offer(&n, type->fields[i].json_name);
        nearest_offer(&n, type->fields[i].name);
    }
    return n.best;
}

struct slice nearest_enum_value(const struct enum_type *type, struct slice wanted)
{
    struct nearest n = nearest_start(wanted);
    for (size_t i = 0; i < type->value_count && i < CANDIDATES_MAX; i++)
        nearest_offer(&n, type->values[i].name);
    return n.best;
}
