/* Trees of YAML and JSON texts: values, places, every refusal with its place, every limit. */
#include "unit/cmocka_all.h"

#include "gateway/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { DUMP_LEN = 4096 };

/* Parses an exact copy on the heap, so that the sanitizer sees any over-read. */
static bool parse(struct yaml_tree *tree, const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    yaml_tree_init(tree, "f.yaml");
    bool good = yaml_tree_parse(tree, slice_from(copy, len));
    free(copy);
    return good;
}

/* "{a@1:1=[b@1:5]@1:4}@1:1"; plain texts bare, others in quotes. */
static size_t dump(const struct yaml_node *node, char *out, size_t len)
{
    const char *const around[] = {[YAML_TEXT] = "''", [YAML_LIST] = "[]", [YAML_MAPPING] = "{}"};
    bool bare = node->kind == YAML_TEXT && node->plain;
    if (node->key)
        len +=
            (size_t)snprintf(out + len, DUMP_LEN - len, "%.*s@%u:%u=", SLICE_PRINT(node->key->text),
                             node->key->line, node->key->column);
    if (!bare)
        out[len++] = around[node->kind][0];
    len += (size_t)snprintf(out + len, DUMP_LEN - len, "%.*s", SLICE_PRINT(node->text));
    size_t count = 0;
    for (const struct yaml_node *child = node->first; child; child = child->next, count++) {
        if (count > 0)
            out[len++] = ',';
        len = dump(child, out, len);
    }
    assert_int_equal(count, node->count);
    if (!bare)
        out[len++] = around[node->kind][1];
    return len + (size_t)snprintf(out + len, DUMP_LEN - len, "@%u:%u", node->line, node->column);
}

static void values_and_places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"a: 1\nb:\n  - 'x y'\n  - \"z\"\n", "{a@1:1=1@1:4,b@2:1=['x y'@3:5,'z'@4:5]@3:3}@1:1"},
        {"---\n# a comment\na: {b: [], c: {}}  # another\n...\n",
         "{a@3:1={b@3:5=[]@3:8,c@3:12={}@3:15}@3:4}@3:1"},
        {"\xef\xbb\xbf"
         "a: 1\r\nb: 2\r\n",
         "{a@1:1=1@1:4,b@2:1=2@2:4}@1:1"},
        {"a: |\n  one\n  two\n", "{a@1:1='one\ntwo\n'@1:4}@1:1"},
        {"'\xc3\xa4\xc3\xb6': x\n", "{\xc3\xa4\xc3\xb6@1:1=x@1:7}@1:1"},
        {"%YAML 1.2\n---\na: &anchor 1\n", "{a@3:1=1@3:4}@3:1"},
        {"just a text", "just a text@1:1"},
        /* JSON: tabs between tokens, no blank behind a colon, escapes. */
        {"{\n\t\"a\":\t[1,true,null],\n\t\"b\":{\"c\":\"x\"}\n}\n",
         "{a@2:2=[1@2:8,true@2:10,null@2:15]@2:7,b@3:2={c@3:7='x'@3:11}@3:6}@1:1"},
        {"[\"\\/\\\\\\\"\\b\\u00e9\\u20ac\"]", "['/\\\"\b\xc3\xa9\xe2\x82\xac'@1:2]@1:1"},
        {" [\"\\ud83d\\uDE00\\uD83D\\uDE00\", \"\\\\ud83d\\\\ude00\"]",
         "['\xf0\x9f\x98\x80\xf0\x9f\x98\x80'@1:3,'\\ud83d\\ude00'@1:31]@1:2"},
        {"{\"\\uDBFF\\uDFFF\":\"\\\"\", \"b\":1}",
         "{\xf4\x8f\xbf\xbf@1:2='\"'@1:17,b@1:23=1@1:27}@1:1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct yaml_tree tree;
        char text[DUMP_LEN];
        if (!parse(&tree, rows[i].text, strlen(rows[i].text)) || tree.error_count > 0)
            fail_msg("%s: %s", rows[i].text, tree.errors[0]);
        dump(tree.root, text, 0);
        assert_string_equal(text, rows[i].expected);
        yaml_tree_fini(&tree);
    }
}

static void nothing_has_no_root(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "# nothing\n", "---\n", "null\n", " \n\n", "~"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct yaml_tree tree;
        assert_true(parse(&tree, rows[i], strlen(rows[i])));
        assert_null(tree.root);
        assert_int_equal(tree.error_count, 0);
        yaml_tree_fini(&tree);
    }
}

static void refusals_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"a: 1\n---\nb: 2\n", "2:1: a second document"},
        {"a: &x 1\nb: *x\n", "2:4: aliases are not understood here: *x"},
        {"<<: *x\n", "1:5: aliases are not understood here: *x"},
        {"a: !!int 5\n", "1:4: tags are not understood here: tag:yaml.org,2002:int"},
        {"a: !mine {}\n", "1:4: tags are not understood here: !mine"},
        {"? [a]\n: b\n", "1:3: a key is a text, not a list"},
        {"{{}: b}\n", "1:2: a key is a text, not a mapping"},
        {"a: \"x\\0y\"\n", "1:4: a text with a NUL character"},
        {"\"\\0\": 1\n", "1:1: a text with a NUL character"},
        {"a:\n\tb: 1\n", "2:1: a tab cannot indent YAML: use blanks"},
        {"a:\n  \tb: 1\n", "2:3: a tab cannot indent YAML: use blanks"},
        {"a: b: c\n", "1:5: mapping values are not allowed in this context"},
        {"a: [1,\n", "2:1: did not find expected node content while parsing a flow node"},
        {"a: 'x\n", "2:1: found unexpected end of stream while scanning a quoted scalar"},
        {"{\"a\" \"b\"}", "1:6: did not find expected ',' or '}' while parsing a flow mapping"},
        {"{\"a\":1} x", "1:9: did not find expected <document start>"},
        {"a: \xff\n", "1:4: invalid leading UTF-8 octet"},
        {"a: b\nc: \xc3\xa9\x01\n", "2:5: control characters are not allowed"},
        {"[\"\\ud83d\"]",
         "1:5: found invalid Unicode character escape code while parsing a quoted scalar"},
        {"[\"\\ude00\\ud83d\"]",
         "1:5: found invalid Unicode character escape code while parsing a quoted scalar"},
        {"[\"\\u12\"]",
         "1:5: did not find expected hexdecimal number while parsing a quoted scalar"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct yaml_tree tree;
        char expected[YAML_ERROR_LEN];
        if (parse(&tree, rows[i].text, strlen(rows[i].text)))
            fail_msg("accepted: %s", rows[i].text);
        snprintf(expected, sizeof expected, "f.yaml:%s", rows[i].expected);
        assert_string_equal(tree.errors[0], expected);
        assert_int_equal(tree.error_count, 1);
        assert_null(tree.root);
        yaml_tree_fini(&tree);
    }
}

/* They stop nothing: the file may have more to say. */
static void duplicate_keys_name_both_places(void **state)
{
    (void)state;
    struct yaml_tree tree;
    static const char text[] = "a: 1\nb: {c: 1, c: 2}\n\"a\": 3\n'a': 4\n";
    assert_true(parse(&tree, text, strlen(text)));
    assert_non_null(tree.root);
    assert_int_equal(tree.error_count, 3);
    assert_string_equal(tree.errors[0], "f.yaml:2:11: the key \"c\" is here twice, first at 2:5");
    assert_string_equal(tree.errors[1], "f.yaml:3:1: the key \"a\" is here twice, first at 1:1");
    assert_string_equal(tree.errors[2], "f.yaml:4:1: the key \"a\" is here twice, first at 1:1");
    yaml_tree_fini(&tree);
}

static void readers_add_errors(void **state)
{
    (void)state;
    struct yaml_tree tree;
    assert_true(parse(&tree, "a: 1\n", 5));
    assert_false(yaml_error(&tree, yaml_member(tree.root, SLICE("a")), "%s", "wrong"));
    assert_string_equal(tree.errors[0], "f.yaml:1:4: wrong");
    for (size_t i = 0; i < 2 * YAML_MAX_ERRORS; i++)
        yaml_error(&tree, NULL, "number %zu", i);
    assert_int_equal(tree.error_count, 1 + 2 * YAML_MAX_ERRORS);
    assert_string_equal(tree.errors[YAML_MAX_ERRORS - 1], "f.yaml:1:1: number 18");
    assert_null(yaml_member(tree.root, SLICE("b")));
    assert_null(yaml_member(tree.root->first, SLICE("a")));
    yaml_tree_fini(&tree);
}

static void nulls_are_told_from_texts(void **state)
{
    (void)state;
    static const char text[] = "[~, null, , '', 'null', nul, [], \"~\"]";
    static const char *const names[] = {"null",   "null",   "null",   "a text",
                                        "a text", "a text", "a list", "a text"};
    static const char block[] = "a:\nb: x\n";
    struct yaml_tree tree;
    assert_false(parse(&tree, text, strlen(text))); /* no node between two commas */
    yaml_tree_fini(&tree);
    static const char good[] = "[~, null, a: , '', 'null', nul, [], \"~\"]";
    assert_true(parse(&tree, good, strlen(good)));
    size_t i = 0;
    for (const struct yaml_node *item = tree.root->first; item; item = item->next, i++) {
        const struct yaml_node *node = item->kind == YAML_MAPPING ? item->first : item;
        assert_string_equal(yaml_kind_name(node), names[i]);
        assert_int_equal(yaml_is_null(node), strcmp(names[i], "null") == 0);
    }
    assert_int_equal(i, COUNT(names));
    yaml_tree_fini(&tree);
    assert_true(parse(&tree, block, strlen(block)));
    assert_true(yaml_is_null(tree.root->first));
    yaml_tree_fini(&tree);
}

/* `unit` so many times behind `start` is too much. */
static void check_limit(const char *start, const char *unit, size_t count, const char *expected)
{
    size_t start_len = strlen(start), unit_len = strlen(unit), len = start_len;
    char *text = malloc(start_len + unit_len * count);
    struct yaml_tree tree;
    assert_non_null(text);
    memcpy(text, start, start_len);
    for (size_t i = 0; i < count; i++, len += unit_len)
        memcpy(text + len, unit, unit_len);
    assert_false(parse(&tree, text, len));
    assert_string_equal(tree.errors[0], expected);
    yaml_tree_fini(&tree);
    free(text);
}

static void limits(void **state)
{
    (void)state;
    check_limit("", "[", YAML_MAX_DEPTH + 1, "f.yaml:1:65: nested more than 64 levels deep");
    check_limit("[", "x,", YAML_MAX_NODES,
                "f.yaml:1:500000: more than 250000 texts, lists and mappings");
    enum { KEY_LEN = 16 };
    static char keys[(YAML_MAX_KEYS + 1) * KEY_LEN];
    size_t len = 0;
    for (unsigned i = 0; i <= YAML_MAX_KEYS; i++)
        len += (size_t)snprintf(keys + len, sizeof keys - len, "k%u: 1\n", i);
    struct yaml_tree tree;
    assert_false(parse(&tree, keys, len));
    assert_string_equal(tree.errors[0], "f.yaml:1001:1: a mapping of more than 1000 keys");
    yaml_tree_fini(&tree);
}

static void load(struct yaml_tree *tree, const char *path, const char *expected)
{
    yaml_tree_init(tree, path);
    if (yaml_tree_load(tree) != !expected || (expected && strcmp(tree->errors[0], expected) != 0))
        fail_msg("%s: %s", path, tree->error_count ? tree->errors[0] : "accepted");
}

static void files(void **state)
{
    (void)state;
    char path[] = "/tmp/yaml_tree_XXXXXX", expected[128];
    struct yaml_tree tree;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    close(fd);
    load(&tree, path, NULL);
    assert_non_null(yaml_member(tree.root, SLICE("a")));
    yaml_tree_fini(&tree);
    unlink(path);
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    load(&tree, path, expected);
    yaml_tree_fini(&tree);
    load(&tree, "/dev/zero", "/dev/zero: longer than 4 MiB");
    yaml_tree_fini(&tree);
    load(&tree, "/", "/: Is a directory");
    yaml_tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_places),
        cmocka_unit_test(nothing_has_no_root),
        cmocka_unit_test(refusals_name_their_place),
        cmocka_unit_test(duplicate_keys_name_both_places),
        cmocka_unit_test(readers_add_errors),
        cmocka_unit_test(nulls_are_told_from_texts),
        cmocka_unit_test(limits),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
