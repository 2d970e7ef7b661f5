/* path_router: finds the route of an HTTP request: a trie over the segments of all path templates.
 * At each segment a literal goes before `*` and `*` before `**`, with backtracking over path and
 * method, whatever the order in which routes were added.  The work depends on the length of the
 * path, not on the number of routes.
 *
 * It works on the raw path: segments are what stands between slashes before any decoding, so "%2F"
 * and "%3A" are data.  Literals match after percent-decoding. */
#pragma once
#include "gateway/schema/http_route.h"

struct path_node;
struct path_edge;

struct path_router {
    struct arena *arena; /* everything lies there */
    struct path_node *root;
    struct path_node *methods; /* of no template: its edges are the methods of all routes */
    struct path_edge **edges;  /* literals and verbs of all nodes; open addressing, half full */
    uint32_t edge_cap, edge_count;
    uint32_t node_count;
    uint64_t seed; /* of the hash: upstreams choose the literals, clients the paths */
};

struct path_match {
    const struct http_route *route;
    /* The raw text of each variable of the template, borrowed from the path. */
    struct slice captures[PATH_TEMPLATE_MAX_VARIABLES];
};

enum { PATH_ALLOW_LEN = 512 };

/* False when memory is out. */
bool path_router_init(struct path_router *r, struct arena *arena);
/* 0; -EEXIST: *other has the same path and method; -ENOMEM. */
int path_router_add(struct path_router *r, struct http_route *route,
                    const struct http_route **other);
/* `path` is raw and without query.  HEAD goes to GET's route where it has none of its own.  What
 * follows the last colon is tried as a verb before it is taken as data. */
bool path_router_match(const struct path_router *r, struct slice method, struct slice path,
                       struct path_match *match);
/* Whether any route has this very method. */
bool path_router_knows_method(const struct path_router *r, struct slice method);
/* The methods that the path can be called with, as the value of the Allow field (RFC 9110 section
 * 10.2.1); returns its length, at most PATH_ALLOW_LEN.  0: no route has this path. */
size_t path_router_allow(const struct path_router *r, struct slice path,
                         char out[static PATH_ALLOW_LEN]);
