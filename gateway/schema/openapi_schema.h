/* openapi_schema: the JSON form of protobuf types (proto3 JSON mapping) as JSON Schema 2020-12,
 * the dialect of OpenAPI 3.1.  Schemas say what replies look like and what is best sent, unless the
 * options say otherwise: JSON names, 64-bit integers as strings, enums by name.  What is accepted
 * besides (the other names, numbers and names of enums, null) is not said. */
#pragma once
#include "gateway/schema/openapi_document.h"

/* A whole field: lists and maps included. */
json_t *openapi_schema_field(struct openapi *o, const struct field *f);
/* A message: a reference to its component, or the thing itself where it is small. */
json_t *openapi_schema_message(struct openapi *o, const struct message_type *type);
/* Writes the components that were referred to, and those that they refer to. */
void openapi_schema_fill(struct openapi *o);
