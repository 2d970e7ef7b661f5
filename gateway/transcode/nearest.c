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

/* Levenshtein's distance without regard to case; both at most NAME_MAX_LEN long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    uint8_t row[NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (uint8_t)j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));
            diagonal = row[j];
            row[j] = (uint8_t)min(change, min(row[j], row[j - 1]) + 1u);
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
