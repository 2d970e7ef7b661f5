#include "grpc/h2_guard.h"

#include <nghttp2/nghttp2.h>

enum { TOKEN = 1000, PREFACE_LEN = 24 };
enum { STREAM_OPEN = 1, STREAM_CLOSED, STREAM_RESET_BY_US }; /* 0: an empty slot */
enum {
    CONTROL_BURST = 50, /* before any request */
    CONTROL_PER_FRAME = 10,
    CONTROL_MAX = 10000,
    BAD_BURST = 100,
    BAD_PER_SECOND = 10,
    RESET_BURST = 1000,
    RESET_PER_SECOND = 33,
    MAX_PING_STRIKES = 2,
    MAX_CONTINUATIONS = 8,
    MAX_PADDING = 256, /* with its length */
};

static void bucket_init(struct h2_bucket *b, uint64_t burst, uint64_t max, uint64_t per_second)
{
    *b = (struct h2_bucket){.level = burst * TOKEN, .max = max * TOKEN, .rate = per_second};
}

static void bucket_add(struct h2_bucket *b, uint64_t thousandths)
{
    b->level = b->max - b->level < thousandths ? b->max : b->level + thousandths;
}

/* False: empty. */
static bool bucket_take(struct h2_bucket *b, uint64_t now_ms)
{
    uint64_t elapsed = now_ms > b->at_ms && b->at_ms ? now_ms - b->at_ms : 0;
    b->at_ms = now_ms;
    bucket_add(b, elapsed > b->max ? b->max : elapsed * b->rate);
    if (b->level < TOKEN)
        return false;
    b->level -= TOKEN;
    return true;
}

void h2_guard_init(struct h2_guard *g, bool server, uint64_t ping_interval_ms)
{
    *g = (struct h2_guard){.server = server,
                           .preface_left = server ? PREFACE_LEN : 0,
                           .ping_interval_ms = server ? ping_interval_ms : 0};
    bucket_init(&g->control, CONTROL_BURST, CONTROL_MAX, 1);
    bucket_init(&g->bad, BAD_BURST, BAD_BURST, BAD_PER_SECOND);
    bucket_init(&g->resets, RESET_BURST, RESET_BURST, RESET_PER_SECOND);
}

static void trip(struct h2_guard *g, uint32_t error, const char *text)
{
    if (g->error)
        return;
    g->error = error;
    g->text = text;
}

static uint32_t *stream_slot(struct h2_guard *g, uint32_t id)
{
    return &g->streams[(id >> 1) % H2_GUARD_STREAMS];
}

static uint32_t slot_make(uint32_t id, uint32_t state)
{
    return id >> 1 << 2 | state;
}

static bool slot_holds(uint32_t slot, uint32_t id)
{
    return slot && slot >> 2 == id >> 1;
}

static bool slot_older(uint32_t slot, uint32_t id)
{
    return !slot || slot >> 2 < id >> 1;
}

static void follow_headers(struct h2_guard *g, uint32_t id)
{
    if (!g->server || !(id & 1) || g->draining)
        return;
    uint32_t *slot = stream_slot(g, id);
    if (id > g->last_id) {
        g->last_id = id;
        *slot = slot_make(id, STREAM_OPEN);
        return;
    }
    if (slot_holds(*slot, id)) {
        if ((*slot & 3) == STREAM_CLOSED)
            trip(g, NGHTTP2_STREAM_CLOSED, "HEADERS on a closed stream");
    } else if (slot_older(*slot, id)) {
        /* Section 5.1.1: a newer identifier has closed it before it was ever used. */
        trip(g, NGHTTP2_PROTOCOL_ERROR, "HEADERS with a skipped stream identifier");
    }
}

static void follow_data(struct h2_guard *g, uint32_t id)
{
    if (!g->server || !(id & 1) || g->draining || id > g->last_id)
        return;
    uint32_t slot = *stream_slot(g, id);
    if (slot_holds(slot, id) && (slot & 3) == STREAM_CLOSED)
        trip(g, NGHTTP2_STREAM_CLOSED, "DATA on a closed stream");
}

static void follow_reset(struct h2_guard *g, uint32_t id, uint64_t now_ms)
{
    if (!g->server)
        return;
    if (!bucket_take(&g->resets, now_ms))
        trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too many RST_STREAM");
    h2_guard_stream_closed(g, id, false);
}

/* The rules of gRPC's keepalive (proposal A8): a PING too soon is a strike; data that we sent
 * forgives them all. */
static void follow_ping(struct h2_guard *g, uint64_t now_ms)
{
    if (!g->ping_interval_ms)
        return;
    if (g->sent_since_ping) {
        g->sent_since_ping = false;
        g->ping_strikes = 0;
    } else if (g->last_ping_ms && now_ms - g->last_ping_ms < g->ping_interval_ms) {
        if (++g->ping_strikes > MAX_PING_STRIKES)
            trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
    g->last_ping_ms = now_ms ? now_ms : 1;
}

static void follow_control(struct h2_guard *g, uint64_t now_ms)
{
    if (!bucket_take(&g->control, now_ms))
        trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too many control frames");
}

static void follow_frame(struct h2_guard *g, const uint8_t *h, uint64_t now_ms)
{
    uint8_t flags = h[4];
    uint32_t id = (uint32_t)(h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8];
    g->payload_left = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
    switch (h[3]) {
    case NGHTTP2_DATA:
        /* What may be nothing but padding pays for nothing. */
        if (g->payload_left > (flags & NGHTTP2_FLAG_PADDED ? MAX_PADDING : 0))
            bucket_add(&g->control, CONTROL_PER_FRAME * TOKEN);
        else if (g->payload_left == 0 && !(flags & NGHTTP2_FLAG_END_STREAM))
            follow_control(g, now_ms);
        follow_data(g, id);
        return;
    case NGHTTP2_HEADERS:
        bucket_add(&g->control, CONTROL_PER_FRAME * TOKEN);
        g->continuations = 0;
        follow_headers(g, id);
        return;
    case NGHTTP2_CONTINUATION:
        if (++g->continuations > MAX_CONTINUATIONS)
            trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
        return;
    case NGHTTP2_RST_STREAM:
        follow_reset(g, id, now_ms);
        break;
    case NGHTTP2_PING:
        if (!(flags & NGHTTP2_FLAG_ACK))
            follow_ping(g, now_ms);
        break;
    default:
        break;
    }
    follow_control(g, now_ms);
}

/* Takes header or payload bytes; returns how many. */
static size_t follow_some(struct h2_guard *g, struct slice bytes, uint64_t now_ms)
{
    if (g->payload_left) {
        size_t n = bytes.len < g->payload_left ? bytes.len : g->payload_left;
        g->payload_left -= (uint32_t)n;
        return n;
    }
    if (g->header_len == 0 && bytes.len >= H2_GUARD_FRAME_HEADER_LEN) {
        follow_frame(g, bytes.data, now_ms);
        return H2_GUARD_FRAME_HEADER_LEN;
    }
    size_t n = (size_t)(H2_GUARD_FRAME_HEADER_LEN - g->header_len);
    n = bytes.len < n ? bytes.len : n;
    memcpy(g->header + g->header_len, bytes.data, n);
    g->header_len = (uint8_t)(g->header_len + n);
    if (g->header_len == H2_GUARD_FRAME_HEADER_LEN) {
        g->header_len = 0;
        follow_frame(g, g->header, now_ms);
    }
    return n;
}

size_t h2_guard_follow(struct h2_guard *g, struct slice bytes, uint64_t now_ms)
{
    size_t at = bytes.len < g->preface_left ? bytes.len : g->preface_left;
    g->preface_left -= at;
    while (at < bytes.len && !g->error) {
        size_t n = follow_some(g, slice_skip(bytes, at), now_ms);
        if (g->error)
            break;
        at += n;
    }
    return at;
}

void h2_guard_sent(struct h2_guard *g)
{
    bucket_add(&g->control, CONTROL_PER_FRAME * TOKEN);
    g->sent_since_ping = true;
}

void h2_guard_bad_event(struct h2_guard *g, uint64_t now_ms)
{
    if (!bucket_take(&g->bad, now_ms))
        trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too many invalid frames");
}

void h2_guard_refused(struct h2_guard *g, uint64_t now_ms)
{
    if (!bucket_take(&g->resets, now_ms))
        trip(g, NGHTTP2_ENHANCE_YOUR_CALM, "too many streams over the limit");
}

void h2_guard_stream_closed(struct h2_guard *g, uint32_t id, bool by_us)
{
    if (!g->server || !(id & 1))
        return;
    uint32_t *slot = stream_slot(g, id);
    if (slot_holds(*slot, id) && (*slot & 3) == STREAM_OPEN)
        *slot = slot_make(id, by_us ? STREAM_RESET_BY_US : STREAM_CLOSED);
}
