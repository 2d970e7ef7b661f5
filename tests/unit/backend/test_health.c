#include "unit/backend/rig.h"

#include "grpc/health/v1/health.pb-c.h"

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

static void expect_status(struct rig_call *call, int status)
{
    Grpc__Health__V1__HealthCheckResponse *reply =
        rig_reply(call, &grpc__health__v1__health_check_response__descriptor);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
    rig_free_reply(reply);
}

static void check(struct rig *rig, char *service, enum status_code code, int status)
{
    struct rig_call call;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = service;
    rig_call(rig, &call, "/grpc.health.v1.Health/Check", &request.base);
    if (code == STATUS_OK)
        expect_status(&call, status);
    rig_end(&call, code);
}

static void check_by_service(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    check(&rig, "", STATUS_OK, STATUS(SERVING));
    check(&rig, "Calculator", STATUS_OK, STATUS(SERVING));
    check(&rig, "calculator", STATUS_NOT_FOUND, 0);
    server_call_pool_drain(&rig.pool);
    check(&rig, "Calculator", STATUS_OK, STATUS(NOT_SERVING));
    rig_close(&rig);
}

static void list_services(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Grpc__Health__V1__HealthListRequest request = GRPC__HEALTH__V1__HEALTH_LIST_REQUEST__INIT;
    rig_open(&rig);
    rig_call(&rig, &call, "/grpc.health.v1.Health/List", &request.base);
    Grpc__Health__V1__HealthListResponse *reply =
        rig_reply(&call, &grpc__health__v1__health_list_response__descriptor);
    assert_non_null(reply);
    assert_int_equal(reply->n_statuses, 2);
    assert_string_equal(reply->statuses[0]->key, "");
    assert_string_equal(reply->statuses[1]->key, "Calculator");
    assert_int_equal(reply->statuses[1]->value->status, STATUS(SERVING));
    rig_free_reply(reply);
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void start_watch(struct rig *rig, struct rig_call *call, char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = service;
    rig_call(rig, call, "/grpc.health.v1.Health/Watch", &request.base);
    assert_false(call->closed);
}

static void watch_until_the_drain(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call known, unknown;
    rig_open(&rig);
    start_watch(&rig, &known, "Calculator");
    start_watch(&rig, &unknown, "nobody");
    expect_status(&known, STATUS(SERVING));
    expect_status(&unknown, STATUS(SERVICE_UNKNOWN));
    rig_advance(&rig, 3600000);
    assert_false(known.closed);
    server_call_pool_drain(&rig.pool);
    rig_turn(&rig);
    expect_status(&known, STATUS(NOT_SERVING));
    rig_end(&known, STATUS_UNAVAILABLE);
    rig_end(&unknown, STATUS_UNAVAILABLE);
    rig_close(&rig);
}

static void forget_a_cancelled_watch(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    for (int i = 0; i < 50; i++) {
        start_watch(&rig, &call, "");
        assert_int_equal(rig.pool.live_len, 1);
        h2_stream_reset(call.stream, H2_CANCEL);
        rig_turn(&rig);
        assert_int_equal(rig.pool.live_len, 0);
        buf_fini(&call.body);
    }
    server_call_pool_drain(&rig.pool);
    rig_turn(&rig);
    rig_close(&rig);
}

static void end_a_watch_that_starts_late(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    rig_open(&rig);
    rig_start(&rig, &call, "/grpc.health.v1.Health/Watch", NULL);
    rig_turn(&rig);
    server_call_pool_drain(&rig.pool);
    rig_turn(&rig);
    assert_false(call.closed);
    rig_send(&call, &request.base);
    rig_half_close(&call);
    rig_turn(&rig);
    expect_status(&call, STATUS(NOT_SERVING));
    rig_end(&call, STATUS_UNAVAILABLE);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_by_service),
        cmocka_unit_test(list_services),
        cmocka_unit_test(watch_until_the_drain),
        cmocka_unit_test(forget_a_cancelled_watch),
        cmocka_unit_test(end_a_watch_that_starts_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
