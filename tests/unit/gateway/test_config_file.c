/* Configuration files: every kind of value, every kind of error with its place, the keys of the
 * table, the example that names them all. */
#include "unit/cmocka_all.h"

#include "gateway/config_file.h"

#include <errno.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct fixture {
    struct yaml_tree file;
    struct config_flags flags;
    struct config config;
    char error[OPTION_ERROR_LEN];
};

static bool read_text(struct fixture *f, const char *name, const char *text)
{
    config_flags_init(&f->flags);
    yaml_tree_init(&f->file, name);
    return config_file_parse(&f->file, slice_from_string(text), &f->flags);
}

static void fixture_fini(struct fixture *f)
{
    config_flags_fini(&f->flags);
    yaml_tree_fini(&f->file);
}

static int apply(struct fixture *f)
{
    return config_flags_apply(&f->flags, &f->config, f->error);
}

static void check_values(const struct fixture *f)
{
    const struct config_flags *flags = &f->flags;
    assert_int_equal(flags->upstream.count, 1);
    assert_string_equal(flags->upstream.items[0], "127.0.0.1:1");
    assert_int_equal(flags->listen.count, 2);
    assert_string_equal(flags->listen.items[1], "unix:/run/x");
    assert_string_equal(flags->admin, "off");
    assert_int_equal(flags->workers, 3);
    assert_int_equal(flags->body_grace, 500);
    assert_int_equal(flags->max_timeout, 0);
    assert_int_equal(flags->max_reply_bytes, 9);
    assert_true(flags->json_ignore_unknown);
    assert_int_equal(flags->console, SWITCH_ON);
    assert_int_equal(flags->log_level, 3);
    assert_string_equal(flags->cors_origin.items[0], "https://a.example");
    assert_string_equal(flags->descriptors.items[0], "etc/a.binpb");
    assert_string_equal(flags->descriptors.items[1], "/b.binpb");
    assert_string_equal(flags->http_rules, "etc/rules/r.yaml");
    /* What the file does not name. */
    assert_int_equal(flags->stall_timeout, 30000);
    assert_null(flags->upstream_authority);
}

static void yaml_and_json_reach_the_flags(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "upstream: 127.0.0.1:1\nlisten: [127.0.0.1:2, 'unix:/run/x']\nadmin: off\nworkers: 3\n"
        "limits:\n  body_grace: 500ms\n  max_timeout: 0\n  max_reply_bytes: 9\n"
        "json: {ignore_unknown: true}\nconsole: on\nlog: {level: debug}\n"
        "cors:\n  origins: https://a.example\n"
        "descriptors:\n- a.binpb\n- /b.binpb\nhttp_rules: rules/r.yaml\n",
        "{\"upstream\":[\"127.0.0.1:1\"],\n\t\"listen\":[\"127.0.0.1:2\",\"unix:\\/run\\/x\"],\n"
        "\"admin\":\"off\",\"workers\":3,\"limits\":{\"body_grace\":\"500ms\",\"max_timeout\":0,"
        "\"max_reply_bytes\":9},\"json\":{\"ignore_unknown\":true},\"console\":\"on\","
        "\"log\":{\"level\":\"debug\"},\"cors\":{\"origins\":[\"https://a.example\"]},"
        "\"descriptors\":[\"a.binpb\",\"/b.binpb\"],\"http_rules\":\"rules/r.yaml\"}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct fixture f;
        if (!read_text(&f, "etc/d.yaml", texts[i]))
            fail_msg("%s", f.file.errors[0]);
        check_values(&f);
        fixture_fini(&f);
    }
}

static void an_empty_file_sets_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# only comments\n", "{}", "limits: {}\nlisten: []\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct fixture f;
        assert_true(read_text(&f, "d.yaml", texts[i]));
        assert_int_equal(f.flags.listen.count, 0);
        assert_int_equal(f.flags.header_timeout, 10000);
        fixture_fini(&f);
    }
}

static const struct {
    const char *text, *expected;
} error_rows[] = {
    {"limits:\n  header_timeot: 2s\n",
     "2:3: limits.header_timeot: no such key, did you mean \"header_timeout\"?"},
    {"limit: {}\n", "1:1: limit: no such key, did you mean \"limits\"?"},
    {"htpp: {}\n", "1:1: htpp: no such key, did you mean \"http\"?"},
    {"header_timeout: 2s\n",
     "1:1: header_timeout: no such key, did you mean \"limits.header_timeout\"?"},
    {"cors-origin: '*'\n", "1:1: cors-origin: no such key, did you mean \"cors.origins\"?"},
    {"xyzzy: 1\n", "1:1: xyzzy: no such key"},
    {"log: {xyzzy: 1}\n", "1:7: log.xyzzy: no such key"},
    {"config: other.yaml\n", "1:1: config: no such key"},
    {"'': 1\n", "1:1: : no such key"},
    {"limits.body_grace: 1s\n",
     "1:1: limits.body_grace: a key has no dots: write \"limits:\" and the rest below it"},
    {"workers: 1\nworkers: 2\n", "2:1: the key \"workers\" is here twice, first at 1:1"},
    {"limits: 5s\n", "1:9: limits: needs keys and values below it, not a text"},
    {"limits:\n", "1:8: limits: needs keys and values below it, not null"},
    {"limits: [body_grace]\n", "1:9: limits: needs keys and values below it, not a list"},
    {"workers: {n: 1}\n", "1:10: workers: needs a whole number, not a mapping"},
    {"workers: [1]\n", "1:10: workers: needs a whole number, not a list"},
    {"workers: \"1\"\n", "1:10: workers: needs a whole number, not the text \"1\""},
    {"workers: 1.5\n", "1:10: workers: needs a whole number, not \"1.5\""},
    {"workers: 0\n", "1:10: workers: must be at least 1, not \"0\""},
    {"workers: 257\n", "1:10: workers: must be at most 256, not \"257\""},
    {"workers: ~\n", "1:10: workers: needs a whole number, not null"},
    {"limits: {body_grace: 5}\n",
     "1:22: limits.body_grace: needs a duration such as 2s or 500ms, not \"5\""},
    {"limits: {body_grace: 0}\n", "1:22: limits.body_grace: must be at least 1 ms, not \"0\""},
    {"json: {ignore_unknown: yes}\n",
     "1:24: json.ignore_unknown: needs true or false, not \"yes\""},
    {"json: {ignore_unknown: 'true'}\n",
     "1:24: json.ignore_unknown: needs true or false, not the text \"true\""},
    {"json: {ignore_unknown: }\n", "1:24: json.ignore_unknown: needs true or false, not null"},
    {"console: maybe\n", "1:10: console: must be one of auto|on|off, not \"maybe\""},
    {"console: null\n", "1:10: console: needs one of auto|on|off, not null"},
    {"admin: [off]\n", "1:8: admin: needs a text, not a list"},
    {"admin: nowhere\n", "1:8: admin: needs HOST:PORT, unix:PATH or off, not \"nowhere\""},
    {"listen: 8080\n", "1:9: listen: needs HOST:PORT or unix:PATH, not \"8080\""},
    {"listen: [a:1, [b:2]]\n", "1:15: listen: needs a text or a list of texts, not a list"},
    {"listen: [a:1, ~]\n", "1:15: listen: needs a text or a list of texts, not null"},
    {"listen: {a: 1}\n", "1:9: listen: needs a text or a list of texts, not a mapping"},
    {"listen: [a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1]\n",
     "1:74: listen: is given more than 16 times"},
    {"cors: {origins: [https://a.example, app.example]}\n",
     "1:37: cors.origins: needs an origin such as https://app.example, lower case and without "
     "a path, or *, not \"app.example\""},
    {"tls_cert: x\n", "1:11: tls_cert: is not built yet"},
    {"http_rules: a\nhttp: {}\n", "2:1: http: the rules are in the file of http_rules already"},
    {"upstream: [a:1, b]\n", "1:17: upstream: \"b\" is no target: it needs HOST:PORT, with a "
                             "port from 1 to 65535"},
    {"upstream_authority: a b\n",
     "1:21: upstream_authority: needs a host or HOST:PORT, without blanks and slashes, not "
     "\"a b\""},
    {"upstreams: a:1\n", "1:12: upstreams: needs a list such as [{target: HOST:PORT}], not a text"},
    {"upstreams: [a:1]\n",
     "1:13: upstreams[0]: needs keys and values such as target: HOST:PORT, not a text"},
    {"upstreams: [{target: a:1}, {services: b}]\n",
     "1:28: upstreams[1]: needs a target such as target: HOST:PORT"},
    {"upstreams: [{target: a:1}, {target: b:1, servces: c}]\n",
     "1:42: upstreams[1].servces: no such key, did you mean \"services\"?"},
    {"upstreams: [{target: a:1, http: {}}]\n", "1:27: upstreams[0].http: no such key"},
    {"upstreams: [{target: ~}]\n", "1:22: upstreams[0].target: needs a text, not null"},
    {"upstreams: [{target: a}]\n", "1:22: upstreams[0].target: \"a\" is no target: it needs "
                                   "HOST:PORT, with a port from 1 to 65535"},
    {"upstreams: [{target: a:1, authority: 'a\tb'}]\n",
     "1:38: upstreams[0].authority: needs a host or HOST:PORT, without blanks and slashes, not "
     "\"a\tb\""},
    {"upstreams: [{target: a:1, services: ['']}]\n",
     "1:38: upstreams[0].services: needs the full name of a service such as package.Service, "
     "not \"\""},
    {"upstreams: [{target: a:1, services: /a.B}]\n",
     "1:37: upstreams[0].services: needs the full name of a service such as package.Service, "
     "not \"/a.B\""},
    {"upstreams: [{target: a:1}, {target: b:1}, {target: a:1}]\n",
     "1:52: upstreams[2].target: \"a:1\" is the target of upstreams[0] already"},
    {"upstreams: [{target: a:1, services: [B, C]}, {target: b:1, services: [D, C]}]\n",
     "1:74: upstreams[1].services: \"C\" is a service of upstreams[0] already"},
    {"upstreams: [{target: a:1, services: B}, {target: b:1, services: B}]\n",
     "1:65: upstreams[1].services: \"B\" is a service of upstreams[0] already"},
    {"upstreams: [{target: a:1, services: [B, C, B]}]\n",
     "1:44: upstreams[0].services: \"B\" is a service of upstreams[0] already"},
    {"upstream: a:1\nupstreams: [{target: b:1}]\n",
     "2:1: upstreams: the upstreams are in upstream already, at 1:1"},
    {"upstreems: []\n", "1:1: upstreems: no such key, did you mean \"upstreams\"?"},
    {"[upstream]\n", "1:1: the file needs keys and values, not a list"},
    {"upstream\n", "1:1: the file needs keys and values, not a text"},
    {"workers: 1\n---\nworkers: 1\n", "2:1: a second document"},
    {"workers: [\n", "2:1: did not find expected node content while parsing a flow node"},
};

static void errors_name_place_key_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(error_rows); i++) {
        struct fixture f;
        char expected[YAML_ERROR_LEN];
        if (read_text(&f, "d.yaml", error_rows[i].text))
            fail_msg("accepted: %s", error_rows[i].text);
        snprintf(expected, sizeof expected, "d.yaml:%s", error_rows[i].expected);
        assert_string_equal(f.file.errors[0], expected);
        assert_int_equal(f.file.error_count, 1);
        fixture_fini(&f);
    }
}

static void print_errors(const struct yaml_tree *file, char *out, size_t size)
{
    FILE *stream = fmemopen(out, size, "w");
    assert_non_null(stream);
    config_file_print_errors(file, stream);
    fclose(stream);
}

static void all_errors_are_reported(void **state)
{
    (void)state;
    struct fixture f;
    char text[1024];
    assert_false(read_text(&f, "d.yaml",
                           "a1234: 1\nworkers: x\nlimits: {b1234: 1, max_timeout: x}\n"
                           "workers: y\n"));
    print_errors(&f.file, text, sizeof text);
    assert_string_equal(
        text, "d.yaml:4:1: the key \"workers\" is here twice, first at 2:1\n"
              "d.yaml:1:1: a1234: no such key\n"
              "d.yaml:2:10: workers: needs a whole number, not \"x\"\n"
              "d.yaml:3:10: limits.b1234: no such key\n"
              "d.yaml:3:33: limits.max_timeout: needs a duration such as 2s or 500ms, not \"x\"\n"
              "d.yaml:4:10: workers: needs a whole number, not \"y\"\n");
    fixture_fini(&f);

    size_t len = 0;
    for (unsigned i = 0; i < YAML_MAX_ERRORS + 5; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "q%u: 1\n", i);
    assert_false(read_text(&f, "d.yaml", text));
    print_errors(&f.file, text, sizeof text);
    assert_non_null(strstr(text, "\nd.yaml:20:1: q19: no such key\nd.yaml: 5 more errors\n"));
    fixture_fini(&f);
}

/* What only config_flags_apply() finds out gets its place as well. */
static void values_that_make_no_sense_are_found_in_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence, *expected; /* NULL: not the file's fault */
    } rows[] = {
        {"listen: [a:1, 'b:22']\n", "--listen b:22: no address is known for that host",
         "1:15: listen: b:22: no address is known for that host"},
        {"listen: b:2\n", "--listen b:22: no address is known for that host", NULL},
        {"admin: b:22\n", "--listen b:22: no address is known for that host", NULL},
        {"upstream: [a:1, b:1, a:1]\n", "--upstream a:1 is given twice",
         "1:12: upstream: a:1 is given twice"},
        {"listen: b:22\n", "b:22 has no option", NULL},
        {"listen: b:22\n", "--listn b:22 has no such option", NULL},
        {"limits: {max_timeout: 1s}\n", "--max-timeout is wrong: 1s", NULL},
        {"", "--upstream HOST:PORT is required", NULL},
        {"admin: a:1\n", "--admin", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char expected[YAML_ERROR_LEN] = "";
        assert_true(read_text(&f, "d.yaml", rows[i].text));
        assert_int_equal(config_file_blame(&f.file, rows[i].sentence), rows[i].expected != NULL);
        if (rows[i].expected) {
            snprintf(expected, sizeof expected, "d.yaml:%s", rows[i].expected);
            assert_string_equal(f.file.errors[0], expected);
        }
        fixture_fini(&f);
    }
    struct fixture f;
    assert_true(read_text(&f, "d.yaml", "upstream: [a:1, a:1]\n"));
    assert_int_equal(apply(&f), -EINVAL);
    assert_true(config_file_blame(&f.file, f.error));
    fixture_fini(&f);
}

/* As many as there can be. */
static void write_upstreams(char *text, size_t size, size_t count)
{
    size_t len = (size_t)snprintf(text, size, "upstreams:\n");
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, size - len, "- target: a:%zu\n", i + 1);
}

static void upstreams_are_listed_with_authority_and_services(void **state)
{
    (void)state;
    struct fixture f;
    char text[1024];
    if (!read_text(&f, "d.yaml",
                   "upstreams:\n- target: 127.0.0.1:1\n  authority: a.example:80\n"
                   "  services: [Calculator, pkg.Other]\n"
                   "- {target: 'unix:/b', services: pkg.More}\n- target: 127.0.0.1:3\n"
                   "upstream_authority: all.example\n"))
        fail_msg("%s", f.file.errors[0]);
    assert_int_equal(apply(&f), 0);
    assert_int_equal(f.config.upstreams_count, 3);
    assert_string_equal(f.config.upstreams[0].target.text, "127.0.0.1:1");
    assert_string_equal(f.config.upstreams[0].authority, "a.example:80");
    assert_int_equal(f.config.upstreams[0].services_count, 2);
    assert_string_equal(f.config.upstreams[0].services[1], "pkg.Other");
    assert_string_equal(f.config.upstreams[1].target.text, "unix:/b");
    assert_string_equal(f.config.upstreams[1].authority, "all.example");
    assert_string_equal(f.config.upstreams[1].services[0], "pkg.More");
    assert_int_equal(f.config.upstreams[2].services_count, 0);
    fixture_fini(&f);

    write_upstreams(text, sizeof text, CONFIG_MAX_UPSTREAMS);
    assert_true(read_text(&f, "d.yaml", text));
    assert_int_equal(apply(&f), 0);
    assert_int_equal(f.config.upstreams_count, CONFIG_MAX_UPSTREAMS);
    assert_null(f.config.upstreams[0].authority);
    fixture_fini(&f);
    write_upstreams(text, sizeof text, CONFIG_MAX_UPSTREAMS + 5);
    assert_false(read_text(&f, "d.yaml", text));
    assert_int_equal(f.file.error_count, 1);
    assert_string_equal(f.file.errors[0], "d.yaml:34:3: upstreams: more than 32 upstreams");
    fixture_fini(&f);
}

static void options_replace_the_listed_upstreams(void **state)
{
    (void)state;
    struct fixture f;
    char word[] = "--upstream=127.0.0.1:9", program[] = "serve";
    char *argv[] = {program, word, NULL};
    assert_true(read_text(&f, "d.yaml",
                          "upstreams: [{target: '127.0.0.1:1', authority: a, services: s}, "
                          "{target: '127.0.0.1:2'}]\n"));
    assert_int_equal(config_flags_parse(&f.flags, 2, argv, f.error), 0);
    assert_int_equal(apply(&f), 0);
    assert_int_equal(f.config.upstreams_count, 1);
    assert_string_equal(f.config.upstreams[0].target.text, "127.0.0.1:9");
    assert_null(f.config.upstreams[0].authority);
    assert_int_equal(f.config.upstreams[0].services_count, 0);
    fixture_fini(&f);
}

static void rules_may_stand_in_the_file(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(read_text(&f, "etc/d.yaml", "http: {rules: []}\n"));
    assert_string_equal(f.flags.http_rules, "etc/d.yaml");
    fixture_fini(&f);
}

static char *environment(const char *name)
{
    static const char *const variables[][2] = {{"DRAWBRIDGE_LISTEN", "127.0.0.1:3 127.0.0.1:4"},
                                               {"DRAWBRIDGE_WORKERS", "5"},
                                               {"DRAWBRIDGE_LOG_LEVEL", "warn"}};
    for (size_t i = 0; i < COUNT(variables); i++)
        if (strcmp(variables[i][0], name) == 0)
            return (char *)(uintptr_t)variables[i][1];
    return NULL;
}

static void options_win_over_environment_over_file(void **state)
{
    (void)state;
    struct fixture f;
    char word[] = "--workers=6", program[] = "serve";
    char *argv[] = {program, word, NULL};
    assert_true(read_text(&f, "d.yaml",
                          "upstream: 127.0.0.1:1\nlisten: 127.0.0.1:2\nworkers: 4\n"
                          "log: {level: debug}\nconsole: on\n"));
    assert_int_equal(config_flags_environment(&f.flags, environment, f.error), 0);
    assert_int_equal(config_flags_parse(&f.flags, 2, argv, f.error), 0);
    assert_int_equal(apply(&f), 0);
    assert_int_equal(f.config.workers, 6);
    assert_int_equal(f.config.listen_count, 2);
    assert_int_equal(net_port(&f.config.listen[0]), 3);
    assert_int_equal(f.config.log_level, LOG_LEVEL_WARN);
    assert_int_equal(f.config.console, SWITCH_ON);
    assert_string_equal(f.config.upstreams[0].target.text, "127.0.0.1:1");
    fixture_fini(&f);
}

/* Every option but --config has one key of its own, and no key is a section too. */
static void keys_are_well_formed(void **state)
{
    (void)state;
    for (const struct option *row = config_flags_options; row->name; row++) {
        char key[OPTION_KEY_LEN], other[OPTION_KEY_LEN];
        option_key(row, key);
        if (!*key) {
            assert_string_equal(row->name, "config");
            continue;
        }
        if (strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_.") != strlen(key) ||
            strlen(key) > OPTION_KEY_LEN - 3 || strstr(key, ".."))
            fail_msg("--%s: the key \"%s\"", row->name, key);
        for (const struct option *next = row + 1; next->name; next++) {
            option_key(next, other);
            size_t len = strlen(key), other_len = strlen(other);
            if ((strncmp(key, other, len) == 0 && (other[len] == 0 || other[len] == '.')) ||
                (*other && strncmp(key, other, other_len) == 0 && key[other_len] == '.'))
                fail_msg("--%s and --%s: the keys \"%s\" and \"%s\"", row->name, next->name, key,
                         other);
        }
    }
}

/* "#name:" and "#  name:" are settings, "# Words" are not. */
static bool is_setting(const char *line)
{
    const char *word = line + 1 + strspn(line + 1, " ");
    return line[0] == '#' && (word == line + 1 || word == line + 3);
}

/* The example; with `all` as if nothing were commented out. */
static void read_example(struct fixture *f, bool all)
{
    enum { MAX_LEN = 64 << 10 };
    static char text[MAX_LEN], line[MAX_LEN];
    size_t len = 0;
    FILE *file = fopen(EXAMPLE_CONFIG, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s", line + (all && is_setting(line)));
    fclose(file);
    assert_true(len < sizeof text);
    if (!read_text(f, "drawbridge.yaml", text))
        fail_msg("%s", f->file.errors[0]);
}

static bool is_same(const struct option *row, const struct config_flags *a,
                    const struct config_flags *b)
{
    const char *left = (const char *)a + row->offset, *right = (const char *)b + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        return *(const bool *)left == *(const bool *)right;
    case OPTION_NUMBER:
    case OPTION_DURATION:
        return *(const uint64_t *)left == *(const uint64_t *)right;
    case OPTION_CHOICE:
        return *(const int *)left == *(const int *)right;
    default:
        return true;
    }
}

static bool has_key(const struct yaml_tree *file, const char *key)
{
    const struct yaml_node *node = file->root;
    for (struct slice rest = slice_from_string(key); node && rest.data;)
        node = yaml_member(node, slice_cut(&rest, '.'));
    return node;
}

static void the_example_names_every_key_with_its_default(void **state)
{
    (void)state;
    struct fixture all, some;
    read_example(&some, false);
    assert_int_equal(apply(&some), 0);
    read_example(&all, true);
    assert_int_equal(apply(&all), 0);
    for (const struct option *row = config_flags_options; row->name; row++) {
        char key[OPTION_KEY_LEN];
        option_key(row, key);
        if (*key && row->kind != OPTION_ABSENT && !has_key(&all.file, key))
            fail_msg("config/drawbridge.yaml lacks \"%s\", the key of --%s", key, row->name);
        if (strcmp(key, "workers") != 0 && !is_same(row, &all.flags, &some.flags))
            fail_msg("config/drawbridge.yaml: \"%s\" is not the default", key);
    }
    assert_memory_equal(&all.config.listen[0], &some.config.listen[0], sizeof all.config.listen[0]);
    assert_memory_equal(&all.config.admin, &some.config.admin, sizeof all.config.admin);
    assert_string_equal(all.config.upstreams[0].authority,
                        some.config.upstreams[0].target.authority);
    fixture_fini(&all);
    fixture_fini(&some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_and_json_reach_the_flags),
        cmocka_unit_test(an_empty_file_sets_nothing),
        cmocka_unit_test(errors_name_place_key_and_reason),
        cmocka_unit_test(all_errors_are_reported),
        cmocka_unit_test(values_that_make_no_sense_are_found_in_the_file),
        cmocka_unit_test(upstreams_are_listed_with_authority_and_services),
        cmocka_unit_test(options_replace_the_listed_upstreams),
        cmocka_unit_test(rules_may_stand_in_the_file),
        cmocka_unit_test(options_win_over_environment_over_file),
        cmocka_unit_test(keys_are_well_formed),
        cmocka_unit_test(the_example_names_every_key_with_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
