#include "gateway/transcode/wire_printer.h"

#include "gateway/transcode/json_writer.h"

bool wire_printer_malformed(struct wire_printer *p, const struct message_type *type)
{
    status_set(p->st, STATUS_INTERNAL, "the bytes are not a valid %.*s",
               SLICE_PRINT(type->full_name));
    return false;
}

bool wire_printer_unprintable(struct wire_printer *p, const char *what)
{
    status_set(p->st, STATUS_INTERNAL, "%s", what);
    return false;
}

bool wire_printer_full(struct wire_printer *p)
{
    status_set(p->st, STATUS_RESOURCE_EXHAUSTED,
               "the JSON text is larger than the limit of %zu bytes", p->out.max_len);
    return false;
}

bool wire_printer_retry(struct wire_printer *p)
{
    p->retry = true;
    return false;
}

bool wire_printer_open(struct wire_printer *p, uint8_t bracket)
{
    if (p->depth_left == 0) {
        status_set(p->st, STATUS_RESOURCE_EXHAUSTED,
                   "the message is nested more than %d levels deep", WIRE_DEPTH_MAX);
        return false;
    }
    p->depth_left--;
    return sink_append_byte(&p->out, bracket) || wire_printer_full(p);
}

bool wire_printer_close(struct wire_printer *p, uint8_t bracket)
{
    p->depth_left++;
    if (p->out.at[-1] == ',') {
        p->out.at[-1] = bracket;
        return true;
    }
    return sink_append_byte(&p->out, bracket) || wire_printer_full(p);
}

bool wire_printer_count(struct wire_printer *p)
{
    if (p->elements_left == 0) {
        status_set(p->st, STATUS_RESOURCE_EXHAUSTED,
                   "the message has more than %zu list elements and map entries",
                   p->options->max_elements);
        return false;
    }
    p->elements_left--;
    return true;
}

bool wire_printer_string(struct wire_printer *p, struct slice text)
{
    switch (json_writer_string(&p->out, text)) {
    case JSON_WRITER_OK:
        return true;
    case JSON_WRITER_FULL:
        return wire_printer_full(p);
    default:
        return wire_printer_unprintable(p, "the message holds a string that is not valid UTF-8");
    }
}

void wire_walk_init(struct wire_walk *w, struct fragments pieces)
{
    *w = (struct wire_walk){.pieces = pieces};
    if (pieces.count > 0) {
        w->at = pieces.list[0].data;
        w->end = w->at + pieces.list[0].len;
    }
}

int wire_walk_next(struct wire_walk *w, uint32_t *tag)
{
    while (w->at == w->end) {
        if (w->i + 1 >= w->pieces.count)
            return 0;
        struct slice piece = w->pieces.list[++w->i];
        w->at = piece.data;
        w->end = w->at + piece.len;
    }
    w->at = wire_tag(w->at, w->end, tag);
    return w->at ? 1 : -1;
}

bool wire_walk_skip(struct wire_walk *w, uint32_t tag)
{
    w->at = wire_skip(w->at, w->end, tag, WIRE_DEPTH_MAX);
    return w->at != NULL;
}

bool wire_field_is_closed_unknown(const struct field *f, const uint8_t *at, const uint8_t *end)
{
    uint64_t value;
    return wire_varint(at, end, &value) && !enum_type_value(f->enumeration, (int32_t)value);
}
