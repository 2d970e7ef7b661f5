/* routes: every HTTP binding of a schema, compiled: the google.api.http options of its methods, or
 * the rules given from outside in their place, and POST /pkg.Service/Method for each method.  One
 * immutable snapshot, counted, shared by workers without locks like the schema it keeps. */
#pragma once
#include "gateway/schema/path_router.h"
#include "gateway/schema/schema.h"

struct openapi_options;
struct routes;

/* `extra` overrides: a method that a rule there selects has none of its options' bindings; of two
 * rules for the same method the last one counts, together with its additional ones.  A rule without
 * HTTP method takes the bindings away.  A rule that selects no method is an error, unless the
 * schema is partial; so are two bindings with the same method and path, unless the second is an
 * option of another upstream's method: then it is left out.  `extra` is copied as far as it is
 * needed; the schema gets a reference.  NULL with *st naming file, rule and reason. */
struct routes *routes_build(struct schema *schema, const struct http_rule *extra, size_t count,
                            struct status *st);
/* From any thread. */
struct routes *routes_ref(struct routes *r);
void routes_unref(struct routes *r);

struct schema *routes_schema(const struct routes *r);
/* See path_router.h. */
bool routes_match(const struct routes *r, struct slice method, struct slice path,
                  struct path_match *match);
bool routes_know_method(const struct routes *r, struct slice method);
size_t routes_allow(const struct routes *r, struct slice path, char out[static PATH_ALLOW_LEN]);
/* All of them, linked by `next`, in the order of the methods; NULL when there is none. */
const struct http_route *routes_first(const struct routes *r);
size_t routes_count(const struct routes *r);
/* The OpenAPI document of the routes (openapi.h), compact: made at the first call, which blocks
 * while it is made, and kept; borrowed.  The options are the same at each call.  data is NULL, with
 * *st, when it cannot be made.  From any thread. */
struct slice routes_openapi(struct routes *r, const struct openapi_options *options,
                            struct status *st);
/* How many bindings are left out because another upstream's method has their method and path;
 * *first, borrowed, tells of the first. */
size_t routes_left_out(const struct routes *r, const char **first);
/* Bytes that the compiled form takes. */
size_t routes_memory(const struct routes *r);
