#include "gateway/transcode/json_pretty.h"

#include <errno.h>

enum { INDENT = 2 };

static int new_line(const struct json_pretty *p, struct buf *out)
{
    size_t len = 1 + (size_t)p->depth * INDENT;
    uint8_t *to = buf_reserve(out, len);
    if (!to)
        return -ENOBUFS;
    memset(to, ' ', len);
    to[0] = '\n';
    buf_commit(out, len);
    return 0;
}

static void step_string(struct json_pretty *p, uint8_t c)
{
    if (p->escaped)
        p->escaped = false;
    else if (c == '\\')
        p->escaped = true;
    else
        p->in_string = c != '"';
}

/* One byte outside of strings. */
static int append_outside(struct json_pretty *p, uint8_t c, struct buf *out)
{
    bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    int error = 0;
    if (closes)
        p->depth--;
    if (p->opened != closes)
        error = new_line(p, out);
    p->opened = opens;
    p->depth += opens;
    p->in_string = c == '"';
    error |= buf_append_byte(out, c);
    if (c == ',')
        error |= new_line(p, out);
    else if (c == ':')
        error |= buf_append_byte(out, ' ');
    return error ? -ENOBUFS : 0;
}

int json_pretty_append(struct json_pretty *p, struct slice compact, struct buf *out)
{
    int error = 0;
    for (size_t i = 0; i < compact.len && error == 0; i++) {
        uint8_t c = compact.data[i];
        if (p->in_string) {
            step_string(p, c);
            error = buf_append_byte(out, c);
        } else {
            error = append_outside(p, c, out);
        }
    }
    return error;
}
