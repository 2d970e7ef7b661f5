#include "unit/cmocka_all.h"

#include "gateway/cli/proto_printer.h"
#include "gateway/cli/symbol.h"
#include "google/protobuf/descriptor.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

/* The descriptor set of calculator.proto, health and reflection, and the schema made of it. */
static Google__Protobuf__FileDescriptorSet *set;
static struct schema *schema;

static int load(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 18];
    static const char *const files[] = {CALCULATOR_DESCRIPTORS};
    struct status st;
    FILE *file = fopen(CALCULATOR_DESCRIPTORS, "rb");
    if (!file)
        return -1;
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    set = google__protobuf__file_descriptor_set__unpack(NULL, len, bytes);
    schema = schema_load_files(files, 1, &st);
    return set && schema ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    schema_unref(schema);
    return 0;
}

static void expect(const char *symbol, const char *wanted)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(proto_printer_symbol(set, slice_from_string(symbol), &out));
    buf_append_byte(&out, 0);
    assert_string_equal((const char *)buf_slice(&out).data, wanted);
    buf_fini(&out);
}

static void symbols_read_like_their_proto(void **state)
{
    (void)state;
    expect("NumberDouble", "// calculator.proto\n"
                           "// Two operands.\n"
                           "message NumberDouble {\n"
                           "  float value1 = 1;\n"
                           "  float value2 = 2;\n"
                           "}\n");
    expect("BatchResult", "// calculator.proto\n"
                          "message BatchResult {\n"
                          "  oneof outcome {\n"
                          "    double value = 1;\n"
                          "    string error = 2;\n"
                          "  }\n"
                          "}\n");
    expect("VectorsReply", "// calculator.proto\n"
                           "message VectorsReply {\n"
                           "  repeated double result = 1;\n"
                           "  double dot_product = 2;\n"
                           "}\n");
    expect("PrimeFactor.index", "// calculator.proto\n"
                                "uint32 index = 2;  // 0 for the first message\n");
}

static void a_method_comes_with_its_messages(void **state)
{
    (void)state;
    static const char wanted[] =
        "// calculator.proto\n"
        "// Bidirectional stream: one running total for each number sent.\n"
        "rpc RunningTotal(stream Number) returns (stream RunningTotalReply) {\n"
        "  option (google.api.http) = { post: \"/v1/total\" body: \"*\" };\n"
        "}\n"
        "\n"
        "// calculator.proto\n"
        "// One operand or one result.\n"
        "message Number {\n"
        "  float value = 1;\n"
        "}\n"
        "\n"
        "// calculator.proto\n"
        "message RunningTotalReply {\n"
        "  double total = 1;\n"
        "  uint64 count = 2;\n"
        "}\n";
    expect("Calculator.RunningTotal", wanted);
    expect("Calculator/RunningTotal", wanted);
    expect("/Calculator/RunningTotal", wanted);
}

static void nested_enums_and_packages_are_found(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "  SERVING = 1;"},
        {"grpc.health.v1.Health", "rpc Check(grpc.health.v1.HealthCheckRequest) returns"},
        {"grpc.health.v1.Health", "// grpc/health/v1/health.proto, package grpc.health.v1\n"},
        {"google.protobuf.FieldOptions", "optional bool deprecated = 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        assert_true(proto_printer_symbol(set, slice_from_string(rows[i][0]), &out));
        buf_append_byte(&out, 0);
        assert_non_null(strstr((const char *)buf_slice(&out).data, rows[i][1]));
        buf_fini(&out);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        ".",
        "Calc",
        "Calculator.",
        "Calculator.Nothing",
        "Number.value.more",
        "grpc.health.v1",
        "Health",
        "grpc.health.v1.Healthy",
        "NumberDoubl",
        "Number/value2",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        if (proto_printer_symbol(set, slice_from_string(names[i]), &out))
            fail_msg("\"%s\" is found: %.*s", names[i], SLICE_PRINT(buf_slice(&out)));
        buf_fini(&out);
    }
}

static void methods_are_found_in_each_spelling(void **state)
{
    (void)state;
    static const char *const good[] = {"Calculator/AddNum", "/Calculator/AddNum",
                                       "Calculator.AddNum"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct method *method = symbol_method(schema, slice_from_string(good[i]));
        assert_non_null(method);
        assert_true(slice_equal(method->path, SLICE("/Calculator/AddNum")));
    }
    assert_non_null(symbol_method(schema, SLICE("grpc.health.v1.Health.Check")));
    static const char *const bad[] = {
        "", "/", "AddNum", "Calculator", "Calculator/addnum", "Calculator/AddNum/x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(symbol_method(schema, slice_from_string(bad[i])));
}

static void a_mistyped_name_gets_a_suggestion(void **state)
{
    (void)state;
    char nearest[SYMBOL_MAX_LEN];
    assert_true(symbol_nearest_method(schema, SLICE("Calculator/SqareRoot"), nearest));
    assert_string_equal(nearest, "Calculator/SquareRoot");
    assert_true(symbol_nearest_method(schema, SLICE("SquareRoot"), nearest));
    assert_string_equal(nearest, "Calculator/SquareRoot");
    assert_true(symbol_nearest_service(schema, SLICE("Calculater"), nearest));
    assert_string_equal(nearest, "Calculator");
    assert_false(symbol_nearest_service(schema, SLICE("zzzzzzzz"), nearest));
    assert_true(symbol_is_service(schema, SLICE("Calculator")));
    assert_false(symbol_is_service(schema, SLICE("Number")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_read_like_their_proto),
        cmocka_unit_test(a_method_comes_with_its_messages),
        cmocka_unit_test(nested_enums_and_packages_are_found),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(methods_are_found_in_each_spelling),
        cmocka_unit_test(a_mistyped_name_gets_a_suggestion),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
