/* http_rules_yaml: HTTP rules kept in a file beside the schema: the YAML form of
 * google.api.Service (google/api/service.proto), of which the section `http` counts:
 *     http:
 *       rules:
 *       - selector: pkg.Service.Method
 *         get: /v1/shelves/{name}
 *         additional_bindings:
 *         - post: /v1/shelves:get
 *           body: "*"
 * Names are accepted in snake_case and lowerCamelCase.  The other sections of such a file are
 * passed over, so that a configuration file can hold the rules as well.  Whether a rule fits its
 * method is judged by http_route.h. */
#pragma once
#include "gateway/schema/routes.h"

enum { HTTP_RULES_YAML_MAX_RULES = 20000 };

/* Reads a text.  *rules and all texts are the arena's; the rules are in the order of the text, each
 * followed by its additional bindings, as routes_build() wants them; `source`, which stands in
 * errors, is copied, `line` is set.  Zero rules are legal.  False with *st: INVALID_ARGUMENT that
 * begins with "SOURCE:LINE:COLUMN: " (unknown and duplicate keys, wrong types, broken YAML), or
 * RESOURCE_EXHAUSTED. */
bool http_rules_yaml_parse(struct slice text, const char *source, struct arena *arena,
                           struct http_rule **rules, size_t *count, struct status *st);
/* Only reads a file: how many bindings it has.  False with *st, as above, or INVALID_ARGUMENT that
 * begins with "FILE: " when it cannot be read. */
bool http_rules_yaml_check(const char *path, size_t *count, struct status *st);
/* routes_build() with the rules of a file; path NULL: none.  NULL with *st. */
struct routes *http_rules_yaml_build(struct schema *schema, const char *path, struct status *st);
