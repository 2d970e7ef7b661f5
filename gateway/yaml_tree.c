#include "gateway/yaml_tree.h"

#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

enum { MAX_MEMORY = 64 << 20, SHOWN = 60 };

/* A list or mapping that is not closed yet. */
struct level {
    struct yaml_node *node;
    struct yaml_node *last; /* its last item or member */
    struct yaml_node *key;  /* of a mapping: waits for its value */
};

struct builder {
    struct yaml_tree *tree;
    struct level levels[YAML_MAX_DEPTH];
    size_t depth, node_count, document_count;
};

void yaml_tree_init(struct yaml_tree *tree, const char *source)
{
    tree->root = NULL;
    tree->error_count = 0;
    arena_init(&tree->arena, NULL, 0, MAX_MEMORY);
    const char *copy = (const char *)arena_copy(&tree->arena, slice_from_string(source)).data;
    tree->source = copy ? copy : "";
}

void yaml_tree_fini(struct yaml_tree *tree)
{
    arena_fini(&tree->arena);
}

static bool record(struct yaml_tree *tree, const char *place, const char *reason)
{
    size_t at = tree->error_count++;
    if (at < YAML_MAX_ERRORS)
        snprintf(tree->errors[at], YAML_ERROR_LEN, "%.160s%s: %.300s", tree->source, place, reason);
    return false;
}

/* About the whole file. */
static bool fail_file(struct yaml_tree *tree, const char *reason)
{
    return record(tree, "", reason);
}

static bool fail_memory(struct yaml_tree *tree)
{
    return fail_file(tree, "needs too much memory");
}

bool yaml_error(struct yaml_tree *tree, const struct yaml_node *at, const char *format, ...)
{
    char place[32], reason[YAML_ERROR_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(place, sizeof place, ":%u:%u", at ? at->line : 1, at ? at->column : 1);
    return record(tree, place, reason);
}

const char *yaml_kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {
        [YAML_TEXT] = "a text", [YAML_LIST] = "a list", [YAML_MAPPING] = "a mapping"};
    return yaml_is_null(node) ? "null" : names[node->kind];
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && node->plain &&
           (node->text.len == 0 || slice_equal(node->text, SLICE("~")) ||
            slice_equal(node->text, SLICE("null")));
}

const struct yaml_node *yaml_member(const struct yaml_node *mapping, struct slice name)
{
    const struct yaml_node *member = mapping->kind == YAML_MAPPING ? mapping->first : NULL;
    while (member && !slice_equal(member->key->text, name))
        member = member->next;
    return member;
}

static struct yaml_node at_mark(yaml_mark_t mark)
{
    return (struct yaml_node){.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

static bool add_key(struct builder *b, struct level *level, struct yaml_node *key)
{
    if (key->kind != YAML_TEXT)
        return yaml_error(b->tree, key, "a key is a text, not %s", yaml_kind_name(key));
    if (level->node->count == YAML_MAX_KEYS)
        return yaml_error(b->tree, key, "a mapping of more than %d keys", YAML_MAX_KEYS);
    const struct yaml_node *twin = yaml_member(level->node, key->text);
    if (twin)
        yaml_error(b->tree, key, "the key \"%.*s\" is here twice, first at %u:%u",
                   key->text.len < SHOWN ? (int)key->text.len : SHOWN, key->text.data,
                   twin->key->line, twin->key->column);
    level->key = key;
    return true;
}

/* Puts a node where the builder stands. */
static bool add_node(struct builder *b, struct yaml_node *node)
{
    struct level *level = b->depth ? &b->levels[b->depth - 1] : NULL;
    if (!level) {
        b->tree->root = node;
        return true;
    }
    if (level->node->kind == YAML_MAPPING && !level->key)
        return add_key(b, level, node);
    node->key = level->key;
    level->key = NULL;
    if (level->last)
        level->last->next = node;
    else
        level->node->first = node;
    level->last = node;
    level->node->count++;
    return true;
}

static bool open_level(struct builder *b, struct yaml_node *node)
{
    if (b->depth == YAML_MAX_DEPTH)
        return yaml_error(b->tree, node, "nested more than %d levels deep", YAML_MAX_DEPTH);
    if (!add_node(b, node))
        return false;
    b->levels[b->depth++] = (struct level){.node = node};
    return true;
}

/* NULL: an error says why. */
static struct yaml_node *new_node(struct builder *b, const yaml_event_t *event, enum yaml_kind kind,
                                  const yaml_char_t *tag)
{
    struct yaml_node at = at_mark(event->start_mark);
    struct yaml_node *node = NULL;
    at.kind = kind;
    if (tag)
        yaml_error(b->tree, &at, "tags are not understood here: %.60s", (const char *)tag);
    else if (b->node_count++ == YAML_MAX_NODES)
        yaml_error(b->tree, &at, "more than %d texts, lists and mappings", YAML_MAX_NODES);
    else if (!(node = arena_alloc(&b->tree->arena, sizeof *node)))
        fail_memory(b->tree);
    else
        *node = at;
    return node;
}

static bool add_text(struct builder *b, const yaml_event_t *event)
{
    struct slice text = slice_from(event->data.scalar.value, event->data.scalar.length);
    struct yaml_node *node = new_node(b, event, YAML_TEXT, event->data.scalar.tag);
    if (!node)
        return false;
    if (memchr(text.data, 0, text.len))
        return yaml_error(b->tree, node, "a text with a NUL character");
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_copy(&b->tree->arena, text);
    return node->text.data ? add_node(b, node) : fail_memory(b->tree);
}

static bool add_container(struct builder *b, const yaml_event_t *event, enum yaml_kind kind,
                          const yaml_char_t *tag)
{
    struct yaml_node *node = new_node(b, event, kind, tag);
    return node && open_level(b, node);
}

static bool take_event(struct builder *b, const yaml_event_t *event)
{
    struct yaml_node at = at_mark(event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->document_count++ == 0 || yaml_error(b->tree, &at, "a second document");
    case YAML_ALIAS_EVENT:
        return yaml_error(b->tree, &at, "aliases are not understood here: *%.60s",
                          (const char *)event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return add_text(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return add_container(b, event, YAML_LIST, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return add_container(b, event, YAML_MAPPING, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return true;
    default:
        return true;
    }
}

/* The reader is ahead of the rest of libyaml and tells no more than the byte. */
static struct yaml_node at_offset(struct slice text, size_t offset)
{
    struct yaml_node at = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        bool line_end = text.data[i] == '\n';
        bool starts_character = (text.data[i] & 0xc0) != 0x80;
        at.column = line_end ? 1 : at.column + starts_character;
        at.line += line_end;
    }
    return at;
}

/* Whether that line of the text is indented with a tab, which libyaml explains badly. */
static bool has_tab_indent(struct slice text, size_t line)
{
    while (line-- > 0)
        slice_cut(&text, '\n');
    while (text.len > 0 && text.data[0] == ' ')
        text = slice_skip(text, 1);
    return text.len > 0 && text.data[0] == '\t';
}

/* Adds what the parser found, if it is that which stopped; returns false. */
static bool fail_parser(struct yaml_tree *tree, const yaml_parser_t *parser, struct slice text)
{
    bool reader = parser->error == YAML_READER_ERROR;
    struct yaml_node at =
        reader ? at_offset(text, parser->problem_offset) : at_mark(parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_NO_ERROR)
        return false;
    if (parser->error == YAML_MEMORY_ERROR)
        return fail_memory(tree);
    if (reader || !parser->context)
        return yaml_error(tree, &at, "%s", problem);
    if (parser->error == YAML_SCANNER_ERROR && has_tab_indent(text, parser->problem_mark.line))
        return yaml_error(tree, &at, "a tab cannot indent YAML: use blanks");
    return yaml_error(tree, &at, "%s %s", problem, parser->context);
}

static bool run_parser(struct builder *b, yaml_parser_t *parser)
{
    yaml_event_t event;
    bool good = true, end = false;
    while (good && !end && yaml_parser_parse(parser, &event)) {
        end = event.type == YAML_STREAM_END_EVENT;
        good = take_event(b, &event);
        yaml_event_delete(&event);
    }
    return good && end;
}

/* The code unit of a "\uXXXX" at the start of the text; 0: there is none. */
static unsigned utf16_unit(struct slice text)
{
    unsigned unit = 0;
    if (text.len < 6 || text.data[0] != '\\' || text.data[1] != 'u')
        return 0;
    for (size_t i = 2; i < 6; i++) {
        unsigned c = text.data[i];
        unsigned lower = c | 0x20;
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            unit = unit << 4 | (lower - 'a' + 10);
        else
            return 0;
    }
    return unit;
}

static bool looks_like_json(struct slice text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[0]) && text.data[0])
        text = slice_skip(text, 1);
    return text.len > 0 && (text.data[0] == '{' || text.data[0] == '[');
}

/* JSON escapes a character beyond U+FFFF as two UTF-16 units (RFC 8259 section 7), which libyaml
 * refuses; YAML has "\UXXXXXXXX", two characters less, which blanks behind the string make up for,
 * so that places stay true.  Returns `text`, or a copy in the arena; data NULL when memory is out.
 */
static struct slice join_surrogates(struct arena *arena, struct slice text)
{
    enum { PAIR_LEN = 12, SHORTER = 2 };
    if (!looks_like_json(text) || !memmem(text.data, text.len, "\\u", 2))
        return text;
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0, owed = 0;
    for (struct slice rest = text; out && rest.len > 0;) {
        unsigned high = utf16_unit(rest);
        unsigned low = high && rest.len >= PAIR_LEN ? utf16_unit(slice_skip(rest, 6)) : 0;
        size_t taken = rest.data[0] == '\\' && rest.len > 1 ? 2 : 1;
        if (high >> 10 == 0xd800 >> 10 && low >> 10 == 0xdc00 >> 10) {
            unsigned point = 0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff));
            len += (size_t)snprintf(out + len, text.len + 1 - len, "\\U%08X", point);
            owed += SHORTER;
            taken = PAIR_LEN;
        } else {
            memcpy(out + len, rest.data, taken);
            len += taken;
        }
        if (rest.data[0] == '"') {
            memset(out + len, ' ', owed);
            len += owed;
            owed = 0;
        }
        rest = slice_skip(rest, taken);
    }
    return slice_from(out, len);
}

bool yaml_tree_parse(struct yaml_tree *tree, struct slice text)
{
    struct builder b = {.tree = tree};
    yaml_parser_t parser;
    if (slice_has_prefix(text, SLICE("\xef\xbb\xbf"))) /* a byte order mark */
        text = slice_skip(text, 3);
    text = join_surrogates(&tree->arena, text.data ? text : SLICE(""));
    if (!text.data || !yaml_parser_initialize(&parser))
        return fail_memory(tree);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.data, text.len);
    bool good = run_parser(&b, &parser) || fail_parser(tree, &parser, text);
    if (!good || (tree->root && yaml_is_null(tree->root)))
        tree->root = NULL;
    yaml_parser_delete(&parser);
    return good;
}

bool yaml_tree_load(struct yaml_tree *tree)
{
    struct buf text;
    buf_init(&text, YAML_MAX_BYTES);
    int result = buf_read_file(&text, tree->source);
    bool good = result == 0
                    ? yaml_tree_parse(tree, buf_slice(&text))
                    : fail_file(tree, result == -ENOBUFS ? "longer than 4 MiB" : strerror(-result));
    buf_fini(&text);
    return good;
}
