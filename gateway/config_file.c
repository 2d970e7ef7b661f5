#include "gateway/config_file.h"

#include "base/nearest.h"

#include <ctype.h>

/* What is being read, by which rows, into what. */
struct reading {
    struct yaml_tree *file;
    const struct option *table;
    void *settings; /* of the table */
    const char *at; /* where its keys begin, "upstreams[1]."; "": at the root of the file */
};

static void read_http(struct reading *r, const struct yaml_node *http);
static void read_upstreams(struct reading *r, const struct yaml_node *list);
static void read_mapping(struct reading *r, const struct yaml_node *mapping, const char *prefix);

/* What is at the root of the file and not one value of one option; the settings are a struct
 * config_flags there. */
static const struct {
    const char *key;
    void (*read)(struct reading *r, const struct yaml_node *node);
} sections[] = {
    {"http", read_http},
    {"upstreams", read_upstreams},
};
enum { SECTION_COUNT = sizeof sections / sizeof *sections };

static const size_t NO_UPSTREAM = CONFIG_MAX_UPSTREAMS;

/* HTTP rules in place: schema/http_rules_yaml reads that section of this file. */
static void read_http(struct reading *r, const struct yaml_node *http)
{
    struct config_flags *flags = r->settings;
    if (yaml_member(r->file->root, SLICE("http_rules")))
        yaml_error(r->file, http->key, "http: the rules are in the file of http_rules already");
    flags->http_rules = r->file->source;
}

/* Whose service that one is already, among the upstreams up to its own; NO_UPSTREAM: nobody's. */
static size_t find_owner(const struct config_flags *flags, size_t place, size_t service)
{
    const char *name = flags->upstreams[place].services.items[service];
    for (size_t i = 0; i <= place; i++) {
        const struct option_list *services = &flags->upstreams[i].services;
        for (size_t k = 0; k < (i < place ? services->count : service); k++)
            if (strcmp(services->items[k], name) == 0)
                return i;
    }
    return NO_UPSTREAM;
}

/* The node, or the item of the list, that a stored text was borrowed from. */
static const struct yaml_node *find_text(const struct yaml_node *node, const char *text)
{
    const struct yaml_node *item = node->kind == YAML_LIST ? node->first : node;
    while (item && (const char *)item->text.data != text)
        item = item->next;
    return item;
}

/* What another upstream has already. */
static void refuse_repeated(struct reading *r, const struct yaml_node *item, size_t place)
{
    const struct config_flags *flags = r->settings;
    const struct upstream_flags *up = &flags->upstreams[place];
    for (size_t i = 0; i < place && up->target; i++)
        if (flags->upstreams[i].target && strcmp(flags->upstreams[i].target, up->target) == 0)
            yaml_error(r->file, yaml_member(item, SLICE("target")),
                       "upstreams[%zu].target: \"%.80s\" is the target of upstreams[%zu] already",
                       place, up->target, i);
    for (size_t k = 0; k < up->services.count; k++) {
        size_t owner = find_owner(flags, place, k);
        const char *name = up->services.items[k];
        if (owner != NO_UPSTREAM)
            yaml_error(r->file, find_text(yaml_member(item, SLICE("services")), name),
                       "upstreams[%zu].services: \"%.80s\" is a service of upstreams[%zu] already",
                       place, name, owner);
    }
}

static void read_upstream(struct reading *r, const struct yaml_node *item, size_t place)
{
    struct config_flags *flags = r->settings;
    char at[OPTION_KEY_LEN];
    struct reading inner = {r->file, upstream_flags_options, &flags->upstreams[place], at};
    snprintf(at, sizeof at, "upstreams[%zu].", place);
    if (item->kind != YAML_MAPPING) {
        yaml_error(r->file, item,
                   "upstreams[%zu]: needs keys and values such as target: HOST:PORT, not %s", place,
                   yaml_kind_name(item));
        return;
    }
    read_mapping(&inner, item, "");
    if (!yaml_member(item, SLICE("target")))
        yaml_error(r->file, item, "upstreams[%zu]: needs a target such as target: HOST:PORT",
                   place);
    refuse_repeated(r, item, place);
}

/* Upstreams of which more is said than their targets. */
static void read_upstreams(struct reading *r, const struct yaml_node *list)
{
    struct config_flags *flags = r->settings;
    const struct yaml_node *other = yaml_member(r->file->root, SLICE("upstream"));
    if (other)
        yaml_error(r->file, list->key, "upstreams: the upstreams are in upstream already, at %u:%u",
                   other->key->line, other->key->column);
    if (list->kind != YAML_LIST) {
        yaml_error(r->file, list, "upstreams: needs a list such as [{target: HOST:PORT}], not %s",
                   yaml_kind_name(list));
        return;
    }
    for (const struct yaml_node *item = list->first; item; item = item->next) {
        if (flags->upstreams_count == CONFIG_MAX_UPSTREAMS) {
            yaml_error(r->file, item, "upstreams: more than %d upstreams", CONFIG_MAX_UPSTREAMS);
            return;
        }
        read_upstream(r, item, flags->upstreams_count++);
    }
}

static const struct option *find_row(const struct option *table, const char *key)
{
    for (const struct option *row = table; row->name; row++) {
        char own[OPTION_KEY_LEN];
        option_key(row, own);
        if (*own && strcmp(own, key) == 0)
            return row;
    }
    return NULL;
}

/* What stands in the key behind that beginning; data NULL when the key begins otherwise. */
static struct slice key_behind(const char *key, const char *beginning)
{
    size_t len = strlen(beginning);
    return strncmp(key, beginning, len) == 0 && key[len] ? slice_from_string(key + len)
                                                         : (struct slice){NULL, 0};
}

static bool is_section(const struct option *table, const char *prefix)
{
    for (const struct option *row = table; row->name; row++) {
        char key[OPTION_KEY_LEN];
        option_key(row, key);
        if (key_behind(key, prefix).data)
            return true;
    }
    return false;
}

/* Offers a word that does not live as long as `near`: the best is kept in `best`. */
static void offer(struct nearest *near, struct slice word, const char *meant,
                  char best[static OPTION_KEY_LEN])
{
    size_t before = near->distance;
    nearest_offer(near, word);
    if (near->distance < before) {
        snprintf(best, OPTION_KEY_LEN, "%s", meant);
        near->best = slice_from_string(best);
    }
}

/* The nearest key of that section; if none is near, the key of the option of a name like that. */
static bool find_nearest(const struct reading *r, struct slice typed, const char *prefix,
                         char best[static OPTION_KEY_LEN])
{
    struct nearest near = nearest_start(typed), elsewhere = near;
    char other[OPTION_KEY_LEN];
    for (size_t i = 0; i < SECTION_COUNT && !*prefix && !*r->at; i++)
        offer(&near, slice_from_string(sections[i].key), sections[i].key, best);
    for (const struct option *row = r->table; row->name; row++) {
        char key[OPTION_KEY_LEN], segment[OPTION_KEY_LEN];
        option_key(row, key);
        struct slice rest = key_behind(key, prefix), first = slice_cut(&rest, '.');
        if (first.len > 0) {
            snprintf(segment, sizeof segment, "%.*s", SLICE_PRINT(first));
            offer(&near, first, segment, best);
        }
        if (*key)
            offer(&elsewhere, slice_from_string(row->name), key, other);
    }
    if (!near.best.data && elsewhere.best.data)
        snprintf(best, OPTION_KEY_LEN, "%s", other);
    return near.best.data || elsewhere.best.data;
}

static void refuse_key(struct reading *r, const struct yaml_node *key, const char *path,
                       const char *prefix)
{
    char best[OPTION_KEY_LEN];
    if (memchr(key->text.data, '.', key->text.len) && find_row(r->table, path))
        yaml_error(r->file, key, "%s: a key has no dots: write \"%.*s:\" and the rest below it",
                   path, (int)strcspn(path, "."), path);
    else if (find_nearest(r, key->text, prefix, best))
        yaml_error(r->file, key, "%s%s: no such key, did you mean \"%s\"?", r->at, path, best);
    else
        yaml_error(r->file, key, "%s%s: no such key", r->at, path);
}

/* A relative name is meant from the folder of the file. */
static const char *resolve_name(struct yaml_tree *file, const char *name)
{
    const char *slash = strrchr(file->source, '/');
    if (name[0] == '/' || !slash)
        return name;
    return arena_printf(&file->arena, "%.*s/%s", (int)(slash - file->source), file->source, name);
}

static const char *wanted_by(const struct option *row)
{
    static const char *const words[] = {
        [OPTION_FLAG] = "true or false",
        [OPTION_TEXT] = "a text",
        [OPTION_LIST] = "a text or a list of texts",
        [OPTION_NUMBER] = "a whole number",
        [OPTION_DURATION] = "a duration such as 2s or 500ms",
        [OPTION_CHOICE] = "one of ",
        [OPTION_ABSENT] = "to be built first",
    };
    return words[row->kind];
}

static void read_value(struct reading *r, const struct option *row, const struct yaml_node *node)
{
    char name[OPTION_KEY_LEN], key[2 * OPTION_KEY_LEN], reason[OPTION_ERROR_LEN];
    const char *value = (const char *)node->text.data;
    bool bare = row->kind == OPTION_NUMBER || row->kind == OPTION_FLAG;
    option_key(row, name);
    snprintf(key, sizeof key, "%s%s", r->at, name);
    if (node->kind != YAML_TEXT || yaml_is_null(node)) {
        yaml_error(r->file, node, "%s: needs %s%s, not %s", key, wanted_by(row),
                   row->kind == OPTION_CHOICE ? row->choices : "", yaml_kind_name(node));
        return;
    }
    if (bare && !node->plain) {
        yaml_error(r->file, node, "%s: needs %s, not the text \"%.60s\"", key, wanted_by(row),
                   value);
        return;
    }
    if (row->value && strcmp(row->value, "FILE") == 0)
        value = resolve_name(r->file, value);
    if (!value)
        yaml_error(r->file, node, "%s: needs too much memory", key);
    else if (option_store(row, r->settings, value, reason) < 0)
        yaml_error(r->file, node, "%s: %s", key, reason);
}

static void read_member(struct reading *r, const struct yaml_node *node, const char *prefix)
{
    char path[OPTION_KEY_LEN], below[OPTION_KEY_LEN + 1];
    snprintf(path, sizeof path, "%s%s", prefix, (const char *)node->key->text.data);
    snprintf(below, sizeof below, "%s.", path);
    for (size_t i = 0; i < SECTION_COUNT && !*r->at; i++) {
        if (strcmp(sections[i].key, path) == 0) {
            sections[i].read(r, node);
            return;
        }
    }
    const struct option *row =
        memchr(node->key->text.data, '.', node->key->text.len) ? NULL : find_row(r->table, path);
    if (row && row->kind == OPTION_LIST && node->kind == YAML_LIST)
        for (const struct yaml_node *item = node->first; item; item = item->next)
            read_value(r, row, item);
    else if (row)
        read_value(r, row, node);
    else if (!is_section(r->table, below))
        refuse_key(r, node->key, path, prefix);
    else if (node->kind != YAML_MAPPING)
        yaml_error(r->file, node, "%s: needs keys and values below it, not %s", path,
                   yaml_kind_name(node));
    else
        read_mapping(r, node, below);
}

static void read_mapping(struct reading *r, const struct yaml_node *mapping, const char *prefix)
{
    for (const struct yaml_node *node = mapping->first; node; node = node->next)
        read_member(r, node, prefix);
}

static bool read_root(struct yaml_tree *file, struct config_flags *flags)
{
    struct reading r = {.file = file, .table = config_flags_options, .settings = flags, .at = ""};
    if (file->root && file->root->kind != YAML_MAPPING)
        return yaml_error(file, file->root, "the file needs keys and values, not %s",
                          yaml_kind_name(file->root));
    if (file->root)
        read_mapping(&r, file->root, "");
    return file->error_count == 0;
}

bool config_file_load(struct yaml_tree *file, struct config_flags *flags)
{
    return yaml_tree_load(file) && read_root(file, flags);
}

bool config_file_parse(struct yaml_tree *file, struct slice text, struct config_flags *flags)
{
    return yaml_tree_parse(file, text) && read_root(file, flags);
}

static const struct yaml_node *find_node(const struct yaml_tree *file, const char *key)
{
    const struct yaml_node *node = file->root;
    for (struct slice rest = slice_from_string(key); node && rest.data;)
        node = yaml_member(node, slice_cut(&rest, '.'));
    return node;
}

/* Whether the text is a word of the sentence. */
static bool is_quoted(const char *sentence, struct slice text)
{
    const char *end = sentence + strlen(sentence);
    for (const char *at = sentence; text.len > 0; at++) {
        at = memmem(at, (size_t)(end - at), text.data, text.len);
        if (!at)
            return false;
        bool starts = at == sentence || !isalnum((unsigned char)at[-1]);
        if (starts && !isalnum((unsigned char)at[text.len]))
            return true;
    }
    return false;
}

/* The text or, in a list, the item that the sentence is about. */
static const struct yaml_node *find_quoted(const struct yaml_node *node, const char *sentence)
{
    const struct yaml_node *item = node && node->kind == YAML_LIST ? node->first : node;
    while (item && !(item->kind == YAML_TEXT && is_quoted(sentence, item->text)))
        item = item == node ? NULL : item->next;
    return item;
}

bool config_file_blame(struct yaml_tree *file, const char *sentence)
{
    char key[OPTION_KEY_LEN];
    struct slice reason = slice_from_string(sentence), name = slice_cut(&reason, ' ');
    const struct option *row = slice_has_prefix(name, SLICE("--"))
                                   ? option_find(config_flags_options, slice_skip(name, 2))
                                   : NULL;
    if (!reason.data || !row || (row->kind != OPTION_TEXT && row->kind != OPTION_LIST))
        return false;
    option_key(row, key);
    const char *text = (const char *)reason.data;
    const struct yaml_node *node = find_quoted(find_node(file, key), text);
    if (node)
        yaml_error(file, node, "%s: %s", key, text);
    return node;
}

void config_file_print_errors(const struct yaml_tree *file, FILE *out)
{
    size_t shown = file->error_count < YAML_MAX_ERRORS ? file->error_count : YAML_MAX_ERRORS;
    for (size_t i = 0; i < shown; i++)
        fprintf(out, "%s\n", file->errors[i]);
    if (shown < file->error_count)
        fprintf(out, "%s: %zu more errors\n", file->source, file->error_count - shown);
}
