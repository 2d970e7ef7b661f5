/* openapi: describes the HTTP side of a schema as an OpenAPI 3.1 document: every binding of every
 * method, the JSON form of every message that they reach, errors, and the comments of the
 * descriptors.  The parts are in openapi_path, openapi_operation and openapi_schema. */
#pragma once
#include "gateway/schema/routes.h"

/* Properties, parameters and operations of one document; more is RESOURCE_EXHAUSTED. */
enum { OPENAPI_MAX_NODES = 200000 };

/* The document as JSON text, to be freed; with `pretty` indented for people.  `prefix` is the path
 * that stands before all of its paths, "" or as "/api".  NULL with *st.  Blocks while it is made.
 */
char *openapi_text(const struct routes *routes, const char *prefix, bool pretty, struct status *st);
