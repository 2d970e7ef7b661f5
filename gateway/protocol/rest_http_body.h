/* rest_http_body: google.api.HttpBody (google/api/httpbody.proto), the message that stands for raw
 * bytes with a content type: no JSON form is used for it on REST, in neither direction. */
#pragma once
#include "base/buf.h"
#include "gateway/schema/types.h"

struct rest_http_body {
    struct slice content_type; /* empty: not given */
    struct slice data;
};

/* Whether the message, or the value of that field of it when `field` is not NULL, is one. */
bool rest_http_body_is(const struct message_type *type, const struct field *field);
/* Reads a serialised message, or the one in that field of it; slices are borrowed from it.  False
 * when it is malformed. */
bool rest_http_body_read(struct slice wire, const struct field *field, struct rest_http_body *body);
/* Appends the fields of a message, or the field of one that holds it.  0, or -ENOBUFS. */
int rest_http_body_append(struct buf *out, const struct field *field, struct rest_http_body body);
