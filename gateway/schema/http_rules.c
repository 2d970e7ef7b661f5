#include "gateway/schema/http_rules.h"

#include "gateway/schema/proto_reader.h"
#include "gateway/schema/types.h"

enum {
    METHOD_OPTIONS_HTTP = 72295728,
    RULE_CUSTOM = 8,
    RULE_BODY = 7,
    RULE_ADDITIONAL = 11,
    RULE_RESPONSE_BODY = 12
};

/* The members of the oneof `pattern`, by field number. */
static const struct {
    uint32_t number;
    const char *method;
} patterns[] = {{2, "GET"}, {3, "PUT"}, {4, "POST"}, {5, "DELETE"}, {6, "PATCH"}};

/* Where rules are written to; NULL items: they are only counted. */
struct collection {
    struct http_rule *items;
    size_t count;
    const char *error;
};

static void read_pattern(struct http_rule *rule, uint32_t number, struct slice path)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (patterns[i].number == number) {
            rule->method = slice_from_string(patterns[i].method);
            rule->path = path;
        }
    }
}

static bool read_custom(struct http_rule *rule, struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    rule->method = rule->path = (struct slice){NULL, 0};
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number == 1 && field.wire_type == WIRE_LEN)
            rule->method = field.bytes;
        else if (field.number == 2 && field.wire_type == WIRE_LEN)
            rule->path = field.bytes;
    }
    return !r.malformed;
}

/* One HttpRule without its additional bindings, which are passed over. */
static bool read_rule(struct http_rule *rule, struct slice bytes, bool *nested)
{
    struct proto_reader r;
    struct proto_field field;
    bool good = true;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.wire_type != WIRE_LEN)
            continue;
        if (field.number == RULE_CUSTOM)
            good = read_custom(rule, field.bytes) && good;
        else if (field.number == RULE_BODY)
            rule->body = field.bytes;
        else if (field.number == RULE_RESPONSE_BODY)
            rule->response_body = field.bytes;
        else if (field.number == RULE_ADDITIONAL)
            *nested = true;
        else
            read_pattern(rule, field.number, field.bytes);
    }
    return good && !r.malformed;
}

static void collect(struct collection *c, const struct http_rule *rule)
{
    if (c->items)
        c->items[c->count] = *rule;
    c->count++;
}

static void read_additional(struct collection *c, struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.number != RULE_ADDITIONAL || field.wire_type != WIRE_LEN)
            continue;
        bool nested = false;
        struct http_rule rule = {.additional = true};
        if (!read_rule(&rule, field.bytes, &nested))
            c->error = "google.api.http is malformed";
        if (nested)
            c->error = "additional_bindings inside of additional_bindings";
        collect(c, &rule);
    }
}

/* The extension may come in pieces, which then are merged (Protobuf encoding, "Last One Wins"). */
static void read_options(struct collection *c, struct slice options)
{
    struct proto_reader r;
    struct proto_field field;
    struct http_rule rule = {.additional = false};
    bool found = false, nested;
    c->count = 0;
    proto_reader_init(&r, options);
    while (proto_reader_next(&r, &field)) {
        if (field.number != METHOD_OPTIONS_HTTP || field.wire_type != WIRE_LEN)
            continue;
        found = true;
        if (!read_rule(&rule, field.bytes, &nested))
            c->error = "google.api.http is malformed";
    }
    if (found)
        collect(c, &rule);
    proto_reader_init(&r, options);
    while (proto_reader_next(&r, &field))
        if (field.number == METHOD_OPTIONS_HTTP && field.wire_type == WIRE_LEN)
            read_additional(c, field.bytes);
    if (r.malformed)
        c->error = "the method options are malformed";
}

bool http_rules_read(struct slice options, struct arena *arena, struct http_rule **rules,
                     size_t *count, struct status *st)
{
    struct collection c = {.items = NULL};
    *rules = NULL;
    *count = 0;
    read_options(&c, options);
    if (c.error) {
        status_set(st, STATUS_INVALID_ARGUMENT, "%s", c.error);
        return false;
    }
    if (c.count == 0)
        return true;
    c.items = arena_alloc(arena, c.count * sizeof *c.items);
    if (!c.items) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
        return false;
    }
    read_options(&c, options);
    *rules = c.items;
    *count = c.count;
    return true;
}
