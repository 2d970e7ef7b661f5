/* client: a blocking gRPC client on one connection, for command-line use: a call runs the client's
 * own loop until it is over. */
#pragma once
#include "grpc/status.h"

#include <protobuf-c/protobuf-c.h>

struct client;

struct client_call {
    const char *path; /* "/Calculator/AddNum" */
    const ProtobufCMessage *const *requests;
    size_t requests_len;
    const ProtobufCMessageDescriptor *reply;
    void (*on_reply)(void *arg, const ProtobufCMessage *reply); /* borrowed for the call */
    void *arg;
};

/* Connects at the first call.  target is HOST:PORT or unix:PATH, borrowed.  NULL when memory is
 * out. */
struct client *client_new(const char *target);
void client_free(struct client *c);
/* Makes the call and waits for its end; returns the status code and fills *st. */
uint32_t client_run(struct client *c, const struct client_call *call, struct status *st);
