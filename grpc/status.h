/* status: the outcome of an RPC: code, message, details.  The codes, their names and their HTTP
 * status live in one table (gRPC statuscodes.md; google/rpc/code.proto).  Filled where a failure is
 * detected, the first cause wins, and carried unchanged to the client. */
#pragma once
#include "base/slice.h"

/*              name                 number  HTTP */
#define STATUS_CODES(X)                                                                            \
    X(OK, 0, 200)                                                                                  \
    X(CANCELLED, 1, 499)                                                                           \
    X(UNKNOWN, 2, 500)                                                                             \
    X(INVALID_ARGUMENT, 3, 400)                                                                    \
    X(DEADLINE_EXCEEDED, 4, 504)                                                                   \
    X(NOT_FOUND, 5, 404)                                                                           \
    X(ALREADY_EXISTS, 6, 409)                                                                      \
    X(PERMISSION_DENIED, 7, 403)                                                                   \
    X(RESOURCE_EXHAUSTED, 8, 429)                                                                  \
    X(FAILED_PRECONDITION, 9, 400)                                                                 \
    X(ABORTED, 10, 409)                                                                            \
    X(OUT_OF_RANGE, 11, 400)                                                                       \
    X(UNIMPLEMENTED, 12, 501)                                                                      \
    X(INTERNAL, 13, 500)                                                                           \
    X(UNAVAILABLE, 14, 503)                                                                        \
    X(DATA_LOSS, 15, 500)                                                                          \
    X(UNAUTHENTICATED, 16, 401)

enum status_code {
#define X(name, number, http) STATUS_##name = number,
    STATUS_CODES(X)
#undef X
        STATUS_CODE_COUNT
};

enum { STATUS_TEXT_LEN = 256 };

struct status {
    uint32_t code; /* enum status_code; a peer's number above 16 is kept in raw_code and is UNKNOWN
                      here */
    uint32_t raw_code;          /* what the peer sent; equal to code otherwise */
    struct slice message;       /* a peer's message, decoded; borrowed.  Used when text is empty */
    struct slice details;       /* serialised google.rpc.Status (grpc-status-details-bin, decoded);
                                   borrowed, may be empty */
    char text[STATUS_TEXT_LEN]; /* our own message, NUL-terminated; empty: see message */
};

/* OK without a message. */
void status_ok(struct status *st);
/* Our own failure.  The message is printf'ed and cut at STATUS_TEXT_LEN - 1 bytes. */
void status_set(struct status *st, enum status_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The message: text, else the peer's.  Borrowed from st and from what st borrows. */
struct slice status_message(const struct status *st);

/* "INVALID_ARGUMENT"; "UNKNOWN" for a number out of the table. */
const char *status_name(uint32_t code);
/* gRPC to HTTP (google/rpc/code.proto): 200 to 504; 500 for a number out of the table. */
int status_to_http(uint32_t code);
/* HTTP to gRPC, for replies without grpc-status (gRPC http-grpc-status-mapping.md). */
enum status_code status_from_http(int http_status);
/* RST_STREAM error code to gRPC (PROTOCOL-HTTP2.md "Errors"). */
enum status_code status_from_h2_error(uint32_t error_code);
