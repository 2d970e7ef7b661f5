/* Several schemas as one: who serves what, what is the first's, and what can be published. */
#include "gateway/schema/routes.h"
#include "gateway/schema/schema_merge.h"
#include "gateway/schema/schema_private.h"
#include "unit/cmocka_all.h"
#include "unit/gateway/schema/descriptor_writer.h"

#include <stdio.h>
#include <stdlib.h>

/* MethodOptions with google.api.http: get = path. */
#define GET(path) write_bytes(4, write_bytes(72295728, write_text(2, path)))
#define METHOD_WITH(name, input, output, options)                                                  \
    write_bytes(2, ALL(write_text(1, name), write_text(2, input), write_text(3, output), options))

static char notes[4096];

static int reset(void **state)
{
    (void)state;
    writer_reset();
    notes[0] = 0;
    return 0;
}

static void on_note(void *arg, const char *text)
{
    (void)arg;
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", text);
}

static struct schema *build(struct slice set)
{
    struct status st;
    struct schema_builder *b = schema_builder_new();
    struct schema *s = schema_builder_add_set(b, set, "test", &st) ? schema_build(b, &st) : NULL;
    schema_builder_free(b);
    if (!s)
        fail_msg("%s", st.text);
    return s;
}

/* The schemas of upstreams "a" and "b", merged; their references are given away. */
static struct schema *merge(struct schema *a, struct schema *b)
{
    struct status st;
    const struct schema_part parts[] = {{.schema = a, .upstream = 0, .name = "a"},
                                        {.schema = b, .upstream = 1, .name = "b"}};
    struct schema *s = schema_merge(parts, 2, false, on_note, NULL, &st);
    assert_non_null(s);
    schema_unref(a);
    schema_unref(b);
    return s;
}

static const struct method *method(const struct schema *s, const char *path)
{
    const struct method *m = schema_method(s, slice_from_string(path));
    if (!m)
        fail_msg("no method %s", path);
    return m;
}

/* service.proto with Say(Request) returns (Request); Request has one field of that name. */
static struct slice service(const char *package, const char *name, const char *field)
{
    char type[64];
    snprintf(type, sizeof type, "%s%s.Request", *package ? "." : "", package);
    return SET(FILE_OF("service.proto", package, "proto3",
                       MESSAGE("Request", FIELD(field, 1, STRING)),
                       SERVICE(name, METHOD("Say", type, type))));
}

/* How many files the published set has; it must load. */
static size_t loads(const struct schema *s)
{
    struct schema *again = build(schema_descriptor_set(s));
    size_t services = schema_service_count(again);
    schema_unref(again);
    return services;
}

static void one_file_name_two_packages(void **state)
{
    (void)state;
    struct schema *s = merge(build(service("x", "X", "one")), build(service("y", "Y", "two")));
    assert_string_equal(notes, "");
    assert_int_equal(schema_service_count(s), 2);
    assert_int_equal(schema_method_count(s), 2);
    assert_int_equal(method(s, "/x.X/Say")->upstream, 0);
    assert_int_equal(method(s, "/y.Y/Say")->upstream, 1);
    assert_non_null(schema_message(s, SLICE("y.Request")));
    assert_true(slice_equal(schema_method_file(s, method(s, "/y.Y/Say")), SLICE("service.proto")));
    assert_int_equal(loads(s), 2);
    assert_string_equal(schema_source(s), "test of a, test of b");
    schema_unref(s);
}

/* A clash of types: each method has its own, the name is the first's, the set has the first's. */
static void types_that_differ(void **state)
{
    (void)state;
    struct schema *s = merge(build(service("", "X", "one")), build(service("", "Y", "two")));
    const struct message_type *first = schema_message(s, SLICE("Request"));
    assert_ptr_equal(method(s, "/X/Say")->input, first);
    assert_ptr_not_equal(method(s, "/Y/Say")->input, first);
    assert_true(slice_equal(method(s, "/Y/Say")->input->fields[0].name, SLICE("two")));
    assert_non_null(strstr(notes, "Request (service.proto) of b differs from that of a"));
    assert_non_null(strstr(notes, "1 files of b are not in /descriptors.binpb"));
    assert_int_equal(loads(s), 1);
    schema_unref(s);
}

static void the_first_has_a_service_of_two(void **state)
{
    (void)state;
    struct slice set = service("x", "X", "one");
    struct schema *s = merge(build(set), build(set));
    assert_int_equal(schema_service_count(s), 1);
    assert_int_equal(method(s, "/x.X/Say")->upstream, 0);
    assert_string_equal(notes, "service x.X is on a and on b: calls go to a\n");
    assert_int_equal(loads(s), 1);
    schema_unref(s);
}

static void common_services_are_no_news(void **state)
{
    (void)state;
    struct schema *s = merge(build(service("grpc.health.v1", "Health", "one")),
                             build(service("grpc.health.v1", "Health", "two")));
    assert_string_equal(notes, "");
    assert_int_equal(method(s, "/grpc.health.v1.Health/Say")->upstream, 0);
    assert_int_equal(loads(s), 1);
    schema_unref(s);
}

/* A method and a type of one name: what the first has keeps it, the rest is served all the same. */
static void a_method_named_like_a_type(void **state)
{
    (void)state;
    struct slice types =
        SET(FILE_OF("service.proto", "Foo", "proto3", MESSAGE("Say", FIELD("one", 1, STRING)),
                    SERVICE("X", METHOD("Do", ".Foo.Say", ".Foo.Say"))));
    struct schema *s = merge(build(types), build(service("", "Foo", "two")));
    assert_int_equal(method(s, "/Foo.X/Do")->upstream, 0);
    assert_non_null(schema_message(s, SLICE("Foo.Say")));
    assert_null(schema_method(s, SLICE("/Foo/Say")));
    assert_non_null(strstr(notes, "method Foo.Say of b is left out: a has something else of that"));
    assert_int_equal(schema_method_count(s), 1);
    schema_unref(s);
}

static void a_service_named_like_a_type(void **state)
{
    (void)state;
    struct slice message = SET(FILE_OF("a.proto", "", "proto3", MESSAGE("Y", FIELD("f", 1, INT32)),
                                       SERVICE("X", METHOD("Do", ".Y", ".Y"))));
    struct schema *s = merge(build(message), build(service("", "Y", "two")));
    assert_null(schema_method(s, SLICE("/Y/Say")));
    assert_non_null(schema_message(s, SLICE("Y")));
    assert_non_null(strstr(notes, "service Y of b is left out: a has something else of that name"));
    assert_int_equal(schema_service_count(s), 1);
    schema_unref(s);
}

/* Each may be as large as a schema may be (which takes seconds to build): none keeps others out. */
static void large_ones_have_room(void **state)
{
    (void)state;
    struct schema *s = merge(build(service("x", "X", "one")), build(service("y", "Y", "two")));
    assert_int_equal(s->symbols.max, 2 * SYMBOLS_MAX);
    schema_unref(s);
}

/* common.proto in a newer version with the first upstream: it stands in for the older one. */
static void an_imported_file_in_two_versions(void **state)
{
    (void)state;
    struct slice old = FILE_OF("common.proto", "c", "proto3", MESSAGE("M", FIELD("f", 1, INT32)));
    struct slice new =
        FILE_OF("common.proto", "c", "proto3",
                MESSAGE("M", FIELD("f", 1, INT32), FIELD("g", 2, INT32)), MESSAGE("N", NOTHING));
    struct slice x = FILE_OF("x.proto", "x", "proto3", IMPORT("common.proto"),
                             SERVICE("X", METHOD("Say", ".c.M", ".c.M")));
    struct slice y = FILE_OF("y.proto", "y", "proto3", IMPORT("common.proto"),
                             SERVICE("Y", METHOD("Say", ".c.M", ".c.M")));
    struct schema *s = merge(build(SET(new, x)), build(SET(old, y)));
    assert_int_equal(method(s, "/x.X/Say")->input->field_count, 2);
    assert_int_equal(method(s, "/y.Y/Say")->input->field_count, 1);
    assert_non_null(strstr(notes, "c.M (common.proto) of b differs"));
    assert_null(strstr(notes, "/descriptors.binpb"));
    assert_int_equal(loads(s), 2);
    schema_unref(s);
    /* The other way round nothing has all of its names: what needs it is left out. */
    notes[0] = 0;
    s = merge(build(SET(old, y)), build(SET(new, x)));
    assert_int_equal(method(s, "/x.X/Say")->input->field_count, 2);
    assert_non_null(strstr(notes, "2 files of b are not in /descriptors.binpb"));
    assert_int_equal(loads(s), 1);
    schema_unref(s);
}

/* Two different files of one name, and what imports the second follows it. */
static void imports_follow_a_renamed_file(void **state)
{
    (void)state;
    struct slice a = FILE_OF("types.proto", "p", "proto3", MESSAGE("A", NOTHING));
    struct slice b = FILE_OF("types.proto", "q", "proto3", MESSAGE("B", NOTHING));
    struct slice x = FILE_OF("x.proto", "p", "proto3", IMPORT("types.proto"),
                             SERVICE("X", METHOD("Say", ".p.A", ".p.A")));
    struct slice y = FILE_OF("y.proto", "q", "proto3", IMPORT("types.proto"),
                             SERVICE("Y", METHOD("Say", ".q.B", ".q.B")));
    struct schema *s = merge(build(SET(a, x)), build(SET(b, y)));
    assert_string_equal(notes, "");
    struct schema *again = build(schema_descriptor_set(s));
    assert_non_null(schema_method(again, SLICE("/p.X/Say")));
    assert_non_null(schema_method(again, SLICE("/q.Y/Say")));
    assert_non_null(memmem(schema_descriptor_set(s).data, schema_descriptor_set(s).len,
                           "upstream2/types.proto", 21));
    schema_unref(again);
    schema_unref(s);
}

/* Files from outside: the lists say who serves what, the first has the rest. */
static void lists_choose(void **state)
{
    (void)state;
    static const char *const services[] = {"p.A", "p.X"};
    struct status st;
    struct schema *files = build(SET(FILE_OF("f.proto", "p", "proto3", MESSAGE("M", NOTHING),
                                             SERVICE("A", METHOD("Say", ".p.M", ".p.M")),
                                             SERVICE("B", METHOD("Say", ".p.M", ".p.M")),
                                             SERVICE("C", METHOD("Say", ".p.M", ".p.M")))));
    struct schema *listed = build(service("p", "B", "one"));
    const struct schema_part parts[] = {
        {.schema = files, .upstream = 1, .name = "b", .services = services, .services_count = 2},
        {.schema = files, .upstream = 2, .name = "c", .listed = listed},
        {.schema = files, .upstream = 0, .name = "a", .rest = true}};
    struct schema *s = schema_merge(parts, 3, false, on_note, NULL, &st);
    assert_int_equal(method(s, "/p.A/Say")->upstream, 1);
    assert_int_equal(method(s, "/p.B/Say")->upstream, 2);
    assert_int_equal(method(s, "/p.C/Say")->upstream, 0);
    assert_int_equal(schema_method_count(s), 3);
    assert_string_equal(schema_source(s), "test");
    assert_string_equal(notes,
                        "b has no service p.X, which is in its list of services\n"
                        "no upstream is known to have p.C and 0 more services of the files: calls "
                        "go to a\n");
    assert_true(slice_equal(schema_descriptor_set(s), schema_descriptor_set(files)));
    schema_unref(s);
    schema_unref(listed);
    schema_unref(files);
}

/* Two servers that know nothing of each other bind one path: the first has it. */
static void one_path_on_two_upstreams(void **state)
{
    (void)state;
    struct slice x = SET(FILE_OF("x.proto", "x", "proto3", MESSAGE("M", NOTHING),
                                 SERVICE("X", METHOD_WITH("Say", ".x.M", ".x.M", GET("/v1/it")))));
    struct slice y = SET(FILE_OF("y.proto", "y", "proto3", MESSAGE("M", NOTHING),
                                 SERVICE("Y", METHOD_WITH("Say", ".y.M", ".y.M", GET("/v1/it")),
                                         METHOD_WITH("Too", ".y.M", ".y.M", GET("/v1/too")))));
    struct schema *s = merge(build(x), build(y));
    struct status st;
    struct path_match match;
    const char *first;
    struct routes *r = routes_build(s, NULL, 0, &st);
    assert_non_null(r);
    assert_true(routes_match(r, SLICE("GET"), SLICE("/v1/it"), &match));
    assert_int_equal(match.route->method->upstream, 0);
    assert_true(routes_match(r, SLICE("GET"), SLICE("/v1/too"), &match));
    assert_int_equal(match.route->method->upstream, 1);
    assert_int_equal(routes_left_out(r, &first), 1);
    assert_non_null(strstr(first, "same method and path as \"/v1/it\" of x.X.Say"));
    routes_unref(r);
    schema_unref(s);
}

/* A rule for a method that may come later is passed over, in a complete schema it is an error. */
static void rules_wait_for_a_partial_schema(void **state)
{
    (void)state;
    struct schema *x = build(service("x", "X", "one"));
    const struct schema_part part = {.schema = x, .upstream = 1, .name = "b"};
    const struct http_rule rule = {
        .selector = SLICE("y.Y.Say"), .method = SLICE("GET"), .path = SLICE("/y"), .source = "r"};
    for (int partial = 0; partial < 2; partial++) {
        struct status st;
        struct schema *s = schema_merge(&part, 1, partial, on_note, NULL, &st);
        assert_int_equal(schema_partial(s), partial);
        struct routes *r = routes_build(s, &rule, 1, &st);
        assert_int_equal(r != NULL, partial);
        routes_unref(r);
        schema_unref(s);
    }
    schema_unref(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_file_name_two_packages, reset),
        cmocka_unit_test_setup(types_that_differ, reset),
        cmocka_unit_test_setup(the_first_has_a_service_of_two, reset),
        cmocka_unit_test_setup(common_services_are_no_news, reset),
        cmocka_unit_test_setup(a_method_named_like_a_type, reset),
        cmocka_unit_test_setup(a_service_named_like_a_type, reset),
        cmocka_unit_test_setup(large_ones_have_room, reset),
        cmocka_unit_test_setup(an_imported_file_in_two_versions, reset),
        cmocka_unit_test_setup(imports_follow_a_renamed_file, reset),
        cmocka_unit_test_setup(lists_choose, reset),
        cmocka_unit_test_setup(one_path_on_two_upstreams, reset),
        cmocka_unit_test_setup_teardown(rules_wait_for_a_partial_schema, reset, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
