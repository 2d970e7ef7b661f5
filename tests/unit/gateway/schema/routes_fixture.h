/* routes_fixture: the schema of routes.proto, and routes made of lines of text. */
#pragma once
#include "gateway/schema/routes.h"
#include "unit/cmocka_all.h"

extern struct schema *fixture_schema;

int fixture_load(void **state);
int fixture_unload(void **state);
/* Routes of library.v1.Library.Plain and the implicit ones: "GET /path", as many as there are up to
 * NULL. `start` and `step` (coprime with the count) choose the order in which they are given. */
struct routes *fixture_routes(const char *const *lines, size_t start, size_t step,
                              struct status *st);
/* What a request leads to: "template a=capture …", or "405 Allow", or "404".  Static. */
const char *fixture_match(const struct routes *r, const char *method, const char *path);
