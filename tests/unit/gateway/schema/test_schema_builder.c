/* Hand-made descriptors: editions, order and gaps of files, and every refusal with its reason. */
#include "gateway/schema/schema.h"
#include "unit/cmocka_all.h"
#include "unit/gateway/schema/descriptor_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int reset(void **state)
{
    (void)state;
    writer_reset();
    return 0;
}

static struct schema *build(struct slice set, struct status *st)
{
    struct schema_builder *b = schema_builder_new();
    assert_non_null(b);
    status_ok(st);
    struct schema *s = schema_builder_add_set(b, set, "test", st) ? schema_build(b, st) : NULL;
    schema_builder_free(b);
    return s;
}

static struct schema *must_build(struct slice set)
{
    struct status st;
    struct schema *s = build(set, &st);
    if (!s)
        fail_msg("%s", st.text);
    return s;
}

static const struct field *field(const struct schema *s, const char *type, const char *name)
{
    const struct message_type *t = schema_message(s, slice_from_string(type));
    assert_non_null(t);
    const struct field *f = message_type_field_by_name(t, slice_from_string(name));
    if (!f)
        fail_msg("%s has no field %s", type, name);
    return f;
}

/* FeatureSet: 1 field_presence, 2 enum_type, 3 repeated_field_encoding, 4 utf8_validation,
 * 5 message_encoding.  Where they stand: FileOptions 50, MessageOptions 12, FieldOptions 21,
 * OneofOptions 1, EnumOptions 7. */
static void test_editions(void **state)
{
    (void)state;
    struct slice entry = NESTED("MapEntry", write_bytes(7, write_number(7, 1)),
                                FIELD("key", 1, STRING), FIELD("value", 2, OF_MESSAGE(".acme.M")));
    struct schema *s = must_build(SET(FILE_OF(
        "e.proto", "acme", "editions", write_number(14, 1000),
        FEATURES(8, 50, write_number(3, 2)), /* file: repeated fields are expanded */
        MESSAGE("M", FIELD("plain", 1, INT32),
                FIELD("implicit", 2, INT32, FEATURES(8, 21, write_number(1, 2))),
                FIELD("required", 3, INT32, FEATURES(8, 21, write_number(1, 3))),
                FIELD("expanded", 4, INT32, REPEATED),
                FIELD("packed", 5, INT32, REPEATED, FEATURES(8, 21, write_number(3, 1))),
                FIELD("delimited", 6, OF_MESSAGE(".acme.M"), FEATURES(8, 21, write_number(5, 2))),
                FIELD("prefixed", 7, OF_MESSAGE(".acme.M")), FIELD("text", 8, STRING),
                FIELD("raw", 9, STRING, FEATURES(8, 21, write_number(4, 3)))),
        MESSAGE("D", FEATURES(7, 12, write_number(5, 2), write_number(1, 2)),
                FIELD("inherits", 1, OF_MESSAGE(".acme.M")), FIELD("implicit", 2, INT32),
                FIELD("map", 3, OF_MESSAGE(".acme.D.MapEntry"), REPEATED), entry,
                FIELD("member", 4, STRING, IN_ONEOF(0)),
                ONEOF("o", FEATURES(2, 1, write_number(4, 3)))),
        ENUM("Open", VALUE("O", 0)),
        ENUM("Closed", VALUE("C", 5), FEATURES(3, 7, write_number(2, 2))))));
    assert_true(field(s, "acme.M", "plain")->presence);
    assert_false(field(s, "acme.M", "plain")->required);
    assert_false(field(s, "acme.M", "implicit")->presence);
    assert_true(field(s, "acme.M", "required")->required);
    assert_false(field(s, "acme.M", "expanded")->packed);
    assert_true(field(s, "acme.M", "packed")->packed);
    assert_int_equal(field(s, "acme.M", "delimited")->kind, FIELD_GROUP);
    assert_int_equal(field(s, "acme.M", "prefixed")->kind, FIELD_MESSAGE);
    assert_true(field(s, "acme.M", "text")->check_utf8);
    assert_false(field(s, "acme.M", "raw")->check_utf8);
    assert_int_equal(field(s, "acme.D", "inherits")->kind, FIELD_GROUP);
    assert_false(field(s, "acme.D", "implicit")->presence);
    /* Maps are never delimited, nor what they hold. */
    assert_int_equal(field(s, "acme.D", "map")->kind, FIELD_MESSAGE);
    assert_true(field(s, "acme.D", "map")->map);
    assert_int_equal(field(s, "acme.D", "map")->message->fields[1].kind, FIELD_MESSAGE);
    assert_false(field(s, "acme.D", "member")->check_utf8);
    assert_int_equal(field(s, "acme.D", "member")->oneof, 1);
    assert_false(schema_enum(s, SLICE("acme.Open"))->closed);
    assert_true(schema_enum(s, SLICE("acme.Closed"))->closed);
    schema_unref(s);
}

/* Proto2 and proto3 files have no features: what an old tool left there does not count. */
static void test_features_are_for_editions(void **state)
{
    (void)state;
    struct schema *s =
        must_build(SET(FILE_OF("p3.proto", "acme", "proto3", FEATURES(8, 50, write_number(1, 1)),
                               MESSAGE("M", FIELD("f", 1, INT32), FIELD("json", 2, INT32)))));
    assert_false(field(s, "acme.M", "f")->presence);
    schema_unref(s);
}

/* Type names: absolute, relative from the innermost scope, kind left out. */
static void test_type_names(void **state)
{
    (void)state;
    struct schema *s = must_build(SET(FILE_OF(
        "r.proto", "a.b", "proto3", MESSAGE("T", FIELD("x", 1, INT32)),
        MESSAGE("M", NESTED("T", FIELD("y", 1, INT32)), FIELD("inner", 1, OF_MESSAGE("T")),
                FIELD("outer", 2, OF_MESSAGE("b.T")), FIELD("absolute", 3, OF_MESSAGE(".a.b.T")),
                FIELD("no_kind", 4, write_text(6, "E")), FIELD("no_kind2", 5, write_text(6, "T"))),
        ENUM("E", VALUE("ZERO", 0)))));
    const struct message_type *top = schema_message(s, SLICE("a.b.T"));
    const struct message_type *nested = schema_message(s, SLICE("a.b.M.T"));
    assert_ptr_equal(field(s, "a.b.M", "inner")->message, nested);
    assert_ptr_equal(field(s, "a.b.M", "outer")->message, top);
    assert_ptr_equal(field(s, "a.b.M", "absolute")->message, top);
    assert_int_equal(field(s, "a.b.M", "no_kind")->kind, FIELD_ENUM);
    assert_int_equal(field(s, "a.b.M", "no_kind2")->kind, FIELD_MESSAGE);
    schema_unref(s);
}

/* Any order, duplicates, own well-known files left out. */
static void test_files_in_any_order(void **state)
{
    (void)state;
    struct slice user = FILE_OF("user.proto", "acme", "proto3", IMPORT("type.proto"),
                                IMPORT("google/protobuf/timestamp.proto"),
                                MESSAGE("M", FIELD("t", 1, OF_MESSAGE(".acme.T")),
                                        FIELD("at", 2, OF_MESSAGE(".google.protobuf.Timestamp"))));
    struct slice type = FILE_OF("type.proto", "acme", "proto3", MESSAGE("T", NOTHING));
    struct slice other = FILE_OF("type.proto", "acme", "proto3", MESSAGE("Other", NOTHING));
    struct schema *s = must_build(SET(user, user, type, other));
    assert_int_equal(field(s, "acme.M", "at")->message->well_known, WELL_KNOWN_TIMESTAMP);
    assert_null(schema_message(s, SLICE("acme.Other"))); /* the first of a name stays */
    struct slice set = schema_descriptor_set(s);
    assert_non_null(memmem(set.data, set.len, "google/protobuf/timestamp.proto", 31));
    schema_unref(s);
}

static void test_missing(void **state)
{
    (void)state;
    struct status st;
    struct schema_builder *b = schema_builder_new();
    assert_null(schema_builder_missing(b));
    struct slice user =
        BARE_FILE("user.proto", "acme", "proto3", IMPORT("google/protobuf/any.proto"),
                  IMPORT("type.proto"), MESSAGE("M", FIELD("t", 1, OF_MESSAGE(".acme.T"))));
    assert_true(schema_builder_add_file(b, user, "reflection", &st));
    assert_string_equal(schema_builder_missing(b), "type.proto");
    assert_null(schema_build(b, &st));
    assert_non_null(
        strstr(st.text, "unknown type \"acme.T\"; the import \"type.proto\" is missing"));
    struct slice type = BARE_FILE("type.proto", "acme", "proto3", MESSAGE("T", NOTHING));
    assert_true(schema_builder_add_file(b, type, "reflection", &st));
    assert_null(schema_builder_missing(b));
    struct schema *s = schema_build(b, &st);
    assert_non_null(s);
    assert_string_equal(schema_source(s), "reflection");
    schema_unref(s);
    schema_builder_free(b);
}

/* An import that only brings options need not be there. */
static void test_unneeded_import(void **state)
{
    (void)state;
    struct schema *s = must_build(SET(FILE_OF("a.proto", "acme", "proto3", IMPORT("gone.proto"),
                                              MESSAGE("M", FIELD("f", 1, INT32)))));
    assert_int_equal(field(s, "acme.M", "f")->number, 1);
    schema_unref(s);
}

/* A peer's well-known file wins over ours, and may bear another name. */
static void test_peer_well_known(void **state)
{
    (void)state;
    struct schema *s = must_build(
        SET(FILE_OF("vendored/duration.proto", "google.protobuf", "proto3",
                    MESSAGE("Duration", FIELD("seconds", 1, TYPE(3)), FIELD("nanos", 2, INT32)))));
    assert_int_equal(schema_message(s, SLICE("google.protobuf.Duration"))->well_known,
                     WELL_KNOWN_DURATION);
    assert_non_null(schema_message(s, SLICE("google.protobuf.Any")));
    schema_unref(s);
}

#define P3(...) SET(FILE_OF("f.proto", "acme", "proto3", __VA_ARGS__))
#define P2(...) SET(FILE_OF("f.proto", "acme", "proto2", __VA_ARGS__))
#define ENTRY(...)                                                                                 \
    NESTED("MEntry", write_bytes(7, write_number(7, 1)), __VA_ARGS__),                             \
        FIELD("m", 1, OF_MESSAGE(".acme.M.MEntry"), REPEATED)

static void assert_refused(struct slice set, const char *reason)
{
    struct status st;
    struct schema *s = build(set, &st);
    if (s)
        fail_msg("compiled, but should say: %s", reason);
    if (!strstr(st.text, reason))
        fail_msg("\"%s\" does not say: %s", st.text, reason);
    assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
}

static void test_refused_fields(void **state)
{
    (void)state;
    const struct {
        struct slice set;
        const char *reason;
    } rows[] = {
        {P3(MESSAGE("M", FIELD("f", 1, OF_MESSAGE(".acme.Gone")))),
         "f.proto: acme.M.f: unknown type \"acme.Gone\" (in test)"},
        {P3(MESSAGE("M", FIELD("f", 1, OF_MESSAGE("")))), "acme.M.f: unknown type \"\""},
        {P3(MESSAGE("M", FIELD("f", 1, OF_MESSAGE(".acme..M")))), "unknown type"},
        {P3(MESSAGE("M", FIELD("f", 1, NOTHING))), "unknown type"},
        {P3(MESSAGE("M", FIELD("f", 1, TYPE(19)))), "acme.M.f: unknown field type 19"},
        {P3(MESSAGE("M", FIELD("f", 1, OF_ENUM(".acme.M")))), "\".acme.M\" is not an enum"},
        {P3(ENUM("E", VALUE("Z", 0)), MESSAGE("M", FIELD("f", 1, OF_MESSAGE(".acme.E")))),
         "\".acme.E\" is not a message"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32), FIELD("g", 1, INT32))),
         "f.proto: acme.M.g: its number 1 is that of f"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32), FIELD("f", 2, INT32))),
         "acme.M.f: already defined in f.proto"},
        {P3(MESSAGE("M", FIELD("a_b", 1, INT32), FIELD("aB", 2, INT32))),
         "its JSON name \"aB\" is that of a_b"},
        {P3(MESSAGE("M", FIELD("f", 0, INT32))), "acme.M.f: the field number is out of range"},
        {P3(MESSAGE("M", FIELD("f", 536870912, INT32))), "out of range"},
        {P3(MESSAGE("M", FIELD("f", UINT64_MAX, INT32))), "out of range"},
        {P3(MESSAGE("M", FIELD("f", 19000, INT32))), "reserved (19000 to 19999)"},
        {P3(MESSAGE("M", FIELD("f", 19999, INT32))), "reserved (19000 to 19999)"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, write_number(4, 4)))), "unknown label"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, IN_ONEOF(0)))), "in a oneof that does not exist"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, IN_ONEOF(0), REPEATED), ONEOF("o", NOTHING))),
         "a repeated field cannot be in a oneof"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, JSON_NAME("")))), "the JSON name is empty"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, JSON_NAME("\xff")))), "not plain UTF-8"},
        {P3(MESSAGE("M", FIELD("", 1, INT32))), "not a valid name"},
        {P3(MESSAGE("M", FIELD("1f", 1, INT32))), "acme.M.1f: not a valid name"},
        {P3(MESSAGE("M", FIELD("f.g", 1, INT32))), "not a valid name"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32, write_text(8, "\x07")))),
         "acme.M.f: the descriptor is malformed"},
        {P3(MESSAGE("M", FIELD("f", 1, INT32), write_text(7, "\x07"))),
         "acme.M: the descriptor is malformed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].set, rows[i].reason);
}

static void test_refused_symbols(void **state)
{
    (void)state;
    struct slice one = FILE_OF("one.proto", "acme", "proto3", MESSAGE("M", NOTHING));
    const struct {
        struct slice set;
        const char *reason;
    } rows[] = {
        {SET(one, FILE_OF("two.proto", "acme", "proto3", MESSAGE("M", NOTHING))),
         "two.proto: acme.M: already defined in one.proto"},
        {SET(one, FILE_OF("two.proto", "acme.M", "proto3", NOTHING)), "already defined"},
        {P3(MESSAGE("M", NOTHING), ENUM("E", VALUE("M", 0))), "acme.M: already defined"},
        {P3(MESSAGE("", NOTHING)), "not a valid name"},
        {P3(MESSAGE("M-M", NOTHING)), "not a valid name"},
        {P3(SERVICE("S", METHOD("m", ".acme.X", ".acme.X"))), "acme.S.m: unknown type \"acme.X\""},
        {P3(MESSAGE("M", NOTHING),
            SERVICE("S", METHOD("m", ".acme.M", ".acme.M"), METHOD("m", ".acme.M", ".acme.M"))),
         "acme.S.m: already defined"},
        {P3(ENUM("E", VALUE("Z", 0)), SERVICE("S", METHOD("m", ".acme.E", ".acme.E"))),
         "acme.S.m: \".acme.E\" is not a message"},
        {P3(SERVICE("S", write_text(2, "\x07"))), "not a valid name"},
        {P3(ENUM("E", NOTHING)), "acme.E: an enum needs a value"},
        {P3(ENUM("E", VALUE("A", 1))), "acme.E.A: the first value of an open enum must be zero"},
        {P2(ENUM("E", VALUE("A", 1), VALUE("B", 1))),
         "acme.E.B: its number 1 is that of A (allow_alias is not set)"},
        {P2(ENUM("E", VALUE("A", 1)), ENUM("F", VALUE("A", 2))), "acme.A: already defined"},
        {P2(EXTENSION("x", 100, ".acme.Gone", INT32)), "acme.x: unknown type \"acme.Gone\""},
        {P2(MESSAGE("M", FIELD("f", 1, INT32)), EXTENSION("x", 1, ".acme.M", INT32)),
         "its number 1 is that of f"},
        {P2(MESSAGE("M", NOTHING), EXTENSION("x", 9, ".acme.M", INT32),
            EXTENSION("y", 9, ".acme.M", INT32)),
         "[acme.y]: its number 9 is that of [acme.x]"},
        {P2(ENUM("E", VALUE("A", 1)), EXTENSION("x", 9, ".acme.E", INT32)), "is not a message"},
        {P3(MESSAGE("M", ENTRY(FIELD("key", 1, STRING)))), "acme.M.MEntry: not a valid map entry"},
        {P3(MESSAGE("M", ENTRY(FIELD("key", 1, TYPE(1)), FIELD("value", 2, INT32)))),
         "not a valid map entry"},
        {P3(MESSAGE("M", ENTRY(FIELD("key", 1, STRING), FIELD("value", 3, INT32)))),
         "not a valid map entry"},
        {P3(MESSAGE("M", ENTRY(FIELD("key", 1, STRING), FIELD("value", 2, INT32, REPEATED)))),
         "not a valid map entry"},
        {SET(FILE_OF("t.proto", "google.protobuf", "proto3",
                     MESSAGE("Timestamp", FIELD("seconds", 1, STRING)))),
         "google.protobuf.Timestamp: differs from the well-known message"},
        {SET(FILE_OF("v.proto", "google.protobuf", "proto3",
                     MESSAGE("Empty", FIELD("f", 1, INT32)))),
         "differs from the well-known message"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].set, rows[i].reason);
}

static void test_refused_files(void **state)
{
    (void)state;
    const struct {
        struct slice set;
        const char *reason;
    } rows[] = {
        {NOTHING, "test: not a descriptor set; make one with protoc --include_imports"},
        {SLICE("\x0a"), "not a descriptor set"},
        {SLICE("syntax = \"proto3\";"), "not a descriptor set"},
        {write_bytes(1, SLICE("\x07")), "the file descriptor is malformed"},
        {SET(FILE_OF("", "acme", "proto3", NOTHING)), "without a valid name"},
        {SET(FILE_OF("a\nb", "acme", "proto3", NOTHING)), "without a valid name"},
        {SET(FILE_OF("f.proto", "a..b", "proto3", NOTHING)), "not a valid package name"},
        {SET(FILE_OF("f.proto", "a.", "proto3", NOTHING)), "not a valid package name"},
        {SET(FILE_OF("f.proto", "a", "proto4", NOTHING)), "f.proto: unknown syntax \"proto4\""},
        {SET(FILE_OF("f.proto", "a", "editions", write_number(14, 1002))),
         "f.proto: edition 1002 is not supported"},
        {SET(FILE_OF("f.proto", "a", "editions", NOTHING)), "edition 0 is not supported"},
        {SET(FILE_OF("f.proto", "a", "proto3", IMPORT("f.proto"))), "imports \"f.proto\""},
        {SET(FILE_OF("f.proto", "a", "proto3", IMPORT("g.proto")),
             FILE_OF("g.proto", "a", "proto3", IMPORT("h.proto")),
             FILE_OF("h.proto", "a", "proto3", IMPORT("f.proto"))),
         "h.proto: imports \"f.proto\", which imports it in turn"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].set, rows[i].reason);
}

static struct slice nest(unsigned depth)
{
    struct slice inner = NESTED("N", NOTHING);
    for (unsigned i = 2; i < depth; i++)
        inner = NESTED("N", inner);
    return P3(MESSAGE("N", inner));
}

static void test_nesting(void **state)
{
    (void)state;
    struct schema *s = must_build(nest(64));
    schema_unref(s);
    assert_refused(nest(65), "messages are nested more than 64 deep");
    assert_refused(nest(5000), "messages are nested more than 64 deep");
}

static void test_cycles_of_messages(void **state)
{
    (void)state;
    struct schema *s = must_build(P3(MESSAGE("A", FIELD("b", 1, OF_MESSAGE(".acme.B"))),
                                     MESSAGE("B", FIELD("a", 1, OF_MESSAGE(".acme.A")))));
    assert_ptr_equal(field(s, "acme.A", "b")->message->fields[0].message->fields[0].message,
                     field(s, "acme.A", "b")->message);
    schema_unref(s);
}

static void assert_exhausted(struct slice set, const char *reason)
{
    struct status st;
    assert_null(build(set, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    if (!strstr(st.text, reason))
        fail_msg("\"%s\" does not say: %s", st.text, reason);
}

static struct slice many_files(size_t count)
{
    uint8_t *set = malloc(count * 16), *at = set;
    assert_non_null(set);
    for (size_t i = 0; i < count; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "%zu", i);
        struct slice file = write_bytes(1, write_bytes(1, slice_from(text, (size_t)n)));
        memcpy(at, file.data, file.len);
        at += file.len;
    }
    struct slice copy = ALL(slice_from(set, (size_t)(at - set)));
    free(set);
    return copy;
}

static void test_limits(void **state)
{
    (void)state;
    struct schema *s = must_build(many_files(4096));
    schema_unref(s);
    assert_exhausted(many_files(4097), "more than 4096 files");

    size_t count = 200001, room = count * 12;
    uint8_t *values = malloc(room), *at = values;
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        int n = snprintf((char *)at, 13, "\022\010\012\006V%05zx", i); /* value: name */
        at += n;
    }
    struct slice all = slice_from(values, (size_t)(at - values));
    assert_exhausted(P2(ENUM("E", all)), "more than 200000 symbols");
    free(values);

    size_t big = 16u << 20;
    uint8_t *zeros = calloc(1, big);
    assert_non_null(zeros);
    assert_exhausted(P3(write_bytes(99, slice_from(zeros, big))), "16 MiB of descriptors");
    free(zeros);
}

/* Truncated at every byte, behind a guard page: an over-read is a crash. */
static void test_truncated(void **state)
{
    (void)state;
    struct slice set =
        P3(MESSAGE("M", FIELD("f", 2, INT32, FEATURES(8, 21, write_number(1, 1))),
                   ENTRY(FIELD("key", 1, STRING), FIELD("value", 2, INT32)), ONEOF("o", NOTHING)),
           ENUM("E", VALUE("Z", 0)), SERVICE("S", METHOD("m", ".acme.M", ".acme.M")));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED && set.len <= page);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t len = 0; len <= set.len; len++) {
        uint8_t *copy = map + page - len;
        memcpy(copy, set.data, len);
        struct status st;
        struct schema *s = build(slice_from(copy, len), &st);
        assert_int_equal(s != NULL, len == set.len);
        schema_unref(s);
    }
    munmap(map, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_editions, reset),
        cmocka_unit_test_setup(test_features_are_for_editions, reset),
        cmocka_unit_test_setup(test_type_names, reset),
        cmocka_unit_test_setup(test_files_in_any_order, reset),
        cmocka_unit_test_setup(test_missing, reset),
        cmocka_unit_test_setup(test_unneeded_import, reset),
        cmocka_unit_test_setup(test_peer_well_known, reset),
        cmocka_unit_test_setup(test_refused_fields, reset),
        cmocka_unit_test_setup(test_refused_symbols, reset),
        cmocka_unit_test_setup(test_refused_files, reset),
        cmocka_unit_test_setup(test_nesting, reset),
        cmocka_unit_test_setup(test_cycles_of_messages, reset),
        cmocka_unit_test_setup(test_limits, reset),
        cmocka_unit_test_setup(test_truncated, reset),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    writer_reset();
    return failed;
}
