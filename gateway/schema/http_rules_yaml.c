#include "gateway/schema/http_rules_yaml.h"

#include "base/buf.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

/* What can stand in a mapping. */
struct key {
    const char *snake, *camel; /* camel NULL: the same */
};

/* google.api.Service; `type` names the message itself in files for Google's tools. */
static const struct key service_keys[] = {
    {"http", NULL},
    {"type", NULL},
    {"config_version", "configVersion"},
    {"name", NULL},
    {"title", NULL},
    {"id", NULL},
    {"producer_project_id", "producerProjectId"},
    {"apis", NULL},
    {"types", NULL},
    {"enums", NULL},
    {"documentation", NULL},
    {"backend", NULL},
    {"quota", NULL},
    {"authentication", NULL},
    {"context", NULL},
    {"usage", NULL},
    {"endpoints", NULL},
    {"control", NULL},
    {"logs", NULL},
    {"metrics", NULL},
    {"monitored_resources", "monitoredResources"},
    {"billing", NULL},
    {"logging", NULL},
    {"monitoring", NULL},
    {"system_parameters", "systemParameters"},
    {"source_info", "sourceInfo"},
    {"publishing", NULL},
    {NULL, NULL},
};
enum { SERVICE_HTTP };

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

enum { MAX_MEMORY = 64 << 20, MAX_KEYS = 32, MAX_TEXT_LEN = 2048, SHOWN = 60 };

struct reading {
    yaml_document_t document;
    const char *source;
    struct arena *arena;
    struct status *st;
    struct buf rules; /* struct http_rule, so far */
    size_t count;
};

/* One mapping that is being read: its values by place in the table of keys. */
struct section {
    yaml_node_t *values[MAX_KEYS];
    const yaml_node_t *node;
};

static bool fail(struct reading *r, yaml_mark_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct reading *r, yaml_mark_t at, const char *format, ...)
{
    char reason[STATUS_TEXT_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    status_set(r->st, STATUS_INVALID_ARGUMENT, "%.80s:%zu:%zu: %.150s", r->source, at.line + 1,
               at.column + 1, reason);
    return false;
}

static bool fail_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
    return false;
}

static struct slice scalar(const yaml_node_t *node)
{
    return slice_from(node->data.scalar.value, node->data.scalar.length);
}

static const char *type_name(const yaml_node_t *node)
{
    return node->type == YAML_SEQUENCE_NODE  ? "a list"
           : node->type == YAML_MAPPING_NODE ? "a mapping"
                                             : "a text";
}

static bool expect(struct reading *r, const yaml_node_t *node, yaml_node_type_t type,
                   const char *what)
{
    static const char *const names[] = {[YAML_SCALAR_NODE] = "a text",
                                        [YAML_SEQUENCE_NODE] = "a list",
                                        [YAML_MAPPING_NODE] = "a mapping"};
    return node->type == type ||
           fail(r, node->start_mark, "%s needs %s, not %s", what, names[type], type_name(node));
}

static bool fail_key(struct reading *r, const yaml_node_t *key, const struct key *keys,
                     const char *what)
{
    struct slice typed = scalar(key);
    struct nearest near = nearest_start(typed);
    for (; keys->snake; keys++) {
        nearest_offer(&near, slice_from_string(keys->snake));
        if (keys->camel)
            nearest_offer(&near, slice_from_string(keys->camel));
    }
    int shown = typed.len < SHOWN ? (int)typed.len : SHOWN;
    if (!near.best.data)
        return fail(r, key->start_mark, "%s has no key \"%.*s\"", what, shown, typed.data);
    return fail(r, key->start_mark, "%s has no key \"%.*s\", did you mean \"%.*s\"?", what, shown,
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
static bool open_section(struct reading *r, const yaml_node_t *node, const struct key *keys,
                         const char *what, struct section *s)
{
    *s = (struct section){.node = node};
    if (!expect(r, node, YAML_MAPPING_NODE, what))
        return false;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
        if (!expect(r, key, YAML_SCALAR_NODE, "a key"))
            return false;
        size_t place = find_key(keys, scalar(key));
        if (!keys[place].snake)
            return fail_key(r, key, keys, what);
        if (s->values[place])
            return fail(r, key->start_mark, "%s has the key \"%s\" twice", what, keys[place].snake);
        s->values[place] = yaml_document_get_node(&r->document, pair->value);
    }
    return true;
}

/* The text of a key, copied; empty when it is not given. */
static bool take_text(struct reading *r, const struct section *s, const struct key *keys,
                      size_t place, struct slice *text)
{
    const yaml_node_t *node = s->values[place];
    *text = (struct slice){NULL, 0};
    if (!node)
        return true;
    if (!expect(r, node, YAML_SCALAR_NODE, keys[place].snake))
        return false;
    if (node->data.scalar.length > MAX_TEXT_LEN)
        return fail(r, node->start_mark, "%s is too long", keys[place].snake);
    *text = arena_copy(r->arena, scalar(node));
    return text->data || fail_memory(r->st);
}

static bool read_custom(struct reading *r, const yaml_node_t *node, struct http_rule *rule)
{
    struct section s;
    if (!open_section(r, node, custom_keys, "custom", &s) ||
        !take_text(r, &s, custom_keys, CUSTOM_KIND, &rule->method) ||
        !take_text(r, &s, custom_keys, CUSTOM_PATH, &rule->path))
        return false;
    return (rule->method.len > 0 && rule->path.len > 0) ||
           fail(r, node->start_mark, "custom needs kind and path");
}

/* The oneof `pattern` of HttpRule. */
static bool read_pattern(struct reading *r, const struct section *s, struct http_rule *rule)
{
    size_t chosen = SIZE_MAX;
    for (size_t i = 0; i <= RULE_CUSTOM; i++) {
        if (!s->values[i])
            continue;
        if (chosen != SIZE_MAX)
            return fail(r, s->values[i]->start_mark,
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
           fail(r, s->values[chosen]->start_mark, "%s needs a path", rule_keys[chosen].snake);
}

/* Only the main rule of several bindings has a selector, and may bind nothing. */
static bool judge_rule(struct reading *r, const struct section *s, const struct http_rule *rule)
{
    yaml_mark_t at = s->node->start_mark;
    if (rule->additional && s->values[RULE_SELECTOR])
        return fail(r, s->values[RULE_SELECTOR]->start_mark,
                    "a binding has no selector of its own: it is the rule's");
    if (rule->additional && s->values[RULE_ADDITIONAL])
        return fail(r, s->values[RULE_ADDITIONAL]->start_mark,
                    "additional_bindings inside of additional_bindings");
    if (!rule->additional && rule->selector.len == 0)
        return fail(r, at, "a rule needs a selector: pkg.Service.Method");
    bool rest = s->values[RULE_BODY] || s->values[RULE_RESPONSE_BODY] || s->values[RULE_ADDITIONAL];
    if (rule->method.len == 0 && (rule->additional || rest))
        return fail(r, at, "needs get, put, post, delete, patch or custom");
    return true;
}

/* One HttpRule; *bindings: its additional ones, or NULL. */
static bool read_rule(struct reading *r, const yaml_node_t *node, bool additional,
                      const yaml_node_t **bindings)
{
    struct section s;
    struct http_rule rule = {
        .additional = additional, .source = r->source, .line = (unsigned)node->start_mark.line + 1};
    if (!open_section(r, node, rule_keys, additional ? "a binding" : "a rule", &s) ||
        !read_pattern(r, &s, &rule) ||
        !take_text(r, &s, rule_keys, RULE_SELECTOR, &rule.selector) ||
        !take_text(r, &s, rule_keys, RULE_BODY, &rule.body) ||
        !take_text(r, &s, rule_keys, RULE_RESPONSE_BODY, &rule.response_body) ||
        !judge_rule(r, &s, &rule))
        return false;
    if (r->count >= HTTP_RULES_YAML_MAX_RULES)
        return fail(r, node->start_mark, "more than %d rules", HTTP_RULES_YAML_MAX_RULES);
    *bindings = s.values[RULE_ADDITIONAL];
    r->count++;
    return buf_append(&r->rules, &rule, sizeof rule) == 0 || fail_memory(r->st);
}

static const yaml_node_t *item_at(struct reading *r, const yaml_node_t *list, size_t i)
{
    return yaml_document_get_node(&r->document, list->data.sequence.items.start[i]);
}

static size_t item_count(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

static bool read_bindings(struct reading *r, const yaml_node_t *list)
{
    const yaml_node_t *none;
    if (!expect(r, list, YAML_SEQUENCE_NODE, "additional_bindings"))
        return false;
    for (size_t i = 0; i < item_count(list); i++)
        if (!read_rule(r, item_at(r, list, i), true, &none))
            return false;
    return true;
}

static bool read_rules(struct reading *r, const yaml_node_t *list)
{
    if (!expect(r, list, YAML_SEQUENCE_NODE, "rules"))
        return false;
    for (size_t i = 0; i < item_count(list); i++) {
        const yaml_node_t *bindings = NULL;
        if (!read_rule(r, item_at(r, list, i), false, &bindings))
            return false;
        if (bindings && !read_bindings(r, bindings))
            return false;
    }
    return true;
}

static bool read_http(struct reading *r, const yaml_node_t *node)
{
    struct section s;
    if (!open_section(r, node, http_keys, "http", &s))
        return false;
    const yaml_node_t *decode = s.values[HTTP_FULLY_DECODE];
    if (decode && !expect(r, decode, YAML_SCALAR_NODE, "fully_decode_reserved_expansion"))
        return false;
    if (decode && !slice_equal(scalar(decode), SLICE("false")))
        return fail(r, decode->start_mark, "fully_decode_reserved_expansion is not built yet");
    return !s.values[HTTP_RULES] || read_rules(r, s.values[HTTP_RULES]);
}

static bool read_service(struct reading *r)
{
    struct section s;
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    yaml_mark_t start = {0, 0, 0};
    if (!root)
        return fail(r, start, "the file is empty");
    if (!open_section(r, root, service_keys, "the file", &s))
        return false;
    if (!s.values[SERVICE_HTTP])
        return fail(r, root->start_mark, "the file has no section \"http\"");
    return read_http(r, s.values[SERVICE_HTTP]);
}

static bool fail_parser(struct reading *r, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return fail_memory(r->st);
    if (parser->error == YAML_READER_ERROR)
        return fail(r, parser->mark, "%s",
                    parser->problem ? parser->problem : "the text is not UTF-8");
    return fail(r, parser->problem_mark, "%s%s%s", parser->problem ? parser->problem : "not YAML",
                parser->context ? " " : "", parser->context ? parser->context : "");
}

/* A file holds one document. */
static bool judge_end(struct reading *r, yaml_parser_t *parser)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return fail_parser(r, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    bool good = !root || fail(r, root->start_mark, "a second document");
    yaml_document_delete(&next);
    return good;
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

static bool read_text(struct reading *r, struct slice text)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return fail_memory(r->st);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.data ? text.data : (const uint8_t *)"", text.len);
    bool good = yaml_parser_load(&parser, &r->document);
    if (!good) {
        fail_parser(r, &parser);
    } else {
        good = read_service(r) && judge_end(r, &parser);
        yaml_document_delete(&r->document);
    }
    yaml_parser_delete(&parser);
    return good;
}

bool http_rules_yaml_parse(struct slice text, const char *source, struct arena *arena,
                           struct http_rule **rules, size_t *count, struct status *st)
{
    struct reading r = {.arena = arena, .st = st};
    *rules = NULL;
    *count = 0;
    r.source = (const char *)arena_copy(arena, slice_from_string(source)).data;
    if (!r.source)
        return fail_memory(st);
    buf_init(&r.rules, HTTP_RULES_YAML_MAX_RULES * sizeof(struct http_rule));
    bool good = read_text(&r, text) && copy_rules(&r, rules, count);
    buf_fini(&r.rules);
    return good;
}

static bool fail_file(const char *path, const char *reason, struct status *st)
{
    status_set(st, STATUS_INVALID_ARGUMENT, "%.150s: %s", path, reason);
    return false;
}

static bool read_file(const char *path, struct buf *text, struct status *st)
{
    enum { PIECE = 16 << 10 };
    FILE *file = fopen(path, "rbe");
    if (!file)
        return fail_file(path, strerror(errno), st);
    bool room = true, good = true;
    for (size_t got = 1; got > 0 && room;) {
        uint8_t *to = buf_reserve(text, PIECE);
        room = to != NULL;
        got = room ? fread(to, 1, PIECE, file) : 0;
        buf_commit(text, got);
    }
    if (!room)
        good = fail_file(path, "too long for a file of HTTP rules (4 MiB)", st);
    else if (ferror(file))
        good = fail_file(path, strerror(errno), st);
    fclose(file);
    return good;
}

bool http_rules_yaml_load(const char *path, struct arena *arena, struct http_rule **rules,
                          size_t *count, struct status *st)
{
    struct buf text;
    *rules = NULL;
    *count = 0;
    buf_init(&text, HTTP_RULES_YAML_MAX_BYTES + (16 << 10));
    bool good = read_file(path, &text, st) &&
                http_rules_yaml_parse(buf_slice(&text), path, arena, rules, count, st);
    buf_fini(&text);
    return good;
}

struct routes *http_rules_yaml_build(struct schema *schema, const char *path, struct status *st)
{
    struct arena arena;
    struct http_rule *rules = NULL;
    size_t count = 0;
    arena_init(&arena, NULL, 0, MAX_MEMORY);
    bool good = !path || http_rules_yaml_load(path, &arena, &rules, &count, st);
    struct routes *routes = good ? routes_build(schema, rules, count, st) : NULL;
    arena_fini(&arena);
    return routes;
}
