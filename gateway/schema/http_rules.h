/* http_rules: google.api.HttpRule (google/api/http.proto) as it is written: in the options of a
 * method (extension 72295728 of MethodOptions), or outside, in a list that overrides them.  Nothing
 * is judged here but the encoding; http_route.h compiles a rule for its method. */
#pragma once
#include "base/arena.h"
#include "grpc/status.h"

/* One binding.  A rule with additional_bindings is several in a row. */
struct http_rule {
    struct slice selector;      /* "pkg.Service.Method"; not needed when `additional` */
    struct slice method;        /* "GET", a custom kind, "*": any; empty: the rule binds nothing */
    struct slice path;          /* the template */
    struct slice body;          /* a field of the request, "*": all of it, empty: none */
    struct slice response_body; /* a field of the reply; empty: all of it */
    bool additional;            /* another binding of the rule before it */
    const char *source;         /* file to name in errors */
    unsigned line;              /* in source; 0: unknown */
};

/* Reads the bindings in serialised MethodOptions; *rules is the arena's, texts are borrowed from
 * the options; selector and source stay empty.  *count is 0 without a rule.  False with *st. */
bool http_rules_read(struct slice options, struct arena *arena, struct http_rule **rules,
                     size_t *count, struct status *st);
