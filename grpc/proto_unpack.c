#include "grpc/proto_unpack.h"

#include "base/text.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct scan {
    struct status *st;
    uint32_t elements; /* seen so far */
    uint32_t depth;    /* of the message being scanned */
};

static bool scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type,
                         struct slice bytes);

static bool malformed(struct scan *scan, const ProtobufCMessageDescriptor *type, const char *what)
{
    status_set(scan->st, STATUS_INVALID_ARGUMENT, "message %s is malformed: %s", type->name, what);
    return false;
}

/* Tags and lengths: protobuf-c gives up on longer ones, which the specification calls malformed. */
enum { SHORT_VARINT = 5, LONG_VARINT = 10 };

/* Takes a varint of at most max bytes; false when it is cut off or longer. */
static bool take_varint(struct slice *bytes, unsigned max, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < max && i < bytes->len; i++) {
        uint8_t byte = bytes->data[i];
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *bytes = slice_skip(*bytes, i + 1);
            return i < 9 || byte <= 1;
        }
    }
    return false;
}

static bool count_elements(struct scan *scan, const ProtobufCMessageDescriptor *type, size_t more)
{
    if (more > PROTO_MAX_ELEMENTS - scan->elements) {
        status_set(scan->st, STATUS_RESOURCE_EXHAUSTED,
                   "message %s has more elements than the limit of %d", type->name,
                   PROTO_MAX_ELEMENTS);
        return false;
    }
    scan->elements += (uint32_t)more;
    return true;
}

static bool scan_packed(struct scan *scan, const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field, struct slice bytes)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return bytes.len % 4 == 0 || malformed(scan, type, "a packed field is cut off");
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return bytes.len % 8 == 0 || malformed(scan, type, "a packed field is cut off");
    default:
        break;
    }
    size_t ends = 0, begin = 0;
    for (size_t i = 0; i < bytes.len && i - begin < LONG_VARINT; i++) {
        if (bytes.data[i] < 0x80) {
            ends++;
            begin = i + 1;
        }
    }
    if (begin < bytes.len)
        return malformed(scan, type, "a packed field is cut off");
    return count_elements(scan, type, ends);
}

static bool scan_bytes(struct scan *scan, const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *field, struct slice bytes)
{
    if (!field || field->type == PROTOBUF_C_TYPE_BYTES)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        if (text_is_utf8(bytes))
            return true;
        status_set(scan->st, STATUS_INVALID_ARGUMENT, "field %s.%s is not valid UTF-8", type->name,
                   field->name);
        return false;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return scan_packed(scan, type, field, bytes);
    if (scan->depth == PROTO_MAX_DEPTH) {
        status_set(scan->st, STATUS_INVALID_ARGUMENT, "message is nested deeper than %d levels",
                   PROTO_MAX_DEPTH);
        return false;
    }
    scan->depth++;
    bool ok = scan_message(scan, field->descriptor, bytes);
    scan->depth--;
    return ok;
}

static bool wire_type_fits(const ProtobufCFieldDescriptor *field, unsigned wire)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return wire == WIRE_BYTES;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return wire == WIRE_FIXED32 ||
               (wire == WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED);
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return wire == WIRE_FIXED64 ||
               (wire == WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED);
    default:
        return wire == WIRE_VARINT ||
               (wire == WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED);
    }
}

/* The value behind one tag; field is NULL when the type has none of that number. */
static bool scan_value(struct scan *scan, const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *field, unsigned wire, struct slice *bytes)
{
    if (field && !wire_type_fits(field, wire))
        return malformed(scan, type, "a field has the wrong wire type");
    uint64_t value;
    size_t fixed = wire == WIRE_FIXED64 ? 8 : 4;
    switch (wire) {
    case WIRE_VARINT:
        return take_varint(bytes, LONG_VARINT, &value) ||
               malformed(scan, type, "a varint is cut off");
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        if (bytes->len < fixed)
            return malformed(scan, type, "a number is cut off");
        *bytes = slice_skip(*bytes, fixed);
        return true;
    case WIRE_BYTES:
        if (!take_varint(bytes, SHORT_VARINT, &value) || value > bytes->len)
            return malformed(scan, type, "a length is beyond the end");
        if (!scan_bytes(scan, type, field, slice_first(*bytes, (size_t)value)))
            return false;
        *bytes = slice_skip(*bytes, (size_t)value);
        return true;
    default:
        return malformed(scan, type, "a wire type is unknown");
    }
}

/* proto2 only.  Bit i of `seen`: field i came; types with more fields are left to protobuf-c. */
static bool required_came(struct scan *scan, const ProtobufCMessageDescriptor *type, uint64_t seen)
{
    for (unsigned i = 0; i < type->n_fields && i < 64; i++)
        if (type->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !(seen >> i & 1))
            return malformed(scan, type, "a required field is missing");
    return true;
}

static bool scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type,
                         struct slice bytes)
{
    uint64_t seen = 0;
    while (bytes.len > 0) {
        uint64_t tag;
        if (!take_varint(&bytes, SHORT_VARINT, &tag) || tag > UINT32_MAX || tag < 8)
            return malformed(scan, type, "a tag is not valid");
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (field && field - type->fields < 64)
            seen |= UINT64_C(1) << (field - type->fields);
        if (!count_elements(scan, type, 1) || !scan_value(scan, type, field, tag & 7, &bytes))
            return false;
    }
    return required_came(scan, type, seen);
}

bool proto_scan(const ProtobufCMessageDescriptor *type, struct slice bytes, struct status *st)
{
    struct scan scan = {.st = st};
    return scan_message(&scan, type, bytes);
}

static void *arena_allocator_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void arena_allocator_free(void *arena, void *memory)
{
    (void)arena, (void)memory;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                                ProtobufCAllocator *allocator, struct status *st)
{
    if (!proto_scan(type, bytes, st))
        return NULL;
    /* protobuf-c wants a pointer even for no bytes. */
    const uint8_t *data = bytes.data ? bytes.data : (const uint8_t *)"";
    ProtobufCMessage *message = protobuf_c_message_unpack(type, allocator, bytes.len, data);
    if (!message)
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory to decode message %s", type->name);
    return message;
}

ProtobufCMessage *proto_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                               struct status *st)
{
    return unpack(type, bytes, NULL, st);
}

ProtobufCMessage *proto_unpack_in(const ProtobufCMessageDescriptor *type, struct slice bytes,
                                  struct arena *arena, struct status *st)
{
    ProtobufCAllocator allocator = {arena_allocator_alloc, arena_allocator_free, arena};
    return unpack(type, bytes, &allocator, st);
}
