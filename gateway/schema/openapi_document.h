/* openapi_document: what the parts of one OpenAPI document share while it is made: the objects
 * under construction, the comments, and the bound on its size.  Private to schema/openapi*.
 * Functions that return json_t return a new reference, NULL when memory is out; whoever puts it
 * somewhere does so with openapi_put(), which notes the failure. */
#pragma once
#include "base/buf.h"
#include "gateway/schema/comments.h"
#include "gateway/schema/openapi.h"

#include <jansson.h>

struct openapi {
    const struct schema *schema;
    const struct openapi_options *options;
    struct comments comments;
    struct arena arena; /* texts of this document's making */
    json_t *paths;      /* owned by the document, as the next */
    json_t *schemas;    /* components/schemas: what was referred to, by full name */
    json_t *shapes; /* owned: path with its names left out -> [path, name...] as first written */
    struct buf waiting; /* struct openapi_type: in `schemas`, but not yet filled */
    size_t nodes;       /* made so far */
    bool failed;        /* out of memory */
};

/* What the field is called in JSON. */
static inline struct slice openapi_field_name(const struct openapi *o, const struct field *f)
{
    return o->options->proto_names ? f->name : f->json_name;
}
/* Sets or appends, stealing `value`. */
void openapi_put(struct openapi *o, json_t *object, const char *key, json_t *value);
void openapi_append(struct openapi *o, json_t *array, json_t *value);
/* A text of the schema. */
json_t *openapi_string(struct slice text);
/* Counts a part; false when the document has become too large: leave it out. */
bool openapi_count(struct openapi *o);
/* Sets "description" unless the text is empty. */
void openapi_describe(struct openapi *o, json_t *object, struct slice text);
