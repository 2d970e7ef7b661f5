#include "gateway/protocol/trailer_frame.h"

#include "base/percent.h"
#include "base/text.h"
#include "grpc/frame.h"

#include <errno.h>
#include <sys/types.h>

static int append_line(struct buf *out, struct slice name, struct slice value)
{
    uint8_t *to = buf_reserve(out, name.len + value.len + 3);
    if (!to)
        return -ENOBUFS;
    memcpy(to, name.data, name.len);
    to[name.len] = ':';
    if (value.len)
        memcpy(to + name.len + 1, value.data, value.len);
    memcpy(to + name.len + 1 + value.len, "\r\n", 2);
    buf_commit(out, name.len + value.len + 3);
    return 0;
}

static int append_status(struct buf *out, const struct status *st)
{
    char code[TEXT_UINT64_LEN];
    return append_line(out, SLICE("grpc-status"),
                       slice_from(code, text_format_uint64(code, st->raw_code)));
}

static int append_message(struct buf *out, struct slice message)
{
    static const char name[] = "grpc-message:";
    if (message.len == 0)
        return 0;
    uint8_t *to = buf_reserve(out, sizeof name - 1 + percent_encoded_max(message.len) + 2);
    if (!to)
        return -ENOBUFS;
    memcpy(to, name, sizeof name - 1);
    size_t len = sizeof name - 1;
    len += percent_encode_message(message, (char *)to + len);
    memcpy(to + len, "\r\n", 2);
    buf_commit(out, len + 2);
    return 0;
}

static int append_details(struct buf *out, struct slice details)
{
    static const char name[] = "grpc-status-details-bin:";
    if (details.len == 0)
        return 0;
    uint8_t *to = buf_reserve(out, sizeof name - 1 + text_base64_len(details.len) + 2);
    if (!to)
        return -ENOBUFS;
    memcpy(to, name, sizeof name - 1);
    size_t len = sizeof name - 1;
    len +=
        text_base64_encode(details, false, (char *)to + len); /* PROTOCOL-HTTP2.md: emit unpadded */
    memcpy(to + len, "\r\n", 2);
    buf_commit(out, len + 2);
    return 0;
}

/* Fields written from the status, or of one hop. */
static bool is_left_out(struct slice name)
{
    return metadata_stripped_front(name) || slice_equal(name, SLICE("grpc-status")) ||
           slice_equal(name, SLICE("grpc-message")) ||
           slice_equal(name, SLICE("grpc-status-details-bin"));
}

static bool came_before(const struct metadata *md, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (slice_equal(md->entries[i].name, md->entries[at].name))
            return true;
    return false;
}

/* The line of entry `at`, its later namesakes joined on. */
static int append_field(struct buf *out, const struct metadata *md, uint32_t at)
{
    struct slice name = md->entries[at].name;
    int error = append_line(out, name, md->entries[at].value);
    for (uint32_t i = at + 1; i < md->count && error == 0; i++) {
        struct slice value = md->entries[i].value;
        if (!slice_equal(md->entries[i].name, name) || !metadata_value_valid(value))
            continue;
        out->end -= 2; /* the line goes on */
        if (buf_append(out, ", ", 2) < 0 || buf_append_slice(out, value) < 0 ||
            buf_append(out, "\r\n", 2) < 0)
            error = -ENOBUFS;
    }
    return error;
}

static int append_fields(struct buf *out, const struct metadata *trailers, bool all)
{
    for (uint32_t i = 0; trailers && i < trailers->count; i++) {
        struct metadata_entry field = trailers->entries[i];
        if ((!all && is_left_out(field.name)) || !metadata_name_valid(field.name) ||
            !metadata_value_valid(field.value) || came_before(trailers, i))
            continue;
        if (append_field(out, trailers, i) < 0)
            return -ENOBUFS;
    }
    return 0;
}

/* Begins a frame whose length is not known yet; where it begins, or -ENOBUFS. */
static ssize_t begin_frame(struct buf *out)
{
    size_t before = buf_len(out);
    if (!buf_reserve(out, FRAME_PREFIX_LEN))
        return -ENOBUFS;
    buf_commit(out, FRAME_PREFIX_LEN);
    return (ssize_t)before;
}

/* Ends it; after a failure it is taken back. */
static int end_frame(struct buf *out, size_t before, bool whole)
{
    if (!whole) {
        out->end = out->start + before;
        return -ENOBUFS;
    }
    size_t len = buf_len(out) - before - FRAME_PREFIX_LEN;
    frame_write_prefix(out->data + out->start + before, FRAME_TRAILERS, (uint32_t)len);
    return 0;
}

int trailer_frame_append(struct buf *out, const struct status *st, const struct metadata *trailers)
{
    ssize_t before = begin_frame(out);
    if (before < 0)
        return -ENOBUFS;
    bool whole = append_status(out, st) == 0 && append_message(out, status_message(st)) == 0 &&
                 append_details(out, st->details) == 0 && append_fields(out, trailers, false) == 0;
    return end_frame(out, (size_t)before, whole);
}

int trailer_frame_append_headers(struct buf *out, const struct metadata *headers)
{
    ssize_t before = begin_frame(out);
    if (before < 0)
        return -ENOBUFS;
    return end_frame(out, (size_t)before, append_fields(out, headers, true) == 0);
}
