#include "tests/fakes/fake_protocol.h"

#include "base/buf.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t fake_protocol_opened, fake_protocol_closed, fake_protocol_body_ends;

struct fake {
    struct exchange *ex;
    struct buf body;
    struct timer timer;
    uint64_t size, count, ms;
    bool blocked, closed;
    void (*on_timer)(struct fake *f);
};

static uint64_t parameter(const struct exchange_request *req, struct slice name, uint64_t otherwise)
{
    struct slice rest = req->query;
    while (rest.data) {
        struct slice pair = slice_cut(&rest, '&');
        uint64_t value;
        if (slice_has_prefix(pair, name) &&
            text_parse_uint64(slice_skip(pair, name.len), &value) == 0)
            return value;
    }
    return otherwise;
}

static bool path_is(const struct fake *f, const char *path)
{
    return slice_equal(exchange_request(f->ex)->path, slice_from_string(path));
}

static void send_head(struct fake *f, int status)
{
    struct metadata_entry fields[] = {
        {SLICE("content-type"), SLICE("application/grpc-web+proto")},
        {SLICE("x-fake"), SLICE("yes")},
    };
    struct metadata md = {.entries = fields, .count = 2};
    exchange_head(f->ex, status, &md);
}

static void send_whole(struct fake *f, int status, struct slice body)
{
    send_head(f, status);
    exchange_write(f->ex, body);
    exchange_end(f->ex);
}

static void set_timer(struct fake *f, void (*on_timer)(struct fake *f))
{
    struct loop *loop = exchange_context(f->ex)->loop;
    f->on_timer = on_timer;
    loop_timer_set(loop, &f->timer, loop_now_ms(loop) + f->ms);
}

static void on_timer(void *arg)
{
    struct fake *f = arg;
    f->on_timer(f);
}

static void echo(struct fake *f)
{
    send_whole(f, 200, buf_slice(&f->body));
}

static void send_pieces(struct fake *f)
{
    static const uint8_t piece[16 << 10];
    if (f->count-- == 0) {
        exchange_end(f->ex);
        return;
    }
    bool room = true;
    for (uint64_t left = f->size; left > 0;) {
        size_t len = left < sizeof piece ? (size_t)left : sizeof piece;
        room = exchange_write(f->ex, slice_from(piece, len));
        left -= len;
    }
    f->blocked = !room;
    if (room)
        set_timer(f, send_pieces);
}

static void send_broken(struct fake *f)
{
    exchange_abort(f->ex);
}

static void resume(struct fake *f)
{
    exchange_resume_upload(f->ex);
}

static bool matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)req, (void)ctx;
    return true;
}

static void *open_fake(struct exchange *ex)
{
    const struct exchange_request *req = exchange_request(ex);
    struct fake *f = exchange_alloc(ex, sizeof *f);
    assert(f);
    *f = (struct fake){.ex = ex, .timer = {.on_expire = on_timer, .arg = f}};
    f->size = parameter(req, SLICE("size="), 16);
    f->count = parameter(req, SLICE("count="), 3);
    f->ms = parameter(req, SLICE("ms="), 0);
    buf_init(&f->body, 64 << 20);
    fake_protocol_opened++;
    if (path_is(f, "/early"))
        send_whole(f, 404, SLICE("early\n"));
    else if (path_is(f, "/cut"))
        exchange_abort(ex);
    else if (path_is(f, "/discard"))
        exchange_discard_upload(ex);
    else if (path_is(f, "/slow"))
        exchange_allow_slow_upload(ex);
    if (path_is(f, "/discard"))
        send_whole(f, 200, SLICE("dropped\n"));
    return f;
}

static void on_body(struct exchange *ex, void *state, struct slice data)
{
    struct fake *f = state;
    buf_append_slice(&f->body, data);
    if (path_is(f, "/pause")) {
        exchange_pause_upload(ex);
        set_timer(f, resume);
    }
}

static void send_many(struct fake *f)
{
    uint8_t *data = calloc(1, f->size + 1);
    assert(data);
    send_whole(f, 200, slice_from(data, f->size));
    free(data);
}

static void on_body_end(struct exchange *ex, void *state)
{
    struct fake *f = state;
    fake_protocol_body_ends++;
    if (path_is(f, "/rpc"))
        *exchange_outcome(ex) = (struct exchange_outcome){
            .rpc = SLICE("/fake.Fake/Echo"), .message = SLICE("fine"), .upstream_us = 7};
    if (path_is(f, "/echo") || path_is(f, "/rpc") || path_is(f, "/slow") || path_is(f, "/pause")) {
        echo(f);
    } else if (path_is(f, "/later")) {
        set_timer(f, echo);
    } else if (path_is(f, "/size")) {
        send_many(f);
    } else if (path_is(f, "/stream")) {
        send_head(f, 200);
        send_pieces(f);
    } else if (path_is(f, "/head")) {
        send_head(f, 200);
    } else if (path_is(f, "/abort")) {
        send_head(f, 200);
        exchange_write(ex, slice_from("0123456789abcdef", f->size < 16 ? f->size : 16));
        set_timer(f, send_broken);
    } else if (!path_is(f, "/hold")) {
        send_whole(f, 404, SLICE("no such path\n"));
    }
}

static void on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct fake *f = state;
    if (!f->blocked)
        return;
    f->blocked = false;
    set_timer(f, send_pieces);
}

static void close_fake(struct exchange *ex, void *state)
{
    struct fake *f = state;
    assert(!f->closed);
    f->closed = true;
    loop_timer_cancel(exchange_context(ex)->loop, &f->timer);
    buf_fini(&f->body);
    fake_protocol_closed++;
}

const struct protocol fake_protocol = {
    .name = "fake",
    .matches = matches,
    .open = open_fake,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_writable = on_writable,
    .close = close_fake,
};

const struct protocol *const fake_protocols[] = {&fake_protocol, NULL};
