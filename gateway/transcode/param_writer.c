#include "gateway/transcode/param_writer.h"

#include "base/text.h"
#include "gateway/transcode/json_writer.h"

#include <stdarg.h>
#include <stdio.h>

bool param_writer_init(struct param_writer *w, const struct transcode_options *options,
                       size_t max_text, struct buf *out, struct status *st)
{
    enum { ESCAPED = 6, SPARE = 1024, HINT = 256, ELEMENTS_MAX = 100000 };
    *w = (struct param_writer){.options = *options, .st = st};
    if (w->options.max_elements == 0)
        w->options.max_elements = ELEMENTS_MAX;
    w->parser = (struct json_parser){
        .options = &w->options,
        .st = &w->error,
        .path = &w->place,
        .elements_left = w->options.max_elements,
        .bare = true,
    };
    w->parser.out.max_len = out->max_len;
    buf_init(&w->json, 2 * ESCAPED * max_text + SPARE);
    if (sink_init(&w->parser.out, out, HINT, max_text + SPARE))
        return true;
    json_parser_full(&w->parser);
    *st = w->error;
    return false;
}

bool param_writer_finish(struct param_writer *w, bool keep)
{
    buf_fini(&w->json);
    if (sink_finish(&w->parser.out, keep))
        return true;
    if (keep) {
        json_parser_full(&w->parser);
        *w->st = w->error;
    }
    return false;
}

bool param_fail(struct status *st, struct slice name, const char *format, ...)
{
    char reason[STATUS_TEXT_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    size_t shown = name.len < 80 ? name.len : 80;
    while (shown > 0 && !text_is_utf8(slice_first(name, shown)))
        shown--;
    status_set(st, STATUS_INVALID_ARGUMENT, "parameter \"%.*s\": %s", (int)shown,
               (const char *)name.data, reason);
    return false;
}

/* Types whose JSON form is JSON again: the text is it. */
static bool is_json(const struct field *f)
{
    if (!f->message)
        return false;
    enum well_known known = f->message->well_known;
    return known == WELL_KNOWN_STRUCT || known == WELL_KNOWN_VALUE ||
           known == WELL_KNOWN_LIST_VALUE;
}

bool param_is_value(const struct field *f)
{
    return field_is_text(f) || is_json(f);
}

/* Appends the text as the JSON form of the field. */
static bool append_json(struct param_writer *w, const struct field *f, struct slice text)
{
    const struct field *scalar = f;
    if (f->message && f->message->well_known == WELL_KNOWN_WRAPPER)
        scalar = &f->message->fields[0];
    bool null = f->enumeration && f->enumeration->null_value && slice_equal(text, SLICE("null"));
    bool boolean = !scalar->message && scalar->kind == FIELD_BOOL;
    if (boolean && !slice_equal(text, SLICE("true")) && !slice_equal(text, SLICE("false"))) {
        status_set(&w->error, STATUS_INVALID_ARGUMENT, "expected true or false");
        return false;
    }
    if (!text_is_utf8(text)) {
        status_set(&w->error, STATUS_INVALID_ARGUMENT, "the value is not valid UTF-8");
        return false;
    }
    int rc = boolean || null || is_json(f) ? buf_append_slice(&w->json, text)
                                           : json_writer_append_string(&w->json, text);
    return rc == 0 || json_parser_full(&w->parser);
}

/* Has one value to read: w->json. */
static void start_reading(struct param_writer *w)
{
    enum { RESCANS = 16 };
    struct json_parser *p = &w->parser;
    json_reader_init(&p->in, buf_slice(&w->json));
    p->rescan_left = buf_len(&w->json) * RESCANS;
    p->depth_left = JSON_DEPTH_MAX;
    w->place = (struct json_path){.up = NULL};
}

static bool open_messages(struct json_parser *p, struct field_path path, size_t *starts)
{
    for (size_t i = 0; i + 1 < path.len; i++) {
        const struct field *f = path.fields[i];
        if (!json_parser_tag(p, f->tag, f->tag_len))
            return false;
        if (f->kind == FIELD_MESSAGE && !json_parser_open(p, &starts[i]))
            return false;
    }
    return true;
}

static bool close_messages(struct json_parser *p, struct field_path path, const size_t *starts)
{
    for (size_t i = path.len - 1; i-- > 0;) {
        const struct field *f = path.fields[i];
        if (f->kind == FIELD_MESSAGE) {
            if (!json_parser_close(p, starts[i]))
                return false;
            continue;
        }
        uint8_t end_tag[WIRE_TAG_LEN];
        memcpy(end_tag, f->tag, sizeof end_tag);
        end_tag[0] = (uint8_t)(end_tag[0] + WIRE_EGROUP - WIRE_SGROUP);
        if (!json_parser_tag(p, end_tag, f->tag_len))
            return false;
    }
    return true;
}

/* Writes what w->json holds. */
static bool write_value(struct param_writer *w, struct field_path path, bool entry)
{
    struct json_parser *p = &w->parser;
    const struct field *f = path.fields[path.len - 1];
    size_t starts[FIELD_PATH_MAX] = {0}, before = sink_offset(&p->out);
    start_reading(w);
    if (!json_parser_count(p) || !open_messages(p, path, starts))
        return false;
    size_t value = sink_offset(&p->out);
    if (!(entry ? json_to_wire_entry(p, f) : json_to_wire_element(p, f)))
        return false;
    if (!json_reader_end(&p->in))
        return json_parser_fail_read(p);
    if (sink_offset(&p->out) == value) {
        sink_rewind(&p->out, before); /* left out: then the messages around it are, too */
        return true;
    }
    return close_messages(p, path, starts);
}

/* Names the parameter in what the parser found wrong with its value. */
static bool finish_put(struct param_writer *w, bool good, struct slice name)
{
    if (good)
        return true;
    if (w->error.code == STATUS_INVALID_ARGUMENT)
        return param_fail(w->st, name, "%s", w->error.text);
    *w->st = w->error;
    return false;
}

bool param_writer_put(struct param_writer *w, struct field_path path, struct slice name,
                      struct slice text)
{
    buf_reset(&w->json, SIZE_MAX);
    bool good = append_json(w, path.fields[path.len - 1], text) && write_value(w, path, false);
    return finish_put(w, good, name);
}

static bool append_entry(struct param_writer *w, const struct field *value, struct slice key,
                         struct slice text)
{
    if (!text_is_utf8(key)) {
        status_set(&w->error, STATUS_INVALID_ARGUMENT, "the key is not valid UTF-8");
        return false;
    }
    if (json_writer_append_string(&w->json, key) < 0 || buf_append_byte(&w->json, ':') < 0)
        return json_parser_full(&w->parser);
    return append_json(w, value, text);
}

bool param_writer_put_entry(struct param_writer *w, struct field_path path, struct slice name,
                            struct slice key, struct slice text)
{
    const struct field *value = &path.fields[path.len - 1]->message->fields[1];
    buf_reset(&w->json, SIZE_MAX);
    bool good = append_entry(w, value, key, text) && write_value(w, path, true);
    return finish_put(w, good, name);
}
