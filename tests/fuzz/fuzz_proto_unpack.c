/* Bytes of a peer into proto_unpack.  The first byte picks the message type.  What the scan lets
 * pass, protobuf-c must decode, within the arena's bound, and encode again to bytes that mean the
 * same; what it refuses has a status with a text. */
#include "calculator.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/proto_unpack.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>

enum { MAX_ARENA = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &batch_request__descriptor,
    &batch_reply__descriptor,
    &vectors_request__descriptor,
    &list_history_reply__descriptor,
    &slow_request__descriptor,
    &echo_message__descriptor,
    &google__protobuf__file_descriptor_set__descriptor,
    &google__protobuf__descriptor_proto__descriptor,
    &google__protobuf__source_code_info__descriptor,
    &grpc__reflection__v1__server_reflection_request__descriptor,
    &grpc__health__v1__health_list_response__descriptor,
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* Encodes and decodes once more: the second encoding equals the first. */
static void check_round_trip(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *m)
{
    struct status st;
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *first = malloc(len + 1), *second = malloc(len + 1);
    require(first && second && protobuf_c_message_pack(m, first) == len);
    ProtobufCMessage *again = proto_unpack(type, slice_from(first, len), &st);
    require(again && protobuf_c_message_get_packed_size(again) == len);
    require(protobuf_c_message_pack(again, second) == len);
    require(len == 0 || memcmp(first, second, len) == 0);
    protobuf_c_message_free_unpacked(again, NULL);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct status st;
    struct arena arena;
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof types[0])];
    status_ok(&st);
    arena_init(&arena, NULL, 0, MAX_ARENA);
    bool passes = proto_scan(type, slice_from(data + 1, size - 1), &st);
    require(passes == (st.code == STATUS_OK) && passes == (status_message(&st).len == 0));
    ProtobufCMessage *m = proto_unpack_in(type, slice_from(data + 1, size - 1), &arena, &st);
    require(passes == (m != NULL));
    if (m)
        check_round_trip(type, m);
    arena_fini(&arena);
    return 0;
}
