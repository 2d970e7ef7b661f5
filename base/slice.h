/* slice: a borrowed view of bytes.  It owns nothing: whoever made it says how long it lives. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
};

#define SLICE(literal) ((struct slice){(const uint8_t *)(literal), sizeof(literal) - 1})
/* For printf: "%.*s", SLICE_PRINT(s). */
#define SLICE_PRINT(s) (int)(s).len, (const char *)(s).data

static inline struct slice slice_from(const void *data, size_t len)
{
    return (struct slice){data, len};
}

/* A NULL string is the empty slice. */
static inline struct slice slice_from_string(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII letters compare without case. */
static inline bool slice_equal_ignore_case(struct slice a, struct slice b)
{
    return a.len == b.len &&
           (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

static inline bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 ||
            (s.data[0] == prefix.data[0] && memcmp(s.data, prefix.data, prefix.len) == 0));
}

static inline bool slice_has_prefix_ignore_case(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len &&
           slice_equal_ignore_case((struct slice){s.data, prefix.len}, prefix);
}

static inline bool slice_has_suffix(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len) == 0);
}

/* What is left after the first n bytes; n is at most s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return (struct slice){s.data + n, s.len - n};
}

/* The first n bytes; n is at most s.len. */
static inline struct slice slice_first(struct slice s, size_t n)
{
    return (struct slice){s.data, n};
}

/* Without blanks (space and horizontal tab) at either end. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cuts off and returns what stands before the first `separator`; *rest goes on after it.  Without a
 * separator the whole of *rest is returned and *rest becomes empty with data NULL. */
static inline struct slice slice_cut(struct slice *rest, uint8_t separator)
{
    const uint8_t *at = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    struct slice head = *rest;
    if (at) {
        head.len = (size_t)(at - rest->data);
        *rest = slice_skip(*rest, head.len + 1);
    } else {
        *rest = (struct slice){NULL, 0};
    }
    return head;
}
