#include "backend/error_details.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

static struct slice pack(const ProtobufCMessage *message, struct arena *arena)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *to = arena_alloc(arena, len);
    if (!to)
        return (struct slice){NULL, 0};
    protobuf_c_message_pack(message, to);
    return slice_from(to, len);
}

struct slice error_details_bad_request(const struct status *status, const char *field,
                                       struct arena *arena)
{
    Google__Rpc__BadRequest__FieldViolation violation =
        GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
    violation.field = (char *)field;
    violation.description = (char *)status->text;
    request.n_field_violations = 1;
    request.field_violations = violations;
    struct slice packed = pack(&request.base, arena);
    if (!packed.data)
        return packed;

    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *details[] = {&any};
    Google__Rpc__Status outer = GOOGLE__RPC__STATUS__INIT;
    any.type_url = (char *)"type.googleapis.com/google.rpc.BadRequest";
    any.value.data = (uint8_t *)packed.data;
    any.value.len = packed.len;
    outer.code = (int32_t)status->code;
    outer.message = (char *)status->text;
    outer.n_details = 1;
    outer.details = details;
    return pack(&outer.base, arena);
}
