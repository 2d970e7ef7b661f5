/* symbol: finding what a person means in a schema, and the nearest thing to a typing mistake. */
#pragma once
#include "gateway/schema/schema.h"

enum { SYMBOL_MAX_LEN = 512 };

/* "pkg.Service/Method", "/pkg.Service/Method" or "pkg.Service.Method"; NULL when there is none. */
const struct method *symbol_method(const struct schema *schema, struct slice name);
/* The method nearest to a mistyped one, as "pkg.Service/Method". */
bool symbol_nearest_method(const struct schema *schema, struct slice name,
                           char nearest[static SYMBOL_MAX_LEN]);
/* Whether the schema has a service of that full name. */
bool symbol_is_service(const struct schema *schema, struct slice name);
/* The service nearest to a mistyped one. */
bool symbol_nearest_service(const struct schema *schema, struct slice name,
                            char nearest[static SYMBOL_MAX_LEN]);
