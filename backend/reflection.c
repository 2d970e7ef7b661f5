/* reflection: grpc.reflection.v1 and v1alpha (gRPC server-reflection.md), which differ in their
 * names only, so that one implementation serves both.  An error is an answer on the stream, not the
 * end of it. */
#include "backend/descriptors.h"
#include "backend/server_call.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdio.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

#define ASKS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

enum { MAX_SERVICES = 32 };

static void answer_error(struct server_call *call, reflection_response reply, enum status_code code,
                         const char *what)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    char text[STATUS_TEXT_LEN];
    snprintf(text, sizeof text, "%s: %.160s",
             code == STATUS_NOT_FOUND ? "not found" : "bad request", what);
    /* A cut may have split a character of the name. */
    for (size_t i = 0; text[i]; i++)
        if ((unsigned char)text[i] >= 0x80)
            text[i] = '?';
    error.error_code = (int32_t)code;
    error.error_message = text;
    reply.message_response_case = ANSWERS(ERROR_RESPONSE);
    reply.error_response = &error;
    server_call_reply(call, &reply.base);
}

static void answer_file(struct server_call *call, reflection_response reply,
                        const struct descriptor_file *file, const char *asked)
{
    Grpc__Reflection__V1__FileDescriptorResponse answer =
        GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    const struct descriptor_file *files[DESCRIPTORS_MAX];
    ProtobufCBinaryData bytes[DESCRIPTORS_MAX];
    if (!file) {
        answer_error(call, reply, STATUS_NOT_FOUND, asked);
        return;
    }
    answer.n_file_descriptor_proto = descriptors_with_imports(file, files);
    for (size_t i = 0; i < answer.n_file_descriptor_proto; i++) {
        bytes[i].data = (uint8_t *)files[i]->bytes.data;
        bytes[i].len = files[i]->bytes.len;
    }
    answer.file_descriptor_proto = bytes;
    reply.message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
    reply.file_descriptor_response = &answer;
    server_call_reply(call, &reply.base);
}

static void answer_extension(struct server_call *call, reflection_response reply,
                             const Grpc__Reflection__V1__ExtensionRequest *asked)
{
    char text[200];
    snprintf(text, sizeof text, "extension %d of %.120s", asked->extension_number,
             asked->containing_type);
    answer_file(call, reply,
                descriptors_by_extension(asked->containing_type, asked->extension_number), text);
}

static void answer_extension_numbers(struct server_call *call, reflection_response reply,
                                     const char *type)
{
    Grpc__Reflection__V1__ExtensionNumberResponse answer =
        GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    int32_t numbers[DESCRIPTORS_MAX];
    if (!descriptors_extension_numbers(type, numbers, &answer.n_extension_number)) {
        answer_error(call, reply, STATUS_NOT_FOUND, type);
        return;
    }
    answer.base_type_name = (char *)type;
    answer.extension_number = numbers;
    reply.message_response_case = ANSWERS(ALL_EXTENSION_NUMBERS_RESPONSE);
    reply.all_extension_numbers_response = &answer;
    server_call_reply(call, &reply.base);
}

static void answer_services(struct server_call *call, reflection_response reply)
{
    Grpc__Reflection__V1__ListServiceResponse answer =
        GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse rows[MAX_SERVICES], *pointers[MAX_SERVICES];
    for (size_t i = 0; services[i] && i < MAX_SERVICES; i++) {
        grpc__reflection__v1__service_response__init(&rows[i]);
        rows[i].name = (char *)services[i]->name;
        pointers[i] = &rows[i];
        answer.n_service++;
    }
    answer.service = pointers;
    reply.message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
    reply.list_services_response = &answer;
    server_call_reply(call, &reply.base);
}

static void on_request(struct server_call *call, const ProtobufCMessage *request)
{
    reflection_request *asked = (reflection_request *)request;
    reflection_response reply = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    descriptors_load();
    reply.valid_host = asked->host;
    reply.original_request = asked;
    switch (asked->message_request_case) {
    case ASKS(FILE_BY_FILENAME):
        answer_file(call, reply, descriptors_by_filename(asked->file_by_filename),
                    asked->file_by_filename);
        break;
    case ASKS(FILE_CONTAINING_SYMBOL):
        answer_file(call, reply, descriptors_by_symbol(asked->file_containing_symbol),
                    asked->file_containing_symbol);
        break;
    case ASKS(FILE_CONTAINING_EXTENSION):
        answer_extension(call, reply, asked->file_containing_extension);
        break;
    case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_extension_numbers(call, reply, asked->all_extension_numbers_of_type);
        break;
    case ASKS(LIST_SERVICES):
        answer_services(call, reply);
        break;
    default:
        answer_error(call, reply, STATUS_INVALID_ARGUMENT, "the request asks nothing");
    }
}

static const struct method methods[] = {
    {.name = "ServerReflectionInfo",
     .kind = METHOD_BIDI_STREAM,
     .request = &grpc__reflection__v1__server_reflection_request__descriptor,
     .on_message = on_request,
     .on_half_close = server_call_finish},
};

const struct service service_reflection_v1 = {
    .name = "grpc.reflection.v1.ServerReflection", .methods = methods, .methods_len = 1};
const struct service service_reflection_v1alpha = {
    .name = "grpc.reflection.v1alpha.ServerReflection", .methods = methods, .methods_len = 1};
