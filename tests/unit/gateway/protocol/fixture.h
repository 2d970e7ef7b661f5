/* fixture: a context with the calculator's schema, a fake exchange before the protocol and a fake
 * call behind it. */
#pragma once
#include "unit/cmocka_all.h"

#include "fakes/fake_call.h"
#include "fakes/fake_exchange.h"
#include "gateway/protocol/protocols.h"
#include "gateway/schema/routes.h"
#include "grpc/frame.h"

static struct config config;
static struct context context;
static struct fake_exchange fx;

static int fixture_setup(void **state)
{
    (void)state;
    static const char *const files[] = {CALCULATOR_DESCRIPTORS};
    struct status st;
    config_init(&config);
    context = (struct context){.config = &config, .loop = loop_new()};
    context.schema = schema_load_files(files, 1, &st);
    assert_non_null(context.schema);
    context.routes = routes_build(context.schema, NULL, 0, &st);
    assert_non_null(context.routes);
    fake_call_reset();
    return 0;
}

static int fixture_teardown(void **state)
{
    (void)state;
    fake_exchange_close(&fx);
    fake_call_reset();
    routes_unref(context.routes);
    schema_unref(context.schema);
    loop_free(context.loop);
    return 0;
}

static inline void expect_body(struct slice wanted)
{
    struct slice body = buf_slice(&fx.body);
    assert_int_equal(body.len, wanted.len);
    assert_memory_equal(body.data, wanted.data, wanted.len);
}

static inline void expect_answer(const char *name, const char *value)
{
    struct slice got = fake_exchange_answer(&fx, name);
    assert_true(slice_equal(got, slice_from_string(value)));
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
