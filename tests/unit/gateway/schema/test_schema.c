/* What protoc's own output compiles to. */
#include "gateway/schema/schema.h"
#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

static struct schema *schema;

static int load(void **state)
{
    (void)state;
    static const char *const paths[] = {SCHEMA_TEST_SETS "/service.binpb",
                                        SCHEMA_TEST_SETS "/proto2.binpb"};
    struct status st;
    schema = schema_load_files(paths, 2, &st);
    if (!schema)
        print_error("%s\n", st.text);
    return schema ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    schema_unref(schema);
    return 0;
}

static const struct message_type *message(const char *name)
{
    const struct message_type *type = schema_message(schema, slice_from_string(name));
    assert_non_null(type);
    assert_true(slice_equal(type->full_name, slice_from_string(name)));
    return type;
}

static const struct field *field(const char *type, const char *name)
{
    const struct field *f = message_type_field_by_name(message(type), slice_from_string(name));
    if (!f)
        fail_msg("%s has no field %s", type, name);
    return f;
}

static void assert_text(struct slice s, const char *text)
{
    if (!slice_equal(s, slice_from_string(text)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINT(s), text);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json_key;
        uint32_t number;
        enum field_kind kind;
        enum wire_type wire_type;
        bool presence, check_utf8;
    } rows[] = {
        {"a_double", "\"aDouble\":", 1, FIELD_DOUBLE, WIRE_FIXED64, false, false},
        {"a_float", "\"aFloat\":", 2, FIELD_FLOAT, WIRE_FIXED32, false, false},
        {"an_int64", "\"anInt64\":", 3, FIELD_INT64, WIRE_VARINT, false, false},
        {"a_uint64", "\"aUint64\":", 4, FIELD_UINT64, WIRE_VARINT, false, false},
        {"an_int32", "\"anInt32\":", 5, FIELD_INT32, WIRE_VARINT, false, false},
        {"a_fixed64", "\"aFixed64\":", 6, FIELD_FIXED64, WIRE_FIXED64, false, false},
        {"a_fixed32", "\"aFixed32\":", 7, FIELD_FIXED32, WIRE_FIXED32, false, false},
        {"a_bool", "\"aBool\":", 8, FIELD_BOOL, WIRE_VARINT, false, false},
        {"a_string", "\"aString\":", 9, FIELD_STRING, WIRE_LEN, false, true},
        {"a_message", "\"aMessage\":", 11, FIELD_MESSAGE, WIRE_LEN, true, false},
        {"a_bytes", "\"aBytes\":", 12, FIELD_BYTES, WIRE_LEN, false, false},
        {"a_uint32", "\"aUint32\":", 13, FIELD_UINT32, WIRE_VARINT, false, false},
        {"an_enum", "\"anEnum\":", 14, FIELD_ENUM, WIRE_VARINT, false, false},
        {"a_sfixed32", "\"aSfixed32\":", 15, FIELD_SFIXED32, WIRE_FIXED32, false, false},
        {"a_sfixed64", "\"aSfixed64\":", 16, FIELD_SFIXED64, WIRE_FIXED64, false, false},
        {"a_sint32", "\"aSint32\":", 17, FIELD_SINT32, WIRE_VARINT, false, false},
        {"a_sint64", "\"aSint64\":", 18, FIELD_SINT64, WIRE_VARINT, false, false},
    };
    const struct message_type *kinds = message("acme.v3.Kinds");
    assert_int_equal(kinds->field_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < kinds->field_count; i++) {
        const struct field *f = message_type_field(kinds, rows[i].number);
        assert_non_null(f);
        assert_ptr_equal(f, &kinds->fields[i]);
        assert_int_equal(f->index, i);
        assert_text(f->name, rows[i].name);
        assert_text(f->json_key, rows[i].json_key);
        assert_int_equal(f->kind, rows[i].kind);
        assert_int_equal(f->wire_type, rows[i].wire_type);
        assert_int_equal(f->presence, rows[i].presence);
        assert_int_equal(f->check_utf8, rows[i].check_utf8);
        assert_false(f->repeated || f->packed || f->map || f->required || f->oneof);
        assert_int_equal(f->tag[0] & 7, rows[i].wire_type);
        assert_int_equal(f->tag_len, rows[i].number < 16 ? 1 : 2);
        assert_ptr_equal(message_type_field_by_name(kinds, f->json_name), f);
        assert_ptr_equal(message_type_field_by_name(kinds, f->name), f);
    }
    assert_ptr_equal(field("acme.v3.Kinds", "a_message")->message, kinds);
    assert_ptr_equal(field("acme.v3.Kinds", "an_enum")->enumeration,
                     schema_enum(schema, SLICE("acme.v3.Color")));
    assert_null(message_type_field(kinds, 0));
    assert_null(message_type_field(kinds, 10));
    assert_null(message_type_field(kinds, 19));
    assert_null(message_type_field_by_name(kinds, SLICE("adouble")));
    assert_null(message_type_field_by_name(kinds, SLICE("")));
}

static void test_repeated(void **state)
{
    (void)state;
    const struct field *f = field("acme.v3.Shapes", "numbers");
    assert_true(f->repeated && f->packed && !f->presence && !f->map);
    assert_int_equal(f->tag[0], 1 << 3 | WIRE_VARINT);
    assert_int_equal(f->packed_tag[0], 1 << 3 | WIRE_LEN);
    assert_false(field("acme.v3.Shapes", "unpacked")->packed);
    f = field("acme.v3.Shapes", "words");
    assert_true(f->repeated && !f->packed && f->check_utf8);
    assert_true(field("acme.v3.Shapes", "colors")->packed);
}

static void test_maps(void **state)
{
    (void)state;
    const struct field *f = field("acme.v3.Shapes", "children");
    assert_true(f->map && f->repeated && !f->presence);
    assert_true(f->message->map_entry);
    assert_int_equal(f->message->fields[0].kind, FIELD_STRING);
    assert_ptr_equal(f->message->fields[1].message, message("acme.v3.Shapes"));
    f = field("acme.v3.Shapes", "names");
    assert_int_equal(message_type_field(f->message, 1)->kind, FIELD_INT32);
    assert_int_equal(message_type_field(f->message, 2)->kind, FIELD_STRING);
    assert_false(message("acme.v3.Shapes")->map_entry);
}

static void test_oneofs_and_optional(void **state)
{
    (void)state;
    assert_int_equal(message("acme.v3.Shapes")->oneof_count, 2);
    assert_int_equal(field("acme.v3.Shapes", "text")->oneof, 1);
    assert_int_equal(field("acme.v3.Shapes", "shapes")->oneof, 1);
    assert_int_equal(field("acme.v3.Shapes", "number")->oneof, 2);
    assert_true(field("acme.v3.Shapes", "number")->presence);
    const struct field *f = field("acme.v3.Shapes", "maybe");
    assert_true(f->presence);
    assert_int_equal(f->oneof, 0);
    assert_true(field("acme.v3.Shapes", "perhaps")->presence);
}

static void test_names(void **state)
{
    (void)state;
    const struct field *f = field("acme.v3.Shapes", "renamed_field");
    assert_text(f->json_name, "a \"name\"");
    assert_text(f->json_key, "\"a \\\"name\\\"\":");
    assert_text(f->proto_key, "\"renamed_field\":");
    assert_ptr_equal(field("acme.v3.Shapes", "a \"name\""), f);
    assert_null(message_type_field_by_name(message("acme.v3.Shapes"), SLICE("renamedField")));
    assert_text(field("acme.v3.Shapes", "_odd__name_2x")->json_name, "OddName2x");
    assert_text(field("acme.v3.Shapes.Inner", "depth")->enumeration->full_name,
                "acme.v3.Shapes.Inner.Depth");
}

static void test_sparse_numbers(void **state)
{
    (void)state;
    const struct message_type *type = message("acme.v3.Sparse");
    assert_true(type->by_number_len <= 64);
    assert_text(message_type_field(type, 1)->name, "low");
    assert_text(message_type_field(type, 63)->name, "dense");
    assert_text(message_type_field(type, 70000)->name, "middle");
    assert_text(message_type_field(type, 536870911)->name, "high");
    assert_int_equal(message_type_field(type, 536870911)->tag_len, 5);
    assert_null(message_type_field(type, 64));
    assert_null(message_type_field(type, 70001));
    assert_null(message_type_field(type, UINT32_MAX));
    assert_null(message_type_field(message("acme.v3.None"), 1));
    assert_null(message_type_field_by_name(message("acme.v3.None"), SLICE("x")));
}

static void test_enums(void **state)
{
    (void)state;
    const struct enum_type *color = schema_enum(schema, SLICE("acme.v3.Color"));
    assert_non_null(color);
    assert_false(color->closed || color->null_value);
    assert_int_equal(color->value_count, 5);
    assert_int_equal(color->by_number_count, 4);
    assert_text(enum_type_value(color, 1)->name, "RED");
    assert_text(enum_type_value(color, 1)->json, "\"RED\"");
    assert_text(enum_type_value(color, 7)->name, "BLUE");
    assert_text(enum_type_value(color, -3)->name, "BELOW");
    assert_text(enum_type_value(color, 0)->name, "COLOR_UNSPECIFIED");
    assert_null(enum_type_value(color, 2));
    assert_null(enum_type_value(color, INT32_MIN));
    assert_null(enum_type_value(color, INT32_MAX));
    for (uint32_t i = 0; i < color->value_count; i++)
        assert_ptr_equal(enum_type_value_by_name(color, color->values[i].name), &color->values[i]);
    assert_int_equal(enum_type_value_by_name(color, SLICE("CRIMSON"))->number, 1);
    assert_null(enum_type_value_by_name(color, SLICE("RE")));
    assert_null(enum_type_value_by_name(color, SLICE("REDD")));
    assert_null(enum_type_value_by_name(color, SLICE("")));
    assert_true(schema_enum(schema, SLICE("acme.v2.Closed"))->closed);
    assert_true(schema_enum(schema, SLICE("google.protobuf.NullValue"))->null_value);
}

static void test_well_known(void **state)
{
    (void)state;
    static const enum well_known expected[] = {
        WELL_KNOWN_ANY,        WELL_KNOWN_TIMESTAMP, WELL_KNOWN_DURATION,
        WELL_KNOWN_FIELD_MASK, WELL_KNOWN_STRUCT,    WELL_KNOWN_VALUE,
        WELL_KNOWN_LIST_VALUE, WELL_KNOWN_EMPTY,     WELL_KNOWN_WRAPPER};
    const struct message_type *type = message("acme.v3.WellKnown");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(type->fields[i].message->well_known, expected[i]);
    assert_int_equal(type->well_known, WELL_KNOWN_NONE);
    assert_true(type->fields[9].enumeration->null_value);
}

/* Any and error details need types that no file imports. */
static void test_embedded_files(void **state)
{
    (void)state;
    assert_int_equal(message("google.protobuf.UInt64Value")->well_known, WELL_KNOWN_WRAPPER);
    assert_true(field("google.rpc.BadRequest", "fieldViolations")->repeated);
    static const char *const details[] = {
        "ErrorInfo",  "RetryInfo",   "DebugInfo",    "QuotaFailure", "PreconditionFailure",
        "BadRequest", "RequestInfo", "ResourceInfo", "Help",         "LocalizedMessage",
    };
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        char name[64];
        snprintf(name, sizeof name, "google.rpc.%s", details[i]);
        message(name);
    }
    assert_true(field("google.rpc.QuotaFailure.Violation", "futureQuotaValue")->presence);
    assert_ptr_equal(field("google.rpc.Status", "details")->message,
                     message("google.protobuf.Any"));
    assert_null(schema_message(schema, SLICE("google.api.HttpRule")));
}

static void test_proto2(void **state)
{
    (void)state;
    const struct field *f = field("acme.v2.Old", "must");
    assert_true(f->required && f->presence);
    f = field("acme.v2.Old", "text");
    assert_true(f->presence && !f->required && !f->check_utf8);
    assert_false(field("acme.v2.Old", "expanded")->packed);
    assert_true(field("acme.v2.Old", "packed")->packed);
    f = field("acme.v2.Old", "pair");
    assert_int_equal(f->kind, FIELD_GROUP);
    assert_int_equal(f->wire_type, WIRE_SGROUP);
    assert_int_equal(f->tag[0], 5 << 3 | WIRE_SGROUP);
    assert_ptr_equal(f->message, message("acme.v2.Old.Pair"));
    f = field("acme.v2.Old", "item");
    assert_true(f->kind == FIELD_GROUP && f->repeated && !f->packed);
}

static void test_extensions(void **state)
{
    (void)state;
    const struct message_type *old = message("acme.v2.Old");
    const struct field *f = schema_extension(schema, old, 100);
    assert_non_null(f);
    assert_true(f->extension && f->presence);
    assert_text(f->name, "[acme.v2.plain_extension]");
    assert_text(f->json_key, "\"[acme.v2.plain_extension]\":");
    assert_ptr_equal(field("acme.v2.Old", "[acme.v2.plain_extension]"), f);
    assert_text(schema_extension(schema, old, 101)->name, "[acme.v2.Old.nested_extension]");
    f = schema_extension(schema, old, 102);
    assert_true(f->repeated && f->message == old && !f->presence);
    assert_null(schema_extension(schema, old, 1));
    assert_null(schema_extension(schema, old, 103));
    assert_false(field("acme.v2.Old", "must")->extension);
}

static void test_methods(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool client, server, no_side_effects;
    } rows[] = {
        {"/acme.service.Things/Get", false, false, true},
        {"/acme.service.Things/Put", false, false, false},
        {"/acme.service.Things/Upload", true, false, false},
        {"/acme.service.Things/Download", false, true, false},
        {"/acme.service.Things/Talk", true, true, false},
    };
    assert_int_equal(schema_method_count(schema), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct method *m = schema_method(schema, slice_from_string(rows[i].path));
        assert_non_null(m);
        assert_ptr_equal(m, schema_method_at(schema, i));
        assert_text(m->path, rows[i].path);
        assert_text(m->service, "acme.service.Things");
        assert_int_equal(m->client_streaming, rows[i].client);
        assert_int_equal(m->server_streaming, rows[i].server);
        assert_int_equal(m->no_side_effects, rows[i].no_side_effects);
    }
    assert_ptr_equal(schema_method_at(schema, 0)->input, message("acme.v3.None"));
    assert_ptr_equal(schema_method_at(schema, 0)->output, message("acme.v3.Kinds"));
    assert_int_equal(schema_method_at(schema, 0)->options.len, 3);
    assert_null(schema_method_at(schema, 5));
    assert_int_equal(schema_service_count(schema), 2);
    assert_text(schema_service_at(schema, 0), "acme.service.Things");
    assert_text(schema_service_at(schema, 1), "acme.service.Nothing");
}

static void test_unknown_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "/",
                                        "//",
                                        "acme.service.Things/Get",
                                        "/acme.service.Things",
                                        "/acme.service/Things",
                                        "/acme.service.Things/Get/",
                                        "/acme.service.Things/get",
                                        "/acme.service.Things.Get",
                                        "/acme.v3.Kinds/a_bool",
                                        "/Get",
                                        "//Get",
                                        "/acme.service.Things//Get"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (schema_method(schema, slice_from_string(paths[i])))
            fail_msg("%s was found", paths[i]);
    assert_null(schema_method(schema, (struct slice){NULL, 0}));
    assert_null(schema_message(schema, SLICE("acme.v3.Color")));
    assert_null(schema_message(schema, SLICE("acme.v3")));
    assert_null(schema_message(schema, SLICE(".acme.v3.Kinds")));
    assert_null(schema_enum(schema, SLICE("acme.v3.Kinds")));
}

/* The set can be loaded again and says the same; imports come before importers. */
static void test_descriptor_set(void **state)
{
    (void)state;
    struct slice set = schema_descriptor_set(schema);
    struct schema_builder *b = schema_builder_new();
    struct status st;
    assert_true(schema_builder_add_set(b, set, "again", &st));
    assert_null(schema_builder_missing(b));
    struct schema *again = schema_build(b, &st);
    schema_builder_free(b);
    assert_non_null(again);
    assert_true(slice_equal(schema_descriptor_set(again), set));
    assert_int_equal(schema_method_count(again), 5);
    assert_string_equal(schema_source(again), "again");
    const uint8_t *import = memmem(set.data, set.len, "\012\014proto3.proto", 14);
    const uint8_t *importer = memmem(set.data, set.len, "\012\015service.proto", 15);
    assert_non_null(import);
    assert_non_null(importer);
    assert_true(import < importer);
    schema_unref(again);
}

static void test_source_and_references(void **state)
{
    (void)state;
    assert_string_equal(schema_source(schema), "descriptors: " SCHEMA_TEST_SETS
                                               "/service.binpb, " SCHEMA_TEST_SETS "/proto2.binpb");
    assert_ptr_equal(schema_ref(schema), schema);
    schema_unref(schema);
    assert_int_equal(schema_service_count(schema), 2);
    schema_unref(NULL);
}

static void test_load_errors(void **state)
{
    (void)state;
    struct status st;
    const char *path = SCHEMA_TEST_SETS "/no_such_file.binpb";
    assert_null(schema_load_files(&path, 1, &st));
    assert_non_null(strstr(st.text, "No such file"));
    path = "/proc/self/status"; /* a text */
    assert_null(schema_load_files(&path, 1, &st));
    assert_non_null(strstr(st.text, "not a descriptor set"));
    path = "/";
    assert_null(schema_load_files(&path, 1, &st));
    assert_null(schema_load_files(NULL, 0, &st));
    assert_string_equal(st.text, "there are no descriptors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_oneofs_and_optional),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sparse_numbers),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_well_known),
        cmocka_unit_test(test_embedded_files),
        cmocka_unit_test(test_proto2),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_descriptor_set),
        cmocka_unit_test(test_source_and_references),
        cmocka_unit_test(test_load_errors),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
