/* request_head: what the headers of a request say: which method, which codings, how long it may
 * take (gRPC PROTOCOL-HTTP2.md, Request-Headers). */
#pragma once
#include "backend/services.h"
#include "grpc/compression.h"
#include "grpc/metadata.h"
#include "grpc/status.h"

enum request_refusal {
    REQUEST_IS_GRPC,
    REQUEST_NOT_POST, /* HTTP 405 */
    REQUEST_NOT_GRPC, /* HTTP 415: the content type is not application/grpc */
};

struct request_head {
    /* Values as they came, borrowed from the headers; data NULL: absent. */
    struct slice http_method, path, content_type, timeout, encoding_name, accept_encoding;
    struct slice echo_initial, echo_trailing; /* x-grpc-test-echo-*, which tests ask to hear back */
    /* Filled by request_head_check(). */
    const struct service *service; /* NULL: unknown */
    const struct method *method;   /* NULL: unknown, or not looked for */
    enum compression encoding;
    bool accepts_gzip;
    uint64_t timeout_us; /* UINT64_MAX: no deadline */
};

/* Picks out the known headers in one walk; of a repeated one the first counts. */
void request_head_read(struct request_head *head, const struct metadata *headers);
/* Whether the request is gRPC at all. */
enum request_refusal request_head_refusal(const struct request_head *head);
/* The rest of the checks; false with *st filled. */
bool request_head_check(struct request_head *head, struct status *st);
