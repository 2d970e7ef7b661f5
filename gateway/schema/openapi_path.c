#include "gateway/schema/openapi_path.h"

#include "base/buf.h"

enum { MAX_TEXT = 32 << 10 };

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_word(s.data[i]))
            return false;
    return s.len > 0;
}

static int find_variable(const struct path_template *t, size_t segment)
{
    for (int i = 0; i < t->variable_count; i++) {
        const struct path_variable *v = &t->variables[i];
        if (segment >= v->first && segment < (size_t)v->first + v->count)
            return i;
    }
    return -1;
}

static bool is_taken(const struct openapi_path *path, struct slice name)
{
    for (size_t i = 0; i < path->count; i++)
        if (slice_equal(path->wildcards[i].name, name))
            return true;
    return false;
}

/* What a wildcard is called: the field that it is, else the literal before it, else the field that
 * it is a part of. */
static struct slice base_name(const struct path_template *t, size_t segment,
                              const struct openapi_wildcard *w)
{
    const struct path_segment *before = segment > 0 ? &t->segments[segment - 1] : NULL;
    if (w->whole)
        return t->variables[w->variable].field_path;
    if (before && before->kind == PATH_LITERAL && is_name(before->literal))
        return before->literal;
    return w->variable >= 0 ? t->variables[w->variable].field_path : SLICE("segment");
}

static bool add_wildcard(struct openapi_path *path, const struct path_template *t, size_t segment,
                         struct arena *arena)
{
    struct openapi_wildcard w = {.variable = find_variable(t, segment),
                                 .stars = t->segments[segment].kind == PATH_STARS};
    w.whole = w.variable >= 0 && t->variables[w.variable].count == 1;
    struct slice name = base_name(t, segment, &w);
    w.name = name;
    for (unsigned i = 2; is_taken(path, w.name); i++) {
        w.name = slice_from_string(arena_printf(arena, "%.*s_%u", SLICE_PRINT(name), i));
        if (!w.name.data)
            return false;
    }
    path->wildcards[path->count++] = w;
    return true;
}

/* pchar of RFC 3986 section 3.3, without what means something in a template. */
static void append_literal(struct buf *out, struct slice literal)
{
    for (size_t i = 0; i < literal.len; i++) {
        uint8_t c = literal.data[i];
        if (is_word(c) || (c && strchr("~!$&'()*+,;=:@", c)))
            buf_append_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* Writes `count` segments; with names NULL nothing stands in the braces. */
static void append_segments(struct buf *out, const struct path_template *t, size_t first,
                            size_t count, const struct openapi_path *names)
{
    size_t wildcard = 0;
    for (size_t i = 0; i < first + count; i++) {
        const struct path_segment *s = &t->segments[i];
        bool literal = s->kind == PATH_LITERAL;
        if (i >= first) {
            buf_append(out, "/", i > first ? 1 : 0);
            if (literal)
                append_literal(out, s->literal);
            else
                buf_printf(out, "{%.*s}", names ? (int)names->wildcards[wildcard].name.len : 0,
                           names ? (const char *)names->wildcards[wildcard].name.data : "");
        }
        wildcard += literal ? 0 : 1;
    }
}

static struct slice write_path(const struct path_template *t, const struct openapi_path *names,
                               struct arena *arena)
{
    struct buf out;
    buf_init(&out, MAX_TEXT);
    buf_append_byte(&out, '/');
    append_segments(&out, t, 0, t->segment_count, names);
    if (t->verb.len > 0)
        buf_append_byte(&out, ':');
    append_literal(&out, t->verb);
    struct slice text = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static bool write_wildcard(struct openapi_path *path, struct openapi_wildcard *w,
                           const struct path_template *t, struct arena *arena)
{
    struct buf out;
    if (w->variable < 0 || w->whole)
        return true;
    buf_init(&out, MAX_TEXT);
    append_segments(&out, t, t->variables[w->variable].first, t->variables[w->variable].count,
                    path);
    w->shape = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return w->shape.data != NULL;
}

bool openapi_path_write(struct openapi_path *path, const struct http_route *route,
                        struct arena *arena)
{
    for (size_t i = 0; i < path->count; i++)
        if (!write_wildcard(path, &path->wildcards[i], &route->template, arena))
            return false;
    path->text = write_path(&route->template, path, arena);
    path->shape = write_path(&route->template, NULL, arena);
    return path->text.data && path->shape.data;
}

bool openapi_path_init(struct openapi_path *path, const struct http_route *route,
                       struct arena *arena)
{
    const struct path_template *t = &route->template;
    *path = (struct openapi_path){.count = 0};
    for (size_t i = 0; i < t->segment_count; i++)
        if (t->segments[i].kind != PATH_LITERAL && !add_wildcard(path, t, i, arena))
            return false;
    return openapi_path_write(path, route, arena);
}
