#include "grpc/status.h"

#include <stdarg.h>
#include <stdio.h>

void status_ok(struct status *st)
{
    st->code = st->raw_code = STATUS_OK;
    st->message = st->details = (struct slice){NULL, 0};
    st->text[0] = 0;
}

void status_set(struct status *st, enum status_code code, const char *format, ...)
{
    status_ok(st);
    st->code = st->raw_code = (uint32_t)code;
    va_list args;
    va_start(args, format);
    vsnprintf(st->text, sizeof st->text, format, args);
    va_end(args);
}

struct slice status_message(const struct status *st)
{
    return st->text[0] ? slice_from_string(st->text) : st->message;
}

static const struct {
    const char *name;
    int http;
} codes[] = {
#define X(name, number, http) [number] = {#name, http},
    STATUS_CODES(X)
#undef X
};

const char *status_name(uint32_t code)
{
    return codes[code < STATUS_CODE_COUNT ? code : (uint32_t)STATUS_UNKNOWN].name;
}

int status_to_http(uint32_t code)
{
    return codes[code < STATUS_CODE_COUNT ? code : (uint32_t)STATUS_UNKNOWN].http;
}

enum status_code status_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return STATUS_INTERNAL;
    case 401:
        return STATUS_UNAUTHENTICATED;
    case 403:
        return STATUS_PERMISSION_DENIED;
    case 404:
        return STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_UNKNOWN;
    }
}

enum status_code status_from_h2_error(uint32_t error_code)
{
    enum {
        REFUSED_STREAM = 7,
        CANCEL = 8,
        ENHANCE_YOUR_CALM = 11,
        INADEQUATE_SECURITY = 12,
        CONNECTION_LOST = 0x10000 /* ours: the connection ended under the stream */
    };                            /* RFC 9113 section 7 */
    switch (error_code) {
    case REFUSED_STREAM:
    case CONNECTION_LOST:
        return STATUS_UNAVAILABLE;
    case CANCEL:
        return STATUS_CANCELLED;
    case ENHANCE_YOUR_CALM:
        return STATUS_RESOURCE_EXHAUSTED;
    case INADEQUATE_SECURITY:
        return STATUS_PERMISSION_DENIED;
    default:
        return STATUS_INTERNAL;
    }
}
