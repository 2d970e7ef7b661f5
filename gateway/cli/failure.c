#include "gateway/cli/failure.h"

#include "gateway/transcode/transcode.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/proto_unpack.h"

enum { MAX_DETAIL = 1 << 20 };

/* "type.googleapis.com/pkg.Type" → "pkg.Type". */
static struct slice type_name(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slice_from_string(slash ? slash + 1 : url);
}

static bool print_known(struct slice name, struct slice value, const struct schema *schema,
                        FILE *out)
{
    const struct message_type *type = schema ? schema_message(schema, name) : NULL;
    const struct transcode_options options = {.schema = schema};
    struct buf json;
    struct status st;
    buf_init(&json, MAX_DETAIL);
    bool ok = type && wire_to_json(type, value, &options, &json, &st);
    if (ok)
        fprintf(out, "  %.*s %.*s\n", SLICE_PRINT(name), SLICE_PRINT(buf_slice(&json)));
    buf_fini(&json);
    return ok;
}

static void print_detail(const Google__Protobuf__Any *any, const struct schema *schema, FILE *out)
{
    struct slice name = type_name(any->type_url);
    struct slice value = slice_from(any->value.data, any->value.len);
    if (!print_known(name, value, schema, out))
        fprintf(out, "  %.*s (%zu bytes of a type that is not known here)\n", SLICE_PRINT(name),
                value.len);
}

static void print_details(struct slice details, const struct schema *schema, FILE *out)
{
    struct status st;
    Google__Rpc__Status *rich =
        (Google__Rpc__Status *)proto_unpack(&google__rpc__status__descriptor, details, &st);
    if (!rich) {
        fprintf(out, "  (its details cannot be read: %.*s)\n", SLICE_PRINT(status_message(&st)));
        return;
    }
    for (size_t i = 0; i < rich->n_details; i++)
        print_detail(rich->details[i], schema, out);
    protobuf_c_message_free_unpacked(&rich->base, NULL);
}

/* A peer's text must not drive the terminal. */
static void print_message(struct slice message, FILE *out)
{
    for (size_t i = 0; i < message.len; i++) {
        uint8_t c = message.data[i];
        if (c < 0x20 && c != '\n' && c != '\t')
            fprintf(out, "\\x%02x", c);
        else
            putc(c == 0x7f ? '?' : c, out);
    }
}

void failure_print(const struct status *status, const struct schema *schema, FILE *out)
{
    struct slice message = status_message(status);
    if (status->raw_code > STATUS_UNAUTHENTICATED)
        fprintf(out, "%s (the server sent %u)", status_name(status->code), status->raw_code);
    else
        fprintf(out, "%s (%u)", status_name(status->code), status->code);
    fputs(message.len ? ": " : "", out);
    print_message(message, out);
    putc('\n', out);
    if (status->details.len > 0)
        print_details(status->details, schema, out);
}
