/* openapi_operation: one binding as an OpenAPI operation: parameters of path and query, request
 * body, reply, and how streams are framed. */
#pragma once
#include "gateway/schema/openapi_document.h"
#include "gateway/schema/openapi_path.h"

/* operationId is `id`. */
json_t *openapi_operation(struct openapi *o, const struct http_route *route,
                          const struct openapi_path *path, const char *id);
