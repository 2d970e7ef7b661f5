/* A template, a newline, a path.  A template that parses must route the path that is made out of
 * it, with the captures that were put in; the given path may be anything. */
#include "gateway/schema/path_router.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LEN = 1 << 20, MAX_ROOM = 8 * PATH_TEMPLATE_MAX_LEN };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, struct slice text)
{
    fprintf(stderr, "%s: %.*s\n", what, SLICE_PRINT(text));
    abort();
}

static size_t put_escaped(uint8_t *to, struct slice literal)
{
    for (size_t i = 0; i < literal.len; i++)
        snprintf((char *)to + 3 * i, 4, "%%%02X", literal.data[i]);
    return 3 * literal.len;
}

/* Writes a path for the template; each `*` is "s", each `**` is "p/q". */
static struct slice make_path(const struct path_template *t, uint8_t room[static MAX_ROOM])
{
    size_t len = 0;
    for (size_t i = 0; i < t->segment_count; i++) {
        const struct path_segment *s = &t->segments[i];
        room[len++] = '/';
        if (s->kind == PATH_LITERAL) {
            len += put_escaped(room + len, s->literal);
        } else {
            const char *text = s->kind == PATH_STAR ? "s" : "p/q";
            memcpy(room + len, text, strlen(text));
            len += strlen(text);
        }
    }
    if (len == 0)
        room[len++] = '/';
    if (t->verb.len > 0) {
        room[len++] = ':';
        len += put_escaped(room + len, t->verb);
    }
    return slice_from(room, len);
}

static void check_captures(const struct path_template *t, const struct path_match *match,
                           struct slice path)
{
    for (size_t i = 0; i < t->variable_count; i++) {
        const struct path_variable *v = &t->variables[i];
        size_t slashes = 0, expected = v->count - 1u;
        if (t->stars >= v->first && t->stars < v->first + v->count)
            expected++;
        for (size_t j = 0; j < match->captures[i].len; j++)
            slashes += match->captures[i].data[j] == '/';
        if (slashes != expected)
            fail("a capture is wrong", path);
    }
}

/* Captures lie inside of the path. */
static void check_inside(const struct path_template *t, const struct path_match *match,
                         struct slice path)
{
    for (size_t i = 0; i < t->variable_count; i++) {
        struct slice c = match->captures[i];
        if (c.len > 0 && (c.data < path.data || c.data + c.len > path.data + path.len))
            fail("a capture lies outside", path);
    }
}

static void route(struct arena *arena, struct http_route *r, struct slice path)
{
    static uint8_t room[MAX_ROOM];
    struct path_router router;
    struct path_match match;
    const struct http_route *other;
    char allow[PATH_ALLOW_LEN];
    r->http_method = SLICE("GET");
    if (!path_router_init(&router, arena) || path_router_add(&router, r, &other) < 0)
        return; /* memory */
    if (path_router_add(&router, r, &other) == 0 || other != r)
        fail("added twice", path);
    struct slice made = make_path(&r->template, room);
    if (!path_router_match(&router, SLICE("HEAD"), made, &match) ||
        path_router_allow(&router, made, allow) == 0)
        fail("the template does not match its own path", made);
    check_captures(&r->template, &match, made);
    bool found = path_router_match(&router, SLICE("GET"), path, &match);
    if (found != (path_router_allow(&router, path, allow) > 0))
        fail("match and allow disagree", path);
    if (found)
        check_inside(&r->template, &match, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_from(data, size), text = slice_cut(&rest, '\n');
    struct arena arena;
    struct http_route r = {.method = NULL};
    struct status st;
    arena_init(&arena, NULL, 0, MAX_LEN);
    if (path_template_parse(&r.template, text, &arena, &st))
        route(&arena, &r, rest);
    else if (st.code != STATUS_INVALID_ARGUMENT || st.text[0] == 0)
        abort();
    arena_fini(&arena);
    return 0;
}
