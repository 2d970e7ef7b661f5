/* transcode_pipe: transcodes messages from standard input for tests in other languages.
 * Arguments: descriptor sets.  Request: operation ('w': to wire, 'j': to JSON), flags, length of
 * the type's name (2 bytes, little-endian), length of the message (4), name, message.  Reply: 1 or
 * 0 (failed), length (4), the result or the failure's text. */
#include "gateway/transcode/transcode.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FLAG_EMIT_DEFAULTS = 1,
    FLAG_IGNORE_UNKNOWN = 2,
    FLAG_ENUMS_AS_NUMBERS = 4,
    FLAG_PROTO_NAMES = 8,
    FLAG_INT64_AS_NUMBERS = 16,
};

static uint32_t little_endian(const uint8_t *at, size_t len)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

/* NULL at the end of the input. */
static uint8_t *read_bytes(size_t len)
{
    uint8_t *bytes = malloc(len ? len : 1);
    if (bytes && fread(bytes, 1, len, stdin) == len)
        return bytes;
    free(bytes);
    return NULL;
}

static void reply(bool ok, struct slice text)
{
    uint8_t head[5] = {ok};
    for (size_t i = 0; i < 4; i++)
        head[1 + i] = (uint8_t)(text.len >> (8 * i));
    fwrite(head, 1, sizeof head, stdout);
    if (text.len)
        fwrite(text.data, 1, text.len, stdout);
    fflush(stdout);
}

static void answer(const struct schema *schema, const uint8_t *head, struct slice name,
                   struct slice message)
{
    struct transcode_options options = {
        .schema = schema,
        .emit_defaults = head[1] & FLAG_EMIT_DEFAULTS,
        .ignore_unknown = head[1] & FLAG_IGNORE_UNKNOWN,
        .enums_as_numbers = head[1] & FLAG_ENUMS_AS_NUMBERS,
        .proto_names = head[1] & FLAG_PROTO_NAMES,
        .int64_as_numbers = head[1] & FLAG_INT64_AS_NUMBERS,
    };
    const struct message_type *type = schema_message(schema, name);
    if (!type) {
        reply(false, SLICE("unknown type"));
        return;
    }
    struct buf out;
    struct status st;
    buf_init(&out, (size_t)1 << 30);
    bool ok = head[0] == 'w' ? json_to_wire(type, message, &options, &out, &st)
                             : wire_to_json(type, message, &options, &out, &st);
    reply(ok, ok ? buf_slice(&out) : slice_from_string(st.text));
    buf_fini(&out);
}

int main(int argc, char **argv)
{
    struct status st;
    struct schema *schema =
        schema_load_files((const char *const *)argv + 1, (size_t)(argc - 1), &st);
    if (!schema) {
        fprintf(stderr, "%s\n", st.text);
        return 2;
    }
    uint8_t head[8];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t name_len = little_endian(head + 2, 2), len = little_endian(head + 4, 4);
        uint8_t *name = read_bytes(name_len), *message = read_bytes(len);
        if (name && message)
            answer(schema, head, slice_from(name, name_len), slice_from(message, len));
        free(name);
        free(message);
    }
    schema_unref(schema);
    return 0;
}
