/* describe: `drawbridge describe TARGET [SYMBOL]`: a service, method, message, enum or field like
 * reading its proto; without a symbol every service. */
#include "gateway/cli/cli.h"
#include "gateway/cli/operands.h"
#include "gateway/cli/proto_printer.h"
#include "gateway/cli/symbol.h"
#include "grpc/proto_unpack.h"

enum { MAX_OUTPUT = 64 << 20 };

/* The text comes from a server: it must not drive the terminal. */
static void write_clean(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        putchar(control ? '?' : c);
    }
}

static int not_found(const struct schema *schema, struct slice name)
{
    char nearest[SYMBOL_MAX_LEN];
    fprintf(stderr, "drawbridge describe: no symbol \"%.*s\"", SLICE_PRINT(name));
    if (symbol_nearest_service(schema, name, nearest) ||
        symbol_nearest_method(schema, name, nearest))
        fprintf(stderr, "; did you mean %s?", nearest);
    fputs("\n", stderr);
    return COMMAND_FAILED;
}

static int print_description(const struct schema *schema, const char *symbol)
{
    struct status st;
    struct slice name = slice_from_string(symbol);
    Google__Protobuf__FileDescriptorSet *set = (Google__Protobuf__FileDescriptorSet *)proto_unpack(
        &google__protobuf__file_descriptor_set__descriptor, schema_descriptor_set(schema), &st);
    if (!set) {
        fprintf(stderr, "drawbridge describe: %.*s\n", SLICE_PRINT(status_message(&st)));
        return COMMAND_FAILED;
    }
    struct buf out;
    buf_init(&out, MAX_OUTPUT);
    bool found = true;
    if (symbol)
        found = proto_printer_symbol(set, name, &out);
    else
        proto_printer_services(set, &out);
    write_clean(buf_slice(&out));
    buf_fini(&out);
    protobuf_c_message_free_unpacked(&set->base, NULL);
    return found ? 0 : not_found(schema, name);
}

static int run_describe(const struct command *command, int argc, char **argv)
{
    return operands_run(command, argc, argv, print_description);
}

const struct command command_describe = {
    .name = "describe",
    .summary = "show a service, method or message like its proto",
    .operands = "[HOST:PORT] [SYMBOL]",
    .details = "With --descriptors no server is needed.  Comments are shown when the server sends\n"
               "them.",
    .examples = "  drawbridge describe localhost:50051 Calculator\n"
                "  drawbridge describe localhost:50051 Calculator/DivNum\n"
                "  drawbridge describe localhost:50051 NumberDouble",
    .options = operands_options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_describe,
};
