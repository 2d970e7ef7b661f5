#include "gateway/transcode/json_parser.h"

#include "gateway/transcode/wire.h"

#include <stdarg.h>
#include <stdio.h>

enum { PATH_LEN = 112, PATH_KEY_LEN = 32 };

/* Writes one frame's text in front of *at, as far as there is room. */
static bool prepend_frame(const struct json_path *frame, const char *room, char **at)
{
    char text[PATH_LEN];
    int len = 0;
    if (frame->field)
        len = snprintf(text, sizeof text, "%s%.*s", frame->up ? "." : "",
                       SLICE_PRINT(frame->field->json_name));
    if (frame->index && len >= 0 && (size_t)len < sizeof text)
        len += snprintf(text + len, sizeof text - (size_t)len, "[%zu]", frame->index - 1);
    if (frame->key.data && len >= 0 && (size_t)len < sizeof text) {
        struct slice key = frame->key;
        while (key.len > PATH_KEY_LEN || (key.len > 0 && (key.data[key.len - 1] & 0xc0) == 0x80 &&
                                          key.len + 3 > PATH_KEY_LEN))
            key.len--;
        len += snprintf(text + len, sizeof text - (size_t)len, "[\"%.*s\"]", SLICE_PRINT(key));
    }
    if (len < 0 || len > *at - room || (size_t)len >= sizeof text)
        return false;
    *at -= len;
    memcpy(*at, text, (size_t)len);
    return true;
}

/* The path from the outside in; when it is long, its inner end. */
static const char *format_path(const struct json_parser *p, char out[static PATH_LEN + 8])
{
    char *at = out + PATH_LEN + 7;
    *at = 0;
    for (const struct json_path *frame = p->path; frame; frame = frame->up) {
        if (!prepend_frame(frame, out + 3, &at)) {
            at -= 3;
            memcpy(at, "...", 3);
            break;
        }
    }
    return *at == '.' && at[1] != '.' ? at + 1 : at;
}

bool json_parser_fail(struct json_parser *p, const uint8_t *at, const char *format, ...)
{
    char path[PATH_LEN + 8], what[STATUS_TEXT_LEN];
    const char *where = format_path(p, path);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (p->bare) {
        status_set(p->st, STATUS_INVALID_ARGUMENT, "%s%s%s", where, *where ? ": " : "", what);
        return false;
    }
    size_t line, column;
    json_reader_position(&p->in, at, &line, &column);
    status_set(p->st, STATUS_INVALID_ARGUMENT, "%s%s%s at line %zu, column %zu", where,
               *where ? ": " : "", what, line, column);
    return false;
}

bool json_parser_fail_read(struct json_parser *p)
{
    return json_parser_fail(p, p->in.error_at, "%s", p->in.error);
}

bool json_parser_full(struct json_parser *p)
{
    status_set(p->st, STATUS_RESOURCE_EXHAUSTED,
               "the message is larger than the limit of %zu bytes", p->out.max_len);
    return false;
}

bool json_parser_enter(struct json_parser *p, uint8_t open, const char *error)
{
    if (!json_reader_expect(&p->in, open, error))
        return json_parser_fail_read(p);
    if (p->depth_left == 0)
        return json_parser_fail(p, p->in.at - 1, "nested more than %d levels deep", JSON_DEPTH_MAX);
    p->depth_left--;
    return true;
}

bool json_parser_count(struct json_parser *p)
{
    if (p->elements_left == 0)
        return json_parser_fail(p, p->in.at, "more than %zu list elements and map entries",
                                p->options->max_elements);
    p->elements_left--;
    return true;
}

bool json_parser_text(struct json_parser *p, struct slice *text)
{
    enum { AHEAD = 16, SPARE = 64 };
    struct json_string s;
    if (!json_reader_string(&p->in, &s))
        return json_parser_fail_read(p);
    if (!sink_need(&p->out, s.raw.len + SPARE))
        return json_parser_full(p);
    *text = s.raw;
    if (s.escaped) {
        uint8_t *to = p->out.at + AHEAD;
        *text = slice_from(to, json_string_decode(&s, to));
    }
    return true;
}

bool json_parser_open(struct json_parser *p, size_t *start)
{
    if (!sink_append_byte(&p->out, 0))
        return json_parser_full(p);
    *start = sink_offset(&p->out);
    return true;
}

bool json_parser_close(struct json_parser *p, size_t start)
{
    size_t len = sink_offset(&p->out) - start;
    if (len < 0x80) {
        sink_pointer(&p->out, start)[-1] = (uint8_t)len;
        return true;
    }
    /* One byte was kept for the length; most messages need no more, the others are moved. */
    size_t extra = wire_varint_len(len) - 1;
    if (!sink_need(&p->out, extra))
        return json_parser_full(p);
    uint8_t *content = sink_pointer(&p->out, start);
    memmove(content + extra, content, len);
    wire_put_varint(content - 1, len);
    p->out.at += extra;
    return true;
}
