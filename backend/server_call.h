/* server_call: one RPC on the server: request checks, messages, deadline, reply, status (gRPC
 * PROTOCOL-HTTP2.md).  Handlers (services.h) use the first half of this header, the worker that
 * owns the connections the second.  A call belongs to its pool from the request's headers until
 * its stream closes, and its memory with it. */
#pragma once
#include "backend/response.h"
#include "backend/services.h"
#include "base/log.h"
#include "base/loop.h"
#include "grpc/h2_stream.h"

struct server_call;

/* ---- for handlers ---- */

/* The method's state_len bytes; they live until the call ends. */
void *server_call_state(struct server_call *call);
/* Memory that lives until the call ends. */
struct arena *server_call_arena(struct server_call *call);
/* Sends one reply message.  False: the client is slow, step() pauses until it has caught up; other
 * handlers of a stream are not called either in the meantime. */
bool server_call_reply(struct server_call *call, const ProtobufCMessage *reply);
/* The same with a message that is encoded already. */
bool server_call_reply_encoded(struct server_call *call, struct slice message);
/* Ends the call with status OK, unless it has failed already. */
void server_call_finish(struct server_call *call);
/* The only reply and status OK. */
void server_call_answer(struct server_call *call, const ProtobufCMessage *reply);
/* Ends the call with this status, unless it has ended already. */
void server_call_fail(struct server_call *call, const struct status *status);
/* Ends the call with INVALID_ARGUMENT and a google.rpc.BadRequest that names the field. */
void server_call_fail_field(struct server_call *call, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* No step() for so many milliseconds; 0: no pause. */
void server_call_sleep(struct server_call *call, uint64_t ms);
/* No step() until the next turn of the loop: others first. */
void server_call_yield(struct server_call *call);
/* The server has begun to stop. */
bool server_call_draining(const struct server_call *call);

/* ---- for the worker ---- */

enum { SERVER_CALL_MAX_MESSAGE = 4 * 1024 * 1024 };

/* What the calls of one worker share. */
struct server_call_pool {
    struct loop *loop;     /* borrowed */
    struct log *log;       /* borrowed; may be NULL */
    struct list live;      /* calls whose stream is open */
    struct list idle;      /* finished calls kept for reuse */
    size_t idle_len;       /* length of `idle` */
    size_t live_len;       /* length of `live` */
    struct list runnable;  /* calls that yielded */
    struct loop_hook hook; /* runs the runnable calls */
    struct response_scratch scratch;
    struct buf inflated;   /* one request decompressed, until it is decoded */
    struct arena messages; /* one request of a stream, while it is being handled */
    bool draining;
};

/* Adds a hook that produces output: init before h2_conn_set_init(). */
void server_call_pool_init(struct server_call_pool *pool, struct loop *loop, struct log *log);
/* Every stream must be closed. */
void server_call_pool_fini(struct server_call_pool *pool);
/* Tells streams without an end that the server stops. */
void server_call_pool_drain(struct server_call_pool *pool);
/* Ends every call with UNAVAILABLE. */
void server_call_pool_cancel(struct server_call_pool *pool);

/* A new request, to be called from h2_session_events.on_request. */
void server_call_start(struct server_call_pool *pool, struct h2_stream *stream,
                       const struct metadata *headers, bool end);
