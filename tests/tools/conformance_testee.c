/* conformance_testee: the transcoder as protobuf's conformance_test_runner wants to see it
 * (conformance.proto).  Arguments: descriptor sets.  Standard input: ConformanceRequests, each
 * behind its length (4 bytes, little-endian); standard output: a ConformanceResponse for each, in
 * the same form.  Skipped, as the protocol allows: text format, JSPB, and well-formed wire that is
 * asked back as wire, because every way through the transcoder has JSON at one end. */
#include "gateway/schema/proto_reader.h"
#include "gateway/transcode/transcode.h"
#include "gateway/transcode/wire.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LEN = 64 << 20 };
/* ConformanceRequest: fields; WireFormat and TestCategory: values. */
enum { IN_PROTOBUF = 1, IN_JSON = 2, IN_FORMAT = 3, IN_TYPE = 4, IN_CATEGORY = 5, IN_TEXT = 8 };
enum { FORMAT_PROTOBUF = 1, FORMAT_JSON = 2 };
enum { JSON_IGNORE_UNKNOWN_PARSING_TEST = 3 };

/* ConformanceResponse.result: fields. */
enum result {
    RESULT_PARSE_ERROR = 1,
    RESULT_RUNTIME_ERROR = 2,
    RESULT_PROTOBUF = 3,
    RESULT_JSON = 4,
    RESULT_SKIPPED = 5,
    RESULT_SERIALIZE_ERROR = 6,
};

struct request {
    uint32_t payload; /* IN_PROTOBUF, IN_JSON or another that is skipped */
    struct slice message, type;
    uint64_t format, category;
};

static bool request_decode(struct slice bytes, struct request *r)
{
    struct proto_reader reader;
    struct proto_field f;
    *r = (struct request){.payload = IN_TEXT};
    proto_reader_init(&reader, bytes);
    while (proto_reader_next(&reader, &f)) {
        if (f.number == IN_PROTOBUF || f.number == IN_JSON) {
            r->payload = f.number;
            r->message = f.bytes;
        } else if (f.number == IN_FORMAT) {
            r->format = f.value;
        } else if (f.number == IN_TYPE) {
            r->type = f.bytes;
        } else if (f.number == IN_CATEGORY) {
            r->category = f.value;
        }
    }
    return !reader.malformed;
}

/* The payload's JSON text or, from JSON, its wire form when that is asked for. */
static enum result transcode(const struct message_type *type, const struct request *r,
                             const struct transcode_options *options, struct buf *out,
                             struct status *st)
{
    if (r->payload == IN_PROTOBUF) {
        if (wire_to_json(type, r->message, options, out, st))
            return RESULT_JSON;
        /* The status is INTERNAL also for values that have no JSON form. */
        bool malformed = strstr(st->text, "valid") || strstr(st->text, "malformed");
        return malformed ? RESULT_PARSE_ERROR : RESULT_SERIALIZE_ERROR;
    }
    if (r->format == FORMAT_PROTOBUF)
        return json_to_wire(type, r->message, options, out, st) ? RESULT_PROTOBUF
                                                                : RESULT_PARSE_ERROR;
    struct buf wire;
    buf_init(&wire, MAX_LEN);
    enum result result = RESULT_JSON;
    if (!json_to_wire(type, r->message, options, &wire, st))
        result = RESULT_PARSE_ERROR;
    else if (!wire_to_json(type, buf_slice(&wire), options, out, st))
        result = RESULT_SERIALIZE_ERROR;
    buf_fini(&wire);
    return result;
}

static bool respond(enum result result, struct slice value)
{
    uint8_t head[4 + 1 + WIRE_VARINT_LEN];
    head[4] = (uint8_t)(result << 3 | WIRE_LEN);
    uint8_t *end = wire_put_varint(head + 5, value.len);
    wire_put_fixed(head, (size_t)(end - head) - 4 + value.len, 4);
    fwrite(head, 1, (size_t)(end - head), stdout);
    if (value.len)
        fwrite(value.data, 1, value.len, stdout);
    return fflush(stdout) == 0;
}

static bool answer(const struct schema *schema, struct slice bytes)
{
    struct request r;
    if (!request_decode(bytes, &r))
        return respond(RESULT_RUNTIME_ERROR, SLICE("the request is malformed"));
    if (slice_equal(r.type, SLICE("conformance.FailureSet")))
        return respond(RESULT_PROTOBUF, SLICE("")); /* nothing is known to fail */
    if (r.payload == IN_TEXT || (r.format != FORMAT_PROTOBUF && r.format != FORMAT_JSON))
        return respond(RESULT_SKIPPED, SLICE("a format that is not transcoded"));
    const struct message_type *type = schema_message(schema, r.type);
    if (!type)
        return respond(RESULT_RUNTIME_ERROR, SLICE("the message's type is unknown"));
    struct transcode_options options = {
        .schema = schema,
        .ignore_unknown = r.category == JSON_IGNORE_UNKNOWN_PARSING_TEST,
    };
    struct buf out;
    struct status st;
    buf_init(&out, MAX_LEN);
    enum result result = transcode(type, &r, &options, &out, &st);
    bool ok = result == RESULT_JSON || result == RESULT_PROTOBUF;
    bool back = r.payload == IN_PROTOBUF && r.format == FORMAT_PROTOBUF;
    bool written = back && result != RESULT_PARSE_ERROR
                       ? respond(RESULT_SKIPPED, SLICE("wire to wire"))
                       : respond(result, ok ? buf_slice(&out) : slice_from_string(st.text));
    buf_fini(&out);
    return written;
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
    uint8_t head[4];
    bool going = true;
    while (going && fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t len = (size_t)wire_get_fixed(head, 4);
        uint8_t *bytes = len <= MAX_LEN ? malloc(len + 1) : NULL;
        going =
            bytes && fread(bytes, 1, len, stdin) == len && answer(schema, slice_from(bytes, len));
        free(bytes);
    }
    schema_unref(schema);
    return going ? 0 : 1;
}
