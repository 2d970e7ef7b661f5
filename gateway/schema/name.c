#include "gateway/schema/name.h"

#include "base/text.h"

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

bool name_is_identifier(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_word(name.data[i]))
            return false;
    return true;
}

bool name_is_dotted(struct slice name)
{
    if (name.len > NAME_MAX_LEN)
        return false;
    bool start = true;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (start ? !is_letter(c) : c != '.' && !is_word(c))
            return false;
        start = c == '.';
    }
    return !start;
}

bool name_is_file(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN && text_is_utf8(name);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t name_hash(uint64_t seed, struct slice name)
{
    const uint64_t odd1 = 0x9e3779b97f4a7c15u, odd2 = 0xd6e8feb86659fd93u;
    uint64_t hash = seed ^ odd1 ^ name.len, word;
    while (name.len >= sizeof word) {
        memcpy(&word, name.data, sizeof word);
        hash = mix(hash ^ word, odd2);
        name = slice_skip(name, sizeof word);
    }
    word = 0;
    if (name.len)
        memcpy(&word, name.data, name.len);
    return mix(hash ^ word, odd1);
}

struct slice name_join(struct arena *arena, struct slice scope, struct slice name)
{
    size_t dot = scope.len > 0;
    uint8_t *to = arena_alloc(arena, scope.len + dot + name.len + 1);
    if (!to)
        return (struct slice){NULL, 0};
    if (dot) {
        memcpy(to, scope.data, scope.len);
        to[scope.len] = '.';
    }
    if (name.len)
        memcpy(to + scope.len + dot, name.data, name.len);
    to[scope.len + dot + name.len] = 0;
    return slice_from(to, scope.len + dot + name.len);
}

struct slice name_lower_camel(struct arena *arena, struct slice name)
{
    uint8_t *to = arena_alloc(arena, name.len + 1);
    if (!to)
        return (struct slice){NULL, 0};
    size_t len = 0;
    bool raise = false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c != '_')
            to[len++] = raise && c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
        raise = c == '_';
    }
    to[len] = 0;
    return slice_from(to, len);
}

static size_t escape(uint8_t c, uint8_t out[static 6])
{
    static const char digits[] = "0123456789abcdef";
    if (c >= 0x20 && c != '"' && c != '\\') {
        out[0] = c;
        return 1;
    }
    out[0] = '\\';
    out[1] = c;
    if (c >= 0x20)
        return 2;
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = (uint8_t)digits[c >> 4];
    out[5] = (uint8_t)digits[c & 15];
    return 6;
}

struct slice name_quote(struct arena *arena, struct slice name, struct slice after)
{
    uint8_t one[6];
    size_t len = 2 + after.len;
    for (size_t i = 0; i < name.len; i++)
        len += escape(name.data[i], one);
    uint8_t *to = arena_alloc(arena, len), *at = to;
    if (!to)
        return (struct slice){NULL, 0};
    *at++ = '"';
    for (size_t i = 0; i < name.len; i++) {
        size_t n = escape(name.data[i], one);
        memcpy(at, one, n);
        at += n;
    }
    *at++ = '"';
    if (after.len)
        memcpy(at, after.data, after.len);
    return slice_from(to, len);
}
