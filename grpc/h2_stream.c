#include "grpc/h2_internal.h"

#include <assert.h>
#include <stdlib.h>

struct h2_stream *h2_stream_open(struct h2_session *s)
{
    struct h2_stream *stream;
    if (!list_empty(&s->spare)) {
        stream = LIST_ENTRY(s->spare.prev, struct h2_stream, node);
        list_remove(&stream->node);
        s->spare_count--;
    } else {
        stream = calloc(1, sizeof *stream);
        if (!stream)
            return NULL;
        stream->session = s;
        list_init(&stream->node);
        list_init(&stream->writable);
        buf_init(&stream->queue, SIZE_MAX);
        buf_init(&stream->head.room, SIZE_MAX);
        buf_init(&stream->trailers.room, SIZE_MAX);
    }
    list_append(&s->streams, &stream->node);
    s->stream_count++;
    return stream;
}

static void stream_free(struct h2_stream *stream)
{
    if (stream->session->last == stream)
        stream->session->last = NULL;
    buf_fini(&stream->queue);
    buf_fini(&stream->head.room);
    buf_fini(&stream->trailers.room);
    free(stream);
}

static void stream_recycle(struct h2_stream *stream)
{
    struct h2_session *s = stream->session;
    /* After the end nghttp2 may still hold pointers to streams, until it goes itself. */
    if (s->spare_count >= H2_KEEP_STREAMS && !s->ending) {
        stream_free(stream);
        return;
    }
    buf_reset(&stream->queue, H2_KEEP_QUEUE_LEN);
    buf_reset(&stream->head.room, H2_KEEP_QUEUE_LEN);
    buf_reset(&stream->trailers.room, H2_KEEP_QUEUE_LEN);
    *stream = (struct h2_stream){.session = s,
                                 .queue = stream->queue,
                                 .head.room = stream->head.room,
                                 .trailers.room = stream->trailers.room};
    list_init(&stream->writable);
    list_init(&stream->node);
    list_append(&s->spare, &stream->node);
    s->spare_count++;
}

void h2_stream_closed(struct h2_stream *stream, uint32_t error)
{
    struct h2_session *s = stream->session;
    const struct h2_stream_events *events = stream->events;
    list_remove(&stream->node);
    list_remove(&stream->writable);
    s->stream_count--;
    if (stream->stop_after_end)
        s->stoppers--;
    stream->events = NULL;
    stream->reset = true;
    if (events && events->on_close)
        events->on_close(stream->arg, error);
    stream_recycle(stream);
}

void h2_stream_free_spare(struct h2_session *s)
{
    LIST_EACH(node, &s->spare)
    {
        list_remove(node);
        stream_free(LIST_ENTRY(node, struct h2_stream, node));
    }
    s->spare_count = 0;
}

void h2_stream_set_events(struct h2_stream *stream, const struct h2_stream_events *events,
                          void *arg)
{
    stream->events = events;
    stream->arg = arg;
    stream->owned = true;
}

struct h2_session *h2_stream_session(const struct h2_stream *stream)
{
    return stream->session;
}

size_t h2_stream_queued(const struct h2_stream *stream)
{
    return buf_len(&stream->queue);
}

static bool name_is(struct slice name, const char *literal)
{
    return memcmp(name.data, literal, name.len) == 0;
}

/* Values that compressors must not remember (RFC 7541 section 7.1.3). */
static bool never_indexed(struct slice name)
{
    switch (name.len) {
    case 6:
        return name_is(name, "cookie");
    case 9:
        return name_is(name, "x-api-key");
    case 10:
        return name_is(name, "set-cookie");
    case 12: /* no secret, but different in every call: it would only push useful entries out */
        return name_is(name, "grpc-timeout");
    case 13:
        return name_is(name, "authorization");
    case 19:
        return name_is(name, "proxy-authorization");
    default:
        return false;
    }
}

static uint8_t *copy_text(uint8_t *to, struct slice s)
{
    if (s.len)
        memcpy(to, s.data, s.len);
    return to + s.len;
}

static size_t text_len(const struct metadata *md)
{
    size_t len = 0;
    for (uint32_t i = 0; i < md->count; i++)
        len += md->entries[i].name.len + md->entries[i].value.len;
    return len;
}

bool h2_fields_keep(struct h2_fields *fields, const struct metadata *md)
{
    size_t array_len = md->count * sizeof(nghttp2_nv);
    size_t len = array_len + text_len(md);
    uint8_t *room = buf_reserve(&fields->room, len);
    if (!room)
        return false;
    nghttp2_nv *nvs = (nghttp2_nv *)(void *)room;
    uint8_t *text = room + array_len;
    for (uint32_t i = 0; i < md->count; i++) {
        const struct metadata_entry *e = &md->entries[i];
        unsigned flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
        if (never_indexed(e->name))
            flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        nvs[i] = (nghttp2_nv){.name = text,
                              .value = text + e->name.len,
                              .namelen = e->name.len,
                              .valuelen = e->value.len,
                              .flags = (uint8_t)flags};
        text = copy_text(copy_text(text, e->name), e->value);
    }
    buf_commit(&fields->room, len);
    fields->count = md->count;
    return true;
}

const nghttp2_nv *h2_fields_array(const struct h2_fields *fields)
{
    return (const nghttp2_nv *)(const void *)buf_slice(&fields->room).data;
}

struct h2_stream *h2_stream_find(struct h2_session *s, int32_t id)
{
    if (s->last && s->last->id == id)
        return s->last;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(s->ng, id);
    if (stream)
        s->last = stream;
    return stream;
}

/* Lets nghttp2 ask for DATA again. */
static void h2_stream_wake(struct h2_stream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(stream->session->ng, stream->id);
    }
    h2_session_wake(stream->session);
}

void h2_stream_respond(struct h2_stream *stream, const struct metadata *headers, bool end)
{
    struct h2_session *s = stream->session;
    assert(s->role == H2_SERVER && !stream->responded);
    if (stream->reset)
        return;
    stream->responded = true;
    stream->ended = end;
    nghttp2_data_provider provider = h2_stream_provider(stream);
    if (!h2_fields_keep(&stream->head, headers) ||
        nghttp2_submit_response(s->ng, stream->id, h2_fields_array(&stream->head), headers->count,
                                end ? NULL : &provider) != 0)
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
    h2_session_wake(s);
}

bool h2_stream_write(struct h2_stream *stream, struct slice data)
{
    return h2_stream_write2(stream, data, (struct slice){NULL, 0});
}

bool h2_stream_write2(struct h2_stream *stream, struct slice first, struct slice second)
{
    if (stream->reset)
        return true;
    assert(!stream->ended);
    if (buf_append_slice(&stream->queue, first) < 0 ||
        buf_append_slice(&stream->queue, second) < 0) {
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
        return true;
    }
    h2_stream_wake(stream);
    if (buf_len(&stream->queue) < stream->session->config.max_send_buffer)
        return true;
    stream->throttled = true;
    return false;
}

void h2_stream_end(struct h2_stream *stream)
{
    if (stream->reset || stream->ended)
        return;
    stream->ended = true;
    h2_stream_wake(stream);
}

void h2_stream_trailers(struct h2_stream *stream, const struct metadata *trailers)
{
    assert(stream->responded || stream->reset);
    if (stream->reset || stream->ended)
        return;
    if (!h2_fields_keep(&stream->trailers, trailers)) {
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
        return;
    }
    h2_stream_end(stream);
}

void h2_stream_abort(struct h2_stream *stream, uint32_t error)
{
    if (stream->reset)
        return;
    stream->reset = true;
    stream->reset_error = error;
    buf_reset(&stream->queue, H2_KEEP_QUEUE_LEN);
    nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, error);
    h2_session_wake(stream->session);
}

void h2_stream_reset(struct h2_stream *stream, enum h2_error error)
{
    struct h2_session *s = stream->session;
    bool response_waits = s->role == H2_SERVER && stream->ended &&
                          nghttp2_session_get_stream_local_close(s->ng, stream->id) == 0;
    if (error != H2_NO_ERROR || !response_waits) {
        h2_stream_abort(stream, error);
    } else if (!stream->stop_after_end && !stream->reset) {
        stream->stop_after_end = true;
        s->stoppers++;
    }
}

void h2_stream_consume(struct h2_stream *stream, size_t len)
{
    /* A peer that has ended needs no window. */
    if (stream->reset || stream->remote_ended || len == 0)
        return;
    nghttp2_session_consume_stream(stream->session->ng, stream->id, len);
    if (nghttp2_session_want_write(stream->session->ng))
        h2_session_wake(stream->session);
}

/* The end of DATA, told to nghttp2 while it frames the last piece (or nothing). */
static int finish_data(struct h2_stream *stream, uint32_t *data_flags)
{
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers.count == 0)
        return 0;
    *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(stream->session->ng, stream->id,
                                  h2_fields_array(&stream->trailers), stream->trailers.count);
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 dictates the parameters */
static ssize_t on_read(nghttp2_session *ng, int32_t stream_id, uint8_t *to, size_t len,
                       uint32_t *data_flags, nghttp2_data_source *source, void *user_data)
{
    (void)ng, (void)to, (void)user_data;
    struct h2_stream *stream = source->ptr;
    if (stream->id != stream_id || stream->reset)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t have = buf_len(&stream->queue);
    if (have == 0 && !stream->ended) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (have > 0)
        *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (have <= len && stream->ended && finish_data(stream, data_flags) != 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)(have < len ? have : len);
}

nghttp2_data_provider h2_stream_provider(struct h2_stream *stream)
{
    return (nghttp2_data_provider){.source = {.ptr = stream}, .read_callback = on_read};
}

static void tell_writable(struct h2_stream *stream)
{
    struct h2_session *s = stream->session;
    if (stream->throttled && buf_len(&stream->queue) < s->config.max_send_buffer / 2) {
        stream->throttled = false;
        list_append(&s->writable, &stream->writable);
    }
}

static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *framehd,
                        size_t len, nghttp2_data_source *source, void *user_data)
{
    (void)ng, (void)frame;
    struct h2_session *s = user_data;
    struct h2_stream *stream = source->ptr;
    uint8_t *to = buf_reserve(s->out, H2_GUARD_FRAME_HEADER_LEN + len);
    assert(len <= buf_len(&stream->queue) && stream->queue.data);
    if (!to)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(to, framehd, H2_GUARD_FRAME_HEADER_LEN);
    memcpy(to + H2_GUARD_FRAME_HEADER_LEN, buf_slice(&stream->queue).data, len);
    buf_commit(s->out, H2_GUARD_FRAME_HEADER_LEN + len);
    buf_consume(&stream->queue, len);
    tell_writable(stream);
    return buf_len(s->out) >= s->out_max ? NGHTTP2_ERR_PAUSE : 0;
}

/* Runs after each frame: the response is out, so the rest of the request may be refused. */
static void stop_after_end(struct h2_session *s, int32_t stream_id)
{
    struct h2_stream *stream = h2_stream_find(s, stream_id);
    if (!stream || !stream->stop_after_end)
        return;
    stream->stop_after_end = false;
    s->stoppers--;
    if (!stream->remote_ended)
        h2_stream_abort(stream, H2_NO_ERROR);
}

static void on_reset_sent(struct h2_session *s, int32_t stream_id, uint32_t error)
{
    const struct h2_stream *stream = h2_stream_find(s, stream_id);
    bool ours = stream ? stream->reset : error == H2_REFUSED_STREAM;
    if (!ours)
        h2_guard_bad_event(&s->guard, s->now_ms);
    h2_guard_stream_closed(&s->guard, (uint32_t)stream_id, true);
}

static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    (void)ng;
    struct h2_session *s = user_data;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        h2_guard_sent(&s->guard);
        if (s->stoppers && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            stop_after_end(s, frame->hd.stream_id);
        break;
    case NGHTTP2_RST_STREAM:
        on_reset_sent(s, frame->hd.stream_id, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY:
        s->goaway_sent = frame->goaway.error_code;
        s->closed = s->closed || s->failed;
        break;
    default:
        break;
    }
    return 0;
}

static int on_frame_not_sent(nghttp2_session *ng, const nghttp2_frame *frame, int lib_error,
                             void *user_data)
{
    (void)user_data, (void)lib_error;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
        if (stream)
            stream->never_sent = !stream->reset;
    }
    return 0;
}

void h2_stream_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
}
