/* Wire bytes to JSON; what could be printed must be read and printed again the same.  The first
 * byte chooses the message type and the options. */
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

static void check_back(const struct message_type *type, const struct transcode_options *options,
                       const struct buf *json)
{
    /* Payloads of unknown type print in a form that is not read back; a NullValue of another number
     * than 0 reads back as 0, which a field without presence does not print. */
    if (memmem(buf_slice(json).data, buf_len(json), "@type", 5) ||
        memmem(buf_slice(json).data, buf_len(json), "\"null\":null", 11))
        return;
    struct buf wire, again;
    struct status st = {.text = ""};
    buf_init(&wire, MAX_LEN);
    buf_init(&again, MAX_LEN);
    bool ok = json_to_wire(type, buf_slice(json), options, &wire, &st) &&
              wire_to_json(type, buf_slice(&wire), options, &again, &st) &&
              slice_equal(buf_slice(json), buf_slice(&again));
    if (!ok) {
        fprintf(stderr, "%s\n%.*s\n%.*s\n", st.text, SLICE_PRINT(buf_slice(json)),
                SLICE_PRINT(buf_slice(&again)));
        abort();
    }
    buf_fini(&wire);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct schema *schema;
    if (!schema)
        schema = load();
    if (size == 0)
        return 0;
    struct transcode_options options = {.schema = schema,
                                        .emit_defaults = data[0] & 8,
                                        .enums_as_numbers = data[0] & 16,
                                        .proto_names = data[0] & 32,
                                        .int64_as_numbers = data[0] & 64};
    const struct message_type *type = schema_message(schema, slice_from_string(types[data[0] & 7]));
    struct buf json;
    struct status st;
    buf_init(&json, MAX_LEN);
    if (wire_to_json(type, slice_from(data + 1, size - 1), &options, &json, &st))
        check_back(type, &options, &json);
    else if (st.code != STATUS_INTERNAL && st.code != STATUS_RESOURCE_EXHAUSTED)
        abort();
    buf_fini(&json);
    return 0;
}
