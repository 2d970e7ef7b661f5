#include "gateway/cli/proto_printer.h"

#include "gateway/cli/proto_find.h"
#include "google/api/http.pb-c.h"
#include "grpc/proto_unpack.h"

enum { INDENT = 2, HTTP_RULE = 72295728 /* of MethodOptions, google/api/annotations.proto */ };
/* Field numbers of descriptor.proto, for the paths of source_code_info. */
enum {
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2
};

struct printer {
    struct buf *out;
    struct proto_place at; /* what is being printed */
    int depth;             /* of braces */
};

static const char *text(const char *s)
{
    return s ? s : "";
}

/* Type names in descriptors begin with a dot. */
static const char *type_text(const char *name)
{
    name = text(name);
    return name[0] == '.' ? name + 1 : name;
}

static void indent(struct printer *p)
{
    buf_printf(p->out, "%*s", p->depth * INDENT, "");
}

static void enter(struct printer *p, int32_t field, size_t index)
{
    proto_place_enter(&p->at, field, index);
}

static void leave(struct printer *p)
{
    p->at.path_len -= 2;
}

static const Google__Protobuf__SourceCodeInfo__Location *location(const struct printer *p)
{
    const Google__Protobuf__SourceCodeInfo *info = p->at.file->source_code_info;
    if (p->at.path_len > PROTO_PATH_MAX)
        return NULL;
    for (size_t i = 0; info && i < info->n_location; i++) {
        const Google__Protobuf__SourceCodeInfo__Location *l = info->location[i];
        if (l->n_path == p->at.path_len &&
            memcmp(l->path, p->at.path, p->at.path_len * sizeof *l->path) == 0)
            return l;
    }
    return NULL;
}

static void print_leading(struct printer *p)
{
    const Google__Protobuf__SourceCodeInfo__Location *l = location(p);
    struct slice rest = slice_from_string(l ? l->leading_comments : NULL);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        indent(p);
        buf_printf(p->out, "//%.*s\n", SLICE_PRINT(line));
    }
}

/* Ends the line, with the comment behind the declaration when it has one. */
static void print_trailing(struct printer *p)
{
    const Google__Protobuf__SourceCodeInfo__Location *l = location(p);
    struct slice rest = slice_from_string(l ? l->trailing_comments : NULL);
    const char *gap = "  ";
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        buf_printf(p->out, "%s//%.*s", gap, SLICE_PRINT(line));
        gap = " ";
    }
    buf_append_byte(p->out, '\n');
}

static const char *scalar_name(Google__Protobuf__FieldDescriptorProto__Type type)
{
    static const char *const names[] = {
        NULL,      "double",   "float",    "int64",  "uint64", "int32", "fixed64",
        "fixed32", "bool",     "string",   "group",  NULL,     "bytes", "uint32",
        NULL,      "sfixed32", "sfixed64", "sint32", "sint64",
    };
    size_t i = (size_t)type;
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}

static const char *field_type(const Google__Protobuf__FieldDescriptorProto *field)
{
    const char *scalar = scalar_name(field->type);
    return field->type_name ? type_text(field->type_name) : text(scalar);
}

/* The entry type of a map field; NULL when the field is no map. */
static const Google__Protobuf__DescriptorProto *
map_entry(const Google__Protobuf__DescriptorProto *message,
          const Google__Protobuf__FieldDescriptorProto *field)
{
    const char *last = strrchr(text(field->type_name), '.');
    for (size_t i = 0; last && i < message->n_nested_type; i++) {
        const Google__Protobuf__DescriptorProto *nested = message->nested_type[i];
        if (nested->options && nested->options->map_entry && nested->n_field == 2 &&
            strcmp(text(nested->name), last + 1) == 0)
            return nested;
    }
    return NULL;
}

static const char *field_label(const struct printer *p,
                               const Google__Protobuf__FieldDescriptorProto *field)
{
    if (field->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED)
        return "repeated ";
    if (field->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED)
        return "required ";
    bool proto2 = !p->at.file->syntax || strcmp(p->at.file->syntax, "proto2") == 0;
    return field->proto3_optional || (proto2 && !field->has_oneof_index) ? "optional " : "";
}

static void print_field(struct printer *p, const Google__Protobuf__DescriptorProto *message,
                        size_t index)
{
    const Google__Protobuf__FieldDescriptorProto *field = message->field[index];
    const Google__Protobuf__DescriptorProto *entry = map_entry(message, field);
    enter(p, MESSAGE_FIELD, index);
    print_leading(p);
    indent(p);
    if (entry)
        buf_printf(p->out, "map<%s, %s>", field_type(entry->field[0]), field_type(entry->field[1]));
    else
        buf_printf(p->out, "%s%s", field_label(p, field), field_type(field));
    buf_printf(p->out, " %s = %d", text(field->name), field->number);
    if (field->options && field->options->deprecated)
        buf_printf(p->out, " [deprecated = true]");
    buf_append_byte(p->out, ';');
    print_trailing(p);
    leave(p);
}

static void print_fields(struct printer *p, const Google__Protobuf__DescriptorProto *message)
{
    for (size_t i = 0; i < message->n_field; i++) {
        const Google__Protobuf__FieldDescriptorProto *field = message->field[i];
        bool in_oneof = field->has_oneof_index && !field->proto3_optional &&
                        (size_t)field->oneof_index < message->n_oneof_decl;
        bool first = in_oneof && (i == 0 || !message->field[i - 1]->has_oneof_index ||
                                  message->field[i - 1]->oneof_index != field->oneof_index);
        bool last =
            in_oneof && (i + 1 == message->n_field || !message->field[i + 1]->has_oneof_index ||
                         message->field[i + 1]->oneof_index != field->oneof_index);
        if (first) {
            indent(p);
            buf_printf(p->out, "oneof %s {\n", text(message->oneof_decl[field->oneof_index]->name));
            p->depth++;
        }
        print_field(p, message, i);
        if (last) {
            p->depth--;
            indent(p);
            buf_printf(p->out, "}\n");
        }
    }
}

static void print_enum(struct printer *p, const Google__Protobuf__EnumDescriptorProto *type)
{
    print_leading(p);
    indent(p);
    buf_printf(p->out, "enum %s {\n", text(type->name));
    p->depth++;
    for (size_t i = 0; i < type->n_value; i++) {
        enter(p, ENUM_VALUE, i);
        print_leading(p);
        indent(p);
        buf_printf(p->out, "%s = %d;", text(type->value[i]->name), type->value[i]->number);
        print_trailing(p);
        leave(p);
    }
    p->depth--;
    indent(p);
    buf_printf(p->out, "}\n");
}

static void print_message(struct printer *p, const Google__Protobuf__DescriptorProto *message)
{
    print_leading(p);
    indent(p);
    buf_printf(p->out, "message %s {\n", text(message->name));
    p->depth++;
    for (size_t i = 0; i < message->n_enum_type; i++) {
        enter(p, MESSAGE_ENUM, i);
        print_enum(p, message->enum_type[i]);
        leave(p);
    }
    for (size_t i = 0; i < message->n_nested_type; i++) {
        const Google__Protobuf__DescriptorProto *nested = message->nested_type[i];
        if (nested->options && nested->options->map_entry)
            continue;
        enter(p, MESSAGE_NESTED, i);
        print_message(p, nested);
        leave(p);
    }
    print_fields(p, message);
    p->depth--;
    indent(p);
    buf_printf(p->out, "}\n");
}

static void print_rule(struct printer *p, const Google__Api__HttpRule *rule)
{
    static const char *const verbs[] = {
        [GOOGLE__API__HTTP_RULE__PATTERN_GET] = "get",
        [GOOGLE__API__HTTP_RULE__PATTERN_PUT] = "put",
        [GOOGLE__API__HTTP_RULE__PATTERN_POST] = "post",
        [GOOGLE__API__HTTP_RULE__PATTERN_DELETE] = "delete",
        [GOOGLE__API__HTTP_RULE__PATTERN_PATCH] = "patch",
    };
    size_t pattern = (size_t)rule->pattern_case;
    if (pattern < sizeof verbs / sizeof *verbs && verbs[pattern])
        buf_printf(p->out, " %s: \"%s\"", verbs[pattern], text(rule->get));
    else if (rule->pattern_case == GOOGLE__API__HTTP_RULE__PATTERN_CUSTOM)
        buf_printf(p->out, " custom: { kind: \"%s\" path: \"%s\" }", text(rule->custom->kind),
                   text(rule->custom->path));
    if (rule->body && *rule->body)
        buf_printf(p->out, " body: \"%s\"", rule->body);
    if (rule->response_body && *rule->response_body)
        buf_printf(p->out, " response_body: \"%s\"", rule->response_body);
    for (size_t i = 0; i < rule->n_additional_bindings; i++) {
        buf_printf(p->out, " additional_bindings: {");
        print_rule(p, rule->additional_bindings[i]);
        buf_printf(p->out, " }");
    }
}

/* The HTTP binding is an extension, which protobuf-c keeps as an unknown field with its length in
 * front. */
static Google__Api__HttpRule *method_rule(const Google__Protobuf__MethodDescriptorProto *method)
{
    struct status st;
    for (size_t i = 0; method->options && i < method->options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &method->options->base.unknown_fields[i];
        size_t prefix = 0;
        if (field->tag != HTTP_RULE || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        while (prefix < field->len && field->data[prefix] & 0x80)
            prefix++;
        if (prefix >= field->len)
            return NULL;
        struct slice bytes = slice_from(field->data + prefix + 1, field->len - prefix - 1);
        return (Google__Api__HttpRule *)proto_unpack(&google__api__http_rule__descriptor, bytes,
                                                     &st);
    }
    return NULL;
}

static void print_method(struct printer *p, const Google__Protobuf__MethodDescriptorProto *method)
{
    Google__Api__HttpRule *rule = method_rule(method);
    print_leading(p);
    indent(p);
    buf_printf(p->out, "rpc %s(%s%s) returns (%s%s)", text(method->name),
               method->client_streaming ? "stream " : "", type_text(method->input_type),
               method->server_streaming ? "stream " : "", type_text(method->output_type));
    if (rule) {
        buf_printf(p->out, " {\n%*soption (google.api.http) = {", (p->depth + 1) * INDENT, "");
        print_rule(p, rule);
        buf_printf(p->out, " };\n%*s}\n", p->depth * INDENT, "");
        protobuf_c_message_free_unpacked(&rule->base, NULL);
    } else {
        buf_printf(p->out, ";");
        print_trailing(p);
    }
}

static void print_service(struct printer *p,
                          const Google__Protobuf__ServiceDescriptorProto *service)
{
    print_leading(p);
    buf_printf(p->out, "service %s {\n", text(service->name));
    p->depth++;
    for (size_t i = 0; i < service->n_method; i++) {
        enter(p, SERVICE_METHOD, i);
        print_method(p, service->method[i]);
        leave(p);
    }
    p->depth--;
    buf_printf(p->out, "}\n");
}

static void print_place(const struct proto_place *place, struct buf *out)
{
    struct printer p = {.out = out, .at = *place};
    if (p.at.file->package && *p.at.file->package)
        buf_printf(out, "// %s, package %s\n", text(p.at.file->name), p.at.file->package);
    else
        buf_printf(out, "// %s\n", text(p.at.file->name));
    switch (place->kind) {
    case PROTO_SERVICE:
        print_service(&p, place->service);
        break;
    case PROTO_METHOD:
        print_method(&p, place->method);
        break;
    case PROTO_MESSAGE:
        print_message(&p, place->message);
        break;
    case PROTO_ENUM:
        print_enum(&p, place->enumeration);
        break;
    case PROTO_FIELD:
        p.at.path_len -= 2; /* print_field() goes there itself */
        print_field(&p, place->message, place->index);
        break;
    }
}

/* A message that a method takes or gives. */
static void print_message_named(const Google__Protobuf__FileDescriptorSet *set, const char *name,
                                struct buf *out)
{
    struct proto_place place;
    if (!proto_find(set, slice_from_string(type_text(name)), &place))
        return;
    buf_append_byte(out, '\n');
    print_place(&place, out);
}

bool proto_printer_symbol(const Google__Protobuf__FileDescriptorSet *set, struct slice name,
                          struct buf *out)
{
    struct proto_place place;
    if (!proto_find(set, name, &place))
        return false;
    print_place(&place, out);
    if (place.kind == PROTO_METHOD) {
        const char *input = text(place.method->input_type);
        print_message_named(set, input, out);
        if (strcmp(input, text(place.method->output_type)) != 0)
            print_message_named(set, place.method->output_type, out);
    }
    return true;
}

void proto_printer_services(const Google__Protobuf__FileDescriptorSet *set, struct buf *out)
{
    for (size_t f = 0; f < set->n_file; f++) {
        for (size_t i = 0; i < set->file[f]->n_service; i++) {
            struct proto_place place = {.file = set->file[f], .kind = PROTO_SERVICE};
            place.service = set->file[f]->service[i];
            proto_place_enter(&place, PROTO_FILE_SERVICE, i);
            if (buf_len(out) > 0)
                buf_append_byte(out, '\n');
            print_place(&place, out);
        }
    }
}
