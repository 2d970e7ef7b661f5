/* rest: what the parts of the REST protocol share: one exchange from its route to its reply.
 * rest.c finds the route and takes the events; rest_request.c makes the request message and the
 * call; rest_upload.c does so for client streams; rest_reply.c answers. */
#pragma once
#include "gateway/call.h"
#include "gateway/protocol.h"
#include "gateway/protocol/rest_framing.h"
#include "gateway/protocol/rest_values.h"
#include "gateway/schema/routes.h"
#include "gateway/transcode/json_pretty.h"
#include "gateway/transcode/system_params.h"
#include "gateway/transcode/transcode.h"

struct rest {
    struct exchange *ex;
    struct call *call;           /* from the first request message to the status */
    struct routes *routes;       /* a reference, while open; NULL: not loaded */
    const struct method *method; /* of the route; NULL: none was found */
    struct path_match match;
    struct system_params params;
    struct transcode_options options; /* of both directions */
    enum rest_framing framing;
    bool pretty;               /* what is sent goes through the next */
    struct json_pretty indent; /* where the text of the reply stands */
    bool raw_upload;           /* the body is the data of a google.api.HttpBody */
    bool answered;             /* the response has ended or was cut */
    bool head_sent;            /* streams: the first message has gone out */
    bool upload_ended;         /* client streams: the last message has been sent */
    int http_code;             /* x-http-code of the reply; 0: none */
    uint64_t requests;         /* messages bound */
    uint64_t replies;          /* messages received */
    struct buf body;           /* request text: in pieces, or what waits for room upstream */
    struct buf reply;          /* of the unary reply, or of one stream element */
    struct slice reply_type;   /* REST_RAW: the content type */
    struct rest_values values; /* client streams */
    struct metadata headers;   /* of the reply, kept until the head */
    struct status failure;     /* scratch for what goes wrong here */
};

/* rest_request.c */

/* Appends the next request message to wire: the first takes what path and query bind.  False with
 * r->failure. */
bool rest_request_bind(struct rest *r, struct slice body, struct buf *wire);
/* Starts the call.  False with r->failure. */
bool rest_request_start(struct rest *r);
/* Makes the call with the one message that the whole body is. */
void rest_request_send(struct rest *r, struct slice body);

/* rest_upload.c: a client stream, as it arrives. */

void rest_upload_take(struct rest *r, struct slice data);
/* The call has room again. */
void rest_upload_resume(struct rest *r);
void rest_upload_end(struct rest *r);

/* rest_reply.c */

/* Keeps what of the reply's metadata goes into the head. */
void rest_reply_headers(struct rest *r, const struct metadata *headers);
void rest_reply_message(struct rest *r, struct slice message);
void rest_reply_status(struct rest *r, const struct status *st, const struct metadata *trailers);
/* Gives the call up, when there is one, and answers with r->failure, visibly also in the middle of
 * a stream.  http_status 0: the one that belongs to the code. */
void rest_reply_fail(struct rest *r, int http_status, const struct metadata *extra);
/* Answers 204 with these fields. */
void rest_reply_empty(struct rest *r, const struct metadata *extra);
