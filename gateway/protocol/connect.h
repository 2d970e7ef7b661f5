/* connect: what unary and streaming calls of the Connect protocol share
 * (connectrpc.com/docs/protocol): media types, the negotiation of codec and compression, messages
 * between the client's form and protobuf, the call and its metadata.  connect_unary.c and
 * connect_stream.c are the protocols.
 *
 * Upstream every call is protobuf without compression: JSON is transcoded by the schema, gzip ends
 * here, so that limits count what a message really holds. */
#pragma once
#include "gateway/call.h"
#include "gateway/protocol.h"
#include "gateway/schema/schema.h"
#include "grpc/compression.h"

enum connect_codec { CONNECT_PROTO, CONNECT_JSON, CONNECT_CODEC_UNKNOWN };

struct connect_media_type {
    bool stream; /* "application/connect+codec"; else "application/codec" */
    enum connect_codec codec;
};

/* Reads a content type, parameters ignored.  False when it is not "application/…" at all. */
bool connect_media_type_parse(struct slice text, struct connect_media_type *type);
/* "proto", "json". */
enum connect_codec connect_codec_parse(struct slice name);
/* Whether the client names a version of the protocol. */
bool connect_asked(const struct exchange_request *req);

/* One exchange. */
struct connect {
    struct exchange *ex;
    struct call *call;           /* NULL before the start and after the status */
    struct schema *schema;       /* a reference, while open; NULL: not loaded */
    const struct method *method; /* of schema; NULL: not known there */
    enum connect_codec codec;
    enum compression encoding; /* of the request */
    bool accept_gzip;
    bool head_sent;
    uint64_t replies;                            /* messages received */
    struct metadata head;                        /* fields of the response, until it is committed */
    struct status failure;                       /* scratch for what goes wrong here */
    struct buf inflated, request, reply, packed; /* scratch of the message functions */
};

/* Starts with the request's path; takes a reference on the schema. */
void connect_open(struct connect *c, struct exchange *ex, enum connect_codec codec);
/* Cancels a call that still runs: the client went away. */
void connect_close(struct connect *c);

/* Judges the version, the codec and the encodings of the request.  False with c->failure. */
bool connect_negotiate(struct connect *c, struct slice encoding, struct slice accept_encoding);
/* Starts the call with the request's metadata and deadline (connect-timeout-ms).  False with
 * c->failure. */
bool connect_call(struct connect *c, const struct call_events *events, void *arg);
/* Gives the call up, when there is one, and takes c->failure as the outcome. */
void connect_give_up(struct connect *c);
/* The call has ended with *st: clears c->call and takes the outcome.  Returns st, or c->failure
 * when the method replies once and there was not exactly one reply. */
const struct status *connect_ended(struct connect *c, const struct status *st, bool one_reply);

/* The reply has begun: takes its metadata into the head.  False with c->failure when its messages
 * are not protobuf. */
bool connect_headers(struct connect *c, const struct metadata *headers);
/* Adds a reply's fields to the head, copied, their names behind `prefix`. */
void connect_add_fields(struct connect *c, const struct metadata *from, struct slice prefix);
/* Commits the head. */
void connect_head(struct connect *c, int http_status, struct slice content_type);
/* Answers with the error in place of a message: a JSON object and the HTTP status that belongs to
 * it, or another (0: none). */
void connect_answer_error(struct connect *c, const struct status *st, int http_status);
/* The same for a request that is not of the protocol (405, 415), with what would be. */
void connect_refuse(struct connect *c, int http_status, const char *field, struct slice value);

/* connect_message.c: messages between the two sides.  What they return is borrowed from the input
 * or from c, until the next call of the same function. */

/* Bytes that a request message may have as the client sends it. */
size_t connect_max_payload(const struct connect *c);
/* The protobuf form of a request message.  False with c->failure. */
bool connect_message_to_wire(struct connect *c, struct slice payload, bool compressed,
                             struct slice *wire);
/* The client's form of a reply message.  False with c->failure. */
bool connect_message_from_wire(struct connect *c, struct slice wire, struct slice *payload);
/* Replaces the payload by its gzip form when the client accepts that and it pays; true then. */
bool connect_message_pack(struct connect *c, struct slice *payload);
