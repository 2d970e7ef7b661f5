#include "unit/cmocka_all.h"

#include "calculator.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/proto_unpack.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static enum status_code outcome(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    struct status st;
    status_ok(&st);
    ProtobufCMessage *message = proto_unpack(type, bytes, &st);
    assert_int_equal(message != NULL, st.code == STATUS_OK);
    assert_int_equal(proto_scan(type, bytes, &st), message != NULL);
    protobuf_c_message_free_unpacked(message, NULL);
    return (enum status_code)st.code;
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct {
    const char *what;
    const ProtobufCMessageDescriptor *type;
    struct slice bytes;
    enum status_code code;
} cases[] = {
    {"empty", &number__descriptor, BYTES(""), STATUS_OK},
    {"float", &number__descriptor, BYTES("\x0d\0\0\x80\x41"), STATUS_OK},
    {"twice", &number__descriptor, BYTES("\x0d\0\0\x80\x41\x0d\0\0\x80\x40"), STATUS_OK},
    {"unknown varint", &number__descriptor, BYTES("\x50\x01"), STATUS_OK},
    {"unknown fixed64", &number__descriptor, BYTES("\x51\1\2\3\4\5\6\7\x08"), STATUS_OK},
    {"unknown fixed32", &number__descriptor, BYTES("\x55\1\2\3\4"), STATUS_OK},
    {"unknown bytes", &number__descriptor, BYTES("\x52\x02\xff\xff"), STATUS_OK},
    {"last field number", &number__descriptor, BYTES("\xf8\xff\xff\xff\x0f\x01"), STATUS_OK},
    {"float as varint", &number__descriptor, BYTES("\x08\x01"), STATUS_INVALID_ARGUMENT},
    {"float as double", &number__descriptor, BYTES("\x09\0\0\0\0\0\0\0\0"),
     STATUS_INVALID_ARGUMENT},
    {"float as bytes", &number__descriptor, BYTES("\x0a\x04\0\0\0\0"), STATUS_INVALID_ARGUMENT},
    {"bytes as varint", &echo_message__descriptor, BYTES("\x08\x01"), STATUS_INVALID_ARGUMENT},
    {"message as varint", &slow_request__descriptor, BYTES("\x10\x01"), STATUS_INVALID_ARGUMENT},
    {"cut float", &number__descriptor, BYTES("\x0d\0\0\x80"), STATUS_INVALID_ARGUMENT},
    {"cut fixed64", &number__descriptor, BYTES("\x51\0\0\0"), STATUS_INVALID_ARGUMENT},
    {"cut tag", &number__descriptor, BYTES("\x8d"), STATUS_INVALID_ARGUMENT},
    {"tag alone", &number__descriptor, BYTES("\x0d"), STATUS_INVALID_ARGUMENT},
    {"field 0", &number__descriptor, BYTES("\x05\0\0\0\0"), STATUS_INVALID_ARGUMENT},
    {"field above 2^29", &number__descriptor, BYTES("\x80\x80\x80\x80\x10\x01"),
     STATUS_INVALID_ARGUMENT},
    {"group", &number__descriptor, BYTES("\x53\x54"), STATUS_INVALID_ARGUMENT},
    {"wire type 6", &number__descriptor, BYTES("\x56"), STATUS_INVALID_ARGUMENT},
    {"wire type 7", &number__descriptor, BYTES("\x57"), STATUS_INVALID_ARGUMENT},
    {"11-byte varint", &prime_factor__descriptor,
     BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), STATUS_INVALID_ARGUMENT},
    {"65-bit varint", &prime_factor__descriptor,
     BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), STATUS_INVALID_ARGUMENT},
    {"64-bit varint", &prime_factor__descriptor,
     BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), STATUS_OK},
    {"length beyond the end", &echo_message__descriptor,
     BYTES("\x0a\x05"
           "abcd"),
     STATUS_INVALID_ARGUMENT},
    {"huge length", &echo_message__descriptor,
     BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), STATUS_INVALID_ARGUMENT},
    {"text", &list_history_request__descriptor, BYTES("\x12\x02\xc3\xa4"), STATUS_OK},
    {"bad UTF-8", &list_history_request__descriptor, BYTES("\x12\x01\xff"),
     STATUS_INVALID_ARGUMENT},
    {"surrogate", &list_history_request__descriptor, BYTES("\x12\x03\xed\xa0\x80"),
     STATUS_INVALID_ARGUMENT},
    {"bad UTF-8 in bytes", &echo_message__descriptor, BYTES("\x0a\x01\xff"), STATUS_OK},
    {"bad UTF-8 in a nested text", &grpc__health__v1__health_list_response__descriptor,
     BYTES("\x0a\x03\x0a\x01\xff"), STATUS_INVALID_ARGUMENT},
    {"packed doubles", &vectors_request__descriptor, BYTES("\x12\x08\0\0\0\0\0\0\0\0"), STATUS_OK},
    {"unpacked doubles", &vectors_request__descriptor, BYTES("\x11\0\0\0\0\0\0\0\0"), STATUS_OK},
    {"packed doubles cut", &vectors_request__descriptor, BYTES("\x12\x07\0\0\0\0\0\0\0"),
     STATUS_INVALID_ARGUMENT},
    {"six-byte tag", &number__descriptor, BYTES("\xd0\x80\x80\x80\x80\x00\x01"),
     STATUS_INVALID_ARGUMENT},
    {"six-byte length", &echo_message__descriptor, BYTES("\x0a\x81\x80\x80\x80\x80\x00x"),
     STATUS_INVALID_ARGUMENT},
    {"packed varints", &google__protobuf__source_code_info__location__descriptor,
     BYTES("\x0a\x03\x01\x80\x01"), STATUS_OK},
    {"packed varint cut", &google__protobuf__source_code_info__location__descriptor,
     BYTES("\x0a\x02\x01\x80"), STATUS_INVALID_ARGUMENT},
    {"packed varint of 11 bytes", &google__protobuf__source_code_info__location__descriptor,
     BYTES("\x0a\x0b\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), STATUS_INVALID_ARGUMENT},
    {"required fields", &google__protobuf__uninterpreted_option__name_part__descriptor,
     BYTES("\x0a\x01x\x10\x01"), STATUS_OK},
    {"required field missing", &google__protobuf__uninterpreted_option__name_part__descriptor,
     BYTES("\x0a\x01x"), STATUS_INVALID_ARGUMENT},
    {"nested cut", &slow_request__descriptor, BYTES("\x12\x02\x08\x80"), STATUS_INVALID_ARGUMENT},
};

static void judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum status_code code = outcome(cases[i].type, cases[i].bytes);
        if (code != cases[i].code)
            fail_msg("%s: %d", cases[i].what, (int)code);
    }
}

/* DescriptorProto.nested_type (field 3), `depth` levels below the outermost message. */
static struct slice nest(uint8_t *room, size_t room_len, unsigned depth)
{
    size_t at = room_len, len = 0;
    for (unsigned i = 0; i < depth; i++) {
        uint8_t header[8];
        size_t n = 0;
        header[n++] = 3 << 3 | 2;
        size_t left = len;
        do {
            header[n++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
            left >>= 7;
        } while (left);
        at -= n;
        memcpy(room + at, header, n);
        len += n;
    }
    return slice_from(room + at, len);
}

static void bound_the_depth(void **state)
{
    (void)state;
    enum { ROOM = 1 << 17 };
    uint8_t *room = malloc(ROOM);
    const ProtobufCMessageDescriptor *type = &google__protobuf__descriptor_proto__descriptor;
    assert_int_equal(outcome(type, nest(room, ROOM, 1)), STATUS_OK);
    assert_int_equal(outcome(type, nest(room, ROOM, 100)), STATUS_OK);
    assert_int_equal(outcome(type, nest(room, ROOM, 101)), STATUS_INVALID_ARGUMENT);
    assert_int_equal(outcome(type, nest(room, ROOM, 10000)), STATUS_INVALID_ARGUMENT);
    free(room);
}

static void bound_the_elements(void **state)
{
    (void)state;
    enum { PAIRS = 2000000 };
    uint8_t *bytes = malloc(2 * PAIRS);
    for (size_t i = 0; i < PAIRS; i++) { /* BatchRequest.items, empty */
        bytes[2 * i] = 0x0a;
        bytes[2 * i + 1] = 0;
    }
    const ProtobufCMessageDescriptor *type = &batch_request__descriptor;
    assert_int_equal(outcome(type, slice_from(bytes, 2 * PROTO_MAX_ELEMENTS)), STATUS_OK);
    assert_int_equal(outcome(type, slice_from(bytes, 2 * PROTO_MAX_ELEMENTS + 2)),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(outcome(type, slice_from(bytes, 2 * PAIRS)), STATUS_RESOURCE_EXHAUSTED);
    /* Unknown fields cost memory too. */
    assert_int_equal(outcome(&number__descriptor, slice_from(bytes + 1, 0)), STATUS_OK);
    for (size_t i = 0; i < PAIRS; i++)
        bytes[2 * i] = 0x50;
    assert_int_equal(outcome(&number__descriptor, slice_from(bytes, 2 * PAIRS)),
                     STATUS_RESOURCE_EXHAUSTED);
    free(bytes);
}

static void count_packed_varints(void **state)
{
    (void)state;
    enum { LEN = PROTO_MAX_ELEMENTS };
    /* FileDescriptorProto.public_dependency (10) is repeated int32; SourceCodeInfo.Location.path
     * (1) is packed. */
    const ProtobufCMessageDescriptor *type =
        &google__protobuf__source_code_info__location__descriptor;
    uint8_t *bytes = calloc(1, LEN + 8);
    memcpy(bytes, "\x0a\x9f\x8d\x06", 4); /* 99999 elements and the field itself: the limit */
    assert_int_equal(outcome(type, slice_from(bytes, 4 + 99999)), STATUS_OK);
    memcpy(bytes, "\x0a\xa0\x8d\x06", 4);
    assert_int_equal(outcome(type, slice_from(bytes, 4 + 100000)), STATUS_RESOURCE_EXHAUSTED);
    memcpy(bytes, "\x0a\x02\x01\x80", 4);
    assert_int_equal(outcome(type, slice_from(bytes, 4)), STATUS_INVALID_ARGUMENT);
    free(bytes);
}

/* Every prefix of every case and of a valid message, flush against an unmapped page. */
static void read_nothing_behind_the_end(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t len = 0; len <= cases[i].bytes.len; len++) {
            struct status st;
            uint8_t *at = map + page - len;
            if (len)
                memcpy(at, cases[i].bytes.data, len);
            ProtobufCMessage *message = proto_unpack(cases[i].type, slice_from(at, len), &st);
            if (message)
                protobuf_c_message_free_unpacked(message, NULL);
        }
    }
    munmap(map, 2 * page);
}

static void survive_mutations(void **state)
{
    (void)state;
    static const uint8_t valid[] = "\x0a\x0e\x08\x01\x11\0\0\0\0\0\0\xf0\x3f\x19\0\x0a\x02\x08\x04"
                                   "\x0a\x09\x11\0\0\0\0\0\0\0\x40";
    uint8_t bytes[sizeof valid];
    unsigned accepted = 0;
    srand(5);
    for (int i = 0; i < 50000; i++) {
        struct status st;
        memcpy(bytes, valid, sizeof bytes);
        for (int k = rand() % 4; k >= 0; k--)
            bytes[(size_t)rand() % sizeof bytes] = (uint8_t)rand();
        struct slice s = slice_from(bytes, (size_t)rand() % (sizeof bytes + 1));
        ProtobufCMessage *message = proto_unpack(&batch_request__descriptor, s, &st);
        accepted += message != NULL;
        if (message)
            protobuf_c_message_free_unpacked(message, NULL);
    }
    assert_true(accepted > 100);
}

static void live_in_an_arena(void **state)
{
    (void)state;
    uint8_t room[256];
    struct arena arena;
    struct status st;
    arena_init(&arena, room, sizeof room, 100000);
    Number *n =
        (Number *)proto_unpack_in(&number__descriptor, SLICE("\x0d\0\0\x80\x41"), &arena, &st);
    assert_non_null(n);
    assert_true(n->value == 16);
    assert_true((uint8_t *)n >= room && (uint8_t *)n < room + sizeof room);
    assert_int_equal(arena.used, 0);
    static uint8_t large[4 + 99990] = "\x0a\x96\x8d\x06";
    struct arena small;
    arena_init(&small, NULL, 0, 5000);
    assert_null(
        proto_unpack_in(&echo_message__descriptor, slice_from(large, sizeof large), &small, &st));
    arena_fini(&small);
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge),
        cmocka_unit_test(bound_the_depth),
        cmocka_unit_test(bound_the_elements),
        cmocka_unit_test(count_packed_varints),
        cmocka_unit_test(read_nothing_behind_the_end),
        cmocka_unit_test(survive_mutations),
        cmocka_unit_test(live_in_an_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
