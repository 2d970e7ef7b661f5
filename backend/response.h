/* response: the response half of one RPC on the server: head, messages with or without gzip,
 * trailers (gRPC PROTOCOL-HTTP2.md, Responses).  It knows no request, no handler and no clock:
 * server_call owns it and hears from return values what the stream can take. */
#pragma once
#include "backend/request_head.h"
#include "base/arena.h"
#include "base/buf.h"
#include "grpc/h2_stream.h"

enum response_phase { RESPONSE_NOT_STARTED, RESPONSE_STARTED, RESPONSE_ENDED };

/* Shared by the responses of one worker, each for the length of one call of a function. */
struct response_scratch {
    struct buf message; /* one encoded message behind its prefix */
    struct buf gzip;    /* one message compressed */
};

/* Zeroed by its owner, who then sets what stands before `phase`. */
struct response {
    struct h2_stream *stream; /* borrowed */
    struct arena *arena;      /* borrowed; the call's */
    struct response_scratch *scratch;
    bool gzip_allowed;                        /* the client reads it and the method may use it */
    bool streams;                             /* gzip is worth it even if the first is short */
    bool names_codings;                       /* trailers say which codings we read */
    struct slice echo_initial, echo_trailing; /* values to be sent back; data NULL: none */
    enum response_phase phase;                /* changed by response.c only */
    bool gzip;                                /* grpc-encoding: gzip was announced */
    uint32_t status;                          /* when ENDED by a status */
    uint64_t messages;                        /* sent so far */
};

void response_scratch_init(struct response_scratch *s);
void response_scratch_fini(struct response_scratch *s);

/* Room for a message of len bytes, valid until the next call on any response of the worker; NULL:
 * larger than any message may be, or memory is out. */
uint8_t *response_room(struct response *r, size_t len);
/* Sends the message of len bytes written at response_room()'s pointer, behind the head when it is
 * the first.  False: it was taken, but the stream is full. */
bool response_send(struct response *r, uint8_t *at, size_t len);
/* Trailers, or the trailers-only form when a failure comes first.  ENDED afterwards. */
void response_end(struct response *r, const struct status *status);
/* The stream is gone: ENDED without a word. */
void response_abandon(struct response *r);
/* The answer for something that is not gRPC at all.  Its body is read and dropped: a reset would
 * hide errors in the rest of the request that RFC 9113 wants answered. */
void response_refuse(struct h2_stream *stream, enum request_refusal refusal);
