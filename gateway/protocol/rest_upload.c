/* Memory is bounded by one message and one piece of the body: while the call is full the upload is
 * paused, and what of the last piece was not sent waits in r->body. */
#include "gateway/protocol/rest.h"

#include <stdio.h>

enum { MAX_RAW_PIECE = 64 * 1024, KEEP_BODY = 64 * 1024 };

/* The failure says which message it is about. */
static void number_failure(struct rest *r)
{
    char text[STATUS_TEXT_LEN];
    snprintf(text, sizeof text, "%s", r->failure.text);
    status_set(&r->failure, (enum status_code)r->failure.code, "message %llu: %.230s",
               (unsigned long long)r->requests, text);
}

/* Sends one message and starts the call when it is the first.  False with r->failure; *room tells
 * whether another may follow at once. */
static bool upload_send(struct rest *r, struct slice value, bool *room)
{
    struct buf wire;
    buf_init(&wire, exchange_context(r->ex)->config->limits.max_message_bytes);
    bool good = rest_request_bind(r, value, &wire);
    if (!good)
        number_failure(r);
    if (good && !r->call)
        good = rest_request_start(r);
    if (good)
        *room = call_send(r->call, buf_slice(&wire));
    buf_fini(&wire);
    return good;
}

static enum rest_values_result upload_next(struct rest *r, struct slice *data, struct slice *value)
{
    if (!r->raw_upload)
        return rest_values_next(&r->values, data, value);
    *value = slice_first(*data, data->len < MAX_RAW_PIECE ? data->len : MAX_RAW_PIECE);
    *data = slice_skip(*data, value->len);
    return value->len ? REST_VALUES_READY : REST_VALUES_MORE;
}

/* False with r->failure when the text is no stream of values. */
static bool upload_judge(struct rest *r, enum rest_values_result result)
{
    if (result == REST_VALUES_BAD)
        status_set(&r->failure, STATUS_INVALID_ARGUMENT, "behind message %llu: %s",
                   (unsigned long long)r->requests, r->values.error);
    else if (result == REST_VALUES_TOO_LARGE)
        status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED,
                   "message %llu is larger than the limit (--max-message-bytes)",
                   (unsigned long long)r->requests + 1);
    return result == REST_VALUES_MORE || result == REST_VALUES_READY;
}

static void upload_fail(struct rest *r)
{
    rest_reply_fail(r, r->failure.code == STATUS_RESOURCE_EXHAUSTED ? 413 : 0, NULL);
}

/* Sends what *data completes, as long as there is room.  False: answered with a failure. */
static bool upload_pass(struct rest *r, struct slice *data, bool *room)
{
    enum rest_values_result result = REST_VALUES_READY;
    struct slice value;
    bool good = true;
    while (good && *room && (result = upload_next(r, data, &value)) == REST_VALUES_READY)
        good = upload_send(r, value, room);
    if (good && upload_judge(r, result))
        return true;
    upload_fail(r);
    return false;
}

void rest_upload_take(struct rest *r, struct slice data)
{
    bool room = true;
    if (!upload_pass(r, &data, &room) || room)
        return;
    exchange_pause_upload(r->ex);
    if (buf_append_slice(&r->body, data) == 0)
        return;
    status_set(&r->failure, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    rest_reply_fail(r, 0, NULL);
}

void rest_upload_resume(struct rest *r)
{
    struct slice waiting = buf_slice(&r->body), left = waiting;
    bool room = true;
    if (r->upload_ended || r->answered || !upload_pass(r, &left, &room))
        return;
    buf_consume(&r->body, waiting.len - left.len);
    if (!room)
        return;
    buf_reset(&r->body, KEEP_BODY);
    exchange_resume_upload(r->ex);
}

/* A stream without a message in the body still has what path and query bind. */
static bool upload_bound_only(struct rest *r)
{
    struct buf wire;
    buf_init(&wire, exchange_context(r->ex)->config->limits.max_message_bytes);
    bool good = rest_request_bind(r, SLICE(""), &wire) && (r->call || rest_request_start(r));
    if (good && buf_len(&wire) > 0)
        call_send(r->call, buf_slice(&wire));
    buf_fini(&wire);
    return good;
}

void rest_upload_end(struct rest *r)
{
    struct slice value;
    bool room = true;
    enum rest_values_result result =
        r->raw_upload ? REST_VALUES_MORE : rest_values_end(&r->values, &value);
    bool good = upload_judge(r, result);
    if (good && result == REST_VALUES_READY)
        good = upload_send(r, value, &room);
    if (good && r->requests == 0)
        good = upload_bound_only(r);
    if (!good) {
        upload_fail(r);
        return;
    }
    r->upload_ended = true;
    call_half_close(r->call);
}
