#include "gateway/cli/proto_find.h"

enum { MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, SERVICE_METHOD = 2 };

void proto_place_enter(struct proto_place *place, int32_t field, size_t index)
{
    if (place->path_len + 2 <= PROTO_PATH_MAX) {
        place->path[place->path_len] = field;
        place->path[place->path_len + 1] = (int32_t)index;
    }
    place->path_len += 2;
}

/* Takes "NAME" or "NAME." off the front of *rest; `last` tells whether that was all. */
static bool take_name(struct slice *rest, const char *name, bool *last)
{
    struct slice want = slice_from_string(name);
    if (want.len == 0 || !slice_has_prefix(*rest, want))
        return false;
    struct slice behind = slice_skip(*rest, want.len);
    *last = behind.len == 0;
    if (!*last && behind.data[0] != '.' && behind.data[0] != '/')
        return false;
    *rest = *last ? behind : slice_skip(behind, 1);
    return true;
}

static bool find_in_service(struct proto_place *place, struct slice rest)
{
    bool last;
    for (size_t i = 0; i < place->service->n_method; i++) {
        struct slice left = rest;
        if (take_name(&left, place->service->method[i]->name, &last) && last) {
            place->kind = PROTO_METHOD;
            place->method = place->service->method[i];
            proto_place_enter(place, SERVICE_METHOD, i);
            return true;
        }
    }
    return false;
}

static bool find_enum(struct proto_place *place,
                      Google__Protobuf__EnumDescriptorProto *const *enums, size_t count,
                      int32_t field, struct slice rest)
{
    bool last;
    for (size_t i = 0; i < count; i++) {
        struct slice left = rest;
        if (take_name(&left, enums[i]->name, &last) && last) {
            place->kind = PROTO_ENUM;
            place->enumeration = enums[i];
            proto_place_enter(place, field, i);
            return true;
        }
    }
    return false;
}

static bool find_field(struct proto_place *place, struct slice rest)
{
    bool last;
    for (size_t i = 0; i < place->message->n_field; i++) {
        struct slice left = rest;
        if (take_name(&left, place->message->field[i]->name, &last) && last) {
            place->kind = PROTO_FIELD;
            place->index = i;
            proto_place_enter(place, MESSAGE_FIELD, i);
            return true;
        }
    }
    return false;
}

/* One level of nesting per turn. */
static bool find_message(struct proto_place *place,
                         Google__Protobuf__DescriptorProto *const *messages, size_t count,
                         struct slice rest)
{
    int32_t field = PROTO_FILE_MESSAGE;
    for (size_t i = 0; i < count;) {
        struct slice left = rest;
        bool last;
        if (!take_name(&left, messages[i]->name, &last)) {
            i++;
            continue;
        }
        place->message = messages[i];
        place->kind = PROTO_MESSAGE;
        proto_place_enter(place, field, i);
        if (last)
            return true;
        if (find_enum(place, place->message->enum_type, place->message->n_enum_type, MESSAGE_ENUM,
                      left) ||
            find_field(place, left))
            return true;
        messages = place->message->nested_type;
        count = place->message->n_nested_type;
        field = MESSAGE_NESTED;
        rest = left;
        i = 0;
    }
    return false;
}

static bool find_in_file(struct proto_place *place, struct slice rest)
{
    const Google__Protobuf__FileDescriptorProto *file = place->file;
    bool last = false;
    if (file->package && *file->package && (!take_name(&rest, file->package, &last) || last))
        return false;
    for (size_t i = 0; i < file->n_service; i++) {
        struct slice left = rest;
        if (!take_name(&left, file->service[i]->name, &last))
            continue;
        place->kind = PROTO_SERVICE;
        place->service = file->service[i];
        proto_place_enter(place, PROTO_FILE_SERVICE, i);
        return last || find_in_service(place, left);
    }
    return find_enum(place, file->enum_type, file->n_enum_type, PROTO_FILE_ENUM, rest) ||
           find_message(place, file->message_type, file->n_message_type, rest);
}

bool proto_find(const Google__Protobuf__FileDescriptorSet *set, struct slice name,
                struct proto_place *place)
{
    if (name.len > 0 && (name.data[0] == '/' || name.data[0] == '.'))
        name = slice_skip(name, 1);
    for (size_t i = 0; i < set->n_file; i++) {
        *place = (struct proto_place){.file = set->file[i]};
        if (find_in_file(place, name))
            return true;
    }
    return false;
}
