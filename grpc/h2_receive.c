#include "grpc/h2_internal.h"

enum { ENTRY_OVERHEAD = 32 }; /* RFC 9113 section 6.5.2 */

static void block_begin(struct h2_session *s)
{
    struct h2_block *b = &s->block;
    size_t hard = (size_t)s->config.max_header_bytes * H2_HARD_HEADER_FACTOR;
    arena_fini(&b->arena);
    arena_init(&b->arena, NULL, 0, 4 * hard);
    b->room_len = 0;
    metadata_init(&b->fields, &b->arena, hard);
    b->fields.entries = b->entries;
    b->fields.cap = H2_BLOCK_ENTRIES;
    b->bytes = 0;
    b->too_large = false;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *s = user_data;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    block_begin(s);
    if (s->role != H2_SERVER || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (s->stream_count >= s->config.max_streams) {
        /* RFC 9113 section 5.1.2.  The library's own RST_STREAM comes second and is dropped. */
        h2_guard_refused(&s->guard, s->now_ms);
        nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id, H2_REFUSED_STREAM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct h2_stream *stream = s->ending ? NULL : h2_stream_open(s);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream->id = frame->hd.stream_id;
    s->last = stream;
    nghttp2_session_set_stream_user_data(ng, stream->id, stream);
    return 0;
}

static struct slice rcbuf_slice(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(rcbuf);
    return slice_from(v.base, v.len);
}

/* Room for n bytes of text; NULL when memory is out. */
static uint8_t *block_room(struct h2_block *b, size_t n)
{
    if (n > sizeof b->room - b->room_len)
        return arena_alloc(&b->arena, n);
    uint8_t *at = b->room + b->room_len;
    b->room_len += n;
    return at;
}

/* Both texts are copied, except those of HPACK's static table, which live for ever. */
static bool block_add(struct h2_block *b, struct slice name, bool name_static, struct slice value)
{
    size_t name_len = name_static ? 0 : name.len;
    uint8_t *to = block_room(b, name_len + value.len + 1);
    if (!to)
        return false;
    if (name_len)
        name.data = memcpy(to, name.data, name_len);
    if (value.len)
        memcpy(to + name_len, value.data, value.len);
    value.data = to + name_len; /* also when empty: data NULL would say "absent" */
    return metadata_add_borrowed(&b->fields, name, value) == 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    (void)ng, (void)flags;
    struct h2_session *s = user_data;
    struct h2_block *b = &s->block;
    struct slice n = rcbuf_slice(name), v = rcbuf_slice(value);
    b->bytes += n.len + v.len + ENTRY_OVERHEAD;
    if (b->bytes <= s->config.max_header_bytes) {
        if (!block_add(b, n, nghttp2_rcbuf_is_static(name), v))
            b->too_large = true;
        return 0;
    }
    b->too_large = true;
    if (b->bytes <= (size_t)s->config.max_header_bytes * H2_HARD_HEADER_FACTOR)
        return 0;
    /* The library goes on decoding without telling; its own RST_STREAM comes second and is dropped.
     */
    struct h2_stream *stream = h2_stream_find(s, frame->hd.stream_id);
    if (stream)
        h2_stream_abort(stream, H2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static const struct h2_stream_events *stream_events(const struct h2_stream *stream)
{
    static const struct h2_stream_events none = {0};
    return stream->events && !stream->reset ? stream->events : &none;
}

static void receive_request(struct h2_session *s, struct h2_stream *stream, bool end)
{
    if (s->events.on_request)
        s->events.on_request(s->arg, stream, &s->block.fields, end);
    if (!stream->owned && !s->ending)
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
}

static void receive_end(struct h2_stream *stream, const struct metadata *trailers)
{
    if (stream_events(stream)->on_end)
        stream_events(stream)->on_end(stream->arg, trailers);
}

static bool is_informational(const struct metadata *headers)
{
    struct slice status = metadata_get(headers, SLICE(":status"));
    return status.len == 3 && status.data[0] == '1';
}

static void receive_response(struct h2_session *s, struct h2_stream *stream, bool end)
{
    if (is_informational(&s->block.fields)) {
        if (++stream->informational > H2_MAX_INFORMATIONAL)
            h2_stream_abort(stream, H2_ENHANCE_YOUR_CALM);
        return;
    }
    stream->got_headers = true;
    if (stream_events(stream)->on_headers)
        stream_events(stream)->on_headers(stream->arg, &s->block.fields, end);
}

static void receive_headers(struct h2_session *s, const nghttp2_frame *frame)
{
    struct h2_stream *stream = h2_stream_find(s, frame->hd.stream_id);
    if (!stream || stream->reset)
        return;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    stream->remote_ended = stream->remote_ended || end;
    if (s->block.too_large)
        h2_stream_abort(stream, H2_ENHANCE_YOUR_CALM);
    else if (s->role == H2_SERVER && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        receive_request(s, stream, end);
    else if (s->role == H2_CLIENT && !stream->got_headers)
        receive_response(s, stream, end);
    else if (end)
        receive_end(stream, &s->block.fields);
}

static void receive_settings(struct h2_session *s)
{
    uint32_t max_streams =
        nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    bool changed = !s->got_settings || max_streams != s->peer_max_streams;
    s->got_settings = true;
    s->peer_max_streams = max_streams;
    if (changed && s->role == H2_CLIENT && s->events.on_settings)
        s->events.on_settings(s->arg, max_streams);
}

static void receive_data_end(struct h2_session *s, const nghttp2_frame *frame)
{
    struct h2_stream *stream = h2_stream_find(s, frame->hd.stream_id);
    if (!stream)
        return;
    stream->remote_ended = true;
    receive_end(stream, NULL);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    (void)ng;
    struct h2_session *s = user_data;
    if (s->closed) /* in an earlier event */
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        receive_headers(s, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            receive_data_end(s, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            s->settings_acked = true;
        else
            receive_settings(s);
        break;
    case NGHTTP2_GOAWAY:
        if (s->events.on_goaway)
            s->events.on_goaway(
                s->arg, frame->goaway.error_code,
                slice_from(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && s->events.on_ping_ack)
            s->events.on_ping_ack(s->arg);
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user_data)
{
    struct h2_session *s = user_data;
    nghttp2_session_consume_connection(ng, len);
    struct h2_stream *stream = h2_stream_find(s, stream_id);
    if (!stream)
        return 0;
    /* Set before on_data: nobody needs a window for what does not come. */
    stream->remote_ended = stream->remote_ended || (flags & NGHTTP2_FLAG_END_STREAM);
    if (stream_events(stream)->on_data)
        stream_events(stream)->on_data(stream->arg, slice_from(data, len));
    else
        h2_stream_consume(stream, len);
    return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int lib_error,
                            void *user_data)
{
    (void)ng, (void)frame, (void)lib_error;
    struct h2_session *s = user_data;
    h2_guard_bad_event(&s->guard, s->now_ms);
    return 0;
}

/* Always 0: nghttp2 would forget the stream half way. */
static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t error, void *user_data)
{
    (void)ng;
    struct h2_session *s = user_data;
    struct h2_stream *stream = h2_stream_find(s, stream_id);
    h2_guard_stream_closed(&s->guard, (uint32_t)stream_id, false);
    if (!stream)
        return 0;
    if (error == H2_NO_ERROR && stream->reset)
        error = stream->reset_error;
    h2_stream_closed(stream, stream->never_sent ? H2_REFUSED_STREAM : error);
    return 0;
}

void h2_receive_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
