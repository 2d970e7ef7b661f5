#include "backend/response.h"

#include "base/percent.h"
#include "base/text.h"
#include "grpc/compression.h"
#include "grpc/frame.h"

#include <assert.h>

enum {
    MAX_MESSAGE = 64 * 1024 * 1024,
    KEEP_CAP = 256 * 1024, /* scratch memory kept between messages */
    WORTH_COMPRESSING = 1024,
    TRAILER_MAX = 16 * 1024,
};

#define FIELD(n, v)                                                                                \
    {                                                                                              \
        {(const uint8_t *)(n), sizeof(n) - 1},                                                     \
        {                                                                                          \
            (const uint8_t *)(v), sizeof(v) - 1                                                    \
        }                                                                                          \
    }
#define FIXED_METADATA(array)                                                                      \
    {                                                                                              \
        .entries = (array), .count = sizeof(array) / sizeof *(array)                               \
    }

/* The head and the trailers of nearly every reply, built once. */
static struct metadata_entry head_fields[] = {FIELD(":status", "200"),
                                              FIELD("content-type", "application/grpc")};
static const struct metadata head_plain = FIXED_METADATA(head_fields);
static struct metadata_entry ok_fields[] = {FIELD("grpc-status", "0")};
static const struct metadata trailers_ok = FIXED_METADATA(ok_fields);

void response_scratch_init(struct response_scratch *s)
{
    buf_init(&s->message, MAX_MESSAGE);
    buf_init(&s->gzip, MAX_MESSAGE);
}

void response_scratch_fini(struct response_scratch *s)
{
    buf_fini(&s->message);
    buf_fini(&s->gzip);
}

static void response_enter(struct response *r, enum response_phase phase)
{
    assert(phase > r->phase);
    r->phase = phase;
}

/* Builds what differs from the fixed head. */
static const struct metadata *response_head(const struct response *r, struct metadata *md)
{
    if (!r->gzip && !r->echo_initial.data)
        return &head_plain;
    metadata_init(md, r->arena, TRAILER_MAX);
    for (size_t i = 0; i < head_plain.count; i++)
        metadata_add_borrowed(md, head_fields[i].name, head_fields[i].value);
    if (r->gzip)
        metadata_add_borrowed(md, SLICE("grpc-encoding"), SLICE("gzip"));
    if (r->echo_initial.data)
        metadata_add_borrowed(md, SLICE("x-grpc-test-echo-initial"), r->echo_initial);
    return md;
}

static void response_begin(struct response *r, size_t first_len)
{
    struct metadata md;
    r->gzip = r->gzip_allowed && (first_len >= WORTH_COMPRESSING || r->streams);
    h2_stream_respond(r->stream, response_head(r, &md), false);
    response_enter(r, RESPONSE_STARTED);
}

static void add_status(struct metadata *md, const struct status *status, struct arena *arena)
{
    char digits[TEXT_UINT64_LEN];
    struct slice number =
        arena_copy(arena, slice_from(digits, text_format_uint64(digits, status->code)));
    metadata_add_borrowed(md, SLICE("grpc-status"), number);
    struct slice message = status_message(status);
    char *text = message.len ? arena_alloc(arena, percent_encoded_max(message.len)) : NULL;
    if (text)
        metadata_add_borrowed(md, SLICE("grpc-message"),
                              slice_from(text, percent_encode_message(message, text)));
    char *base64 =
        status->details.len ? arena_alloc(arena, text_base64_len(status->details.len)) : NULL;
    if (base64)
        metadata_add_borrowed(
            md, SLICE("grpc-status-details-bin"),
            slice_from(base64, text_base64_encode(status->details, false, base64)));
}

void response_end(struct response *r, const struct status *status)
{
    struct metadata md;
    r->status = status->code;
    if (status->code == STATUS_OK && r->phase == RESPONSE_NOT_STARTED)
        response_begin(r, 0);
    bool alone = r->phase == RESPONSE_NOT_STARTED;
    response_enter(r, RESPONSE_ENDED);
    if (status->code == STATUS_OK && !r->echo_trailing.data) {
        h2_stream_trailers(r->stream, &trailers_ok);
        return;
    }
    metadata_init(&md, r->arena, TRAILER_MAX);
    if (alone)
        for (size_t i = 0; i < head_plain.count; i++)
            metadata_add_borrowed(&md, head_fields[i].name, head_fields[i].value);
    add_status(&md, status, r->arena);
    if (r->echo_trailing.data)
        metadata_add_borrowed(&md, SLICE("x-grpc-test-echo-trailing-bin"), r->echo_trailing);
    if (r->names_codings)
        metadata_add_borrowed(&md, SLICE("grpc-accept-encoding"), SLICE(COMPRESSION_ACCEPT));
    if (alone)
        h2_stream_respond(r->stream, &md, true);
    else
        h2_stream_trailers(r->stream, &md);
}

void response_abandon(struct response *r)
{
    if (r->phase != RESPONSE_ENDED)
        response_enter(r, RESPONSE_ENDED);
}

uint8_t *response_room(struct response *r, size_t len)
{
    struct buf *message = &r->scratch->message;
    assert(r->phase != RESPONSE_ENDED);
    buf_reset(message, KEEP_CAP);
    uint8_t *at = len < MAX_MESSAGE ? buf_reserve(message, FRAME_PREFIX_LEN + len) : NULL;
    return at ? at + FRAME_PREFIX_LEN : NULL;
}

bool response_send(struct response *r, uint8_t *at, size_t len)
{
    struct buf *packed = &r->scratch->gzip;
    if (r->phase == RESPONSE_NOT_STARTED)
        response_begin(r, len);
    r->messages++;
    if (r->gzip && len >= WORTH_COMPRESSING) {
        buf_reset(packed, KEEP_CAP);
        if (compression_deflate(slice_from(at, len), packed) == 0 && buf_len(packed) < len) {
            uint8_t prefix[FRAME_PREFIX_LEN];
            frame_write_prefix(prefix, FRAME_COMPRESSED, (uint32_t)buf_len(packed));
            return h2_stream_write2(r->stream, slice_from(prefix, sizeof prefix),
                                    buf_slice(packed));
        }
    }
    uint8_t *frame = at - FRAME_PREFIX_LEN;
    frame_write_prefix(frame, 0, (uint32_t)len);
    return h2_stream_write(r->stream, slice_from(frame, FRAME_PREFIX_LEN + len));
}

void response_refuse(struct h2_stream *stream, enum request_refusal refusal)
{
    static struct metadata_entry not_grpc[] = {FIELD(":status", "415"),
                                               FIELD("content-type", "text/plain")};
    static struct metadata_entry not_post[] = {
        FIELD(":status", "405"), FIELD("content-type", "text/plain"), FIELD("allow", "POST")};
    static const struct metadata head_not_grpc = FIXED_METADATA(not_grpc);
    static const struct metadata head_not_post = FIXED_METADATA(not_post);
    bool is_post = refusal != REQUEST_NOT_POST;
    h2_stream_set_events(stream, NULL, NULL);
    h2_stream_respond(stream, is_post ? &head_not_grpc : &head_not_post, false);
    h2_stream_write(stream,
                    is_post ? SLICE("This is a gRPC server: use content-type application/grpc.\n")
                            : SLICE("This is a gRPC server: use the method POST.\n"));
    h2_stream_end(stream);
}
