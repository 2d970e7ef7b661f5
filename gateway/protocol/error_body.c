#include "gateway/protocol/error_body.h"

#include "gateway/protocol/error_detail.h"

#include <errno.h>
#include <stdlib.h>

struct details {
    json_t *array;
    const struct schema *schema;
};

static void add_detail(void *arg, struct error_detail detail)
{
    struct details *details = arg;
    json_t *body = error_detail_decoded(detail, details->schema);
    if (!body)
        body = json_pack("{s:o}", "value", error_detail_base64(detail, true));
    json_t *typed =
        json_pack("{s:s%}", "@type", (const char *)detail.type_url.data, detail.type_url.len);
    if (typed && body && json_object_update(typed, body) == 0)
        json_array_append(details->array, typed);
    json_decref(typed);
    json_decref(body);
}

json_t *error_body_text(struct slice message)
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
    struct details details = {json_array(), schema};
    int error = -ENOBUFS;
    if (!details.array)
        return error;
    error_detail_each(st, add_detail, &details);
    json_t *body = json_pack("{s:I,s:o,s:o}", "code", (json_int_t)st->raw_code, "message",
                             error_body_text(status_message(st)), "details", details.array);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (text)
        error = buf_append(out, text, strlen(text));
    free(text);
    json_decref(body);
    return error;
}
