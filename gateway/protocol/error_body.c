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

/* An array; NULL when memory is out. */
static json_t *details_array(const struct status *st, const struct schema *schema)
{
    struct details details = {json_array(), schema};
    if (details.array)
        error_detail_each(st, add_detail, &details);
    return details.array;
}

/* Takes the object over. */
static int append_take(struct buf *out, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int error = text ? buf_append(out, text, strlen(text)) : -ENOBUFS;
    free(text);
    json_decref(body);
    return error;
}

int error_body_append(struct buf *out, const struct status *st, const struct schema *schema)
{
    return append_take(out, json_pack("{s:I,s:o,s:o}", "code", (json_int_t)st->raw_code, "message",
                                      error_body_text(status_message(st)), "details",
                                      details_array(st, schema)));
}

int error_body_append_google(struct buf *out, const struct status *st, int http_status,
                             const struct schema *schema)
{
    return append_take(out, json_pack("{s:{s:i,s:o,s:s,s:o}}", "error", "code", http_status,
                                      "message", error_body_text(status_message(st)), "status",
                                      status_name(st->code), "details", details_array(st, schema)));
}
