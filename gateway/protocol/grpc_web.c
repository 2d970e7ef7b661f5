/* grpc_web: gRPC-Web over HTTP (gRPC PROTOCOL-WEB.md), binary and text.  Frames pass in both
 * directions without being assembled, only their prefixes are followed; compressed request messages
 * are decoded to hold the limit on uncompressed bytes.  Every response ends with a trailer frame,
 * whatever happened upstream, because the official client takes a body without one for a success;
 * where none can follow (inside a long message) the connection breaks instead. */
#include "gateway/call.h"
#include "gateway/protocol.h"
#include "gateway/protocol/frames_upload.h"
#include "gateway/protocol/grpc_web_text.h"
#include "gateway/protocol/request_metadata.h"
#include "gateway/protocol/trailer_frame.h"
#include "gateway/schema/schema.h"
#include "grpc/compression.h"

enum { TEXT_PIECE = 48 * 1024, MAX_TEXT = 72 * 1024 };

/* A media type of the family, "application/grpc-web[-text][+format]". */
struct media_type {
    bool text;
    struct slice format; /* "proto" when the type names none */
};

struct grpc_web {
    struct exchange *ex;
    struct call *call;      /* NULL before the first body byte and after the status */
    struct media_type type; /* of the request */
    bool text_out;          /* the response is text */
    bool accept_gzip;
    bool opened; /* nothing has failed yet: uploads are followed */
    bool head_sent;
    bool mid_frame; /* the call ended inside a message: nothing can be appended */
    bool finished;  /* the trailer frame is written, or the response broken off */
    struct frames_upload upload;
    struct grpc_web_text_decoder decoder;
    struct grpc_web_text_encoder encoder;
    struct buf decoded, encoded; /* scratch of the two */
    struct status failure;       /* scratch for what goes wrong here */
};

/* Cuts the prefix off, ASCII letters without case. */
static bool cut_prefix(struct slice *s, struct slice prefix)
{
    if (s->len < prefix.len || !slice_equal_ignore_case(slice_first(*s, prefix.len), prefix))
        return false;
    *s = slice_skip(*s, prefix.len);
    return true;
}

/* Reads a media type (parameters ignored); false when it is none of the family. */
static bool media_type_parse(struct slice text, struct media_type *type)
{
    struct slice rest = slice_trim(slice_cut(&text, ';'));
    if (!cut_prefix(&rest, SLICE("application/grpc-web")))
        return false;
    type->text = cut_prefix(&rest, SLICE("-text"));
    type->format = SLICE("proto");
    if (rest.len == 0)
        return true;
    type->format = slice_skip(rest, 1);
    return rest.data[0] == '+';
}

/* The format as we write it; empty for one that is not served. */
static struct slice served_format(struct slice format)
{
    if (slice_equal_ignore_case(format, SLICE("proto")))
        return SLICE("proto");
    return slice_equal_ignore_case(format, SLICE("json")) ? SLICE("json") : SLICE("");
}

/* An Accept that names the family says which kind the response has; else it is the request's. */
static bool wants_text(struct slice accept, const struct media_type *sent)
{
    struct media_type wanted;
    while (accept.data)
        if (media_type_parse(slice_cut(&accept, ','), &wanted))
            return wanted.text;
    return sent->text;
}

static bool grpc_web_matches(const struct exchange_request *req, const struct context *ctx)
{
    (void)ctx;
    struct media_type type;
    return req->content_type.len > 0 && media_type_parse(req->content_type, &type);
}

/* The kind that the client wants, the format that the upstream has sent or would. */
static struct slice grpc_web_content_type(const struct grpc_web *gw)
{
    static const struct slice types[] = {
        {(const uint8_t *)"application/grpc-web+proto", 26},
        {(const uint8_t *)"application/grpc-web-text+proto", 31},
    };
    struct slice type = types[gw->text_out];
    struct slice format = gw->call ? call_reply_format(gw->call) : SLICE("");
    if (format.len == 0)
        format = gw->type.format;
    if (format.len == 0 || slice_equal_ignore_case(format, SLICE("proto")))
        return type;
    size_t base = type.len - 5;
    uint8_t *text = exchange_alloc(gw->ex, base + format.len);
    if (!text)
        return type;
    memcpy(text, type.data, base);
    memcpy(text + base, format.data, format.len);
    return slice_from(text, base + format.len);
}

/* Commits the head, with the metadata of the reply or with one field of our own (NULL: without). */
static void grpc_web_head(struct grpc_web *gw, int http_status, const struct metadata *headers,
                          const struct metadata_entry *own)
{
    struct metadata head;
    metadata_init(&head, exchange_arena(gw->ex), SIZE_MAX);
    metadata_add_borrowed(&head, SLICE("content-type"), grpc_web_content_type(gw));
    if (headers)
        request_metadata_to_front(headers, &head);
    if (own)
        metadata_add_borrowed(&head, own->name, own->value);
    struct slice encoding = gw->call && gw->accept_gzip ? call_reply_encoding(gw->call) : SLICE("");
    if (encoding.len > 0)
        metadata_add_borrowed(&head, SLICE("grpc-encoding"), encoding);
    gw->head_sent = true;
    exchange_head(gw->ex, http_status, &head);
}

/* Writes bytes of the response; with flush, all of them can be read at once.  False when full. */
static bool grpc_web_write(struct grpc_web *gw, struct slice bytes, bool flush)
{
    bool room = true;
    if (!gw->text_out)
        return exchange_write(gw->ex, bytes);
    while (bytes.len > 0) {
        struct slice piece = slice_first(bytes, bytes.len < TEXT_PIECE ? bytes.len : TEXT_PIECE);
        bytes = slice_skip(bytes, piece.len);
        if (grpc_web_text_encode(&gw->encoder, piece, flush && bytes.len == 0, &gw->encoded) < 0) {
            exchange_abort(gw->ex);
            return true;
        }
        room = exchange_write(gw->ex, buf_slice(&gw->encoded));
        buf_reset(&gw->encoded, MAX_TEXT);
    }
    return room;
}

/* The end of the response, also of one that cannot be completed. */
static void grpc_web_finish(struct grpc_web *gw, const struct status *st,
                            const struct metadata *trailers)
{
    if (gw->finished)
        return;
    gw->finished = true;
    gw->opened = false;
    if (gw->mid_frame) {
        /* The client would take the trailer frame for the rest of the message. */
        exchange_abort(gw->ex);
        return;
    }
    if (!gw->head_sent)
        grpc_web_head(gw, 200, NULL, NULL);
    struct buf frame;
    buf_init(&frame, 256 * 1024);
    struct status bare = *st;
    if (trailer_frame_append(&frame, st, trailers) < 0) {
        /* Too large for one frame: the code at least must arrive. */
        bare.details = bare.message = (struct slice){NULL, 0};
        trailer_frame_append(&frame, &bare, NULL);
    }
    grpc_web_write(gw, buf_slice(&frame), true);
    buf_fini(&frame);
    exchange_end(gw->ex);
}

/* A failure found here: gives the call up, drops the rest of the upload and answers with
 * gw->failure. */
static void grpc_web_fail(struct grpc_web *gw)
{
    uint64_t upstream_us = gw->call ? call_upstream_us(gw->call) : 0;
    if (gw->call) {
        gw->mid_frame = call_reply_mid_frame(gw->call);
        call_cancel(gw->call);
        gw->call = NULL;
    }
    exchange_discard_upload(gw->ex);
    request_metadata_outcome(gw->ex, &gw->failure, upstream_us);
    grpc_web_finish(gw, &gw->failure, NULL);
}

/* Refuses the request in the head already, with one more field unless that is NULL. */
static void grpc_web_refuse(struct grpc_web *gw, int http_status, const struct metadata_entry *own)
{
    grpc_web_head(gw, http_status, NULL, own);
    grpc_web_fail(gw);
}

static void on_call_headers(void *arg, const struct metadata *headers)
{
    struct grpc_web *gw = arg;
    if (!gw->head_sent)
        grpc_web_head(gw, 200, headers, NULL);
}

static void on_call_frames(void *arg, struct slice bytes)
{
    struct grpc_web *gw = arg;
    if (!grpc_web_write(gw, bytes, !call_reply_mid_frame(gw->call)) && gw->call)
        call_pause(gw->call);
}

static void on_call_writable(void *arg)
{
    struct grpc_web *gw = arg;
    exchange_resume_upload(gw->ex);
}

static void on_call_status(void *arg, const struct status *st, const struct metadata *trailers)
{
    struct grpc_web *gw = arg;
    uint64_t upstream_us = call_upstream_us(gw->call);
    gw->mid_frame = call_reply_mid_frame(gw->call);
    gw->call = NULL;
    request_metadata_outcome(gw->ex, st, upstream_us);
    exchange_discard_upload(gw->ex);
    grpc_web_finish(gw, st, trailers);
}

static const struct call_events call_events = {
    .on_headers = on_call_headers,
    .on_frames = on_call_frames,
    .on_writable = on_call_writable,
    .on_status = on_call_status,
};

static bool grpc_web_start_call(struct grpc_web *gw)
{
    const struct exchange_request *req = exchange_request(gw->ex);
    struct context *ctx = exchange_context(gw->ex);
    struct metadata md;
    struct call_request call = {
        .path = req->path,
        .metadata = &md,
        .encoding = gw->upload.encoding == COMPRESSION_GZIP ? SLICE("gzip") : SLICE(""),
        .format = gw->type.format,
        .accept_gzip = gw->accept_gzip,
        .max_reply_len = ctx->config->limits.max_reply_bytes,
    };
    if (!request_metadata_collect(gw->ex, &md, &gw->failure) ||
        !request_metadata_deadline(gw->ex, &call.deadline_ms, &gw->failure))
        return false;
    gw->call = call_start(exchange_upstream(gw->ex), &call, &call_events, gw);
    if (!gw->call)
        status_set(&gw->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return gw->call != NULL;
}

/* What the schema knows of the method; without one every call passes, to the first upstream. */
static void grpc_web_look_up(struct grpc_web *gw)
{
    const struct schema *schema = exchange_context(gw->ex)->schema;
    const struct method *method =
        schema ? schema_method(schema, exchange_request(gw->ex)->path) : NULL;
    if (!method)
        return;
    exchange_outcome(gw->ex)->upstream = method->upstream;
    gw->upload.one_request = !method->client_streaming;
    if (method->client_streaming)
        exchange_allow_slow_upload(gw->ex);
    if (!method->server_streaming)
        exchange_hold(gw->ex);
}

/* Answers a request that cannot be served, whatever its body holds. */
static void grpc_web_admit(struct grpc_web *gw)
{
    const struct exchange_request *req = exchange_request(gw->ex);
    struct slice encoding = metadata_get(&req->headers, SLICE("grpc-encoding"));
    if (req->method != METHOD_POST) {
        status_set(&gw->failure, STATUS_UNIMPLEMENTED, "gRPC-Web calls use POST");
        grpc_web_refuse(gw, 405, &(struct metadata_entry){SLICE("allow"), SLICE("POST")});
    } else if (gw->type.format.len == 0) {
        status_set(&gw->failure, STATUS_UNIMPLEMENTED,
                   "content type \"%.*s\" is not supported: messages are +proto or +json",
                   req->content_type.len > 80 ? 80 : (int)req->content_type.len,
                   (const char *)req->content_type.data);
        grpc_web_refuse(gw, 415, NULL);
    } else if (gw->upload.encoding == COMPRESSION_UNKNOWN) {
        status_set(&gw->failure, STATUS_UNIMPLEMENTED,
                   "grpc-encoding \"%.*s\" is not supported: use one of " COMPRESSION_ACCEPT,
                   encoding.len > 40 ? 40 : (int)encoding.len, (const char *)encoding.data);
        struct metadata_entry accepted = {SLICE("grpc-accept-encoding"), SLICE(COMPRESSION_ACCEPT)};
        grpc_web_refuse(gw, 200, &accepted);
    } else {
        grpc_web_look_up(gw);
    }
}

static void *grpc_web_open(struct exchange *ex)
{
    const struct exchange_request *req = exchange_request(ex);
    const struct config_limits *limits = &exchange_context(ex)->config->limits;
    struct grpc_web *gw = exchange_alloc(ex, sizeof *gw);
    if (!gw) {
        exchange_abort(ex);
        return NULL;
    }
    struct slice accept_encoding = metadata_get(&req->headers, SLICE("grpc-accept-encoding"));
    *gw = (struct grpc_web){
        .ex = ex,
        .accept_gzip = compression_accepts_gzip(accept_encoding),
        .opened = true,
    };
    media_type_parse(req->content_type, &gw->type);
    gw->type.format = served_format(gw->type.format);
    gw->text_out = wants_text(metadata_get(&req->headers, SLICE("accept")), &gw->type);
    exchange_outcome(ex)->rpc = req->path;
    buf_init(&gw->decoded, MAX_TEXT);
    buf_init(&gw->encoded, MAX_TEXT);
    frames_upload_init(&gw->upload, limits->max_message_bytes,
                       compression_parse(metadata_get(&req->headers, SLICE("grpc-encoding"))));
    grpc_web_admit(gw);
    return gw;
}

static bool grpc_web_pass_frames(struct grpc_web *gw, struct slice data)
{
    enum frames_upload_result result =
        frames_upload_pass(&gw->upload, gw->call, data, &gw->failure);
    if (result == FRAMES_UPLOAD_FULL)
        exchange_pause_upload(gw->ex);
    return result != FRAMES_UPLOAD_FAILED;
}

/* The body is not base64: a malformed HTTP request, while that can still be said. */
static void grpc_web_bad_text(struct grpc_web *gw, const char *what)
{
    status_set(&gw->failure, STATUS_INTERNAL, "the request body is not base64: %s", what);
    if (gw->head_sent)
        grpc_web_fail(gw);
    else
        grpc_web_refuse(gw, 400, NULL);
}

/* Decodes piece by piece; false when the call has failed with gw->failure. */
static bool grpc_web_pass_text(struct grpc_web *gw, struct slice data)
{
    bool ok = true;
    while (ok && gw->opened && data.len > 0) {
        struct slice piece = slice_first(data, data.len < TEXT_PIECE ? data.len : TEXT_PIECE);
        data = slice_skip(data, piece.len);
        if (grpc_web_text_decode(&gw->decoder, piece, &gw->decoded) < 0)
            grpc_web_bad_text(gw, "a character cannot stand where it does");
        else if (buf_len(&gw->decoded) > 0)
            ok = grpc_web_pass_frames(gw, buf_slice(&gw->decoded));
        buf_reset(&gw->decoded, MAX_TEXT);
    }
    return ok;
}

static void grpc_web_on_body(struct exchange *ex, void *state, struct slice data)
{
    (void)ex;
    struct grpc_web *gw = state;
    if (!gw || !gw->opened || data.len == 0)
        return;
    bool ok = (gw->call || grpc_web_start_call(gw)) &&
              (gw->type.text ? grpc_web_pass_text(gw, data) : grpc_web_pass_frames(gw, data));
    if (!ok)
        grpc_web_fail(gw);
}

static void grpc_web_on_body_end(struct exchange *ex, void *state)
{
    (void)ex;
    struct grpc_web *gw = state;
    if (!gw || !gw->opened)
        return;
    if (grpc_web_text_mid_quartet(&gw->decoder)) {
        grpc_web_bad_text(gw, "it ends inside a group of four characters");
        return;
    }
    bool ok = frames_upload_end(&gw->upload, &gw->failure) && (gw->call || grpc_web_start_call(gw));
    if (ok)
        call_half_close(gw->call);
    else
        grpc_web_fail(gw);
}

static void grpc_web_on_writable(struct exchange *ex, void *state)
{
    (void)ex;
    struct grpc_web *gw = state;
    if (gw && gw->call)
        call_resume(gw->call);
}

static void grpc_web_on_fail(struct exchange *ex, void *state, const struct status *st)
{
    (void)ex;
    struct grpc_web *gw = state;
    gw->failure = *st;
    grpc_web_fail(gw);
}

static void grpc_web_close(struct exchange *ex, void *state)
{
    struct grpc_web *gw = state;
    if (!gw)
        return;
    frames_upload_fini(&gw->upload);
    buf_fini(&gw->decoded);
    buf_fini(&gw->encoded);
    if (gw->call) {
        status_set(&gw->failure, STATUS_CANCELLED, "the client went away");
        request_metadata_outcome(ex, &gw->failure, call_upstream_us(gw->call));
        call_cancel(gw->call);
        gw->call = NULL;
    }
}

const struct protocol protocol_grpc_web = {
    .name = "grpc-web",
    .matches = grpc_web_matches,
    .open = grpc_web_open,
    .on_body = grpc_web_on_body,
    .on_body_end = grpc_web_on_body_end,
    .on_writable = grpc_web_on_writable,
    .on_fail = grpc_web_on_fail,
    .close = grpc_web_close,
};
