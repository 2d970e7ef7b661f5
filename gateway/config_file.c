#include "gateway/config_file.h"

#include "base/nearest.h"

#include <ctype.h>

/* What is being read, by which rows, into what. */
struct reading {
    struct yaml_tree *file;
    const struct option *table; /* its keys begin at the root of the file */
    void *settings;             /* of the table */
};

static void read_http(struct reading *r, const struct yaml_node *http);

/* What is at the root of the file and not one value of one option; the settings are a struct
 * config_flags there. */
static const struct {
    const char *key;
    void (*read)(struct reading *r, const struct yaml_node *node);
} sections[] = {
    {"http", read_http},
};
enum { SECTION_COUNT = sizeof sections / sizeof *sections };

/* HTTP rules in place: schema/http_rules_yaml reads that section of this file. */
static void read_http(struct reading *r, const struct yaml_node *http)
{
    struct config_flags *flags = r->settings;
    if (yaml_member(r->file->root, SLICE("http_rules")))
        yaml_error(r->file, http->key, "http: the rules are in the file of http_rules already");
    flags->http_rules = r->file->source;
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
static bool find_nearest(const struct option *table, struct slice typed, const char *prefix,
                         char best[static OPTION_KEY_LEN])
{
    struct nearest near = nearest_start(typed), elsewhere = near;
    char other[OPTION_KEY_LEN];
    for (size_t i = 0; i < SECTION_COUNT && !*prefix; i++)
        offer(&near, slice_from_string(sections[i].key), sections[i].key, best);
    for (const struct option *row = table; row->name; row++) {
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
    else if (find_nearest(r->table, key->text, prefix, best))
        yaml_error(r->file, key, "%s: no such key, did you mean \"%s\"?", path, best);
    else
        yaml_error(r->file, key, "%s: no such key", path);
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
    char key[OPTION_KEY_LEN], reason[OPTION_ERROR_LEN];
    const char *value = (const char *)node->text.data;
    bool bare = row->kind == OPTION_NUMBER || row->kind == OPTION_FLAG;
    option_key(row, key);
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

static void read_mapping(struct reading *r, const struct yaml_node *mapping, const char *prefix);

static void read_member(struct reading *r, const struct yaml_node *node, const char *prefix)
{
    char path[OPTION_KEY_LEN], below[OPTION_KEY_LEN + 1];
    snprintf(path, sizeof path, "%s%s", prefix, (const char *)node->key->text.data);
    snprintf(below, sizeof below, "%s.", path);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
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
    struct reading r = {.file = file, .table = config_flags_options, .settings = flags};
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
    const char *blank = strchr(sentence, ' ');
    bool named = blank && strncmp(sentence, "--", 2) == 0;
    struct slice option = slice_from(sentence + 2, named ? (size_t)(blank - sentence - 2) : 0);
    const char *reason = named ? blank + 1 : sentence;
    for (const struct option *row = config_flags_options; row->name; row++) {
        char key[OPTION_KEY_LEN];
        bool texts = row->kind == OPTION_TEXT || row->kind == OPTION_LIST;
        option_key(row, key);
        if (!texts || !*key || (named && !slice_equal(option, slice_from_string(row->name))))
            continue;
        const struct yaml_node *node = find_quoted(find_node(file, key), reason);
        if (node) {
            yaml_error(file, node, "%s: %s", key, reason);
            return true;
        }
    }
    return false;
}

void config_file_print_errors(const struct yaml_tree *file, FILE *out)
{
    size_t shown = file->error_count < YAML_MAX_ERRORS ? file->error_count : YAML_MAX_ERRORS;
    for (size_t i = 0; i < shown; i++)
        fprintf(out, "%s\n", file->errors[i]);
    if (shown < file->error_count)
        fprintf(out, "%s: %zu more errors\n", file->source, file->error_count - shown);
}
