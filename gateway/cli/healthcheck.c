/* healthcheck: `drawbridge healthcheck`: grpc.health.v1 of a gRPC server, or /readyz of a gateway,
 * as an exit status: 0 healthy, 1 not.  For containers, which have no curl. */
#include "gateway/cli/cli.h"
#include "gateway/cli/client.h"
#include "gateway/cli/http_get.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/proto_unpack.h"

#include <errno.h>
#include <stdlib.h>

enum { DEFAULT_TIMEOUT_MS = 3000, MAX_SERVICE_LEN = 512 };

struct healthcheck_flags {
    struct client_flags client;
    const char *service; /* NULL: the server as a whole */
    const char *http;
    uint64_t timeout_ms;
};

static const char *serving_name(int32_t value)
{
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(
        &grpc__health__v1__health_check_response__serving_status__descriptor, value);
    return row ? row->name : "a status that is not known here";
}

static int print_serving(struct slice reply)
{
    struct status st;
    Grpc__Health__V1__HealthCheckResponse *response =
        (Grpc__Health__V1__HealthCheckResponse *)proto_unpack(
            &grpc__health__v1__health_check_response__descriptor, reply, &st);
    if (!response) {
        fprintf(stderr, "drawbridge healthcheck: %.*s\n", SLICE_PRINT(status_message(&st)));
        return COMMAND_FAILED;
    }
    bool serving =
        response->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    puts(serving_name((int32_t)response->status));
    protobuf_c_message_free_unpacked(&response->base, NULL);
    return serving ? 0 : COMMAND_FAILED;
}

static int check_grpc(struct client *client, const struct healthcheck_flags *flags)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    uint8_t bytes[MAX_SERVICE_LEN + 16];
    struct status st;
    struct buf reply;
    if (flags->service)
        request.service = (char *)(uintptr_t)flags->service;
    size_t len = grpc__health__v1__health_check_request__pack(&request, bytes);
    buf_init(&reply, 1 << 16);
    client_unary(client, SLICE("/grpc.health.v1.Health/Check"), slice_from(bytes, len),
                 flags->timeout_ms, &reply, &st);
    int status = COMMAND_FAILED;
    if (st.code == STATUS_OK)
        status = print_serving(buf_slice(&reply));
    else if (st.code == STATUS_UNIMPLEMENTED)
        fprintf(stderr, "drawbridge healthcheck: the server has no grpc.health.v1 service\n");
    else
        fprintf(stderr, "drawbridge healthcheck: %s: %.*s\n", status_name(st.code),
                SLICE_PRINT(status_message(&st)));
    buf_fini(&reply);
    return status;
}

static int check_http(const struct command *command, const struct healthcheck_flags *flags)
{
    struct buf body;
    char error[OPTION_ERROR_LEN];
    buf_init(&body, 1 << 16);
    int http_status = http_get(flags->http, flags->timeout_ms, &body, error);
    int status = http_status == 200 ? 0 : COMMAND_FAILED;
    if (http_status == -EINVAL)
        status = command_wrong_usage(command, "%s", error);
    else if (http_status < 0)
        fprintf(stderr, "drawbridge healthcheck: %s: %s\n", flags->http, error);
    else
        fprintf(status ? stderr : stdout, "%.*s", SLICE_PRINT(buf_slice(&body)));
    buf_fini(&body);
    return status;
}

static int run_healthcheck(const struct command *command, int argc, char **argv)
{
    struct healthcheck_flags flags = {.timeout_ms = DEFAULT_TIMEOUT_MS};
    struct option_list operands = {0};
    struct client client;
    char error[OPTION_ERROR_LEN];
    int wrong = command_parse(command, &flags, argc, argv, &operands);
    if (wrong)
        return wrong;
    if (operands.count + (flags.http ? 1 : 0) != 1)
        return command_wrong_usage(command, "needs one target: HOST:PORT or an http:// URL");
    if (!flags.http && strncmp(operands.items[0], "http://", 7) == 0)
        flags.http = operands.items[0];
    if (flags.http)
        return check_http(command, &flags);
    if (flags.service && strlen(flags.service) > MAX_SERVICE_LEN)
        return command_wrong_usage(command, "--service is too long");
    int result = client_open(&client, operands.items[0], &flags.client, error);
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0) {
        fprintf(stderr, "drawbridge healthcheck: %s\n", error);
        return COMMAND_FAILED;
    }
    int status = check_grpc(&client, &flags);
    client_close(&client);
    return status;
}

static const struct option options[] = {
    {"service", "NAME", "One service's health (default: the server as a whole).", NULL, 0, 0,
     offsetof(struct healthcheck_flags, service), OPTION_TEXT, 0},
    {"http", "URL", "Ask an HTTP address such as http://127.0.0.1:9901/readyz for status 200.",
     NULL, 0, 0, offsetof(struct healthcheck_flags, http), OPTION_TEXT, 0},
    {"timeout", "D", "Unhealthy when there is no answer by then (default 3s).", NULL, 1, 0,
     offsetof(struct healthcheck_flags, timeout_ms), OPTION_DURATION, 't'},
    {"authority", "NAME", "What the server sees as :authority (default: the target).", NULL, 0, 0,
     offsetof(struct healthcheck_flags, client.authority), OPTION_TEXT, 0,
     .judge = target_judge_authority},
    {"tls", NULL, "Not built yet.", NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {.name = NULL},
};

const struct command command_healthcheck = {
    .name = "healthcheck",
    .summary = "tell by exit status whether a server is healthy",
    .operands = "HOST:PORT | http://HOST:PORT/PATH",
    .details = "Exit status: 0 healthy, 1 not healthy or not reachable, 2 wrong usage.",
    .examples = "  drawbridge healthcheck localhost:50051\n"
                "  drawbridge healthcheck http://127.0.0.1:9901/readyz",
    .options = options,
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_healthcheck,
};
