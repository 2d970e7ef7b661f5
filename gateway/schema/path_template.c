#include "gateway/schema/path_template.h"

#include "base/percent.h"
#include "base/text.h"
#include "gateway/schema/name.h"

struct parser {
    struct slice text;
    size_t at, end; /* end: of the segments; the verb stands behind */
    struct path_segment segments[PATH_TEMPLATE_MAX_SEGMENTS];
    struct path_variable variables[PATH_TEMPLATE_MAX_VARIABLES];
    uint8_t segment_count, variable_count, stars;
    bool in_variable;
    struct arena *arena;
    struct status *st;
};

static bool fail_at(struct parser *p, size_t at, const char *reason)
{
    status_set(p->st, STATUS_INVALID_ARGUMENT, "%s at column %zu", reason, at + 1);
    return false;
}

static bool fail_memory(struct parser *p)
{
    status_set(p->st, STATUS_RESOURCE_EXHAUSTED, "the HTTP rules need too much memory");
    return false;
}

/* -1 at the end of the segments. */
static int peek(const struct parser *p)
{
    return p->at < p->end ? p->text.data[p->at] : -1;
}

/* pchar of RFC 3986 section 3.3 without the asterisk, or a piece of a UTF-8 character, which
 * requests spell with escapes. */
static bool is_literal_char(int c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    return letter || digit || c >= 0x80 || (c > 0 && strchr("-._~!$&'()+,;=:@%", c) != NULL);
}

static bool add_segment(struct parser *p, enum path_segment_kind kind, struct slice literal)
{
    if (p->segment_count == PATH_TEMPLATE_MAX_SEGMENTS)
        return fail_at(p, p->at, "too many segments");
    if (kind == PATH_STARS) {
        if (p->stars != PATH_TEMPLATE_MAX_SEGMENTS)
            return fail_at(p, p->at, "a second \"**\"");
        p->stars = p->segment_count;
    }
    p->segments[p->segment_count++] = (struct path_segment){kind, literal};
    return true;
}

/* A copy without escapes. */
static bool decode(struct parser *p, size_t start, size_t end, struct slice *literal)
{
    struct slice raw = slice_from(p->text.data + start, end - start);
    uint8_t *to = arena_alloc(p->arena, raw.len);
    if (!to)
        return fail_memory(p);
    ssize_t len = percent_decode_url(raw, false, (char *)to);
    if (len < 0)
        return fail_at(p, start, "a malformed \"%\" escape");
    *literal = slice_from(to, (size_t)len);
    return true;
}

static bool parse_literal(struct parser *p)
{
    size_t start = p->at;
    while (is_literal_char(peek(p)))
        p->at++;
    int c = peek(p);
    if (c == '*' || (c == '{' && p->at > start))
        return fail_at(p, p->at, "a wildcard or variable must be a whole segment");
    if (c >= 0 && c != '/' && c != '}')
        return fail_at(p, p->at, "a character that no path may hold");
    if (p->at == start)
        return fail_at(p, p->at, "an empty segment");
    struct slice literal;
    return decode(p, start, p->at, &literal) && add_segment(p, PATH_LITERAL, literal);
}

static bool parse_wildcard(struct parser *p)
{
    p->at++;
    bool stars = peek(p) == '*';
    p->at += stars;
    return add_segment(p, stars ? PATH_STARS : PATH_STAR, (struct slice){NULL, 0});
}

static bool parse_segments(struct parser *p);

static bool parse_variable(struct parser *p)
{
    size_t start = ++p->at;
    if (p->in_variable)
        return fail_at(p, start - 1, "a variable inside of a variable");
    if (p->variable_count == PATH_TEMPLATE_MAX_VARIABLES)
        return fail_at(p, start - 1, "too many variables");
    while (peek(p) >= 0 && peek(p) != '=' && peek(p) != '}')
        p->at++;
    struct slice field_path = slice_from(p->text.data + start, p->at - start);
    if (!name_is_dotted(field_path))
        return fail_at(p, start, "expected a field path");
    uint8_t first = p->segment_count;
    if (peek(p) == '=') {
        p->at++;
        p->in_variable = true;
        if (!parse_segments(p))
            return false;
        p->in_variable = false;
    } else if (!add_segment(p, PATH_STAR, (struct slice){NULL, 0})) {
        return false;
    }
    if (peek(p) != '}')
        return fail_at(p, p->at, "expected \"}\"");
    p->at++;
    uint8_t count = (uint8_t)(p->segment_count - first);
    bool stars = p->stars >= first && p->stars < p->segment_count;
    p->variables[p->variable_count++] =
        (struct path_variable){field_path, first, count, count > 1 || stars};
    return true;
}

static bool parse_segment(struct parser *p)
{
    switch (peek(p)) {
    case '*':
        return parse_wildcard(p);
    case '{':
        return parse_variable(p);
    default:
        return parse_literal(p);
    }
}

/* Up to the end or, in a variable, up to its brace. */
static bool parse_segments(struct parser *p)
{
    for (;;) {
        if (!parse_segment(p))
            return false;
        int c = peek(p);
        if (c < 0 || (c == '}' && p->in_variable))
            return true;
        if (c != '/')
            return fail_at(p, p->at, c == '}' ? "a \"}\" without \"{\"" : "expected \"/\"");
        p->at++;
    }
}

/* The verb stands behind the last colon of the last segment; p->end becomes the colon's place. */
static bool parse_verb(struct parser *p, struct slice *verb)
{
    size_t colon = p->text.len;
    while (colon > 0 && !memchr("/:}", p->text.data[colon - 1], 3))
        colon--;
    p->end = p->text.len;
    *verb = (struct slice){NULL, 0};
    if (colon == 0 || p->text.data[colon - 1] != ':')
        return true;
    p->end = colon - 1;
    if (colon == p->text.len)
        return fail_at(p, colon, "an empty verb");
    for (size_t i = colon; i < p->text.len; i++)
        if (!is_literal_char(p->text.data[i]))
            return fail_at(p, i, "a character that no verb may hold");
    return decode(p, colon, p->text.len, verb);
}

static bool copy_out(struct parser *p, struct path_template *t)
{
    size_t segments_len = p->segment_count * sizeof p->segments[0];
    size_t variables_len = p->variable_count * sizeof p->variables[0];
    struct path_segment *segments = arena_alloc(p->arena, segments_len + 1);
    struct path_variable *variables = arena_alloc(p->arena, variables_len + 1);
    if (!segments || !variables)
        return fail_memory(p);
    memcpy(segments, p->segments, segments_len);
    memcpy(variables, p->variables, variables_len);
    t->segments = segments;
    t->variables = variables;
    t->segment_count = p->segment_count;
    t->variable_count = p->variable_count;
    t->stars = p->stars < p->segment_count ? p->stars : p->segment_count;
    return true;
}

bool path_template_parse(struct path_template *t, struct slice text, struct arena *arena,
                         struct status *st)
{
    struct parser p = {.arena = arena, .st = st, .stars = PATH_TEMPLATE_MAX_SEGMENTS};
    *t = (struct path_template){.segments = NULL};
    if (text.len > PATH_TEMPLATE_MAX_LEN)
        return fail_at(&p, PATH_TEMPLATE_MAX_LEN, "the template is too long");
    if (text.len == 0 || text.data[0] != '/')
        return fail_at(&p, 0, "expected \"/\"");
    if (!text_is_utf8(text))
        return fail_at(&p, 0, "the template is not valid UTF-8");
    p.text = arena_copy(arena, text);
    if (!p.text.data)
        return fail_memory(&p);
    p.at = 1;
    if (!parse_verb(&p, &t->verb))
        return false;
    if (text.len > 1 && !parse_segments(&p))
        return false;
    return copy_out(&p, t);
}
