#include "gateway/schema/routes.h"

#include "gateway/schema/openapi.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 192 << 20 };

struct routes {
    atomic_uint refs;
    struct schema *schema; /* a reference */
    struct arena arena;    /* everything below */
    struct path_router router;
    struct http_route *first, **end;
    size_t count;
    size_t left_out;
    const char *first_left_out;
    _Atomic(char *) openapi; /* owned; NULL until it is asked for */
};

/* Rules from outside, and which of them counts for each method. */
struct overrides {
    const struct http_rule *rules;
    size_t count;
    uint32_t *of_method; /* 1 + place of the rule; 0: none */
};

static bool fail_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
    return false;
}

static bool fail_conflict(const struct http_rule *rule, const struct http_route *route,
                          const struct http_route *other, struct status *st)
{
    char reason[160];
    const struct method *m = other->method;
    snprintf(reason, sizeof reason, "same method and path as \"%.*s\" of %.*s.%.*s",
             other->path.len < 50 ? (int)other->path.len : 50, (const char *)other->path.data,
             m->service.len < 40 ? (int)m->service.len : 40, (const char *)m->service.data,
             m->name.len < 30 ? (int)m->name.len : 30, (const char *)m->name.data);
    return http_rule_fail(rule, route->method, reason, st);
}

static void append(struct routes *r, struct http_route *route)
{
    *r->end = route;
    r->end = &route->next;
    r->count++;
}

/* Servers that know nothing of each other may well bind the same path. */
static bool leave_out(struct routes *r, const struct http_rule *rule,
                      const struct http_route *route, const struct http_route *other)
{
    struct status why;
    if (route->method->upstream == other->method->upstream)
        return false;
    fail_conflict(rule, route, other, &why);
    if (r->left_out++ == 0)
        r->first_left_out = (const char *)arena_copy(&r->arena, slice_from_string(why.text)).data;
    return true;
}

/* `option`: from the options of the method, not from outside. */
static bool add_rule(struct routes *r, const struct http_rule *rule, const struct method *method,
                     bool option, struct status *st)
{
    const struct http_route *other;
    if (rule->method.len == 0)
        return true;
    struct http_route *route = http_route_compile(rule, method, &r->arena, st);
    if (!route)
        return false;
    int rc = path_router_add(&r->router, route, &other);
    if (rc == -EEXIST)
        return (option && leave_out(r, rule, route, other)) ||
               fail_conflict(rule, route, other, st);
    if (rc < 0)
        return fail_memory(st);
    append(r, route);
    return true;
}

/* The rules in a method's options.  Peers' options may be malformed: the error names the method. */
static bool add_options(struct routes *r, const struct method *method, struct status *st)
{
    struct http_rule *rules;
    size_t count;
    char *source = NULL;
    if (method->options.len == 0)
        return true;
    struct slice file = schema_method_file(r->schema, method);
    bool good = http_rules_read(method->options, &r->arena, &rules, &count, st);
    if (!good || count > 0)
        source = (char *)arena_copy(&r->arena, file).data;
    if (!good) {
        const struct http_rule none = {.source = source};
        char reason[STATUS_TEXT_LEN];
        snprintf(reason, sizeof reason, "%s", st->text);
        return http_rule_fail(&none, method, reason, st);
    }
    for (size_t i = 0; i < count; i++) {
        rules[i].source = source;
        if (!add_rule(r, &rules[i], method, true, st))
            return false;
    }
    return true;
}

/* A rule from outside and the additional bindings behind it. */
static bool add_override(struct routes *r, const struct overrides *o, size_t place,
                         const struct method *method, struct status *st)
{
    do {
        if (!add_rule(r, &o->rules[place], method, false, st))
            return false;
        place++;
    } while (place < o->count && o->rules[place].additional);
    return true;
}

/* NULL when the selector names no method. */
static const struct method *find_selected(const struct schema *schema, struct slice selector)
{
    char path[2048];
    const uint8_t *dot = selector.len ? memrchr(selector.data, '.', selector.len) : NULL;
    if (!dot || selector.len + 1 > sizeof path)
        return NULL;
    size_t at = (size_t)(dot - selector.data) + 1;
    path[0] = '/';
    memcpy(path + 1, selector.data, selector.len);
    path[at] = '/';
    return schema_method(schema, slice_from(path, selector.len + 1));
}

static bool select_rules(struct routes *r, struct overrides *o, struct status *st)
{
    const struct method *methods = schema_method_at(r->schema, 0);
    o->of_method = arena_zalloc(&r->arena, (schema_method_count(r->schema) + 1) * sizeof(uint32_t));
    if (!o->of_method || o->count > UINT32_MAX - 1)
        return fail_memory(st);
    for (size_t i = 0; i < o->count; i++) {
        const struct http_rule *rule = &o->rules[i];
        if (rule->additional && i == 0)
            return http_rule_fail(rule, NULL, "an additional binding without a rule", st);
        if (rule->additional)
            continue;
        const struct method *method = find_selected(r->schema, rule->selector);
        if (!method && schema_partial(r->schema))
            continue;
        if (!method)
            return http_rule_fail(rule, NULL, "the selector names no method", st);
        o->of_method[method - methods] = (uint32_t)i + 1;
    }
    return true;
}

/* Behind all rules: one that is written wins over what goes without saying. */
static bool add_implicit(struct routes *r, struct status *st)
{
    for (size_t i = 0; i < schema_method_count(r->schema); i++) {
        const struct http_route *other;
        const struct method *method = schema_method_at(r->schema, i);
        struct http_route *route = http_route_implicit(method, &r->arena, st);
        if (!route)
            return false;
        int rc = path_router_add(&r->router, route, &other);
        if (rc == -ENOMEM)
            return fail_memory(st);
        if (rc == 0)
            append(r, route);
    }
    return true;
}

static bool fill(struct routes *r, struct overrides *o, struct status *st)
{
    if (!path_router_init(&r->router, &r->arena))
        return fail_memory(st);
    if (!select_rules(r, o, st))
        return false;
    for (size_t i = 0; i < schema_method_count(r->schema); i++) {
        const struct method *method = schema_method_at(r->schema, i);
        uint32_t place = o->of_method[i];
        bool good = place ? add_override(r, o, place - 1, method, st) : add_options(r, method, st);
        if (!good)
            return false;
    }
    return add_implicit(r, st);
}

struct routes *routes_build(struct schema *schema, const struct http_rule *extra, size_t count,
                            struct status *st)
{
    struct routes *r = calloc(1, sizeof *r);
    if (!r) {
        fail_memory(st);
        return NULL;
    }
    atomic_init(&r->refs, 1);
    atomic_init(&r->openapi, NULL);
    r->schema = schema_ref(schema);
    r->end = &r->first;
    arena_init(&r->arena, NULL, 0, ARENA_MAX);
    struct overrides o = {.rules = extra, .count = count};
    if (fill(r, &o, st))
        return r;
    routes_unref(r);
    return NULL;
}

struct routes *routes_ref(struct routes *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void routes_unref(struct routes *r)
{
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_fini(&r->arena);
    free(atomic_load(&r->openapi));
    schema_unref(r->schema);
    free(r);
}

struct schema *routes_schema(const struct routes *r)
{
    return r->schema;
}

bool routes_match(const struct routes *r, struct slice method, struct slice path,
                  struct path_match *match)
{
    return path_router_match(&r->router, method, path, match);
}

bool routes_know_method(const struct routes *r, struct slice method)
{
    return path_router_knows_method(&r->router, method);
}

size_t routes_allow(const struct routes *r, struct slice path, char out[static PATH_ALLOW_LEN])
{
    return path_router_allow(&r->router, path, out);
}

const struct http_route *routes_first(const struct routes *r)
{
    return r->first;
}

size_t routes_count(const struct routes *r)
{
    return r->count;
}

/* Two workers may make it at the same time: the first that is done is kept. */
struct slice routes_openapi(struct routes *r, const struct openapi_options *options,
                            struct status *st)
{
    char *text = atomic_load_explicit(&r->openapi, memory_order_acquire), *mine = NULL;
    if (!text)
        text = mine = openapi_text(r, options, false, st);
    char *none = NULL;
    if (mine && !atomic_compare_exchange_strong(&r->openapi, &none, mine)) {
        free(mine);
        text = none;
    }
    return slice_from_string(text);
}

size_t routes_left_out(const struct routes *r, const char **first)
{
    *first = r->first_left_out;
    return r->left_out;
}

size_t routes_memory(const struct routes *r)
{
    return r->arena.used;
}
