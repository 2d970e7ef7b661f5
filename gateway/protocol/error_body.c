#include "gateway/protocol/error_body.h"

#include "base/text.h"
#include "gateway/transcode/transcode.h"
#include "grpc/proto_unpack.h"

#include "google/rpc/status.pb-c.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

enum { MAX_DETAIL_JSON = 1 << 20 };

/* The part of a type URL behind its last slash. */
static struct slice type_name(struct slice url)
{
    for (size_t i = url.len; i > 0; i--)
        if (url.data[i - 1] == '/')
            return slice_skip(url, i);
    return url;
}

/* The payload as the JSON object of its type; NULL when the type or the bytes are beyond us. */
static json_t *detail_decoded(const struct schema *schema, struct slice url, struct slice value)
{
    const struct message_type *type = schema ? schema_message(schema, type_name(url)) : NULL;
    const struct transcode_options options = {.schema = schema};
    struct status ignored;
    struct buf text;
    json_t *detail = NULL;
    if (!type || type->well_known != WELL_KNOWN_NONE)
        return NULL;
    buf_init(&text, MAX_DETAIL_JSON);
    if (wire_to_json(type, value, &options, &text, &ignored)) {
        struct slice json = buf_slice(&text);
        detail = json_loadb((const char *)json.data, json.len, 0, NULL);
    }
    buf_fini(&text);
    return detail;
}

static json_t *detail_raw(struct slice value)
{
    char *text = malloc(text_base64_len(value.len) + 1);
    if (!text)
        return NULL;
    size_t len = text_base64_encode(value, true, text);
    json_t *detail = json_pack("{s:s%}", "value", text, len);
    free(text);
    return detail;
}

static void add_detail(json_t *details, const Google__Protobuf__Any *any,
                       const struct schema *schema)
{
    struct slice url = slice_from_string(any->type_url),
                 value = slice_from(any->value.data, any->value.len);
    json_t *detail = detail_decoded(schema, url, value);
    if (!detail)
        detail = detail_raw(value);
    if (!detail)
        return;
    json_t *typed = json_pack("{s:s%}", "@type", (const char *)url.data, url.len);
    if (typed)
        json_object_update(typed, detail);
    json_decref(detail);
    json_array_append_new(details, typed);
}

static void add_details(json_t *details, const struct status *st, const struct schema *schema)
{
    struct status ignored;
    if (st->details.len == 0)
        return;
    ProtobufCMessage *m = proto_unpack(&google__rpc__status__descriptor, st->details, &ignored);
    if (!m)
        return;
    const Google__Rpc__Status *status = (const Google__Rpc__Status *)m;
    for (size_t i = 0; i < status->n_details; i++)
        add_detail(details, status->details[i], schema);
    protobuf_c_message_free_unpacked(m, NULL);
}

/* A peer's message may be anything; JSON wants UTF-8: other bytes above 0x7e become '?'. */
static json_t *message_string(struct slice message)
{
    json_t *string = json_stringn((const char *)message.data, message.len);
    if (string || message.len == 0)
        return string ? string : json_string("");
    char *text = malloc(message.len);
    if (!text)
        return NULL;
    for (size_t i = 0; i < message.len; i++)
        text[i] = message.data[i] < 0x80 ? (char)message.data[i] : '?';
    string = json_stringn(text, message.len);
    free(text);
    return string;
}

int error_body_append(struct buf *out, const struct status *st, const struct schema *schema)
{
    json_t *details = json_array();
    int error = -ENOBUFS;
    if (!details)
        return error;
    add_details(details, st, schema);
    json_t *body = json_pack("{s:I,s:o,s:o}", "code", (json_int_t)st->raw_code, "message",
                             message_string(status_message(st)), "details", details);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (text)
        error = buf_append(out, text, strlen(text));
    free(text);
    json_decref(body);
    return error;
}
