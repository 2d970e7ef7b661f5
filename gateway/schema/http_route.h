/* http_route: one HTTP binding of a method, compiled and checked against the method's types
 * (google/api/http.proto): where the path, the body and the reply go.  Immutable; what it points at
 * belongs to the arena that it was compiled in and to the schema. */
#pragma once
#include "gateway/schema/field_path.h"
#include "gateway/schema/http_rules.h"
#include "gateway/schema/path_template.h"

enum http_body {
    HTTP_BODY_NONE, /* the request's body is not looked at; the query binds */
    HTTP_BODY_ALL,  /* the body is the message; the query binds nothing */
    HTTP_BODY_FIELD /* the body is body_field; the query binds the others */
};

struct http_route {
    const struct method *method;
    struct slice http_method; /* "GET"; "*": any */
    struct slice path;        /* the template as written */
    struct path_template template;
    const struct field_path *slots; /* one for each variable of the template */
    enum http_body body;
    const struct field *body_field;     /* HTTP_BODY_FIELD */
    const struct field *response_field; /* NULL: the whole reply */
    /* PATCH with a body field: the only google.protobuf.FieldMask of the request, to be filled from
     * the body when the client gives none.  NULL: does not apply. */
    const struct field *mask_field;
    struct slice source;             /* file, for people */
    unsigned line;                   /* in source; 0: unknown */
    bool implicit;                   /* POST /pkg.Service/Method, which needs no rule */
    struct http_route *next;         /* all routes, in the order of the methods */
    struct http_route *next_on_path; /* of path_router */
};

/* Compiles a rule that binds something.  NULL with *st: INVALID_ARGUMENT naming file, rule and
 * reason, or RESOURCE_EXHAUSTED. */
struct http_route *http_route_compile(const struct http_rule *rule, const struct method *method,
                                      struct arena *arena, struct status *st);
/* The binding that every method has: body "*". */
struct http_route *http_route_implicit(const struct method *method, struct arena *arena,
                                       struct status *st);
/* Fails with INVALID_ARGUMENT because of `reason`, naming file and rule.  Returns false. */
bool http_rule_fail(const struct http_rule *rule, const struct method *method, const char *reason,
                    struct status *st);
