/* openapi_path: a path template as OpenAPI writes it: each wildcard is a parameter in braces, and a
 * variable of several segments is spelt out: "/v1/{name=shelves/...}" becomes
 * "/v1/shelves/{shelves}".  OpenAPI knows no parameter with slashes, so `**` becomes one like the
 * others and is described in words. */
#pragma once
#include "gateway/schema/http_route.h"

struct openapi_wildcard {
    struct slice name;  /* unique in the path; the arena's */
    int variable;       /* place among the template's variables; -1: none, nothing is bound */
    bool whole;         /* the variable is this segment and nothing else */
    bool stars;         /* any number of segments */
    struct slice shape; /* of `!whole`: the variable's segments, "shelves/{shelves}" */
};

struct openapi_path {
    struct slice text;  /* "/v1/shelves/{shelves}:get"; the arena's */
    struct slice shape; /* the same with nothing in the braces */
    struct openapi_wildcard wildcards[PATH_TEMPLATE_MAX_SEGMENTS];
    size_t count;
};

/* False when memory is out. */
bool openapi_path_init(struct openapi_path *path, const struct http_route *route,
                       struct arena *arena);
/* Writes text (and the shapes) again after names have changed. */
bool openapi_path_write(struct openapi_path *path, const struct http_route *route,
                        struct arena *arena);
