#include "gateway/schema/http_route.h"

#include <stdio.h>

enum { REASON_LEN = 160 };

/* What one compilation works with. */
struct compilation {
    const struct http_rule *rule;
    struct http_route *route;
    struct arena *arena;
    struct status *st;
};

#define SHOW(s, max) (int)((s).len < (max) ? (s).len : (max)), (const char *)(s).data

bool http_rule_fail(const struct http_rule *rule, const struct method *method, const char *reason,
                    struct status *st)
{
    char place[48] = "", selector[80];
    if (rule->line)
        snprintf(place, sizeof place, ":%u", rule->line);
    if (method)
        snprintf(selector, sizeof selector, "%.*s.%.*s", SHOW(method->service, 40),
                 SHOW(method->name, 24));
    else
        snprintf(selector, sizeof selector, "%.*s", SHOW(rule->selector, 64));
    bool binds = rule->method.len > 0;
    status_set(st, STATUS_INVALID_ARGUMENT, "%.48s%s: %s%s%.*s%s%.*s%s: %s",
               rule->source ? rule->source : "HTTP rules", place, selector, binds ? ": " : "",
               SHOW(rule->method, 12), binds ? " \"" : "", SHOW(rule->path, 40), binds ? "\"" : "",
               reason);
    return false;
}

static bool fail(struct compilation *c, const char *reason)
{
    return http_rule_fail(c->rule, c->route->method, reason, c->st);
}

static bool fail_memory(struct compilation *c)
{
    status_set(c->st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
    return false;
}

/* token of RFC 9110 section 5.6.2. */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0 && s.len <= 32;
}

static bool compile_path(struct compilation *c)
{
    struct status st;
    if (!is_token(c->rule->method))
        return fail(c, "the custom kind is not an HTTP method");
    if (path_template_parse(&c->route->template, c->rule->path, c->arena, &st))
        return true;
    if (st.code == STATUS_RESOURCE_EXHAUSTED)
        return fail_memory(c);
    return fail(c, st.text);
}

static bool judge_slot(struct compilation *c, struct slice name, const struct field *f,
                       const struct http_route *route, size_t i)
{
    char reason[REASON_LEN];
    const char *what = NULL;
    if (f->repeated)
        what = "is repeated";
    else if (!field_is_text(f))
        what = "is a message";
    else if (route->body_field == f && route->slots[i].len == 1)
        what = "is the body as well";
    for (size_t j = 0; j < i; j++)
        if (field_path_equal(route->slots[i], route->slots[j]))
            what = "occurs twice";
    if (!what)
        return true;
    snprintf(reason, sizeof reason, "the variable \"%.*s\" %s", SHOW(name, 60), what);
    return fail(c, reason);
}

static bool compile_slot(struct compilation *c, size_t i, struct field_path *slots)
{
    char reason[REASON_LEN];
    const struct field *fields[FIELD_PATH_MAX];
    size_t len;
    struct slice name = c->route->template.variables[i].field_path;
    const struct message_type *type = c->route->method->input;
    enum field_path_result result = field_path_resolve(type, name, fields, &len);
    if (result != FIELD_PATH_OK) {
        snprintf(reason, sizeof reason, "the variable \"%.*s\" is no field of %.*s: %s",
                 SHOW(name, 50), SHOW(type->full_name, 50), field_path_reason(result));
        return fail(c, reason);
    }
    const struct field **copy = arena_alloc(c->arena, len * sizeof(struct field *));
    if (!copy)
        return fail_memory(c);
    memcpy(copy, fields, len * sizeof(struct field *));
    slots[i] = (struct field_path){copy, len};
    return judge_slot(c, name, fields[len - 1], c->route, i);
}

static bool compile_slots(struct compilation *c)
{
    size_t count = c->route->template.variable_count;
    struct field_path *slots = arena_zalloc(c->arena, count * sizeof *slots + 1);
    if (!slots)
        return fail_memory(c);
    c->route->slots = slots;
    for (size_t i = 0; i < count; i++)
        if (!compile_slot(c, i, slots))
            return false;
    return true;
}

/* body and response_body name fields of the message itself (google/api/http.proto, NOTE at both).
 */
static bool compile_field(struct compilation *c, const struct message_type *type,
                          const char *option, struct slice name, const struct field **field)
{
    char reason[REASON_LEN];
    *field = message_type_field_by_name(type, name);
    if (*field)
        return true;
    snprintf(reason, sizeof reason, "%s \"%.*s\" is no field of %.*s itself", option,
             SHOW(name, 50), SHOW(type->full_name, 50));
    return fail(c, reason);
}

static bool compile_body(struct compilation *c)
{
    struct http_route *route = c->route;
    struct slice body = c->rule->body;
    if (body.len == 0) {
        route->body = HTTP_BODY_NONE;
        return true;
    }
    if (slice_equal(body, SLICE("*"))) {
        route->body = HTTP_BODY_ALL;
        return true;
    }
    route->body = HTTP_BODY_FIELD;
    return compile_field(c, route->method->input, "body", body, &route->body_field);
}

static bool compile_response(struct compilation *c)
{
    struct slice name = c->rule->response_body;
    return name.len == 0 || compile_field(c, c->route->method->output, "response_body", name,
                                          &c->route->response_field);
}

/* Fills the mask of an update only where there can be no doubt which one it is. */
static void find_mask(struct http_route *route)
{
    const struct message_type *type = route->method->input;
    const struct field *body = route->body_field, *found = NULL;
    if (!body || body->repeated || !body->message || body->message->well_known != WELL_KNOWN_NONE ||
        !slice_equal(route->http_method, SLICE("PATCH")))
        return;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        if (!f->message || f->message->well_known != WELL_KNOWN_FIELD_MASK)
            continue;
        if (found || f->repeated)
            return;
        found = f;
    }
    route->mask_field = found;
}

/* The rule's own texts may not live as long as the route. */
static bool copy_texts(struct compilation *c)
{
    struct slice source = slice_from_string(c->rule->source);
    c->route->http_method = arena_copy(c->arena, c->rule->method);
    c->route->path = arena_copy(c->arena, c->rule->path);
    c->route->source = arena_copy(c->arena, source);
    c->route->line = c->rule->line;
    return c->route->http_method.data && c->route->path.data && c->route->source.data;
}

struct http_route *http_route_compile(const struct http_rule *rule, const struct method *method,
                                      struct arena *arena, struct status *st)
{
    struct http_route *route = arena_zalloc(arena, sizeof *route);
    struct compilation c = {rule, route, arena, st};
    if (!route || !copy_texts(&c)) {
        fail_memory(&c);
        return NULL;
    }
    route->method = method;
    if (!compile_path(&c) || !compile_body(&c) || !compile_slots(&c) || !compile_response(&c))
        return NULL;
    find_mask(route);
    return route;
}

struct http_route *http_route_implicit(const struct method *method, struct arena *arena,
                                       struct status *st)
{
    const struct http_rule rule = {
        .method = SLICE("POST"), .path = method->path, .body = SLICE("*")};
    struct http_route *route = http_route_compile(&rule, method, arena, st);
    if (route)
        route->implicit = true;
    return route;
}
