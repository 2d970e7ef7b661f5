/* Pass 2 of compile.h for services: one flat table of methods. */
#include "gateway/schema/compile.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"

/* MethodDescriptorProto as it stands. */
struct descriptor {
    struct slice name, input, output, options;
    bool client_streaming, server_streaming, malformed;
};

static struct descriptor read_descriptor(struct slice bytes)
{
    struct descriptor d = {0};
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        bool text = field.wire_type == WIRE_LEN, flag = field.wire_type == WIRE_VARINT;
        if (field.number == 1 && text)
            d.name = field.bytes;
        else if (field.number == 2 && text)
            d.input = field.bytes;
        else if (field.number == 3 && text)
            d.output = field.bytes;
        else if (field.number == 4 && text)
            d.options = field.bytes;
        else if (field.number == 5 && flag)
            d.client_streaming = field.value != 0;
        else if (field.number == 6 && flag)
            d.server_streaming = field.value != 0;
    }
    d.malformed = r.malformed || !proto_reader_check(d.options);
    return d;
}

static bool has_no_side_effects(struct slice options)
{
    enum { IDEMPOTENCY_LEVEL = 34, NO_SIDE_EFFECTS = 1 }; /* google.protobuf.MethodOptions */
    uint64_t level = 0;
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, options);
    while (proto_reader_next(&r, &field))
        if (field.number == IDEMPOTENCY_LEVEL && field.wire_type == WIRE_VARINT)
            level = field.value;
    return level == NO_SIDE_EFFECTS;
}

static bool resolve_message(struct compile *c, const struct compile_service *s, struct slice method,
                            struct slice written, const struct message_type **type)
{
    struct symbol *symbol = compile_resolve(c, s->full_name, written);
    if (!symbol)
        return compile_fail_unknown(c, s->file, s->full_name, method, written);
    if (symbol->kind != SYMBOL_MESSAGE)
        return compile_fail(c, s->file, s->full_name, method, "\"%.*s\" is not a message",
                            COMPILE_SHOW(written));
    *type = symbol->what;
    return true;
}

static bool compile_method(struct compile *c, const struct compile_service *s, struct slice bytes,
                           struct method *method)
{
    struct descriptor d = read_descriptor(bytes);
    struct symbol symbol = {s->full_name, d.name, SYMBOL_METHOD, method, s->file->name};
    if (!compile_add_symbol(c, s->file, &symbol))
        return false;
    if (d.malformed)
        return compile_fail(c, s->file, s->full_name, d.name, "the descriptor is malformed");
    char *path =
        arena_printf(c->arena, "/%.*s/%.*s", SLICE_PRINT(s->full_name), SLICE_PRINT(d.name));
    if (!path)
        return compile_fail_memory(c);
    *method = (struct method){
        .path = slice_from_string(path),
        .service = s->full_name,
        .name = d.name,
        .client_streaming = d.client_streaming,
        .server_streaming = d.server_streaming,
        .no_side_effects = has_no_side_effects(d.options),
        .options = d.options,
    };
    return resolve_message(c, s, d.name, d.input, &method->input) &&
           resolve_message(c, s, d.name, d.output, &method->output);
}

bool compile_services(struct compile *c)
{
    /* One more than needed: an arena may answer NULL to a request for nothing. */
    c->methods = arena_zalloc(c->arena, (c->method_count + 1) * sizeof *c->methods);
    c->service_names = arena_alloc(c->arena, (c->service_count + 1) * sizeof *c->service_names);
    if (!c->methods || !c->service_names)
        return compile_fail_memory(c);
    struct method *method = c->methods;
    struct slice *service_name = c->service_names;
    for (const struct compile_service *s = c->services; s; s = s->next) {
        *service_name++ = s->full_name;
        struct proto_reader r;
        struct proto_field field;
        proto_reader_init(&r, s->bytes);
        while (proto_reader_next(&r, &field))
            if (field.number == 2 && field.wire_type == WIRE_LEN &&
                !compile_method(c, s, field.bytes, method++))
                return false;
    }
    return true;
}
