#include "gateway/schema/path_router.h"

#include "base/percent.h"
#include "gateway/schema/name.h"

#include <errno.h>
#include <sys/random.h>

enum { FIRST_CAP = 256, MAX_ALLOWED = 32 };

/* A place in a template: everything that can follow. */
struct path_node {
    uint32_t number;
    uint32_t suffixes; /* of a node behind `**`: bit n: a template goes on for n segments */
    bool has_edges;
    struct path_node *star, *stars;
    struct http_route *routes; /* of templates that end here */
};

/* From a node to the next by a literal, or by a verb at the end of the path. */
struct path_edge {
    const struct path_node *from;
    struct path_node *to;
    struct slice text;
    bool verb;
};

/* One search.  Templates are short, so of a long path only the first and last segments matter: what
 * lies in between belongs to a `**`. */
struct search {
    const struct path_router *router;
    struct slice method;
    struct slice verb; /* empty: none */
    size_t count;      /* segments of the path */
    struct slice head[PATH_TEMPLATE_MAX_SEGMENTS];
    struct slice tail[PATH_TEMPLATE_MAX_SEGMENTS]; /* segment i at i % length; for the last ones */
    char room[3 * PATH_TEMPLATE_MAX_LEN];          /* scratch: a decoded segment */
    /* When the question is which methods there are: */
    bool collect;
    struct slice methods[MAX_ALLOWED];
    size_t method_count;
};

static struct path_node *new_node(struct path_router *r)
{
    struct path_node *node = arena_zalloc(r->arena, sizeof *node);
    if (node)
        node->number = ++r->node_count;
    return node;
}

bool path_router_init(struct path_router *r, struct arena *arena)
{
    *r = (struct path_router){.arena = arena};
    if (getrandom(&r->seed, sizeof r->seed, GRND_NONBLOCK) < 0)
        r->seed = (uintptr_t)r; /* too early in the boot: the address space layout must do */
    r->root = new_node(r);
    r->methods = new_node(r);
    return r->root && r->methods;
}

/* The slot of the edge, or the free one where it belongs.  The table is not empty. */
static struct path_edge **find_slot(const struct path_router *r, const struct path_node *from,
                                    bool verb, struct slice text)
{
    uint64_t place = (uint64_t)from->number * 2 + verb;
    for (uint64_t i = name_hash(r->seed ^ place * 0x9e3779b97f4a7c15u, text);; i++) {
        struct path_edge **slot = &r->edges[i & (r->edge_cap - 1)];
        struct path_edge *edge = *slot;
        if (!edge || (edge->from == from && edge->verb == verb && slice_equal(edge->text, text)))
            return slot;
    }
}

static bool grow(struct path_router *r)
{
    struct path_router wider = *r;
    wider.edge_cap = r->edge_cap ? r->edge_cap * 2 : FIRST_CAP;
    wider.edges = arena_zalloc(r->arena, wider.edge_cap * sizeof(struct path_edge *));
    if (!wider.edges)
        return false;
    for (uint32_t i = 0; i < r->edge_cap; i++) {
        struct path_edge *edge = r->edges[i];
        if (edge)
            *find_slot(&wider, edge->from, edge->verb, edge->text) = edge;
    }
    *r = wider;
    return true;
}

/* The node that the edge leads to; made when there is none.  NULL when memory is out. */
static struct path_node *add_edge(struct path_router *r, struct path_node *from, bool verb,
                                  struct slice text)
{
    if (r->edge_count >= r->edge_cap / 2 && !grow(r))
        return NULL;
    struct path_edge **slot = find_slot(r, from, verb, text);
    if (*slot)
        return (*slot)->to;
    struct path_edge *edge = arena_alloc(r->arena, sizeof *edge);
    struct path_node *to = new_node(r);
    if (!edge || !to)
        return NULL;
    *edge = (struct path_edge){from, to, text, verb};
    *slot = edge;
    r->edge_count++;
    from->has_edges = true;
    return to;
}

static struct path_node *add_wildcard(struct path_router *r, struct path_node **place)
{
    if (!*place)
        *place = new_node(r);
    return *place;
}

static struct path_node *add_segment(struct path_router *r, struct path_node *node,
                                     const struct path_segment *segment)
{
    switch (segment->kind) {
    case PATH_STAR:
        return add_wildcard(r, &node->star);
    case PATH_STARS:
        return add_wildcard(r, &node->stars);
    default:
        return add_edge(r, node, false, segment->literal);
    }
}

int path_router_add(struct path_router *r, struct http_route *route,
                    const struct http_route **other)
{
    const struct path_template *t = &route->template;
    struct path_node *node = r->root;
    for (size_t i = 0; i < t->segment_count && node; i++) {
        node = add_segment(r, node, &t->segments[i]);
        if (node && i == t->stars)
            node->suffixes |= 1u << (t->segment_count - t->stars - 1);
    }
    if (node && t->verb.len > 0)
        node = add_edge(r, node, true, t->verb);
    if (!node || !add_edge(r, r->methods, false, route->http_method))
        return -ENOMEM;
    for (const struct http_route *old = node->routes; old; old = old->next_on_path) {
        if (slice_equal(old->http_method, route->http_method)) {
            *other = old;
            return -EEXIST;
        }
    }
    route->next_on_path = node->routes;
    node->routes = route;
    return 0;
}

static struct slice *segment_at(struct search *s, size_t i)
{
    return i < PATH_TEMPLATE_MAX_SEGMENTS ? &s->head[i] : &s->tail[i % PATH_TEMPLATE_MAX_SEGMENTS];
}

static const struct path_node *find_edge(struct search *s, const struct path_node *from, bool verb,
                                         struct slice text)
{
    if (!from->has_edges)
        return NULL;
    if (text.len && memchr(text.data, '%', text.len)) {
        if (text.len > sizeof s->room)
            return NULL;
        ssize_t len = percent_decode_url(text, false, s->room);
        if (len < 0)
            return NULL;
        text = slice_from(s->room, (size_t)len);
    }
    const struct path_edge *edge = *find_slot(s->router, from, verb, text);
    return edge ? edge->to : NULL;
}

static void collect_methods(struct search *s, const struct path_node *node)
{
    for (const struct http_route *route = node->routes; route; route = route->next_on_path) {
        bool known = s->method_count == MAX_ALLOWED;
        for (size_t i = 0; i < s->method_count && !known; i++)
            known = slice_equal(s->methods[i], route->http_method);
        if (!known)
            s->methods[s->method_count++] = route->http_method;
    }
}

static const struct http_route *find_method(const struct path_node *node, struct slice method)
{
    for (const struct http_route *route = node->routes; route; route = route->next_on_path)
        if (slice_equal(route->http_method, method))
            return route;
    return NULL;
}

/* The segments end at this node. */
static const struct http_route *at_end(struct search *s, const struct path_node *node)
{
    if (s->verb.len > 0)
        node = find_edge(s, node, true, s->verb);
    if (!node)
        return NULL;
    if (s->collect) {
        collect_methods(s, node);
        return NULL;
    }
    const struct http_route *route = find_method(node, s->method);
    if (!route && slice_equal(s->method, SLICE("HEAD")))
        route = find_method(node, SLICE("GET"));
    return route ? route : find_method(node, SLICE("*"));
}

static const struct http_route *walk(struct search *s, const struct path_node *node, size_t i);

/* `**` takes as little as it can: the segment after it is a literal or `*`, which go before `**`.
 * How many segments can follow is known, so each possible end is tried once. */
static const struct http_route *walk_stars(struct search *s, const struct path_node *node, size_t i)
{
    size_t left = s->count - i;
    uint32_t suffixes = node->suffixes;
    if (left < 31)
        suffixes &= (2u << left) - 1;
    while (suffixes) {
        unsigned len = 31 - (unsigned)__builtin_clz(suffixes);
        suffixes &= ~(1u << len);
        const struct http_route *route = walk(s, node, s->count - len);
        if (route)
            return route;
    }
    return NULL;
}

/* A node is met at one segment only, or, behind `**`, once for each suffix; the depth is that of
 * the templates. */
static const struct http_route *walk(struct search *s, const struct path_node *node, size_t i)
{
    const struct http_route *route = NULL;
    if (i == s->count) {
        route = at_end(s, node);
    } else {
        struct slice segment = *segment_at(s, i);
        const struct path_node *next = find_edge(s, node, false, segment);
        if (next)
            route = walk(s, next, i + 1);
        if (!route && node->star && segment.len > 0)
            route = walk(s, node->star, i + 1);
    }
    if (!route && node->stars)
        route = walk_stars(s, node->stars, i);
    return route;
}

static void split(struct search *s, struct slice path)
{
    struct slice rest = slice_skip(path, 1);
    s->count = 0;
    if (rest.len == 0)
        return;
    while (rest.data) {
        struct slice segment = slice_cut(&rest, '/');
        if (s->count < PATH_TEMPLATE_MAX_SEGMENTS)
            s->head[s->count] = segment;
        s->tail[s->count % PATH_TEMPLATE_MAX_SEGMENTS] = segment;
        s->count++;
    }
}

/* Searches with what follows the last colon as a verb, then with the colon as data. */
static const struct http_route *search(struct search *s, struct slice path)
{
    if (path.len == 0 || path.data[0] != '/')
        return NULL;
    split(s, path);
    struct slice *last = s->count ? segment_at(s, s->count - 1) : NULL;
    const uint8_t *colon = last && last->len ? memrchr(last->data, ':', last->len) : NULL;
    if (colon && colon + 1 < last->data + last->len) {
        struct slice whole = *last;
        s->verb = slice_skip(whole, (size_t)(colon + 1 - whole.data));
        last->len = (size_t)(colon - whole.data);
        const struct http_route *route = walk(s, s->router->root, 0);
        if (route)
            return route;
        *last = whole;
        s->verb = (struct slice){NULL, 0};
    }
    return walk(s, s->router->root, 0);
}

/* The text of the segments [first, first + count) of the path. */
static struct slice join(struct search *s, size_t first, size_t count)
{
    if (count == 0)
        return slice_from("", 0);
    const struct slice *from = segment_at(s, first), *to = segment_at(s, first + count - 1);
    return slice_from(from->data, (size_t)(to->data + to->len - from->data));
}

bool path_router_match(const struct path_router *r, struct slice method, struct slice path,
                       struct path_match *match)
{
    struct search s;
    s.router = r;
    s.method = method;
    s.verb = (struct slice){NULL, 0};
    s.collect = false;
    match->route = search(&s, path);
    if (!match->route)
        return false;
    const struct path_template *t = &match->route->template;
    /* What `**` took beyond one segment; one less when it took none. */
    size_t extra = s.count - t->segment_count;
    for (size_t i = 0; i < t->variable_count; i++) {
        const struct path_variable *v = &t->variables[i];
        bool behind = v->first > t->stars;
        bool around = v->first <= t->stars && t->stars < v->first + v->count;
        match->captures[i] =
            join(&s, v->first + (behind ? extra : 0), v->count + (around ? extra : 0));
    }
    return true;
}

bool path_router_knows_method(const struct path_router *r, struct slice method)
{
    return r->methods->has_edges && *find_slot(r, r->methods, false, method);
}

/* Whether one of the methods found answers requests with this one. */
static bool is_allowed(const struct search *s, struct slice method)
{
    for (size_t i = 0; i < s->method_count; i++) {
        struct slice found = s->methods[i];
        if (slice_equal(found, method) || slice_equal(found, SLICE("*")) ||
            (slice_equal(found, SLICE("GET")) && slice_equal(method, SLICE("HEAD"))))
            return true;
    }
    return false;
}

static size_t append(char *out, size_t len, struct slice method)
{
    if (PATH_ALLOW_LEN - len < method.len + 2)
        return len;
    if (len > 0) {
        memcpy(out + len, ", ", 2);
        len += 2;
    }
    memcpy(out + len, method.data, method.len);
    return len + method.len;
}

size_t path_router_allow(const struct path_router *r, struct slice path,
                         char out[static PATH_ALLOW_LEN])
{
    static const char *const standard[] = {"GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS"};
    enum { STANDARD = sizeof standard / sizeof standard[0] };
    struct search s;
    s.router = r;
    s.verb = (struct slice){NULL, 0};
    s.collect = true;
    s.method_count = 0;
    search(&s, path);
    if (s.method_count == 0)
        return 0;
    size_t len = 0;
    for (size_t i = 0; i < STANDARD; i++) {
        struct slice method = slice_from_string(standard[i]);
        if (is_allowed(&s, method) || slice_equal(method, SLICE("OPTIONS")))
            len = append(out, len, method);
    }
    for (size_t i = 0; i < s.method_count; i++) {
        bool listed = slice_equal(s.methods[i], SLICE("*"));
        for (size_t j = 0; j < STANDARD; j++)
            listed = listed || slice_equal(s.methods[i], slice_from_string(standard[j]));
        if (!listed)
            len = append(out, len, s.methods[i]);
    }
    return len;
}
