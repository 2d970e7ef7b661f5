#include "gateway/protocol/error_detail.h"

#include "base/text.h"
#include "gateway/transcode/transcode.h"
#include "grpc/proto_unpack.h"

#include "google/rpc/status.pb-c.h"

#include <stdlib.h>

enum { MAX_DETAIL_JSON = 1 << 20 };

/* The part of a type URL behind its last slash. */
static struct slice last_segment(struct slice url)
{
    for (size_t i = url.len; i > 0; i--)
        if (url.data[i - 1] == '/')
            return slice_skip(url, i);
    return url;
}

void error_detail_each(const struct status *st, void (*each)(void *arg, struct error_detail detail),
                       void *arg)
{
    struct status ignored;
    if (st->details.len == 0)
        return;
    ProtobufCMessage *m = proto_unpack(&google__rpc__status__descriptor, st->details, &ignored);
    if (!m)
        return;
    const Google__Rpc__Status *status = (const Google__Rpc__Status *)m;
    for (size_t i = 0; i < status->n_details; i++) {
        const Google__Protobuf__Any *any = status->details[i];
        struct slice url = slice_from_string(any->type_url);
        each(arg, (struct error_detail){url, last_segment(url),
                                        slice_from(any->value.data, any->value.len)});
    }
    protobuf_c_message_free_unpacked(m, NULL);
}

json_t *error_detail_decoded(struct error_detail detail, const struct schema *schema)
{
    const struct message_type *type = schema ? schema_message(schema, detail.type_name) : NULL;
    const struct transcode_options options = {.schema = schema};
    struct status ignored;
    struct buf text;
    json_t *object = NULL;
    if (!type || type->well_known != WELL_KNOWN_NONE)
        return NULL;
    buf_init(&text, MAX_DETAIL_JSON);
    if (wire_to_json(type, detail.value, &options, &text, &ignored)) {
        struct slice json = buf_slice(&text);
        object = json_loadb((const char *)json.data, json.len, JSON_ALLOW_NUL, NULL);
    }
    buf_fini(&text);
    return object;
}

json_t *error_detail_base64(struct error_detail detail, bool padding)
{
    char *text = malloc(text_base64_len(detail.value.len) + 1);
    if (!text)
        return NULL;
    json_t *string = json_stringn(text, text_base64_encode(detail.value, padding, text));
    free(text);
    return string;
}
