/* openapi: describes the HTTP side of a schema as an OpenAPI 3.1 document: every binding of every
 * method, the JSON form of every message that they reach, errors, and the comments of the
 * descriptors.  The parts are in openapi_path, openapi_operation and openapi_schema. */
#pragma once
#include "gateway/schema/routes.h"

/* Properties, parameters and operations of one document; more is RESOURCE_EXHAUSTED. */
enum { OPENAPI_MAX_NODES = 200000 };

/* What the gateway's settings say of paths and of the JSON that it prints (transcode_options). */
struct openapi_options {
    const char *prefix; /* stands before all paths: "" or as "/api" */
    bool proto_names, enums_as_numbers, int64_as_numbers;
};

/* The document as JSON text, to be freed; with `pretty` indented for people.  Blocks while it is
 * made.  NULL with *st. */
char *openapi_text(const struct routes *routes, const struct openapi_options *options, bool pretty,
                   struct status *st);
