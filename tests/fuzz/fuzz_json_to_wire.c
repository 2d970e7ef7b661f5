/* JSON text to wire, and what was accepted to JSON and back once more: the second text must be the
 * first.  The first byte chooses the message type and the options. */
#include "gateway/transcode/transcode.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LEN = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {
    "kinds.All",
    "kinds2.Old",
    "kinds.Records",
    "google.protobuf.Struct",
    "google.protobuf.Any",
    "google.protobuf.FieldMask",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
};

static const struct schema *load(void)
{
    static const char *const sets[] = {TRANSCODE_TEST_SETS "/kinds.binpb",
                                       TRANSCODE_TEST_SETS "/kinds2.binpb"};
    struct status st;
    struct schema *schema = schema_load_files(sets, 2, &st);
    if (!schema) {
        fprintf(stderr, "%s\n", st.text);
        abort();
    }
    return schema;
}

/* A payload of unknown type, or under a foreign prefix, prints in a form that is not read back; a
 * mask may hold paths that have no JSON form. */
static bool may_differ(const struct buf *json, const struct status *st)
{
    return memmem(buf_slice(json).data, buf_len(json), "@type", 5) || strstr(st->text, "FieldMask");
}

static void check_back(const struct message_type *type, const struct transcode_options *options,
                       const struct buf *wire)
{
    struct buf json, again, wire_again;
    struct status st = {.text = ""};
    buf_init(&json, MAX_LEN);
    buf_init(&again, MAX_LEN);
    buf_init(&wire_again, MAX_LEN);
    bool ok = wire_to_json(type, buf_slice(wire), options, &json, &st) &&
              json_to_wire(type, buf_slice(&json), options, &wire_again, &st) &&
              wire_to_json(type, buf_slice(&wire_again), options, &again, &st) &&
              slice_equal(buf_slice(&json), buf_slice(&again));
    if (!ok && !may_differ(&json, &st)) {
        fprintf(stderr, "%s\n%.*s\n%.*s\n", st.text, SLICE_PRINT(buf_slice(&json)),
                SLICE_PRINT(buf_slice(&again)));
        abort();
    }
    buf_fini(&json);
    buf_fini(&again);
    buf_fini(&wire_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct schema *schema;
    if (!schema)
        schema = load();
    if (size == 0)
        return 0;
    struct transcode_options options = {.schema = schema,
                                        .ignore_unknown = data[0] & 8,
                                        .enums_as_numbers = data[0] & 16,
                                        .proto_names = data[0] & 32,
                                        .int64_as_numbers = data[0] & 64};
    const struct message_type *type = schema_message(schema, slice_from_string(types[data[0] & 7]));
    struct buf wire;
    struct status st;
    buf_init(&wire, MAX_LEN);
    if (json_to_wire(type, slice_from(data + 1, size - 1), &options, &wire, &st))
        check_back(type, &options, &wire);
    else if (st.code != STATUS_INVALID_ARGUMENT && st.code != STATUS_RESOURCE_EXHAUSTED)
        abort();
    buf_fini(&wire);
    return 0;
}
