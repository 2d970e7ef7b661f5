/* error_detail: the details of a failed call (google/rpc/status.proto: Status.details, as they come
 * in grpc-status-details-bin), one at a time, for whoever renders them. */
#pragma once
#include "gateway/schema/schema.h"
#include "grpc/status.h"

#include <jansson.h>

struct error_detail {
    struct slice type_url;  /* "type.googleapis.com/pkg.Message" */
    struct slice type_name; /* what follows its last slash */
    struct slice value;     /* serialised */
};

/* Calls each() for every detail in order; for none when the bytes are no google.rpc.Status. */
void error_detail_each(const struct status *st, void (*each)(void *arg, struct error_detail detail),
                       void *arg);
/* The value as the JSON object of its type; a new reference.  NULL when the schema (may be NULL)
 * does not know the type, its JSON form is not its own object, or the bytes do not fit it. */
json_t *error_detail_decoded(struct error_detail detail, const struct schema *schema);
/* The value as a JSON string of base64; a new reference.  NULL when memory is out. */
json_t *error_detail_base64(struct error_detail detail, bool padding);
