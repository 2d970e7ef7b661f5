#include "gateway/transcode/bits.h"
#include "gateway/transcode/map_keys.h"
#include "gateway/transcode/wire_printer.h"

#include <errno.h>
#include <stdlib.h>

/* One value of a known field, where it stands in the wire. */
struct occurrence {
    const struct field *field;
    const uint8_t *at, *end; /* the value, behind its tag */
    uint32_t tag;
    uint32_t order;
};

/* The occurrences of a message's fields, sorted by field. */
struct collection {
    struct occurrence *list; /* owned */
    size_t count;
};

static const struct field *known_field(const struct message_type *type, uint32_t tag,
                                       const uint8_t *at, const uint8_t *end)
{
    const struct field *f = message_type_field(type, wire_tag_number(tag));
    if (!f || !wire_field_accepts(f, tag))
        return NULL;
    return !f->repeated && wire_field_is_unknown_enum(f, at, end) ? NULL : f;
}

/* Counts the known fields, and writes them to `list` when there is one.  False: malformed. */
static bool scan(const struct message_type *type, struct fragments pieces, struct occurrence *list,
                 size_t *count)
{
    struct wire_walk w;
    uint32_t tag;
    int rc;
    *count = 0;
    wire_walk_init(&w, pieces);
    while ((rc = wire_walk_next(&w, &tag)) > 0) {
        const uint8_t *at = w.at;
        const struct field *f = known_field(type, tag, at, w.end);
        if (!wire_walk_skip(&w, tag))
            return false;
        if (f && list)
            list[*count] = (struct occurrence){
                .field = f, .at = at, .end = w.at, .tag = tag, .order = (uint32_t)*count};
        *count += f != NULL;
    }
    return rc == 0;
}

static int compare(const void *a, const void *b)
{
    const struct occurrence *left = a, *right = b;
    if (left->field != right->field)
        return left->field->index < right->field->index ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

/* A member of a oneof clears the others: only what follows the last change of member counts. */
static bool drop_cleared(const struct message_type *type, struct collection *c)
{
    struct bits closed;
    uint32_t *last = calloc(type->oneof_count + 1u, sizeof *last); /* 1 + index of the member */
    if (!last || !bits_init(&closed, type->oneof_count + 1u)) {
        free(last);
        return false;
    }
    for (size_t i = c->count; i-- > 0;) {
        struct occurrence *o = &c->list[i];
        uint16_t oneof = o->field->oneof;
        uint32_t member = o->field->index + 1u;
        if (oneof == 0)
            continue;
        if (last[oneof] == 0)
            last[oneof] = member;
        if (last[oneof] != member)
            bits_add(&closed, oneof);
        if (bits_has(&closed, oneof))
            o->field = NULL;
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].field)
            c->list[kept++] = c->list[i];
    c->count = kept;
    bits_fini(&closed);
    free(last);
    return true;
}

static bool collect(struct wire_printer *p, const struct message_type *type,
                    struct fragments pieces, struct collection *c)
{
    *c = (struct collection){.list = NULL};
    if (!scan(type, pieces, NULL, &c->count)) {
        wire_printer_malformed(p, type);
        return false;
    }
    if (c->count > p->occurrences_left) {
        status_set(p->st, STATUS_RESOURCE_EXHAUSTED,
                   "the message has more than %zu fields that must be merged",
                   p->options->max_elements);
        return false;
    }
    p->occurrences_left -= c->count;
    c->list = malloc((c->count + 1) * sizeof *c->list);
    if (c->list)
        scan(type, pieces, c->list, &c->count);
    if (!c->list || !drop_cleared(type, c)) {
        free(c->list);
        wire_printer_full(p);
        return false;
    }
    qsort(c->list, c->count, sizeof *c->list, compare);
    return true;
}

/* Of each key the last entry, at the place of the first. */
static bool print_map(struct wire_printer *p, const struct field *f, struct occurrence *list,
                      size_t count)
{
    struct map_keys keys;
    struct slice entry;
    map_keys_init(&keys);
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        struct map_key key;
        size_t place;
        if (!wire_bytes(list[i].at, list[i].end, &entry) || !map_keys_read(f, entry, &key))
            rc = -EINVAL;
        else
            rc = map_keys_add(&keys, key, &place);
        if (rc >= 0)
            list[place] = list[i];
    }
    count = keys.count;
    map_keys_fini(&keys);
    if (rc == -EINVAL)
        return wire_printer_malformed(p, f->message);
    if (rc < 0)
        return wire_printer_full(p);
    if (!wire_printer_open(p, '{'))
        return false;
    for (size_t i = 0; i < count; i++) {
        wire_bytes(list[i].at, list[i].end, &entry);
        if (!wire_to_json_entry(p, f, entry))
            return false;
    }
    return wire_printer_close(p, '}');
}

static bool print_list(struct wire_printer *p, const struct field *f, const struct occurrence *list,
                       size_t count)
{
    if (!wire_printer_open(p, '['))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!wire_to_json_elements(p, f, list[i].tag, list[i].at, list[i].end))
            return false;
    return wire_printer_close(p, ']');
}

/* The pieces of a sub-message that came several times. */
static bool print_message(struct wire_printer *p, const struct field *f,
                          const struct occurrence *list, size_t count)
{
    struct slice one, *pieces = count == 1 ? &one : malloc(count * sizeof *pieces);
    if (!pieces)
        return wire_printer_full(p);
    for (size_t i = 0; i < count; i++) {
        if (f->kind == FIELD_GROUP)
            wire_group(list[i].at, list[i].end, f->number, &pieces[i]);
        else
            wire_bytes(list[i].at, list[i].end, &pieces[i]);
    }
    bool ok = wire_to_json_message(p, f->message, (struct fragments){pieces, count});
    if (pieces != &one)
        free(pieces);
    return ok;
}

static bool print_occurrences(struct wire_printer *p, struct occurrence *list, size_t count)
{
    const struct field *f = list[0].field;
    if (f->map)
        return print_map(p, f, list, count);
    if (f->repeated)
        return print_list(p, f, list, count);
    if (f->message)
        return print_message(p, f, list, count);
    return wire_scalar(p, f, list[count - 1].at, list[count - 1].end) != NULL;
}

static size_t same_field(const struct collection *c, size_t i)
{
    size_t end = i + 1;
    while (end < c->count && c->list[end].field == c->list[i].field)
        end++;
    return end - i;
}

static bool print_default(struct wire_printer *p, const struct field *f)
{
    if (!p->options->emit_defaults || f->presence || f->oneof || f->extension)
        return true;
    return wire_to_json_key(p, f) && wire_to_json_default(p, f) && wire_printer_comma(p);
}

static bool print_members(struct wire_printer *p, const struct message_type *type,
                          struct collection *c)
{
    size_t next = 0;
    for (size_t i = 0; i < c->count;) {
        const struct field *f = c->list[i].field;
        for (; next < f->index; next++)
            if (!print_default(p, &type->fields[next]))
                return false;
        next++;
        size_t count = same_field(c, i);
        i += count;
        if (wire_scalar_is_unset(p, f, c->list[i - 1].at, c->list[i - 1].end))
            continue;
        size_t before = sink_offset(&p->out);
        if (!wire_to_json_key(p, f) || !print_occurrences(p, c->list + i - count, count) ||
            !wire_to_json_end_field(p, f, before))
            return false;
    }
    for (; next < type->field_count; next++)
        if (!print_default(p, &type->fields[next]))
            return false;
    return true;
}

bool wire_merge_members(struct wire_printer *p, const struct message_type *type,
                        struct fragments pieces)
{
    struct collection c;
    if (!collect(p, type, pieces, &c))
        return false;
    bool ok = print_members(p, type, &c);
    free(c.list);
    return ok;
}

bool wire_merge_field(struct wire_printer *p, const struct message_type *type,
                      const struct field *f, struct fragments pieces)
{
    struct collection c;
    if (!collect(p, type, pieces, &c))
        return false;
    size_t i = 0;
    while (i < c.count && c.list[i].field != f)
        i++;
    bool ok = i < c.count                  ? print_occurrences(p, c.list + i, same_field(&c, i))
              : f->message && !f->repeated ? wire_printer_raw(p, SLICE("null"))
                                           : wire_to_json_default(p, f);
    free(c.list);
    return ok;
}

bool wire_merge_value(struct wire_printer *p, const struct message_type *type,
                      struct fragments pieces)
{
    struct collection c;
    if (!collect(p, type, pieces, &c))
        return false;
    bool ok;
    if (c.count == 0)
        ok = wire_printer_raw(p, SLICE("null"));
    else if (c.list[0].field->message)
        ok = print_message(p, c.list[0].field, c.list, c.count);
    else
        ok = wire_well_known_kind(p, c.list[0].field, c.list[c.count - 1].at,
                                  c.list[c.count - 1].end) != NULL;
    free(c.list);
    return ok;
}

/* Steps over the rest of a run of f's occurrences; NULL: malformed. */
static const uint8_t *skip_run(const struct field *f, const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        uint32_t tag;
        const uint8_t *next = at < end ? wire_tag(at, end, &tag) : NULL;
        if (!next || wire_tag_number(tag) != f->number || !wire_field_accepts(f, tag))
            return at;
        at = wire_skip(next, end, tag, WIRE_DEPTH_MAX);
        if (!at)
            return NULL;
    }
}

/* What wire_to_json.c's fast way would refuse. */
static bool is_merged(const struct wire_printer *p, const struct message_type *type,
                      struct bits *seen, const struct field *f, int *last)
{
    if (bits_add(seen, f->index) || (f->oneof && bits_add(seen, type->field_count + f->oneof - 1u)))
        return true;
    bool backwards = f->index < *last;
    *last = f->index;
    return backwards && p->options->emit_defaults;
}

static int check_order(const struct wire_printer *p, const struct message_type *type,
                       struct slice wire, struct bits *seen)
{
    const uint8_t *at = wire.data, *end = at + wire.len;
    int last = 0;
    while (at < end) {
        uint32_t tag;
        at = wire_tag(at, end, &tag);
        if (!at)
            return -1;
        const struct field *f = known_field(type, tag, at, end);
        if (f && is_merged(p, type, seen, f, &last))
            return 0;
        if (f && f->map && map_keys_run(f, at, end) == 1)
            return 0;
        at = wire_skip(at, end, tag, WIRE_DEPTH_MAX);
        if (at && f && f->repeated)
            at = skip_run(f, at, end);
        if (!at)
            return -1;
    }
    return 1;
}

int wire_merge_is_ordinary(const struct wire_printer *p, const struct message_type *type,
                           struct slice wire)
{
    struct bits seen;
    if (!bits_init(&seen, (size_t)type->field_count + type->oneof_count))
        return 0; /* the other way reports it */
    int ordinary = check_order(p, type, wire, &seen);
    bits_fini(&seen);
    return ordinary;
}
