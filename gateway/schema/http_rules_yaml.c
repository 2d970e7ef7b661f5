#include "gateway/schema/http_rules_yaml.h"

#include "base/buf.h"
#include "base/nearest.h"
#include "gateway/yaml_tree.h"

/* What can stand in a mapping. */
struct key {
    const char *snake, *camel; /* camel NULL: the same */
};

static const struct key http_keys[] = {
    {"rules", NULL},
    {"fully_decode_reserved_expansion", "fullyDecodeReservedExpansion"},
    {NULL, NULL},
};
enum { HTTP_RULES, HTTP_FULLY_DECODE };

/* The patterns come first, in the order of `methods`. */
static const struct key rule_keys[] = {
    {"get", NULL},
    {"put", NULL},
    {"post", NULL},
    {"delete", NULL},
    {"patch", NULL},
    {"custom", NULL},
    {"selector", NULL},
    {"body", NULL},
    {"response_body", "responseBody"},
    {"additional_bindings", "additionalBindings"},
    {NULL, NULL},
};
enum { RULE_CUSTOM = 5, RULE_SELECTOR, RULE_BODY, RULE_RESPONSE_BODY, RULE_ADDITIONAL };
static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "PATCH"};

static const struct key custom_keys[] = {{"kind", NULL}, {"path", NULL}, {NULL, NULL}};
enum { CUSTOM_KIND, CUSTOM_PATH };

enum { MAX_MEMORY = 64 << 20, MAX_KEYS = 16, MAX_TEXT_LEN = 2048, SHOWN = 60 };

struct reading {
    struct yaml_tree tree;
    const char *source; /* the arena's copy, for the rules */
    struct arena *arena;
    struct status *st;
    struct buf rules; /* struct http_rule, so far */
    size_t count;
};

/* One mapping that is being read: its values by place in the table of keys. */
struct section {
    const struct yaml_node *values[MAX_KEYS];
    const struct yaml_node *node;
};

static bool fail_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
    return false;
}

static bool expect(struct reading *r, const struct yaml_node *node, enum yaml_kind kind,
                   const char *what)
{
    return node->kind == kind ||
           yaml_error(&r->tree, node, "%s needs %s, not %s", what,
                      yaml_kind_name(&(struct yaml_node){.kind = kind}), yaml_kind_name(node));
}

static bool fail_key(struct reading *r, const struct yaml_node *key, const struct key *keys,
                     const char *what)
{
    struct slice typed = key->text;
    struct nearest near = nearest_start(typed);
    for (; keys->snake; keys++) {
        nearest_offer(&near, slice_from_string(keys->snake));
        if (keys->camel)
            nearest_offer(&near, slice_from_string(keys->camel));
    }
    int shown = typed.len < SHOWN ? (int)typed.len : SHOWN;
    if (!near.best.data)
        return yaml_error(&r->tree, key, "%s has no key \"%.*s\"", what, shown, typed.data);
    return yaml_error(&r->tree, key, "%s has no key \"%.*s\", did you mean \"%.*s\"?", what, shown,
                      typed.data, SLICE_PRINT(near.best));
}

static size_t find_key(const struct key *keys, struct slice name)
{
    size_t i = 0;
    while (keys[i].snake && !slice_equal(name, slice_from_string(keys[i].snake)) &&
           !(keys[i].camel && slice_equal(name, slice_from_string(keys[i].camel))))
        i++;
    return i;
}

/* Fills *s; refuses what is no mapping, and unknown and duplicate keys.  `what` is the level's name
 * for people. */
static bool open_section(struct reading *r, const struct yaml_node *node, const struct key *keys,
                         const char *what, struct section *s)
{
    *s = (struct section){.node = node};
    if (!expect(r, node, YAML_MAPPING, what))
        return false;
    for (const struct yaml_node *value = node->first; value; value = value->next) {
        size_t place = find_key(keys, value->key->text);
        if (!keys[place].snake)
            return fail_key(r, value->key, keys, what);
        if (s->values[place])
            return yaml_error(&r->tree, value->key, "%s has the key \"%s\" twice", what,
                              keys[place].snake);
        s->values[place] = value;
    }
    return true;
}

/* The text of a key, copied; empty when it is not given. */
static bool take_text(struct reading *r, const struct section *s, const struct key *keys,
                      size_t place, struct slice *text)
{
    const struct yaml_node *node = s->values[place];
    *text = (struct slice){NULL, 0};
    if (!node)
        return true;
    if (!expect(r, node, YAML_TEXT, keys[place].snake))
        return false;
    if (node->text.len > MAX_TEXT_LEN)
        return yaml_error(&r->tree, node, "%s is too long", keys[place].snake);
    *text = arena_copy(r->arena, node->text);
    return text->data || fail_memory(r->st);
}

static bool read_custom(struct reading *r, const struct yaml_node *node, struct http_rule *rule)
{
    struct section s;
    if (!open_section(r, node, custom_keys, "custom", &s) ||
        !take_text(r, &s, custom_keys, CUSTOM_KIND, &rule->method) ||
        !take_text(r, &s, custom_keys, CUSTOM_PATH, &rule->path))
        return false;
    return (rule->method.len > 0 && rule->path.len > 0) ||
           yaml_error(&r->tree, node, "custom needs kind and path");
}

/* The oneof `pattern` of HttpRule. */
static bool read_pattern(struct reading *r, const struct section *s, struct http_rule *rule)
{
    size_t chosen = SIZE_MAX;
    for (size_t i = 0; i <= RULE_CUSTOM; i++) {
        if (!s->values[i])
            continue;
        if (chosen != SIZE_MAX)
            return yaml_error(&r->tree, s->values[i],
                              "a rule has one HTTP method, not %s and %s; use additional_bindings",
                              rule_keys[chosen].snake, rule_keys[i].snake);
        chosen = i;
    }
    if (chosen == SIZE_MAX)
        return true;
    if (chosen == RULE_CUSTOM)
        return read_custom(r, s->values[chosen], rule);
    rule->method = slice_from_string(methods[chosen]);
    if (!take_text(r, s, rule_keys, chosen, &rule->path))
        return false;
    return rule->path.len > 0 ||
           yaml_error(&r->tree, s->values[chosen], "%s needs a path", rule_keys[chosen].snake);
}

/* Only the main rule of several bindings has a selector, and may bind nothing. */
static bool judge_rule(struct reading *r, const struct section *s, const struct http_rule *rule)
{
    if (rule->additional && s->values[RULE_SELECTOR])
        return yaml_error(&r->tree, s->values[RULE_SELECTOR],
                          "a binding has no selector of its own: it is the rule's");
    if (rule->additional && s->values[RULE_ADDITIONAL])
        return yaml_error(&r->tree, s->values[RULE_ADDITIONAL],
                          "additional_bindings inside of additional_bindings");
    if (!rule->additional && rule->selector.len == 0)
        return yaml_error(&r->tree, s->node, "a rule needs a selector: pkg.Service.Method");
    bool rest = s->values[RULE_BODY] || s->values[RULE_RESPONSE_BODY] || s->values[RULE_ADDITIONAL];
    if (rule->method.len == 0 && (rule->additional || rest))
        return yaml_error(&r->tree, s->node, "needs get, put, post, delete, patch or custom");
    return true;
}

/* One HttpRule; *bindings: its additional ones, or NULL. */
static bool read_rule(struct reading *r, const struct yaml_node *node, bool additional,
                      const struct yaml_node **bindings)
{
    struct section s;
    struct http_rule rule = {.additional = additional, .source = r->source, .line = node->line};
    if (!open_section(r, node, rule_keys, additional ? "a binding" : "a rule", &s) ||
        !read_pattern(r, &s, &rule) ||
        !take_text(r, &s, rule_keys, RULE_SELECTOR, &rule.selector) ||
        !take_text(r, &s, rule_keys, RULE_BODY, &rule.body) ||
        !take_text(r, &s, rule_keys, RULE_RESPONSE_BODY, &rule.response_body) ||
        !judge_rule(r, &s, &rule))
        return false;
    if (r->count >= HTTP_RULES_YAML_MAX_RULES)
        return yaml_error(&r->tree, node, "more than %d rules", HTTP_RULES_YAML_MAX_RULES);
    *bindings = s.values[RULE_ADDITIONAL];
    r->count++;
    return buf_append(&r->rules, &rule, sizeof rule) == 0 || fail_memory(r->st);
}

static bool read_bindings(struct reading *r, const struct yaml_node *list)
{
    const struct yaml_node *none;
    if (!expect(r, list, YAML_LIST, "additional_bindings"))
        return false;
    for (const struct yaml_node *item = list->first; item; item = item->next)
        if (!read_rule(r, item, true, &none))
            return false;
    return true;
}

static bool read_rules(struct reading *r, const struct yaml_node *list)
{
    if (!expect(r, list, YAML_LIST, "rules"))
        return false;
    for (const struct yaml_node *item = list->first; item; item = item->next) {
        const struct yaml_node *bindings = NULL;
        if (!read_rule(r, item, false, &bindings))
            return false;
        if (bindings && !read_bindings(r, bindings))
            return false;
    }
    return true;
}

static bool read_http(struct reading *r, const struct yaml_node *node)
{
    struct section s;
    if (!open_section(r, node, http_keys, "http", &s))
        return false;
    const struct yaml_node *decode = s.values[HTTP_FULLY_DECODE];
    if (decode && !expect(r, decode, YAML_TEXT, "fully_decode_reserved_expansion"))
        return false;
    if (decode && !slice_equal(decode->text, SLICE("false")))
        return yaml_error(&r->tree, decode, "fully_decode_reserved_expansion is not built yet");
    return !s.values[HTTP_RULES] || read_rules(r, s.values[HTTP_RULES]);
}

static bool fail_section(struct reading *r, const struct yaml_node *root)
{
    struct nearest near = nearest_start(SLICE("http"));
    for (const struct yaml_node *section = root->first; section; section = section->next)
        nearest_offer(&near, section->key->text);
    if (!near.best.data)
        return yaml_error(&r->tree, root, "the file has no section \"http\"");
    return yaml_error(&r->tree, yaml_member(root, near.best)->key,
                      "the file has no section \"http\"; is \"%.*s\" meant to be it?",
                      SLICE_PRINT(near.best));
}

/* The other sections belong to others, which know their keys. */
static bool read_service(struct reading *r)
{
    const struct yaml_node *root = r->tree.root;
    if (!root)
        return yaml_error(&r->tree, NULL, "the file is empty");
    if (!expect(r, root, YAML_MAPPING, "the file"))
        return false;
    const struct yaml_node *http = yaml_member(root, SLICE("http"));
    return http ? read_http(r, http) : fail_section(r, root);
}

static bool copy_rules(struct reading *r, struct http_rule **rules, size_t *count)
{
    *rules = arena_zalloc(r->arena, (r->count + 1) * sizeof **rules);
    if (!*rules)
        return fail_memory(r->st);
    if (r->rules.data)
        memcpy(*rules, r->rules.data, r->count * sizeof **rules);
    *count = r->count;
    return true;
}

/* Reads the tree and takes what was wrong with it. */
static bool read_tree(struct reading *r, bool good, struct http_rule **rules, size_t *count)
{
    status_ok(r->st);
    good = good && read_service(r);
    if (r->tree.error_count > 0) {
        status_set(r->st, STATUS_INVALID_ARGUMENT, "%s", r->tree.errors[0]);
        return false;
    }
    return good && copy_rules(r, rules, count);
}

/* From the file `source` when text.data is NULL. */
static bool read_source(struct slice text, const char *source, struct arena *arena,
                        struct http_rule **rules, size_t *count, struct status *st)
{
    struct reading r = {.arena = arena, .st = st};
    *rules = NULL;
    *count = 0;
    r.source = (const char *)arena_copy(arena, slice_from_string(source)).data;
    if (!r.source)
        return fail_memory(st);
    buf_init(&r.rules, HTTP_RULES_YAML_MAX_RULES * sizeof(struct http_rule));
    yaml_tree_init(&r.tree, source);
    bool good = text.data ? yaml_tree_parse(&r.tree, text) : yaml_tree_load(&r.tree);
    good = read_tree(&r, good, rules, count);
    yaml_tree_fini(&r.tree);
    buf_fini(&r.rules);
    return good;
}

bool http_rules_yaml_parse(struct slice text, const char *source, struct arena *arena,
                           struct http_rule **rules, size_t *count, struct status *st)
{
    return read_source(text.data ? text : SLICE(""), source, arena, rules, count, st);
}

bool http_rules_yaml_check(const char *path, size_t *count, struct status *st)
{
    struct arena arena;
    struct http_rule *rules;
    arena_init(&arena, NULL, 0, MAX_MEMORY);
    bool good = read_source((struct slice){NULL, 0}, path, &arena, &rules, count, st);
    arena_fini(&arena);
    return good;
}

struct routes *http_rules_yaml_build(struct schema *schema, const char *path, struct status *st)
{
    struct arena arena;
    struct http_rule *rules = NULL;
    size_t count = 0;
    arena_init(&arena, NULL, 0, MAX_MEMORY);
    bool good = !path || read_source((struct slice){NULL, 0}, path, &arena, &rules, &count, st);
    struct routes *routes = good ? routes_build(schema, rules, count, st) : NULL;
    arena_fini(&arena);
    return routes;
}
