/* The response half of a call as tables: header blocks and DATA in, events and status out; in every
 * delivery mode, whole and one byte at a time. */
#include "unit/cmocka_all.h"

#include "gateway/upstream/reply.h"
#include "grpc/compression.h"

#include <stdio.h>
#include <stdlib.h>

#define GRPC ":status: 200\ncontent-type: application/grpc\n"
#define GZIP GRPC "grpc-encoding: gzip\n"
#define PING "\0\0\0\0\4ping"

struct row {
    const char *name;
    const char *headers;
    struct slice data;    /* ignored when `only` */
    const char *trailers; /* NULL: END_STREAM on DATA */
    bool only;            /* END_STREAM on the headers */
    uint32_t code, raw;   /* raw 0: the same as code */
    const char *message;  /* part of the status message */
    unsigned messages;
};

static const struct row rows[] = {
    {.name = "one message",
     .headers = GRPC,
     .data = SLICE(PING),
     .trailers = "grpc-status: 0\n",
     .messages = 1},
    {.name = "no message", .headers = GRPC, .trailers = "grpc-status: 0\n"},
    {.name = "an empty message is a message",
     .headers = GRPC,
     .data = SLICE("\0\0\0\0\0"),
     .trailers = "grpc-status: 0\n",
     .messages = 1},
    {.name = "two messages",
     .headers = GRPC,
     .data = SLICE(PING PING),
     .trailers = "grpc-status: 0\n",
     .messages = 2},
    {.name = "no message text with OK",
     .headers = GRPC,
     .trailers = "grpc-status: 0\ngrpc-message: fine\n",
     .message = ""},
    {.name = "message decoded",
     .headers = GRPC,
     .trailers = "grpc-status: 5\ngrpc-message: a%20b%c3%bc%\n",
     .code = STATUS_NOT_FOUND,
     .message = "a b\xc3\xbc%"},
    {.name = "messages, then an error",
     .headers = GRPC,
     .data = SLICE(PING),
     .trailers = "grpc-status: 10\n",
     .code = STATUS_ABORTED,
     .messages = 1},
    {.name = "trailers only",
     .headers = GRPC "grpc-status: 7\ngrpc-message: no\n",
     .only = true,
     .code = STATUS_PERMISSION_DENIED,
     .message = "no"},
    {.name = "trailers only, OK", .headers = GRPC "grpc-status: 0\n", .only = true},
    {.name = "trailers only without a status",
     .headers = GRPC,
     .only = true,
     .code = STATUS_UNKNOWN,
     .message = "without grpc-status"},
    {.name = "grpc-status wins over HTTP",
     .headers = ":status: 503\ngrpc-status: 3\n",
     .only = true,
     .code = STATUS_INVALID_ARGUMENT},
    {.name = "grpc-status wins over HTTP, with a body",
     .code = STATUS_INVALID_ARGUMENT,
     .headers = ":status: 503\ncontent-type: text/plain\ngrpc-status: 3\n",
     .trailers = ""},
    {.name = "grpc-status 0 does not hide HTTP",
     .code = STATUS_UNAVAILABLE,
     .headers = ":status: 503\ngrpc-status: 0\n",
     .trailers = ""},
    {.name = "a header copy of the status is dropped",
     .headers = GRPC "grpc-status: 5\n",
     .data = SLICE(PING),
     .trailers = "grpc-status: 0\n",
     .messages = 1},
    {.name = "trailers win",
     .headers = GRPC "grpc-status: 0\ngrpc-message: x\n",
     .trailers = "grpc-status: 9\ngrpc-message: y\n",
     .code = STATUS_FAILED_PRECONDITION,
     .message = "y"},
    {.name = "no trailers",
     .headers = GRPC,
     .data = SLICE(PING),
     .code = STATUS_INTERNAL,
     .message = "without trailers",
     .messages = 1},
    {.name = "no grpc-status",
     .headers = GRPC,
     .data = SLICE(PING),
     .trailers = "x: y\n",
     .code = STATUS_UNKNOWN,
     .message = "without grpc-status",
     .messages = 1},
    {.name = "status 16",
     .headers = GRPC,
     .trailers = "grpc-status: 16\n",
     .code = STATUS_UNAUTHENTICATED},
    {.name = "status 17",
     .headers = GRPC,
     .trailers = "grpc-status: 17\ngrpc-message: own\n",
     .code = STATUS_UNKNOWN,
     .raw = 17,
     .message = "own"},
    {.name = "status -1",
     .headers = GRPC,
     .trailers = "grpc-status: -1\n",
     .code = STATUS_UNKNOWN,
     .message = "malformed grpc-status: -1"},
    {.name = "status empty",
     .headers = GRPC,
     .trailers = "grpc-status: \n",
     .code = STATUS_UNKNOWN,
     .message = "malformed"},
    {.name = "status 1x", .headers = GRPC, .trailers = "grpc-status: 1x\n", .code = STATUS_UNKNOWN},
    {.name = "status 2^32",
     .headers = GRPC,
     .trailers = "grpc-status: 4294967296\n",
     .code = STATUS_UNKNOWN,
     .message = "malformed"},
    {.name = "two statuses",
     .headers = GRPC,
     .trailers = "grpc-status: 0\ngrpc-status: 5\n",
     .code = STATUS_UNKNOWN,
     .message = "twice"},
    {.name = "the same status twice",
     .headers = GRPC,
     .trailers = "grpc-status: 5\ngrpc-status: 5\n",
     .code = STATUS_NOT_FOUND},
    {.name = "HTML",
     .headers = ":status: 200\ncontent-type: text/html\n",
     .data = SLICE("<html>"),
     .code = STATUS_UNKNOWN,
     .message = "\"text/html\""},
    {.name = "no content type",
     .headers = ":status: 200\n",
     .trailers = "grpc-status: 0\n",
     .code = STATUS_UNKNOWN,
     .message = "content type"},
    {.name = "gRPC-Web",
     .headers = ":status: 200\ncontent-type: application/grpc-web\n",
     .trailers = "grpc-status: 0\n",
     .code = STATUS_UNKNOWN,
     .message = "application/grpc-web"},
    {.name = "a longer word",
     .headers = ":status: 200\ncontent-type: application/grpcx\n",
     .trailers = "grpc-status: 0\n",
     .code = STATUS_UNKNOWN},
    {.name = "+json",
     .headers = ":status: 200\ncontent-type: application/grpc+json\n",
     .trailers = "grpc-status: 0\n"},
    {.name = "parameters",
     .headers = ":status: 200\ncontent-type: application/grpc;charset=utf-8\n",
     .trailers = "grpc-status: 0\n"},
    {.name = "capital letters",
     .headers = ":status: 200\ncontent-type: Application/GRPC\n",
     .trailers = "grpc-status: 0\n"},
    {.name = "no HTTP status",
     .headers = "content-type: application/grpc\n",
     .trailers = "grpc-status: 0\n",
     .code = STATUS_UNKNOWN,
     .message = "HTTP status 0"},
    {.name = "compressed without encoding",
     .headers = GRPC,
     .data = SLICE("\1\0\0\0\1x"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "without grpc-encoding"},
    {.name = "compressed identity",
     .headers = GRPC "grpc-encoding: identity\n",
     .data = SLICE("\1\0\0\0\1x"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL},
    {.name = "unknown encoding",
     .headers = GRPC "grpc-encoding: br\n",
     .data = SLICE("\1\0\0\0\1x"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "\"br\""},
    {.name = "unknown encoding, not used",
     .headers = GRPC "grpc-encoding: br\n",
     .data = SLICE(PING),
     .trailers = "grpc-status: 0\n",
     .messages = 1},
    {.name = "gzip, not used",
     .headers = GZIP,
     .data = SLICE(PING),
     .trailers = "grpc-status: 0\n",
     .messages = 1},
    {.name = "flag 2",
     .headers = GRPC,
     .data = SLICE("\2\0\0\0\1x"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "flags 0x02"},
    {.name = "flag 0x80",
     .headers = GZIP,
     .data = SLICE("\x80\0\0\0\1x"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "flags 0x80"},
    {.name = "too large",
     .headers = GRPC,
     .data = SLICE("\0\0\0\x10\1"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_RESOURCE_EXHAUSTED,
     .message = "4097 bytes is larger than the limit of 4096"},
    {.name = "4 GiB",
     .headers = GRPC,
     .data = SLICE("\0\xff\xff\xff\xff"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_RESOURCE_EXHAUSTED},
    {.name = "cut in the prefix",
     .headers = GRPC,
     .data = SLICE(PING "\0\0\0"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "inside a message",
     .messages = 1},
    {.name = "cut in the message",
     .headers = GRPC,
     .data = SLICE("\0\0\0\0\4pin"),
     .trailers = "grpc-status: 0\n",
     .code = STATUS_INTERNAL,
     .message = "inside a message"},
    {.name = "cut by an error",
     .headers = GRPC,
     .data = SLICE("\0\0\0\0\4pin"),
     .trailers = "grpc-status: 14\ngrpc-message: gone\n",
     .code = STATUS_UNAVAILABLE,
     .message = "gone"},
};

struct record {
    unsigned headers, messages;
    struct buf frames;
};

static void on_headers(void *arg, const struct metadata *headers)
{
    struct record *rec = arg;
    rec->headers++;
    for (uint32_t i = 0; i < headers->count; i++)
        assert_true(headers->entries[i].name.data[0] == 'x');
}

static void on_message(void *arg, struct slice message)
{
    (void)message;
    ((struct record *)arg)->messages++;
}

static void on_frames(void *arg, struct slice bytes)
{
    assert_int_equal(buf_append_slice(&((struct record *)arg)->frames, bytes), 0);
}

static void on_status(void *arg, const struct status *status, const struct metadata *trailers)
{
    (void)arg, (void)status, (void)trailers;
    fail(); /* the call's, not the reply's */
}

static const struct call_events by_message = {
    .on_headers = on_headers, .on_message = on_message, .on_status = on_status};
static const struct call_events by_frames = {
    .on_headers = on_headers, .on_frames = on_frames, .on_status = on_status};

enum mode { MESSAGES, FRAMES, FRAMES_GZIP, MODES };

/* A reply with everything that the call would give it. */
struct fixture {
    struct reply r;
    struct arena arena;
    struct buf inflated;
    struct record rec;
};

static void setup(struct fixture *f, enum mode mode)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, NULL, 0, 1 << 20);
    buf_init(&f->inflated, 0);
    buf_init(&f->rec.frames, 1 << 20);
    f->r.arena = &f->arena;
    f->r.inflated = &f->inflated;
    f->r.max_message_len = 4096;
    f->r.accept_gzip = mode == FRAMES_GZIP;
    reply_start(&f->r, mode == MESSAGES ? &by_message : &by_frames, &f->rec, 1 << 20);
}

static void teardown(struct fixture *f)
{
    reply_stop(&f->r);
    reply_release(&f->r);
    reply_fini(&f->r);
    arena_fini(&f->arena);
    buf_fini(&f->inflated);
    buf_fini(&f->rec.frames);
}

static void fill(struct metadata *md, struct arena *arena, const char *lines)
{
    metadata_init(md, arena, 1 << 16);
    struct slice rest = slice_from_string(lines);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        const uint8_t *colon = memchr(line.data + 1, ':', line.len - 1);
        size_t len = (size_t)(colon - line.data);
        assert_int_equal(
            metadata_add(md, slice_first(line, len), slice_trim(slice_skip(line, len + 1))), 0);
    }
}

static void feed(struct fixture *f, struct slice data, size_t piece)
{
    while (data.len > 0) {
        size_t n = data.len < piece ? data.len : piece;
        reply_data(&f->r, slice_first(data, n));
        data = slice_skip(data, n);
    }
}

static void run(struct fixture *f, const struct row *row, size_t piece)
{
    struct metadata md;
    fill(&md, &f->arena, row->headers);
    reply_headers(&f->r, &md, row->only);
    if (row->only)
        return;
    feed(f, row->data, piece);
    if (row->trailers)
        fill(&md, &f->arena, row->trailers);
    reply_end(&f->r, row->trailers ? &md : NULL);
}

/* Frames in a run of bytes that may end early. */
static unsigned count_frames(struct slice bytes)
{
    struct frame_reader reader;
    struct frame frame;
    unsigned count = 0;
    frame_reader_init(&reader, 0xff, 1 << 20);
    while (frame_reader_next(&reader, &bytes, &frame) == FRAME_READY)
        count++;
    frame_reader_fini(&reader);
    return count;
}

static void check_row(const struct row *row, enum mode mode, size_t piece)
{
    struct fixture f;
    setup(&f, mode);
    run(&f, row, piece);
    assert_true(reply_done(&f.r));
    struct slice message = status_message(&f.r.status);
    char text[300];
    snprintf(text, sizeof text, "%.*s", SLICE_PRINT(message));
    unsigned messages = mode == MESSAGES ? f.rec.messages : count_frames(buf_slice(&f.rec.frames));
    bool good = f.r.status.code == row->code &&
                f.r.status.raw_code == (row->raw ? row->raw : row->code) &&
                (!row->message || (*row->message ? strstr(text, row->message) != NULL : !*text)) &&
                messages == row->messages;
    if (!good)
        fail_msg("%s, mode %d, pieces of %zu: code %u raw %u messages %u \"%s\"", row->name, mode,
                 piece, f.r.status.code, f.r.status.raw_code, messages, text);
    teardown(&f);
}

static void every_row_in_every_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (enum mode mode = MESSAGES; mode < MODES; mode++) {
            check_row(&rows[i], mode, SIZE_MAX);
            check_row(&rows[i], mode, 1);
        }
}

static void open_frames(struct fixture *f, size_t max_message_len)
{
    struct metadata md;
    setup(f, FRAMES);
    f->r.max_message_len = max_message_len;
    fill(&md, &f->arena, GRPC);
    reply_headers(&f->r, &md, false);
}

/* So that a status can follow wherever the upstream stops. */
static void short_frames_come_whole(void **state)
{
    (void)state;
    struct fixture f;
    struct metadata md;
    open_frames(&f, 4096);
    feed(&f, SLICE(PING "\0\0\0\0\4pi"), SIZE_MAX);
    assert_true(slice_equal(buf_slice(&f.rec.frames), SLICE(PING)));
    assert_false(f.r.mid_frame);
    feed(&f, SLICE("ng\0\0"), SIZE_MAX);
    assert_true(slice_equal(buf_slice(&f.rec.frames), SLICE(PING PING)));
    fill(&md, &f.arena, "grpc-status: 0\n");
    reply_end(&f.r, &md);
    assert_int_equal(f.r.status.code, STATUS_INTERNAL);
    assert_false(f.r.mid_frame);
    teardown(&f);
}

static void long_frames_pass_as_they_come(void **state)
{
    (void)state;
    enum { LEN = 60000, PIECE = 5000 };
    static uint8_t frame[FRAME_PREFIX_LEN + LEN];
    struct fixture f;
    open_frames(&f, LEN);
    frame_write_prefix(frame, 0, LEN);
    for (size_t at = 0; at < sizeof frame; at += PIECE) {
        size_t len = sizeof frame - at < PIECE ? sizeof frame - at : PIECE;
        feed(&f, slice_from(frame + at, len), SIZE_MAX);
        assert_true(at + len - buf_len(&f.rec.frames) <= 16 * 1024);
        assert_int_equal(f.r.mid_frame, at + len > 16 * 1024 && at + len < sizeof frame);
    }
    assert_true(slice_equal(buf_slice(&f.rec.frames), slice_from(frame, sizeof frame)));
    feed(&f, slice_from(frame, 30000), SIZE_MAX); /* whole frame before, long begin behind */
    assert_true(f.r.mid_frame);
    reply_end(&f.r, NULL);
    assert_true(f.r.mid_frame);
    teardown(&f);
}

static void messages_before_a_bad_one_are_delivered(void **state)
{
    (void)state;
    struct fixture f;
    open_frames(&f, 100);
    feed(&f, SLICE(PING "\0\0\0\0\x70"), SIZE_MAX);
    assert_true(slice_equal(buf_slice(&f.rec.frames), SLICE(PING)));
    assert_int_equal(f.r.status.code, STATUS_RESOURCE_EXHAUSTED);
    teardown(&f);
}

static void http_statuses(void **state)
{
    (void)state;
    static const struct {
        int http;
        uint32_t code;
    } map[] = {
        {400, STATUS_INTERNAL},      {401, STATUS_UNAUTHENTICATED}, {403, STATUS_PERMISSION_DENIED},
        {404, STATUS_UNIMPLEMENTED}, {429, STATUS_UNAVAILABLE},     {502, STATUS_UNAVAILABLE},
        {503, STATUS_UNAVAILABLE},   {504, STATUS_UNAVAILABLE},     {500, STATUS_UNKNOWN},
        {302, STATUS_UNKNOWN},       {418, STATUS_UNKNOWN},         {204, STATUS_UNKNOWN}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        char headers[100], expect[40];
        snprintf(headers, sizeof headers, ":status: %d\ncontent-type: application/grpc\n",
                 map[i].http);
        snprintf(expect, sizeof expect, "HTTP status %d", map[i].http);
        struct row row = {.name = headers,
                          .headers = headers,
                          .code = map[i].code,
                          .message = expect,
                          .trailers = ""};
        check_row(&row, MESSAGES, SIZE_MAX);
        row.only = true;
        check_row(&row, FRAMES, SIZE_MAX);
    }
}

/* google.rpc.Status {code: 5 message: "m"} and its like, in base64. */
static void details_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *trailers;
        size_t len;
    } cases[] = {
        {"grpc-status: 5\ngrpc-status-details-bin: CAUSAW0\n", 5},
        {"grpc-status: 5\ngrpc-status-details-bin: CAUSAW0=\n", 5},
        {"grpc-status: 6\ngrpc-status-details-bin: CAUSAW0\n", 0},
        {"grpc-status: 5\ngrpc-status-details-bin: CAUSBW0\n", 0},
        {"grpc-status: 5\ngrpc-status-details-bin: ****\n", 0},
        {"grpc-status: 5\ngrpc-status-details-bin: \n", 0},
        {"grpc-status: 5\ngrpc-status-details-bin: EgFt\n", 0},
        {"grpc-status: 17\ngrpc-status-details-bin: CBE\n", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct row row = {.headers = GRPC, .trailers = cases[i].trailers};
        setup(&f, MESSAGES);
        run(&f, &row, 1);
        assert_int_equal(f.r.status.details.len, cases[i].len);
        teardown(&f);
    }
}

static struct slice gzip_frame(struct buf *out, size_t zeros)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    struct buf packed;
    void *data = calloc(1, zeros + 1);
    buf_init(&packed, 2 << 20);
    buf_init(out, 1 << 20);
    assert_int_equal(compression_deflate(slice_from(data, zeros), &packed), 0);
    frame_write_prefix(prefix, FRAME_COMPRESSED, (uint32_t)buf_len(&packed));
    buf_append(out, prefix, sizeof prefix);
    buf_append_slice(out, buf_slice(&packed));
    buf_fini(&packed);
    free(data);
    return buf_slice(out);
}

static void gzip(void **state)
{
    (void)state;
    static const struct {
        size_t zeros, cut;
        uint32_t code;
    } cases[] = {{0, 0, STATUS_OK},
                 {4096, 0, STATUS_OK},
                 {4097, 0, STATUS_RESOURCE_EXHAUSTED},
                 {1 << 20, 0, STATUS_RESOURCE_EXHAUSTED},
                 {100, 3, STATUS_INTERNAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (enum mode mode = MESSAGES; mode < MODES; mode++) {
            struct buf packed;
            struct slice frame = gzip_frame(&packed, cases[i].zeros);
            frame.len -= cases[i].cut;
            packed.data[4] = (uint8_t)(packed.data[4] - cases[i].cut);
            struct row row = {.name = "gzip",
                              .headers = GZIP,
                              .data = frame,
                              .trailers = "grpc-status: 0\n",
                              .code = cases[i].code,
                              .messages = cases[i].code == STATUS_OK};
            check_row(&row, mode, SIZE_MAX);
            check_row(&row, mode, 1);
            buf_fini(&packed);
        }
    }
}

/* Who accepts gzip gets the frames as they are, who does not gets them framed anew. */
static void gzip_passes_or_is_decoded(void **state)
{
    (void)state;
    for (enum mode mode = FRAMES; mode < MODES; mode++) {
        struct fixture f;
        struct buf packed;
        struct slice frame = gzip_frame(&packed, 1000);
        struct row row = {.headers = GZIP, .data = frame, .trailers = "grpc-status: 0\n"};
        setup(&f, mode);
        run(&f, &row, 7);
        struct slice got = buf_slice(&f.rec.frames);
        if (mode == FRAMES_GZIP)
            assert_true(slice_equal(got, frame));
        else
            assert_true(got.len == 1005 && got.data[0] == 0 && got.data[3] == 3 &&
                        got.data[4] == 0xe8);
        teardown(&f);
        buf_fini(&packed);
    }
}

static void held_while_paused(void **state)
{
    (void)state;
    for (enum mode mode = MESSAGES; mode < MODES; mode++) {
        struct fixture f;
        struct metadata md;
        setup(&f, mode);
        fill(&md, &f.arena, GRPC);
        reply_headers(&f.r, &md, false);
        f.r.paused = true;
        assert_int_equal(reply_data(&f.r, SLICE(PING "\0\0")), 0);
        assert_int_equal(f.rec.messages + buf_len(&f.rec.frames), 0);
        fill(&md, &f.arena, "grpc-status: 0\nx-tail: kept\n");
        f.r.paused = false;
        /* Behind held bytes everything queues, paused or not. */
        assert_int_equal(reply_data(&f.r, SLICE("\0\0\1x")), 0);
        reply_end(&f.r, &md);
        assert_false(reply_done(&f.r));
        for (uint32_t k = 0; k < md.count; k++)
            memset((void *)(uintptr_t)md.entries[k].value.data, '!', md.entries[k].value.len);
        assert_int_equal(reply_deliver_held(&f.r), 15);
        assert_true(reply_done(&f.r));
        assert_int_equal(f.r.status.code, STATUS_OK);
        assert_true(slice_equal(metadata_get(&f.r.trailers, SLICE("x-tail")), SLICE("kept")));
        teardown(&f);
    }
}

static void mid_frame_is_known(void **state)
{
    (void)state;
    struct fixture f;
    struct metadata md;
    setup(&f, FRAMES);
    f.r.max_message_len = 1 << 20;
    fill(&md, &f.arena, GRPC);
    reply_headers(&f.r, &md, false);
    assert_int_equal(reply_data(&f.r, SLICE(PING)), 9);
    assert_false(f.r.mid_frame);
    /* A short frame is kept until it is whole. */
    assert_int_equal(reply_data(&f.r, SLICE("\0\0\0\0\2x")), 6);
    assert_false(f.r.mid_frame);
    assert_int_equal(buf_len(&f.rec.frames), 9);
    assert_int_equal(reply_data(&f.r, SLICE("y")), 1);
    assert_int_equal(buf_len(&f.rec.frames), 16);
    /* A long one goes on as it comes; a cut there shows. */
    static const uint8_t long_frame[5 + 20000] = {0, 0, 0, 0x4e, 0x21};
    reply_data(&f.r, slice_from(long_frame, sizeof long_frame));
    assert_true(f.r.mid_frame);
    assert_int_equal(buf_len(&f.rec.frames), 16 + sizeof long_frame);
    /* Its last byte comes with a bad frame: the good one ends, the bad one fails the call. */
    reply_data(&f.r, SLICE("y\7\0\0\0\0"));
    assert_true(!f.r.mid_frame && reply_done(&f.r));
    assert_int_equal(f.r.status.code, STATUS_INTERNAL);
    assert_int_equal(buf_len(&f.rec.frames), 17 + sizeof long_frame);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_in_every_mode),
        cmocka_unit_test(short_frames_come_whole),
        cmocka_unit_test(long_frames_pass_as_they_come),
        cmocka_unit_test(messages_before_a_bad_one_are_delivered),
        cmocka_unit_test(http_statuses),
        cmocka_unit_test(details_must_agree),
        cmocka_unit_test(gzip),
        cmocka_unit_test(gzip_passes_or_is_decoded),
        cmocka_unit_test(held_while_paused),
        cmocka_unit_test(mid_frame_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
