/* proto_find: where a symbol stands in a descriptor set: the descriptor itself and its path in the
 * file, which is what comments are found by (descriptor.proto, SourceCodeInfo). */
#pragma once
#include "base/slice.h"

#include "google/protobuf/descriptor.pb-c.h"

enum proto_kind { PROTO_SERVICE, PROTO_METHOD, PROTO_MESSAGE, PROTO_ENUM, PROTO_FIELD };

/* Field numbers of FileDescriptorProto. */
enum { PROTO_FILE_MESSAGE = 4, PROTO_FILE_ENUM = 5, PROTO_FILE_SERVICE = 6 };

/* Two steps for each level of nesting; deeper symbols have no comments. */
enum { PROTO_PATH_MAX = 256 };

struct proto_place {
    enum proto_kind kind;
    const Google__Protobuf__FileDescriptorProto *file;
    const Google__Protobuf__ServiceDescriptorProto *service; /* PROTO_SERVICE, PROTO_METHOD */
    const Google__Protobuf__MethodDescriptorProto *method;
    const Google__Protobuf__DescriptorProto *message; /* PROTO_MESSAGE; PROTO_FIELD: its parent */
    const Google__Protobuf__EnumDescriptorProto *enumeration;
    size_t index; /* PROTO_FIELD: among its message's fields */
    int32_t path[PROTO_PATH_MAX];
    size_t path_len;
};

/* One step down: element `index` of the descriptor's field number `field`. */
void proto_place_enter(struct proto_place *place, int32_t field, size_t index);
/* The symbol of that full name; a method also as "pkg.Service/Method".  False: there is none. */
bool proto_find(const Google__Protobuf__FileDescriptorSet *set, struct slice name,
                struct proto_place *place);
