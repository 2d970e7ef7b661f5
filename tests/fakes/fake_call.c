#include "tests/fakes/fake_call.h"

#include "grpc/frame.h"

#include <assert.h>
#include <stdlib.h>

enum { MAX_BYTES = 64 << 20, MAX_METADATA = 1 << 20 };

static struct fake_call *first, **last = &first;
static size_t count;
static bool fail_start;

/* struct call is only ever seen through pointers: here it is a fake_call. */
static struct fake_call *from_call(struct call *c)
{
    return (struct fake_call *)(void *)c;
}

void fake_call_reset(void)
{
    while (first) {
        struct fake_call *c = first;
        first = c->next;
        buf_fini(&c->sent);
        arena_fini(&c->arena);
        free(c);
    }
    last = &first;
    count = 0;
    fail_start = false;
}

size_t fake_call_count(void)
{
    return count;
}

struct fake_call *fake_call_at(size_t i)
{
    struct fake_call *c = first;
    while (c && i-- > 0)
        c = c->next;
    assert(c && "no such call was started");
    return c;
}

struct fake_call *fake_call_last(void)
{
    return count ? fake_call_at(count - 1) : NULL;
}

size_t fake_call_live(void)
{
    size_t live = 0;
    for (struct fake_call *c = first; c; c = c->next)
        live += !c->ended && !c->cancelled;
    return live;
}

void fake_call_fail_start(void)
{
    fail_start = true;
}

/* The frame that starts at *rest; false when it is not whole. */
static bool take_frame(struct slice *rest, uint8_t *flags, struct slice *payload)
{
    if (rest->len < FRAME_PREFIX_LEN)
        return false;
    const uint8_t *p = rest->data;
    size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (len > rest->len - FRAME_PREFIX_LEN)
        return false;
    *flags = p[0];
    *payload = slice_from(p + FRAME_PREFIX_LEN, len);
    *rest = slice_skip(*rest, FRAME_PREFIX_LEN + len);
    return true;
}

size_t fake_call_sent_count(const struct fake_call *c)
{
    struct slice rest = buf_slice(&c->sent), payload;
    uint8_t flags;
    size_t n = 0;
    while (take_frame(&rest, &flags, &payload))
        n++;
    return n;
}

struct slice fake_call_sent_message(const struct fake_call *c, size_t i, uint8_t *flags)
{
    struct slice rest = buf_slice(&c->sent), payload = {NULL, 0};
    uint8_t unused;
    for (size_t n = 0; n <= i; n++) {
        bool whole = take_frame(&rest, flags ? flags : &unused, &payload);
        assert(whole && "no such message was sent");
    }
    return payload;
}

struct slice fake_call_header(const struct fake_call *c, const char *name)
{
    return metadata_get(&c->metadata, slice_from_string(name));
}

static void check_open(const struct fake_call *c)
{
    assert(!c->ended && "the call has ended");
    assert(!c->cancelled && "the call was cancelled");
}

void fake_call_headers(struct fake_call *c, const struct metadata *headers)
{
    struct metadata none;
    metadata_init(&none, &c->arena, MAX_METADATA);
    check_open(c);
    assert(!c->headers_delivered && "headers come once");
    c->headers_delivered = true;
    if (c->events->on_headers)
        c->events->on_headers(c->arg, headers ? headers : &none);
}

static void check_message(const struct fake_call *c)
{
    check_open(c);
    assert(c->headers_delivered && "messages come after headers");
    assert(!c->paused && "the call is paused");
}

void fake_call_message(struct fake_call *c, struct slice message)
{
    check_message(c);
    if (!c->events->on_frames) {
        c->events->on_message(c->arg, message);
        return;
    }
    uint8_t *frame = malloc(FRAME_PREFIX_LEN + message.len);
    assert(frame);
    frame_write_prefix(frame, 0, (uint32_t)message.len);
    if (message.len)
        memcpy(frame + FRAME_PREFIX_LEN, message.data, message.len);
    c->events->on_frames(c->arg, slice_from(frame, FRAME_PREFIX_LEN + message.len));
    free(frame);
}

void fake_call_frames(struct fake_call *c, struct slice bytes)
{
    check_message(c);
    assert(c->events->on_frames && "the call takes messages, not frames");
    c->events->on_frames(c->arg, bytes);
}

void fake_call_end(struct fake_call *c, const struct status *status,
                   const struct metadata *trailers)
{
    struct metadata none;
    metadata_init(&none, &c->arena, MAX_METADATA);
    check_open(c);
    c->ended = true;
    c->events->on_status(c->arg, status, trailers ? trailers : &none);
}

void fake_call_status(struct fake_call *c, uint32_t code, const char *message,
                      const struct metadata *trailers)
{
    struct status status;
    status_ok(&status);
    status.code = code < STATUS_CODE_COUNT ? code : (uint32_t)STATUS_UNKNOWN;
    status.raw_code = code;
    status.message = slice_from_string(message);
    fake_call_end(c, &status, trailers);
}

void fake_call_set_full(struct fake_call *c, bool full)
{
    check_open(c);
    c->full = full;
    if (full || !c->told_full)
        return;
    c->told_full = false;
    if (c->events->on_writable)
        c->events->on_writable(c->arg);
}

struct call *call_start(struct upstream *up, const struct call_request *req,
                        const struct call_events *events, void *arg)
{
    bool fail = fail_start;
    fail_start = false;
    if (fail)
        return NULL;
    assert(events->on_status && (events->on_message || events->on_frames));
    struct fake_call *c = calloc(1, sizeof *c);
    assert(c);
    c->upstream = up;
    c->events = events;
    c->arg = arg;
    arena_init(&c->arena, NULL, 0, MAX_BYTES);
    buf_init(&c->sent, MAX_BYTES);
    c->path = arena_copy(&c->arena, req->path);
    c->encoding = arena_copy(&c->arena, req->encoding);
    metadata_init(&c->metadata, &c->arena, MAX_METADATA);
    for (uint32_t i = 0; req->metadata && i < req->metadata->count; i++)
        metadata_add(&c->metadata, req->metadata->entries[i].name, req->metadata->entries[i].value);
    c->deadline_ms = req->deadline_ms;
    c->max_reply_len = req->max_reply_len;
    c->accept_gzip = req->accept_gzip;
    c->format = arena_copy(&c->arena, req->format);
    *last = c;
    last = &c->next;
    count++;
    return (struct call *)(void *)c;
}

static bool send_bytes(struct fake_call *c, struct slice bytes)
{
    int rc = buf_append_slice(&c->sent, bytes);
    assert(rc == 0);
    c->told_full |= c->full;
    return !c->full;
}

static void check_sending(const struct fake_call *c)
{
    check_open(c);
    assert(!c->half_closed && "nothing is sent after call_half_close()");
    assert(!c->told_full && "nothing is sent between a false answer and on_writable");
}

bool call_send(struct call *call, struct slice message)
{
    struct fake_call *c = from_call(call);
    uint8_t prefix[FRAME_PREFIX_LEN];
    check_sending(c);
    frame_write_prefix(prefix, 0, (uint32_t)message.len);
    int rc = buf_append(&c->sent, prefix, sizeof prefix);
    assert(rc == 0);
    return send_bytes(c, message);
}

bool call_send_frames(struct call *call, struct slice bytes)
{
    check_sending(from_call(call));
    return send_bytes(from_call(call), bytes);
}

void call_half_close(struct call *call)
{
    struct fake_call *c = from_call(call);
    check_open(c);
    assert(!c->half_closed && "call_half_close() comes once");
    c->half_closed = true;
}

void call_pause(struct call *call)
{
    check_open(from_call(call));
    from_call(call)->paused = true;
}

void call_resume(struct call *call)
{
    check_open(from_call(call));
    from_call(call)->paused = false;
}

void call_cancel(struct call *call)
{
    check_open(from_call(call));
    from_call(call)->cancelled = true;
}

struct slice call_reply_encoding(const struct call *call)
{
    return ((const struct fake_call *)(const void *)call)->reply_encoding;
}

struct slice call_reply_format(const struct call *call)
{
    return ((const struct fake_call *)(const void *)call)->reply_format;
}

bool call_reply_mid_frame(const struct call *call)
{
    return ((const struct fake_call *)(const void *)call)->mid_frame;
}

uint64_t call_upstream_us(const struct call *call)
{
    return ((const struct fake_call *)(const void *)call)->upstream_us;
}
