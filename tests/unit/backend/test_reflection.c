#include "unit/backend/rig.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

#define ASKS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

static const char v1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
static const char v1alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/* Asks on a stream that stays open; the caller frees the answer. */
static reflection_response *ask(struct rig_call *call, const reflection_request *request)
{
    rig_send(call, &request->base);
    rig_turn(call->rig);
    reflection_response *reply =
        rig_reply(call, &grpc__reflection__v1__server_reflection_response__descriptor);
    assert_non_null(reply);
    assert_non_null(reply->original_request);
    assert_int_equal(reply->original_request->message_request_case, request->message_request_case);
    return reply;
}

static void expect_file(const reflection_response *reply, const char *name)
{
    struct status st;
    assert_int_equal(reply->message_response_case, ANSWERS(FILE_DESCRIPTOR_RESPONSE));
    const Grpc__Reflection__V1__FileDescriptorResponse *answer = reply->file_descriptor_response;
    assert_true(answer->n_file_descriptor_proto > 0);
    Google__Protobuf__FileDescriptorProto *file = (void *)proto_unpack(
        &google__protobuf__file_descriptor_proto__descriptor,
        slice_from(answer->file_descriptor_proto[0].data, answer->file_descriptor_proto[0].len),
        &st);
    assert_non_null(file);
    assert_string_equal(file->name, name);
    rig_free_reply(file);
}

/* symbol, file; NULL: not found */
static const char *const symbols[][2] = {
    {"Calculator", "calculator.proto"},
    {"Calculator.AddNum", "calculator.proto"},
    {"Calculator.Echo", "calculator.proto"},
    {"Number", "calculator.proto"},
    {"Number.value", "calculator.proto"},
    {"Operation", "calculator.proto"},
    {"ADD", "calculator.proto"},
    {"BatchResult.outcome", "calculator.proto"},
    {"grpc.health.v1.Health", "grpc/health/v1/health.proto"},
    {"grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"},
    {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
    {"grpc.health.v1.HealthCheckResponse.NOT_SERVING", "grpc/health/v1/health.proto"},
    {"google.rpc.BadRequest.FieldViolation.field", "google/rpc/error_details.proto"},
    {"google.api.http", "google/api/annotations.proto"},
    {"google.protobuf.Duration", "google/protobuf/duration.proto"},
    {"google.protobuf.FieldDescriptorProto.TYPE_BOOL", "google/protobuf/descriptor.proto"},
    {"Calculator.Nope", NULL},
    {"Calculator.", NULL},
    {"Calc", NULL},
    {"Numbers", NULL},
    {"Number.value.x", NULL},
    {"grpc.health.v1", NULL},
    {"grpc.health.v1.", NULL},
    {".Calculator", NULL},
    {"", NULL},
};

static void find_symbols_in_both_versions(void **state)
{
    (void)state;
    static const char *const paths[] = {v1, v1alpha};
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    for (size_t version = 0; version < 2; version++) {
        rig_start(&rig, &call, paths[version], NULL);
        for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
            reflection_request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
            request.message_request_case = ASKS(FILE_CONTAINING_SYMBOL);
            request.file_containing_symbol = (char *)(uintptr_t)symbols[i][0];
            reflection_response *reply = ask(&call, &request);
            if (symbols[i][1]) {
                expect_file(reply, symbols[i][1]);
            } else {
                assert_int_equal(reply->message_response_case, ANSWERS(ERROR_RESPONSE));
                assert_int_equal(reply->error_response->error_code, STATUS_NOT_FOUND);
            }
            rig_free_reply(reply);
        }
        rig_half_close(&call);
        rig_turn(&rig);
        rig_end(&call, STATUS_OK);
    }
    rig_close(&rig);
}

static void answer_the_other_questions(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    rig_start(&rig, &call, v1, NULL);
    reflection_request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;

    /* Nothing asked is an error that does not end the stream. */
    reflection_response *reply = ask(&call, &request);
    assert_int_equal(reply->message_response_case, ANSWERS(ERROR_RESPONSE));
    assert_int_equal(reply->error_response->error_code, STATUS_INVALID_ARGUMENT);
    rig_free_reply(reply);

    request.host = "somewhere";
    request.message_request_case = ASKS(LIST_SERVICES);
    request.list_services = "*";
    reply = ask(&call, &request);
    assert_int_equal(reply->message_response_case, ANSWERS(LIST_SERVICES_RESPONSE));
    assert_int_equal(reply->list_services_response->n_service, 4);
    assert_string_equal(reply->list_services_response->service[0]->name, "Calculator");
    assert_string_equal(reply->valid_host, "somewhere");
    rig_free_reply(reply);

    request.message_request_case = ASKS(FILE_BY_FILENAME);
    request.file_by_filename = "google/api/http.proto";
    reply = ask(&call, &request);
    expect_file(reply, "google/api/http.proto");
    assert_int_equal(reply->file_descriptor_response->n_file_descriptor_proto, 1);
    rig_free_reply(reply);

    /* calculator, annotations, duration, timestamp, http, descriptor */
    request.file_by_filename = "calculator.proto";
    reply = ask(&call, &request);
    expect_file(reply, "calculator.proto");
    assert_int_equal(reply->file_descriptor_response->n_file_descriptor_proto, 6);
    rig_free_reply(reply);

    request.file_by_filename = "nope.proto";
    reply = ask(&call, &request);
    assert_int_equal(reply->error_response->error_code, STATUS_NOT_FOUND);
    rig_free_reply(reply);

    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void find_extensions(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    rig_start(&rig, &call, v1, NULL);
    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    reflection_request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    extension.containing_type = "google.protobuf.MethodOptions";
    extension.extension_number = 72295728;
    request.message_request_case = ASKS(FILE_CONTAINING_EXTENSION);
    request.file_containing_extension = &extension;
    reflection_response *reply = ask(&call, &request);
    expect_file(reply, "google/api/annotations.proto");
    rig_free_reply(reply);

    extension.extension_number = 1;
    reply = ask(&call, &request);
    assert_int_equal(reply->error_response->error_code, STATUS_NOT_FOUND);
    rig_free_reply(reply);

    request.message_request_case = ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE);
    request.all_extension_numbers_of_type = "google.protobuf.MethodOptions";
    reply = ask(&call, &request);
    assert_int_equal(reply->all_extension_numbers_response->n_extension_number, 1);
    assert_int_equal(reply->all_extension_numbers_response->extension_number[0], 72295728);
    assert_string_equal(reply->all_extension_numbers_response->base_type_name,
                        "google.protobuf.MethodOptions");
    rig_free_reply(reply);

    request.all_extension_numbers_of_type = "Number";
    reply = ask(&call, &request);
    assert_int_equal(reply->message_response_case, ANSWERS(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_int_equal(reply->all_extension_numbers_response->n_extension_number, 0);
    rig_free_reply(reply);

    request.all_extension_numbers_of_type = "Nope";
    reply = ask(&call, &request);
    assert_int_equal(reply->error_response->error_code, STATUS_NOT_FOUND);
    rig_free_reply(reply);

    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_symbols_in_both_versions),
        cmocka_unit_test(answer_the_other_questions),
        cmocka_unit_test(find_extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
