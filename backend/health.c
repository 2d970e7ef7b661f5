/* health: grpc.health.v1.Health (gRPC health-checking.md).  The server serves until it drains; a
 * Watch then hears NOT_SERVING and ends, so that it does not keep the server from stopping.  To
 * report on another service: one line in `known`. */
#include "backend/server_call.h"
#include "grpc/health/v1/health.pb-c.h"

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

/* The empty name is the server as a whole. */
static const char *const known[] = {"", "Calculator"};

enum { KNOWN_LEN = sizeof known / sizeof *known };

static bool is_known(const char *service)
{
    for (size_t i = 0; i < KNOWN_LEN; i++)
        if (strcmp(service, known[i]) == 0)
            return true;
    return false;
}

static serving_status status_now(const struct server_call *call)
{
    return server_call_draining(call) ? NOT_SERVING : SERVING;
}

static void check(struct server_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *in = (const void *)request;
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    if (!is_known(in->service)) {
        struct status st;
        status_set(&st, STATUS_NOT_FOUND, "unknown service \"%.100s\"", in->service);
        server_call_fail(call, &st);
        return;
    }
    reply.status = status_now(call);
    server_call_answer(call, &reply.base);
}

static void list(struct server_call *call, const ProtobufCMessage *request)
{
    (void)request;
    Grpc__Health__V1__HealthListResponse reply = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    Grpc__Health__V1__HealthCheckResponse value = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Grpc__Health__V1__HealthListResponse__StatusesEntry entries[KNOWN_LEN], *pointers[KNOWN_LEN];
    value.status = status_now(call);
    for (size_t i = 0; i < KNOWN_LEN; i++) {
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        entries[i].key = (char *)known[i];
        entries[i].value = &value;
        pointers[i] = &entries[i];
    }
    reply.n_statuses = KNOWN_LEN;
    reply.statuses = pointers;
    server_call_answer(call, &reply.base);
}

struct watch {
    bool started; /* the request has come */
    bool known;
};

static void report(struct server_call *call, serving_status status)
{
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    reply.status = status;
    server_call_reply(call, &reply.base);
}

static void end_watch(struct server_call *call)
{
    struct watch *state = server_call_state(call);
    struct status st;
    if (state->known)
        report(call, NOT_SERVING);
    status_set(&st, STATUS_UNAVAILABLE, "the server is shutting down");
    server_call_fail(call, &st);
}

static void watch(struct server_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *in = (const void *)request;
    struct watch *state = server_call_state(call);
    state->started = true;
    state->known = is_known(in->service);
    if (server_call_draining(call))
        end_watch(call);
    else
        report(call, state->known ? SERVING : SERVICE_UNKNOWN);
}

static void watch_drain(struct server_call *call)
{
    struct watch *state = server_call_state(call);
    if (state->started)
        end_watch(call);
}

static const struct method methods[] = {
    {.name = "Check",
     .request = &grpc__health__v1__health_check_request__descriptor,
     .on_message = check},
    {.name = "List",
     .request = &grpc__health__v1__health_list_request__descriptor,
     .on_message = list},
    {.name = "Watch",
     .kind = METHOD_SERVER_STREAM,
     .request = &grpc__health__v1__health_check_request__descriptor,
     .state_len = sizeof(struct watch),
     .on_message = watch,
     .on_drain = watch_drain},
};

const struct service service_health = {.name = "grpc.health.v1.Health",
                                       .methods = methods,
                                       .methods_len = sizeof methods / sizeof *methods};
