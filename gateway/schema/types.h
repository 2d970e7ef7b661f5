/* types: what a descriptor set compiles to: immutable tables of messages, enums and methods, made
 * for transcoding. Everything is owned by its struct schema (schema.h) and shared by all workers
 * without locks. */
#pragma once
#include "base/slice.h"

struct message_type;
struct enum_type;

/* FieldDescriptorProto.Type, same numbers. */
enum field_kind {
    FIELD_DOUBLE = 1,
    FIELD_FLOAT,
    FIELD_INT64,
    FIELD_UINT64,
    FIELD_INT32,
    FIELD_FIXED64,
    FIELD_FIXED32,
    FIELD_BOOL,
    FIELD_STRING,
    FIELD_GROUP,
    FIELD_MESSAGE,
    FIELD_BYTES,
    FIELD_UINT32,
    FIELD_ENUM,
    FIELD_SFIXED32,
    FIELD_SFIXED64,
    FIELD_SINT32,
    FIELD_SINT64,
};

/* Protobuf encoding, wire types. */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LEN = 2,
    WIRE_SGROUP = 3,
    WIRE_EGROUP = 4,
    WIRE_FIXED32 = 5
};

/* Messages of google.protobuf with a JSON form of their own. */
enum well_known {
    WELL_KNOWN_NONE,
    WELL_KNOWN_ANY,
    WELL_KNOWN_TIMESTAMP,
    WELL_KNOWN_DURATION,
    WELL_KNOWN_FIELD_MASK,
    WELL_KNOWN_STRUCT,
    WELL_KNOWN_VALUE,
    WELL_KNOWN_LIST_VALUE,
    WELL_KNOWN_EMPTY,
    WELL_KNOWN_WRAPPER, /* DoubleValue … BytesValue: the field `value` (1) stands bare */
};

struct field {
    struct slice name;      /* proto name; extensions: "[pkg.ext]" */
    struct slice json_name; /* lowerCamelCase or json_name option */
    struct slice json_key;  /* `"jsonName":`, escaped and ready to print */
    struct slice proto_key; /* `"proto_name":` */
    uint32_t number;
    uint16_t index;       /* place in message_type.fields */
    uint16_t oneof;       /* 1 + place among the message's real (not synthetic) oneofs; 0: none */
    enum field_kind kind; /* FIELD_GROUP also for delimited encoding in editions */
    uint8_t wire_type;    /* enum wire_type of one element */
    bool repeated;        /* lists and maps */
    bool packed;          /* written packed; both forms are read */
    bool map;             /* message is a map entry: its fields 1 and 2 */
    bool presence;        /* explicit presence: printed whenever it is set */
    bool required;        /* proto2 */
    bool check_utf8;      /* strings: reject what is not UTF-8 */
    bool extension;       /* declared outside of the message, by `extend` */
    const struct message_type *message; /* FIELD_MESSAGE, FIELD_GROUP */
    const struct enum_type *enumeration;
    uint8_t tag[5]; /* encoded tag of one unpacked element */
    uint8_t tag_len;
    uint8_t packed_tag[5]; /* the tag with WIRE_LEN */
    uint8_t packed_tag_len;
};

struct message_type {
    struct slice full_name; /* "pkg.Message" */
    enum well_known well_known;
    bool map_entry;
    const struct field *fields; /* sorted by number; the known extensions are among them */
    uint16_t field_count;
    uint16_t oneof_count;
    /* Compiled look-ups: use the functions below. */
    const uint16_t *by_number; /* field number -> 1 + index, for numbers below by_number_len */
    uint32_t by_number_len;
    const uint16_t
        *by_name; /* open addressing over both names, 1 + index; length is a power of two */
    uint32_t by_name_mask;
};

struct enum_value {
    struct slice name;
    struct slice json; /* `"NAME"` ready to print */
    int32_t number;
};

struct enum_type {
    struct slice full_name;
    bool null_value;                 /* google.protobuf.NullValue */
    bool closed;                     /* proto2: unknown numbers do not belong to the field */
    const struct enum_value *values; /* in order of declaration */
    uint32_t value_count;
    const struct enum_value *const *by_number; /* sorted by number; of aliases the first declared */
    uint32_t by_number_count;
    const struct enum_value *const *by_name; /* sorted by enum_name_compare() */
};

struct method {
    struct slice path;    /* "/pkg.Service/Method" */
    struct slice service; /* "pkg.Service" */
    struct slice name;    /* "Method" */
    const struct message_type *input, *output;
    bool client_streaming, server_streaming;
    bool no_side_effects; /* idempotency_level = NO_SIDE_EFFECTS */
    uint16_t upstream;    /* place of the upstream that serves it, among those configured */
    struct slice options; /* the last serialised MethodOptions; may be empty */
};

/* NULL when there is none. */
const struct field *message_type_field(const struct message_type *type, uint32_t number);
/* By JSON name or proto name ("[pkg.ext]" for extensions). */
const struct field *message_type_field_by_name(const struct message_type *type, struct slice name);
const struct enum_value *enum_type_value(const struct enum_type *type, int32_t number);
const struct enum_value *enum_type_value_by_name(const struct enum_type *type, struct slice name);
/* The order of by_name: shorter names first, so that most looks compare lengths alone. */
int enum_name_compare(struct slice a, struct slice b);
