#include "backend/request_head.h"

#include "grpc/timeout.h"

/* Parts of headers that go into a status text are cut to this length. */
enum { QUOTE_LEN = 60 };

#define QUOTE(s) ((s).len > QUOTE_LEN ? QUOTE_LEN : (int)(s).len), (const char *)(s).data

/* Where the value of a header goes; NULL for those of no interest.  By length first: most names
 * are told apart by it. */
static struct slice *head_slot(struct request_head *head, struct slice name)
{
    switch (name.len) {
    case 5:
        return memcmp(name.data, ":path", 5) == 0 ? &head->path : NULL;
    case 7:
        return memcmp(name.data, ":method", 7) == 0 ? &head->http_method : NULL;
    case 12:
        if (memcmp(name.data, "content-type", 12) == 0)
            return &head->content_type;
        return memcmp(name.data, "grpc-timeout", 12) == 0 ? &head->timeout : NULL;
    case 13:
        return memcmp(name.data, "grpc-encoding", 13) == 0 ? &head->encoding_name : NULL;
    case 20:
        return memcmp(name.data, "grpc-accept-encoding", 20) == 0 ? &head->accept_encoding : NULL;
    case 24:
        return memcmp(name.data, "x-grpc-test-echo-initial", 24) == 0 ? &head->echo_initial : NULL;
    case 29:
        return memcmp(name.data, "x-grpc-test-echo-trailing-bin", 29) == 0 ? &head->echo_trailing
                                                                           : NULL;
    default:
        return NULL;
    }
}

void request_head_read(struct request_head *head, const struct metadata *headers)
{
    *head = (struct request_head){.timeout_us = UINT64_MAX};
    for (uint32_t i = 0; i < headers->count; i++) {
        struct slice *slot = head_slot(head, headers->entries[i].name);
        if (slot && !slot->data)
            *slot = headers->entries[i].value;
    }
}

/* What follows "application/grpc"; data is NULL when the type is another one. */
static struct slice grpc_suffix(struct slice content_type)
{
    struct slice grpc = SLICE("application/grpc");
    if (slice_equal(content_type, grpc))
        return slice_skip(content_type, grpc.len);
    if (content_type.len < grpc.len ||
        !slice_equal_ignore_case(slice_first(content_type, grpc.len), grpc))
        return (struct slice){NULL, 0};
    struct slice rest = slice_skip(content_type, grpc.len);
    uint8_t next = rest.len ? rest.data[0] : (uint8_t)';';
    return next == '+' || next == ';' || next == ' ' || next == '\t' ? rest
                                                                     : (struct slice){NULL, 0};
}

enum request_refusal request_head_refusal(const struct request_head *head)
{
    if (!slice_equal(head->http_method, SLICE("POST")))
        return REQUEST_NOT_POST;
    return grpc_suffix(head->content_type).data ? REQUEST_IS_GRPC : REQUEST_NOT_GRPC;
}

static bool check_codings(struct request_head *head, struct status *st)
{
    struct slice suffix = grpc_suffix(head->content_type);
    struct slice format = slice_trim(slice_cut(&suffix, ';'));
    if (format.len > 0 && !slice_equal_ignore_case(format, SLICE("+proto"))) {
        status_set(st, STATUS_UNIMPLEMENTED, "messages must be protobuf, not \"%.*s\"",
                   QUOTE(format));
        return false;
    }
    head->encoding = compression_parse(head->encoding_name);
    if (head->encoding == COMPRESSION_UNKNOWN) {
        status_set(st, STATUS_UNIMPLEMENTED,
                   "unknown grpc-encoding \"%.*s\"; known are " COMPRESSION_ACCEPT,
                   QUOTE(head->encoding_name));
        return false;
    }
    head->accepts_gzip =
        head->accept_encoding.data && compression_accepts_gzip(head->accept_encoding);
    return true;
}

bool request_head_check(struct request_head *head, struct status *st)
{
    head->method = services_find(head->path, &head->service);
    if (!head->method) {
        status_set(st, STATUS_UNIMPLEMENTED, "unknown %s in \"%.*s\"",
                   head->service ? "method" : "service", QUOTE(head->path));
        return false;
    }
    if (!check_codings(head, st))
        return false;
    if (head->timeout.data && timeout_parse(head->timeout, &head->timeout_us) < 0) {
        status_set(st, STATUS_INTERNAL, "malformed grpc-timeout \"%.*s\"", QUOTE(head->timeout));
        return false;
    }
    if (head->timeout_us == 0) {
        status_set(st, STATUS_DEADLINE_EXCEEDED, "the deadline had passed before the call came");
        return false;
    }
    return true;
}
