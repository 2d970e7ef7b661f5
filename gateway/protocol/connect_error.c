#include "gateway/protocol/connect_error.h"

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
    const struct details *details = arg;
    json_t *debug = error_detail_decoded(detail, details->schema);
    json_array_append_new(details->array,
                          json_pack("{s:s%,s:o,s:o*}", "type", (const char *)detail.type_name.data,
                                    detail.type_name.len, "value",
                                    error_detail_base64(detail, false), "debug", debug));
}

/* The names of gRPC in lower case, but for one that the protocol spells with one l. */
static json_t *code_name(uint32_t code)
{
    if (code == STATUS_CANCELLED)
        return json_string("canceled");
    char name[32];
    size_t len = 0;
    for (const char *from = status_name(code); *from && len < sizeof name; from++)
        name[len++] = *from == '_' ? '_' : (char)(*from | 0x20);
    return json_stringn(name, len);
}

static json_t *error_object(const struct status *st, const struct schema *schema)
{
    struct details details = {json_array(), schema};
    json_t *error = json_pack("{s:o}", "code", code_name(st->code));
    struct slice message = status_message(st);
    if (message.len > 0)
        json_object_set_new(error, "message", error_body_text(message));
    error_detail_each(st, add_detail, &details);
    if (json_array_size(details.array) > 0)
        json_object_set(error, "details", details.array);
    json_decref(details.array);
    return error;
}

/* Appends the object, which it takes over. */
static int append_object_take(struct buf *out, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    int error = text ? buf_append(out, text, strlen(text)) : -ENOBUFS;
    free(text);
    json_decref(object);
    return error;
}

int connect_error_append(struct buf *out, const struct status *st, const struct schema *schema)
{
    return append_object_take(out, error_object(st, schema));
}

static json_t *metadata_object(const struct metadata *trailers)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < trailers->count; i++) {
        struct metadata_entry field = trailers->entries[i];
        if (metadata_stripped_front(field.name) || !metadata_name_valid(field.name) ||
            !metadata_value_valid(field.value))
            continue;
        const char *name = (const char *)field.name.data;
        json_t *values = json_object_getn(object, name, field.name.len);
        if (!values) {
            json_object_setn_new(object, name, field.name.len, json_array());
            values = json_object_getn(object, name, field.name.len);
        }
        json_array_append_new(values, error_body_text(field.value));
    }
    return object;
}

int connect_error_append_end(struct buf *out, const struct status *st,
                             const struct metadata *trailers, const struct schema *schema)
{
    bool bare = !trailers || trailers->count == 0;
    if (bare && st->code == STATUS_OK)
        return buf_append(out, "{}", 2);
    json_t *end = json_object();
    if (st->code != STATUS_OK)
        json_object_set_new(end, "error", error_object(st, schema));
    json_t *metadata = bare ? NULL : metadata_object(trailers);
    if (json_object_size(metadata) > 0)
        json_object_set(end, "metadata", metadata);
    json_decref(metadata);
    return append_object_take(out, end);
}
