/* Bytes of a peer into an h2_session.  The first byte picks the role (bit 0), the size of the
 * pieces (bits 1-3) and whether the owner answers (bit 4).  Every stream must have its on_close
 * once. */
#include "grpc/h2_stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    bool answer;
    size_t open;
};

static void on_data(void *arg, struct slice data)
{
    (void)arg, (void)data;
}

static void on_close(void *arg, uint32_t error_code)
{
    (void)error_code;
    struct target *t = arg;
    if (t->open-- == 0)
        abort();
}

static const struct h2_stream_events stream_events = {.on_data = on_data, .on_close = on_close};

static void fields(struct metadata *md, struct arena *arena, const char *const *list)
{
    arena_init(arena, NULL, 0, 1 << 16);
    metadata_init(md, arena, 1 << 16);
    for (; list[0]; list += 2)
        metadata_add(md, slice_from_string(list[0]), slice_from_string(list[1]));
}

static void on_request(void *arg, struct h2_stream *stream, const struct metadata *headers,
                       bool end)
{
    (void)headers, (void)end;
    struct target *t = arg;
    t->open++;
    h2_stream_set_events(stream, &stream_events, t);
    if (!t->answer)
        return;
    struct arena arena;
    struct metadata md;
    fields(&md, &arena, (const char *const[]){":status", "200", NULL});
    h2_stream_respond(stream, &md, false);
    h2_stream_write(stream, SLICE("answer"));
    h2_stream_trailers(stream, &md);
    h2_stream_reset(stream, H2_NO_ERROR);
    arena_fini(&arena);
}

static void start_requests(struct h2_session *s, struct target *t)
{
    static const char *const list[] = {":method", "POST",       ":scheme", "http", ":path",
                                       "/x",      ":authority", "a",       NULL};
    struct arena arena;
    struct metadata md;
    fields(&md, &arena, list);
    for (int i = 0; i < 3; i++) {
        struct h2_stream *stream = h2_session_request(s, &md, i == 0);
        if (!stream)
            break;
        t->open++;
        h2_stream_set_events(stream, &stream_events, t);
    }
    arena_fini(&arena);
}

static void run(struct h2_session *s, struct slice bytes, size_t step)
{
    struct status why;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    bool alive = true;
    for (uint64_t now_ms = 1; alive && bytes.len > 0; now_ms++) {
        size_t n = step && step < bytes.len ? step : bytes.len;
        alive = h2_session_input(s, slice_first(bytes, n), now_ms, &why);
        bytes = slice_skip(bytes, n);
        h2_session_output(s, &out, 1 << 16);
        buf_reset(&out, 1 << 16);
    }
    h2_session_output(s, &out, 1 << 16);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct h2_session_events events = {.on_request = on_request};
    if (size == 0)
        return 0;
    struct target t = {.answer = data[0] & 16};
    enum h2_role role = data[0] & 1 ? H2_CLIENT : H2_SERVER;
    struct h2_session *s = h2_session_new(role, &h2_session_config_default, &events, &t);
    if (!s)
        return 0;
    if (role == H2_CLIENT)
        start_requests(s, &t);
    struct slice bytes = slice_from(data + 1, size - 1);
    run(s, bytes, (data[0] >> 1) & 7);
    h2_session_free(s);
    if (t.open != 0)
        abort();
    return 0;
}
