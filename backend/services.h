/* services: the table of what the calculator serves.  A service is a const table of methods, a
 * method is its schema and its handlers.  To add a service: its .proto, one service_*.c with its
 * table, one line in services.c. */
#pragma once
#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

struct server_call;

enum method_kind {
    METHOD_UNARY,
    METHOD_SERVER_STREAM,
    METHOD_CLIENT_STREAM,
    METHOD_BIDI_STREAM,
};

/* Handlers answer through server_call.h.  They run in the loop's thread and must not block: long
 * work goes into small steps, a pause is server_call_sleep(). */
struct method {
    const char *name;
    enum method_kind kind;
    bool raw; /* replies are never compressed: they are there to be measured */
    const ProtobufCMessageDescriptor *request;
    size_t state_len; /* bytes of server_call_state(), zeroed at the start */
    /* A request message: borrowed until the handler returns when the client streams, else the only
     * one, and it lives until the call ends. */
    void (*on_message)(struct server_call *call, const ProtobufCMessage *request);
    /* The client has sent its last message.  Only for client streams, where it is required. */
    void (*on_half_close)(struct server_call *call);
    /* Does the next small piece of work: at most one reply.  Called again and again after
     * on_message until the call is finished, but not while it sleeps or the client is slow.
     * NULL: replies come from the other handlers only. */
    void (*step)(struct server_call *call);
    /* The server is about to stop; only streams without an end of their own need it. */
    void (*on_drain)(struct server_call *call);
};

struct service {
    const char *name; /* full name: "grpc.health.v1.Health" */
    const struct method *methods;
    size_t methods_len;
};

/* All services, NULL at the end. */
extern const struct service *const services[];

extern const struct service service_calculator, service_health, service_reflection_v1,
    service_reflection_v1alpha;

/* Finds the method that a :path names ("/pkg.Service/Method").  NULL when there is none; *service
 * then tells whether at least the service is known. */
const struct method *services_find(struct slice path, const struct service **service);
