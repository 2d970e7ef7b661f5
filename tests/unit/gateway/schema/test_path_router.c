/* Which route a request takes: precedence, backtracking, verbs, escapes, methods; and that the cost
 * of a request does not grow with the number of routes. */
#include "routes_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct row {
    const char *method, *path, *expected;
};

static void check_row(const struct routes *r, const struct row *row)
{
    const char *got = fixture_match(r, row->method, row->path);
    if (strcmp(got, row->expected) != 0)
        fail_msg("%s %s: \"%s\" instead of \"%s\"", row->method, row->path, got, row->expected);
}

static size_t divisor(size_t a, size_t b)
{
    return b ? divisor(b, a % b) : a;
}

/* All rows with the rules in several orders: the order must not matter. */
static void check(const char *const *rules, const struct row *rows, size_t count)
{
    size_t rule_count = 0;
    while (rules[rule_count])
        rule_count++;
    for (size_t step = 1; step <= rule_count; step++) {
        if (divisor(rule_count, step) != 1)
            continue;
        struct status st;
        struct routes *r = fixture_routes(rules, step, step, &st);
        if (!r)
            fail_msg("%s", st.text);
        for (size_t i = 0; i < count; i++)
            check_row(r, &rows[i]);
        routes_unref(r);
    }
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void test_literals(void **state)
{
    (void)state;
    static const char *const rules[] = {"GET /", "GET /v1/a", "GET /v1/a/b", "GET /v1/x y", NULL};
    static const char *const good[] = {
        "GET /",        "GET /v1/a", "GET /v1/a/b", "GET /v1/x%20y", "GET /v1/caf\xc3\xa9",
        "GET /%41%2fb", NULL};
    static const struct row rows[] = {
        {"GET", "/", "/"},
        {"GET", "/v1/a", "/v1/a"},
        {"GET", "/v1/%61", "/v1/a"},
        {"GET", "/%76%31/%61", "/v1/a"},
        {"GET", "/v1/a/b", "/v1/a/b"},
        {"GET", "/v1/x%20y", "/v1/x%20y"},
        {"GET", "/v1/x y", "/v1/x%20y"},
        {"GET", "/v1/caf%C3%A9", "/v1/caf\xc3\xa9"},
        {"GET", "/v1/caf%c3%a9", "/v1/caf\xc3\xa9"},
        {"GET", "/A%2Fb", "/%41%2fb"},
        {"GET", "/A/b", "404"},
        {"GET", "", "404"},
        {"GET", "*", "404"},
        {"GET", "v1/a", "404"},
        {"GET", "//", "404"},
        {"GET", "/v1", "404"},
        {"GET", "/v1/", "404"},
        {"GET", "/v1/a/", "404"},
        {"GET", "//v1/a", "404"},
        {"GET", "/v1//a", "404"},
        {"GET", "/v1/a%2Fb", "404"},
        {"GET", "/v1/A", "404"},
        {"GET", "/v1/a%", "404"},
        {"GET", "/v1/a%zz", "404"},
        {"GET", "/v1/ab", "404"},
        {"GET", "/v1/a/b/c", "404"},
    };
    struct status st;
    assert_null(fixture_routes(rules, 0, 1, &st));
    check(good, rows, COUNT(rows));
}

static void test_precedence(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "GET /v1/{a}",        "GET /v1/x",       "GET /v1/{a=**}",       "GET /v1/{a}/{b}",
        "GET /v1/x/{b}",      "GET /v1/{a}/y",   "GET /{a}/x/y",         "GET /v1/{a}/{b}/z",
        "GET /v1/x/{b=**}/z", "GET /{a=**}/end", "GET /w/{a=p/*}/{b=q}", NULL};
    static const struct row rows[] = {
        {"GET", "/v1/x", "/v1/x"},
        {"GET", "/v1/xx", "/v1/{a} a=xx"},
        {"GET", "/v1/x/y", "/v1/x/{b} b=y"},
        {"GET", "/v1/w/y", "/v1/{a}/y a=w"},
        {"GET", "/v1/w/v", "/v1/{a}/{b} a=w b=v"},
        {"GET", "/v2/x/y", "/{a}/x/y a=v2"},
        {"GET", "/v1/x/y/z", "/v1/x/{b=**}/z b=y"},
        {"GET", "/v1/x/z", "/v1/x/{b} b=z"},
        {"GET", "/v1/x/1/2/3/z", "/v1/x/{b=**}/z b=1/2/3"},
        {"GET", "/v1/w/y/z", "/v1/{a}/{b}/z a=w b=y"},
        {"GET", "/v1/w/y/w", "/v1/{a=**} a=w/y/w"},
        {"GET", "/v1/x/y/w", "/v1/{a=**} a=x/y/w"},
        {"GET", "/v1/x/y/end", "/v1/{a=**} a=x/y/end"},
        {"GET", "/v1", "/v1/{a=**} a="},
        {"GET", "/v1/", "/v1/{a=**} a="},
        {"GET", "/v1//", "/v1/{a=**} a=/"},
        {"GET", "/v1//x", "/v1/{a=**} a=/x"},
        {"GET", "/v1/x/", "/v1/{a=**} a=x/"},
        {"GET", "/end", "/{a=**}/end a="},
        {"GET", "/q/end", "/{a=**}/end a=q"},
        {"GET", "/q/r/s/end", "/{a=**}/end a=q/r/s"},
        {"GET", "/q/r/s/end/t", "404"},
        {"GET", "/w/p/1/q", "/w/{a=p/*}/{b=q} a=p/1 b=q"},
        {"GET", "/w/p/1/r", "404"},
    };
    check(rules, rows, COUNT(rows));
}

static void test_stars(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "GET /s/{a=**}/{b}/{c}", "GET /s/{a=**}/x",           "GET /s/{a=**}",
        "GET /t/{a=**}/t/{b}",   "GET /u/{a=x/**/y}/{b}",     "GET /m/**/n",
        "GET /o/{a}/{b=**}/{c}", "GET /{a=**}/blobs/{b}/{c}", NULL};
    static const struct row rows[] = {
        {"GET", "/s", "/s/{a=**} a="},
        {"GET", "/s/1", "/s/{a=**} a=1"},
        {"GET", "/s/x", "/s/{a=**}/x a="},
        {"GET", "/s/1/2", "/s/{a=**}/{b}/{c} a= b=1 c=2"},
        {"GET", "/s/1/2/3", "/s/{a=**}/{b}/{c} a=1 b=2 c=3"},
        {"GET", "/s/1/2/3/4/5", "/s/{a=**}/{b}/{c} a=1/2/3 b=4 c=5"},
        {"GET", "/s/1/x", "/s/{a=**}/{b}/{c} a= b=1 c=x"},
        {"GET", "/s/1//", "/s/{a=**} a=1//"},
        {"GET", "/t/t/1", "/t/{a=**}/t/{b} a= b=1"},
        {"GET", "/t/t/t/t", "/t/{a=**}/t/{b} a=t b=t"},
        {"GET", "/t/t", "404"},
        {"GET", "/t/x/y", "404"},
        {"GET", "/u/x/y/1", "/u/{a=x/**/y}/{b} a=x/y b=1"},
        {"GET", "/u/x/p/q/y/1", "/u/{a=x/**/y}/{b} a=x/p/q/y b=1"},
        {"GET", "/u/x/p/q/z/1", "404"},
        {"GET", "/m/n", "/m/**/n"},
        {"GET", "/m/1/2/n", "/m/**/n"},
        {"GET", "/o/1/2", "/o/{a}/{b=**}/{c} a=1 b= c=2"},
        {"GET", "/o/1/2/3/4", "/o/{a}/{b=**}/{c} a=1 b=2/3 c=4"},
        {"GET", "/o/1", "404"},
        {"GET", "/blobs/h/9", "/{a=**}/blobs/{b}/{c} a= b=h c=9"},
        {"GET", "/p/q/blobs/h/9", "/{a=**}/blobs/{b}/{c} a=p/q b=h c=9"},
        {"GET", "/s/blobs/h/9", "/s/{a=**}/{b}/{c} a=blobs b=h c=9"},
    };
    check(rules, rows, COUNT(rows));
}

static void test_long_paths(void **state)
{
    (void)state;
    static const char *const rules[] = {"GET /l/{a=**}", "GET /l/{a=**}/end/{b}", "GET /k/{a}",
                                        NULL};
    struct status st;
    struct routes *r = fixture_routes(rules, 0, 1, &st);
    assert_non_null(r);
    for (size_t segments = 1; segments < 200; segments++) {
        char path[1100], expected[1200], list[1024] = "";
        for (size_t i = 0; i < segments; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%zu", i ? "/" : "", i);
        snprintf(path, sizeof path, "/l/%s", list);
        snprintf(expected, sizeof expected, "/l/{a=**} a=%s", list);
        assert_string_equal(fixture_match(r, "GET", path), expected);
        snprintf(path, sizeof path, "/l/%s/end/z", list);
        snprintf(expected, sizeof expected, "/l/{a=**}/end/{b} a=%s b=z", list);
        assert_string_equal(fixture_match(r, "GET", path), expected);
        snprintf(path, sizeof path, "/k/%s", list);
        assert_string_equal(fixture_match(r, "GET", path), segments == 1 ? "/k/{a} a=0" : "404");
    }
    routes_unref(r);
}

static void test_deepest_template(void **state)
{
    (void)state;
    char line[512] = "GET ", path[512] = "";
    for (int i = 0; i < PATH_TEMPLATE_MAX_SEGMENTS - 1; i++) {
        strcat(line, "/d");
        strcat(path, "/d");
    }
    strcat(line, "/{a=**}:go");
    const char *const rules[] = {line, NULL};
    struct status st;
    struct routes *r = fixture_routes(rules, 0, 1, &st);
    assert_non_null(r);
    char longer[600];
    snprintf(longer, sizeof longer, "%s/x/y:go", path);
    assert_non_null(strstr(fixture_match(r, "GET", longer), " a=x/y"));
    snprintf(longer, sizeof longer, "%s:go", path);
    assert_non_null(strstr(fixture_match(r, "GET", longer), " a="));
    snprintf(longer, sizeof longer, "%s/d/d/d/d", path);
    assert_string_equal(fixture_match(r, "GET", longer), "404");
    routes_unref(r);
}

static void test_backtracking(void **state)
{
    (void)state;
    static const char *const rules[] = {"POST /v1/x",
                                        "GET /v1/{a}",
                                        "PUT /{a=**}",
                                        "GET /v1/x/p/q",
                                        "GET /v1/{a}/p/r",
                                        "GET /{a}/x/p/s",
                                        "DELETE /v1/x/p/{b}",
                                        "GET /f/{a}/1",
                                        "GET /f/{a=x/**}/2",
                                        "PATCH /v1/{a}",
                                        NULL};
    static const struct row rows[] = {
        {"POST", "/v1/x", "/v1/x"},
        {"GET", "/v1/x", "/v1/{a} a=x"},
        {"PATCH", "/v1/x", "/v1/{a} a=x"},
        {"PUT", "/v1/x", "/{a=**} a=v1/x"},
        {"DELETE", "/v1/x", "405 GET, HEAD, POST, PUT, PATCH, OPTIONS"},
        {"DELETE", "/v1/y", "405 GET, HEAD, PUT, PATCH, OPTIONS"},
        {"GET", "/v1/x/p/q", "/v1/x/p/q"},
        {"GET", "/v1/x/p/r", "/v1/{a}/p/r a=x"},
        {"GET", "/v1/x/p/s", "/{a}/x/p/s a=v1"},
        {"DELETE", "/v1/x/p/q", "/v1/x/p/{b} b=q"},
        {"GET", "/v1/x/p/t", "405 PUT, DELETE, OPTIONS"},
        {"GET", "/f/x/1", "/f/{a}/1 a=x"},
        {"GET", "/f/x/2", "/f/{a=x/**}/2 a=x"},
        {"GET", "/f/x/y/2", "/f/{a=x/**}/2 a=x/y"},
        {"GET", "/f/y/2", "405 PUT, OPTIONS"},
        {"GET", "/", "405 PUT, OPTIONS"},
        {"PUT", "/", "/{a=**} a="},
    };
    check(rules, rows, COUNT(rows));
}

static void test_verbs(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "POST /v1/{a=x/*}:cancel", "GET /v1/{a=x/*}", "POST /v1/{a=x/*}:run%20it",
        "POST /v1/x:list",         "POST /v1/{a}",    "GET /v1/y/{a=**}:find",
        "GET /v1/y/{a=**}",        "GET /v1/a:b/c",   "GET /v1/a:b:c",
        "DELETE /v1/{a=x/*}",      "GET /v2/{a}:get", NULL};
    static const struct row rows[] = {
        {"POST", "/v1/x/1:cancel", "/v1/{a=x/*}:cancel a=x/1"},
        {"POST", "/v1/x/1:%63ancel", "/v1/{a=x/*}:cancel a=x/1"},
        {"POST", "/v1/x/a:b:cancel", "/v1/{a=x/*}:cancel a=x/a:b"},
        {"GET", "/v1/x/1:cancel", "/v1/{a=x/*} a=x/1:cancel"},
        {"GET", "/v1/x/1", "/v1/{a=x/*} a=x/1"},
        {"GET", "/v1/x/1:other", "/v1/{a=x/*} a=x/1:other"},
        {"GET", "/v1/x/urn:isbn:1", "/v1/{a=x/*} a=x/urn:isbn:1"},
        {"GET", "/v1/x/1:", "/v1/{a=x/*} a=x/1:"},
        {"GET", "/v1/x/:", "/v1/{a=x/*} a=x/:"},
        {"GET", "/v1/x/1%3Acancel", "/v1/{a=x/*} a=x/1%3Acancel"},
        {"POST", "/v1/x/1%3Acancel", "405 GET, HEAD, DELETE, OPTIONS"},
        {"PUT", "/v1/x/1:cancel", "405 GET, HEAD, POST, DELETE, OPTIONS"},
        {"PUT", "/v1/x/1:other", "405 GET, HEAD, DELETE, OPTIONS"},
        {"POST", "/v1/x/1:run%20it", "/v1/{a=x/*}:run%20it a=x/1"},
        {"POST", "/v1/x:list", "/v1/x:list"},
        {"POST", "/v1/x:other", "/v1/{a} a=x:other"},
        {"POST", "/v1/y:list", "/v1/{a} a=y:list"},
        {"GET", "/v1/y/1/2:find", "/v1/y/{a=**}:find a=1/2"},
        {"GET", "/v1/y/1/2:lose", "/v1/y/{a=**} a=1/2:lose"},
        {"GET", "/v1/y:find", "/v1/y/{a=**}:find a="},
        {"GET", "/v1/y/:find", "/v1/y/{a=**}:find a="},
        {"GET", "/v1/y/1:find/2", "/v1/y/{a=**} a=1:find/2"},
        {"GET", "/v1/a:b/c", "/v1/a:b/c"},
        {"GET", "/v1/a:b:c", "/v1/a:b:c"},
        {"GET", "/v2/i:get", "/v2/{a}:get a=i"},
        {"GET", "/v2/i", "404"},
        {"GET", "/v2/:get", "404"},
        {"POST", "/v1/x/:cancel", "405 GET, HEAD, DELETE, OPTIONS"},
    };
    check(rules, rows, COUNT(rows));
}

static void test_raw_captures(void **state)
{
    (void)state;
    static const char *const rules[] = {"GET /v1/{a}/x/{b}", "GET /v1/{a=p/*}", NULL};
    static const struct row rows[] = {
        {"GET", "/v1/1%2F2/x/3%2f4", "/v1/{a}/x/{b} a=1%2F2 b=3%2f4"},
        {"GET", "/v1/a%20b/x/+", "/v1/{a}/x/{b} a=a%20b b=+"},
        {"GET", "/v1/%/x/%zz", "/v1/{a}/x/{b} a=% b=%zz"},
        {"GET", "/v1/a:b/x/c:d", "/v1/{a}/x/{b} a=a:b b=c:d"},
        {"GET", "/v1/./x/..", "/v1/{a}/x/{b} a=. b=.."},
        {"GET", "/v1/\xff/x/\x01", "/v1/{a}/x/{b} a=\xff b=\x01"},
        {"GET", "/v1//x/1", "404"},
        {"GET", "/v1/1/x/", "404"},
        {"GET", "/v1/p/", "404"},
        {"GET", "/v1/p/1%2F2", "/v1/{a=p/*} a=p/1%2F2"},
        {"GET", "/v1/p%2F1", "404"},
    };
    check(rules, rows, COUNT(rows));
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const rules[] = {"GET /g",     "HEAD /h",    "GET /h",    "* /any",
                                        "* /any/{a}", "GET /any/x", "SEARCH /s", "GET /s",
                                        "OPTIONS /o", "GET /o",     "POST /p",   "get /low",
                                        "* /v",       "REPORT /v",  NULL};
    static const struct row rows[] = {
        {"GET", "/g", "/g"},
        {"HEAD", "/g", "/g"},
        {"OPTIONS", "/g", "405 GET, HEAD, OPTIONS"},
        {"POST", "/g", "405 GET, HEAD, OPTIONS"},
        {"get", "/g", "405 GET, HEAD, OPTIONS"},
        {"GET", "/low", "405 OPTIONS, get"},
        {"get", "/low", "/low"},
        {"HEAD", "/h", "/h"},
        {"HEAD", "/p", "405 POST, OPTIONS"},
        {"OPTIONS", "/p", "405 POST, OPTIONS"},
        {"GET", "/any", "/any"},
        {"HEAD", "/any", "/any"},
        {"PURGE", "/any", "/any"},
        {"OPTIONS", "/any", "/any"},
        {"DELETE", "/any/x", "/any/{a} a=x"},
        {"GET", "/any/x", "/any/x"},
        {"HEAD", "/any/x", "/any/x"},
        {"SEARCH", "/s", "/s"},
        {"GET", "/s", "/s"},
        {"POST", "/s", "405 GET, HEAD, OPTIONS, SEARCH"},
        {"OPTIONS", "/o", "/o"},
        {"POST", "/o", "405 GET, HEAD, OPTIONS"},
        {"REPORT", "/v", "/v"},
        {"POST", "/v", "/v"},
        {"", "/g", "405 GET, HEAD, OPTIONS"},
    };
    check(rules, rows, COUNT(rows));
}

/* The Allow field of a path with `*` names every standard method. */
static void test_allow_any(void **state)
{
    (void)state;
    static const char *const rules[] = {"* /any", "REPORT /any", NULL};
    char allow[PATH_ALLOW_LEN];
    struct status st;
    struct routes *r = fixture_routes(rules, 0, 1, &st);
    assert_non_null(r);
    size_t len = routes_allow(r, SLICE("/any"), allow);
    assert_true(slice_equal(slice_from(allow, len),
                            SLICE("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, REPORT")));
    assert_int_equal(routes_allow(r, SLICE("/none"), allow), 0);
    assert_true(routes_know_method(r, SLICE("REPORT")));
    assert_false(routes_know_method(r, SLICE("report")));
    assert_false(routes_know_method(r, SLICE("%52EPORT"))); /* nothing is decoded */
    assert_false(routes_know_method(r, SLICE("/any")));
    routes_unref(r);
}

/* More custom methods than Allow can list: it is cut between two of them. */
static void test_allow_limit(void **state)
{
    (void)state;
    char lines[40][64];
    const char *rules[41] = {NULL};
    for (int i = 0; i < 40; i++) {
        snprintf(lines[i], sizeof lines[i], "METHOD-WITH-A-LONG-NAME-%02d /x", i);
        rules[i] = lines[i];
    }
    struct status st;
    char allow[PATH_ALLOW_LEN];
    struct routes *r = fixture_routes(rules, 0, 1, &st);
    assert_non_null(r);
    size_t len = routes_allow(r, SLICE("/x"), allow);
    assert_in_range(len, 400, PATH_ALLOW_LEN);
    assert_memory_equal(allow, "OPTIONS, METHOD-WITH-A-LONG-NAME-", 33);
    assert_true(
        slice_has_prefix(slice_from(allow + len - 26, 26), SLICE("METHOD-WITH-A-LONG-NAME-")));
    routes_unref(r);
}

static void test_implicit(void **state)
{
    (void)state;
    static const char *const rules[] = {"GET /v1/x", "POST /{a=**}", NULL};
    static const struct row rows[] = {
        {"POST", "/library.v1.Library/Plain", "/library.v1.Library/Plain"},
        {"POST", "/library.v1.Library/GetShelf", "/library.v1.Library/GetShelf"},
        {"POST", "/library.v1.Updates/Update", "/library.v1.Updates/Update"},
        {"GET", "/library.v1.Library/Plain", "405 POST, OPTIONS"},
        {"POST", "/library.v1.Library/None", "/{a=**} a=library.v1.Library/None"},
    };
    check(rules, rows, COUNT(rows));
}

/* A rule that says what goes without saying, or something else for the same path, is no conflict.
 */
static void test_implicit_replaced(void **state)
{
    (void)state;
    static const char *const rules[] = {"POST /library.v1.Library/Plain",
                                        "POST /library.v1.Library/GetShelf", NULL};
    struct status st;
    struct path_match match;
    struct routes *r = fixture_routes(rules, 0, 1, &st);
    assert_non_null(r);
    assert_true(routes_match(r, SLICE("POST"), SLICE("/library.v1.Library/GetShelf"), &match));
    assert_false(match.route->implicit);
    assert_true(slice_equal(match.route->method->name, SLICE("Plain")));
    assert_true(routes_match(r, SLICE("POST"), SLICE("/library.v1.Library/MoveBook"), &match));
    assert_true(match.route->implicit);
    assert_int_equal(match.route->body, HTTP_BODY_ALL);
    /* Eleven rules of routes.proto, two of the list, and ten implicit routes less two. */
    assert_int_equal(routes_count(r), 21);
    routes_unref(r);
}

/* ---- Scale ---- */

struct scale {
    struct http_rule *rules;
    char (*paths)[64];
};

/* Rules of the shapes that APIs have, 10 to a resource type. */
static struct routes *build_scale(struct scale *s, size_t count, double *seconds)
{
    static const char *const shapes[][2] = {
        {"GET", "/v1/{name=t%zu/*}"},
        {"GET", "/v1/t%zu"},
        {"POST", "/v1/t%zu"},
        {"DELETE", "/v1/{name=t%zu/*}"},
        {"PATCH", "/v1/{name=t%zu/*}"},
        {"POST", "/v1/{name=t%zu/*}:cancel"},
        {"GET", "/v1/{parent=t%zu/*}/items"},
        {"GET", "/v1/{name=t%zu/*/items/*}"},
        {"GET", "/v1/t%zu/{a=**}/raw/{b}"},
        {"PUT", "/v1/{name=t%zu/*/items/*}"},
    };
    s->rules = calloc(count, sizeof *s->rules);
    s->paths = calloc(count, sizeof *s->paths);
    assert_non_null(s->rules);
    assert_non_null(s->paths);
    for (size_t i = 0; i < count; i++) {
        const char *shape = shapes[i % 10][1], *number = strstr(shape, "%zu");
        snprintf(s->paths[i], sizeof s->paths[i], "%.*s%zu%s", (int)(number - shape), shape, i / 10,
                 number + 3);
        s->rules[i] = (struct http_rule){.selector = SLICE("library.v1.Library.Plain"),
                                         .method = slice_from_string(shapes[i % 10][0]),
                                         .path = slice_from_string(s->paths[i]),
                                         .additional = i > 0};
    }
    struct timespec start, end;
    struct status st;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    struct routes *r = routes_build(fixture_schema, s->rules, count, &st);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    *seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (!r)
        fail_msg("%s", st.text);
    free(s->rules);
    free(s->paths);
    return r;
}

/* Nanoseconds of processor time for one match, the best of several rounds: requests for ten of the
 * rules, spread over all. */
static double measure(const struct routes *r, size_t count)
{
    enum { ROUNDS = 40, CALLS = 500 };
    char paths[10][64];
    double best = 1e9;
    for (size_t i = 0; i < 10; i++)
        snprintf(paths[i], sizeof paths[i], "/v1/t%zu/some-id/items/%zu", i * (count / 10) / 10, i);
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec start, end;
        struct path_match match;
        size_t found = 0;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        for (size_t i = 0; i < CALLS; i++)
            found += routes_match(r, SLICE("GET"), slice_from_string(paths[i % 10]), &match);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        assert_int_equal(found, CALLS);
        double ns =
            (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
        best = ns / CALLS < best ? ns / CALLS : best;
    }
    return best;
}

static void test_scale(void **state)
{
    (void)state;
    static const size_t counts[] = {10, 1000, 10000};
    double ns[3];
    for (size_t i = 0; i < 3; i++) {
        struct scale s;
        double seconds;
        struct routes *r = build_scale(&s, counts[i], &seconds);
        ns[i] = measure(r, counts[i]);
        print_message("%5zu rules: %.0f ns a match, built in %.0f ms, %zu KiB\n", counts[i], ns[i],
                      seconds * 1000, routes_memory(r) / 1024);
        assert_in_range(routes_memory(r), 1, 64 << 20);
        assert_true(seconds < 1);
        routes_unref(r);
    }
    /* A thousand times as many: the same work, give or take the caches. */
    assert_true(ns[2] < 4 * ns[0] + 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_stars),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_deepest_template),
        cmocka_unit_test(test_backtracking),
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_raw_captures),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_allow_any),
        cmocka_unit_test(test_allow_limit),
        cmocka_unit_test(test_implicit),
        cmocka_unit_test(test_implicit_replaced),
        cmocka_unit_test(test_scale),
    };
    return cmocka_run_group_tests(tests, fixture_load, fixture_unload);
}
