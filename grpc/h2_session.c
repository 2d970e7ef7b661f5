#include "grpc/h2_internal.h"

#include <assert.h>
#include <stdlib.h>

const struct h2_session_config h2_session_config_default = {
    .max_streams = 100,
    .stream_window = 1 << 20,
    .connection_window = 16 << 20,
    .max_header_bytes = 16 << 10,
    .max_send_buffer = 64 << 10,
    .ping_interval_ms = 300000,
};

/* One set of callbacks serves every session. */
static nghttp2_session_callbacks *new_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    h2_receive_set_callbacks(callbacks);
    h2_stream_set_callbacks(callbacks);
    return callbacks;
}

static nghttp2_option *new_options(void)
{
    nghttp2_option *options;
    if (nghttp2_option_new(&options) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_settings(options, 32);
    nghttp2_option_set_max_outbound_ack(options, 100);
#ifdef HAVE_NGHTTP2_STREAM_RESET_RATE_LIMIT
    /* Behind the limit of h2_guard, which names its reason. */
    nghttp2_option_set_stream_reset_rate_limit(options, 2000, 66);
#endif
#ifdef HAVE_NGHTTP2_MAX_CONTINUATIONS
    /* It counts the pieces in which frame headers arrive; h2_guard counts frames and is stricter.
     */
    nghttp2_option_set_max_continuations(options, 8 * H2_GUARD_FRAME_HEADER_LEN);
#endif
    return options;
}

static bool new_library_session(struct h2_session *s)
{
    nghttp2_session_callbacks *callbacks = new_callbacks();
    nghttp2_option *options = new_options();
    int rv = NGHTTP2_ERR_NOMEM;
    if (callbacks && options)
        rv = s->role == H2_SERVER
                 ? nghttp2_session_server_new3(&s->ng, callbacks, s, options, &s->memory.mem)
                 : nghttp2_session_client_new3(&s->ng, callbacks, s, options, &s->memory.mem);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(options);
    return rv == 0;
}

/* A stream too many ends the whole connection in nghttp2.  We refuse just the stream
 * (on_begin_headers), so the library enforces a limit that it never meets, and announce_limit()
 * writes the real one into the frame that leaves. */
static bool submit_settings(struct h2_session *s)
{
    const struct h2_session_config *c = &s->config;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->max_header_bytes},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, NGHTTP2_MAX_WINDOW_SIZE},
    };
    if (s->role == H2_CLIENT) /* a client's streams are not the server's to start */
        entries[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    return nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, entries, 3) == 0 &&
           nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)c->connection_window) == 0;
}

struct h2_session *h2_session_new(enum h2_role role, const struct h2_session_config *config,
                                  const struct h2_session_events *events, void *arg)
{
    struct h2_session *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    memset(s, 0, offsetof(struct h2_session, block));
    s->role = role;
    s->config = *config;
    s->events = *events;
    s->arg = arg;
    s->on_output = events->on_output;
    s->output_arg = arg;
    s->end_error = H2_CONNECTION_LOST;
    status_ok(&s->why);
    h2_memory_init(&s->memory);
    list_init(&s->streams);
    list_init(&s->spare);
    list_init(&s->writable);
    arena_init(&s->block.arena, NULL, 0, 0);
    h2_guard_init(&s->guard, role == H2_SERVER, config->ping_interval_ms);
    if (!new_library_session(s) || !submit_settings(s)) {
        h2_session_free(s);
        return NULL;
    }
    return s;
}

void h2_session_free(struct h2_session *s)
{
    if (!s)
        return;
    h2_session_end_streams(s, H2_INTERNAL_ERROR);
    h2_stream_free_spare(s);
    nghttp2_session_del(s->ng);
    h2_memory_fini(&s->memory);
    arena_fini(&s->block.arena);
    free(s);
}

void h2_session_set_output(struct h2_session *s, void (*on_output)(void *arg), void *arg)
{
    s->on_output = on_output;
    s->output_arg = arg;
}

void h2_session_wake(struct h2_session *s)
{
    if (s->output_told || s->in_output || s->closed || !s->on_output)
        return;
    s->output_told = true;
    s->on_output(s->output_arg);
}

void h2_session_end_streams(struct h2_session *s, uint32_t error)
{
    s->ending = true;
    s->closed = true;
    while (!list_empty(&s->streams)) {
        struct h2_stream *stream = LIST_ENTRY(s->streams.next, struct h2_stream, node);
        nghttp2_session_set_stream_user_data(s->ng, stream->id, NULL);
        h2_stream_closed(stream, error);
    }
}

static void submit_goaway(struct h2_session *s, uint32_t error, const char *text)
{
    struct slice debug = slice_from_string(text);
    s->guard.draining = true;
    nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng),
                          error, debug.data, debug.len);
}

void h2_session_fail(struct h2_session *s, uint32_t error, const char *text)
{
    if (s->failed)
        return;
    s->failed = true;
    s->ending = true;
    if (s->why.code == STATUS_OK)
        status_set(&s->why, STATUS_INTERNAL, "HTTP/2 %s: %s", nghttp2_http2_strerror(error), text);
    submit_goaway(s, error, text);
    h2_session_wake(s);
}

void h2_session_reason(const struct h2_session *s, struct status *why)
{
    *why = s->why;
    if (why->code == STATUS_OK && s->goaway_sent != H2_NO_ERROR)
        status_set(why, STATUS_INTERNAL, "HTTP/2 %s by the peer",
                   nghttp2_http2_strerror(s->goaway_sent));
}

static uint32_t error_of_library(int lib_error)
{
    switch (lib_error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return H2_PROTOCOL_ERROR;
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_SETTINGS:
        return H2_ENHANCE_YOUR_CALM;
    default:
        return H2_INTERNAL_ERROR;
    }
}

bool h2_session_input(struct h2_session *s, struct slice bytes, uint64_t now_ms, struct status *why)
{
    s->now_ms = now_ms;
    if (!s->failed && !s->closed) {
        size_t good = h2_guard_follow(&s->guard, bytes, now_ms);
        ssize_t n = good ? nghttp2_session_mem_recv(s->ng, bytes.data, good) : 0;
        if (n < 0)
            h2_session_fail(s, error_of_library((int)n), nghttp2_strerror((int)n));
        else if (s->guard.error)
            h2_session_fail(s, s->guard.error, s->guard.text);
    }
    if (s->failed || s->closed) {
        h2_session_reason(s, why);
        return false;
    }
    if (nghttp2_session_want_write(s->ng))
        h2_session_wake(s);
    return true;
}

/* `frame` is the server's first one, SETTINGS (RFC 9113 section 3.4). */
static void announce_limit(struct h2_session *s, uint8_t *frame, size_t len)
{
    enum { ENTRY_LEN = 6 };
    assert(len > H2_GUARD_FRAME_HEADER_LEN && frame[3] == NGHTTP2_SETTINGS);
    s->announced = true;
    for (uint8_t *e = frame + H2_GUARD_FRAME_HEADER_LEN; e + ENTRY_LEN <= frame + len;
         e += ENTRY_LEN) {
        if (e[0] != 0 || e[1] != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
            continue;
        for (int i = 0; i < 4; i++)
            e[2 + i] = (uint8_t)(s->config.max_streams >> (24 - 8 * i));
    }
}

/* Frames until the library has none left or `out` is full. */
static void drain(struct h2_session *s, struct buf *out, size_t max_bytes)
{
    while (!s->closed && buf_len(out) < max_bytes) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(s->ng, &bytes);
        if (n < 0 || (n > 0 && buf_append(out, bytes, (size_t)n) < 0)) {
            status_set(&s->why, STATUS_INTERNAL, "HTTP/2 output: %s",
                       n < 0 ? nghttp2_strerror((int)n) : "out of memory");
            s->closed = true;
        }
        if (n <= 0)
            return;
        if (s->role == H2_SERVER && !s->announced)
            announce_limit(s, out->data + out->end - n, (size_t)n);
    }
}

/* Outside of nghttp2's callbacks, so that owners may do anything.  False: nobody waited. */
static bool call_writable(struct h2_session *s)
{
    if (list_empty(&s->writable))
        return false;
    struct list due;
    list_init(&due);
    LIST_EACH(node, &s->writable)
    {
        list_remove(node);
        list_append(&due, node);
    }
    while (!list_empty(&due)) {
        struct h2_stream *stream = LIST_ENTRY(due.next, struct h2_stream, writable);
        list_remove(&stream->writable);
        if (stream->events && stream->events->on_writable && !stream->reset)
            stream->events->on_writable(stream->arg);
    }
    return true;
}

void h2_session_output(struct h2_session *s, struct buf *out, size_t max_bytes)
{
    s->output_told = false;
    s->in_output = true;
    s->out = out;
    s->out_max = max_bytes;
    do
        drain(s, out, max_bytes);
    while (call_writable(s) && buf_len(out) < max_bytes);
    s->out = NULL;
    s->in_output = false;
    if (s->closed)
        h2_session_end_streams(s, s->end_error);
}

bool h2_session_done(const struct h2_session *s)
{
    return s->closed || (!nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng));
}

bool h2_session_can_start(const struct h2_session *s)
{
    return !s->ending && nghttp2_session_check_request_allowed(s->ng) &&
           s->stream_count <
               nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

struct h2_stream *h2_session_request(struct h2_session *s, const struct metadata *headers, bool end)
{
    assert(s->role == H2_CLIENT);
    if (s->ending || !nghttp2_session_check_request_allowed(s->ng))
        return NULL;
    struct h2_stream *stream = h2_stream_open(s);
    if (!stream)
        return NULL;
    nghttp2_data_provider provider = h2_stream_provider(stream);
    stream->id = -1;
    if (h2_fields_keep(&stream->head, headers))
        stream->id = nghttp2_submit_request(s->ng, NULL, h2_fields_array(&stream->head),
                                            headers->count, end ? NULL : &provider, stream);
    if (stream->id < 0) {
        stream->id = 0;
        h2_stream_closed(stream, H2_INTERNAL_ERROR);
        return NULL;
    }
    stream->ended = end;
    h2_session_wake(s);
    return stream;
}

size_t h2_session_stream_count(const struct h2_session *s)
{
    return s->stream_count;
}

void h2_session_ping(struct h2_session *s)
{
    nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL);
    h2_session_wake(s);
}

void h2_session_shutdown_notice(struct h2_session *s)
{
    nghttp2_submit_shutdown_notice(s->ng);
    h2_session_wake(s);
}

void h2_session_goaway(struct h2_session *s)
{
    submit_goaway(s, H2_NO_ERROR, NULL);
    h2_session_wake(s);
}

void h2_session_terminate(struct h2_session *s, enum h2_error error, const char *debug_text)
{
    if (s->failed)
        return;
    s->end_error = error;
    h2_session_fail(s, error, debug_text ? debug_text : "");
}
