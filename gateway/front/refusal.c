#include "gateway/front/refusal.h"

/* As the protocols would say it (google/rpc/code.proto). */
static enum status_code refusal_code(int http_status)
{
    switch (http_status) {
    case 400:
        return STATUS_INVALID_ARGUMENT;
    case 413:
    case 414:
    case 429:
    case 431:
        return STATUS_RESOURCE_EXHAUSTED;
    case 404:
        return STATUS_NOT_FOUND;
    case 405:
    case 501:
    case 505:
        return STATUS_UNIMPLEMENTED;
    default:
        return status_from_http(http_status);
    }
}

static void refusal_send(struct exchange *ex, int http_status, enum status_code code,
                         const struct metadata *fields, struct slice body)
{
    ex->outcome.code = code;
    metrics_add(ex->all->ctx->metrics, METRIC_REQUESTS_REFUSED, 1);
    exchange_head(ex, http_status, fields);
    exchange_write(ex, body);
    exchange_end(ex);
}

void refusal_answer(struct exchange *ex, int http_status, const char *reason)
{
    struct metadata_entry type = {SLICE("content-type"), SLICE("application/json")};
    struct metadata fields = {.entries = &type, .count = 1};
    enum status_code code = refusal_code(http_status);
    const char *line =
        arena_printf(&ex->arena, "{\"code\":%d,\"message\":\"%s\",\"details\":[]}\n", code, reason);
    ex->outcome.message = slice_from_string(reason);
    refusal_send(ex, http_status, code, &fields, slice_from_string(line));
}

void refusal_answer_call(struct exchange *ex, int http_status, enum status_code code,
                         const char *reason)
{
    struct slice type = ex->request.content_type;
    const char *number = arena_printf(&ex->arena, "%d", code);
    struct metadata_entry own[] = {{SLICE("content-type"), slice_trim(slice_cut(&type, ';'))},
                                   {SLICE("grpc-status"), slice_from_string(number)},
                                   {SLICE("grpc-message"), slice_from_string(reason)}};
    struct metadata fields = {.entries = own, .count = sizeof own / sizeof *own};
    ex->outcome.message = own[2].value;
    if (slice_has_prefix_ignore_case(own[0].value, SLICE("application/grpc-web")))
        refusal_send(ex, 200, code, &fields, SLICE(""));
    else
        refusal_answer(ex, http_status, reason);
}
