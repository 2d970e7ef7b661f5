/* Two upstreams that are asked by reflection, as transcripts of fake calls: what is published when,
 * and what a failure of one leaves of the other. */
#include "fakes/fake_call.h"
#include "gateway/schema/routes.h"
#include "gateway/schema_source.h"
#include "unit/cmocka_all.h"
#include "unit/gateway/schema/descriptor_writer.h"

#include <fcntl.h>
#include <unistd.h>

/* ServerReflectionResponse */
#define FILES(...) write_bytes(4, ALL(__VA_ARGS__))
#define LIST(name) write_bytes(6, write_bytes(1, write_text(1, name)))

static struct {
    struct config config;
    struct context ctx;
    struct schema_source *source;
    struct routes *routes;
    unsigned published;
    int log_fd;
    char up[2];
} rig;

static void on_routes(void *arg, struct routes *routes)
{
    (void)arg;
    rig.published++;
    routes_unref(rig.routes);
    rig.routes = routes;
}

static int set_up(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof rig);
    fake_call_reset();
    config_init(&rig.config);
    rig.config.upstreams_count = 2;
    rig.config.upstreams[0].target.text = "a";
    rig.config.upstreams[1].target.text = "b";
    rig.log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    rig.ctx = (struct context){
        .config = &rig.config,
        .loop = loop_new(),
        .log = log_new(rig.log_fd, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG),
        .upstreams = {(struct upstream *)&rig.up[0], (struct upstream *)&rig.up[1]},
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    schema_source_free(rig.source);
    routes_unref(rig.routes);
    log_free(rig.ctx.log);
    loop_free(rig.ctx.loop);
    close(rig.log_fd);
    assert_int_equal(fake_call_live(), 0);
    fake_call_reset();
    writer_reset();
    return 0;
}

static void start(void)
{
    rig.source = schema_source_new(&rig.ctx, on_routes, NULL);
    assert_true(schema_source_start(rig.source));
    assert_int_equal(fake_call_live(), 2);
    assert_false(schema_source_complete(rig.source));
}

/* The running call to the upstream of that place. */
static struct fake_call *asked(size_t place)
{
    for (size_t i = fake_call_count(); i-- > 0;) {
        struct fake_call *c = fake_call_at(i);
        if (!c->ended && !c->cancelled && c->upstream == rig.ctx.upstreams[place])
            return c;
    }
    fail_msg("upstream %zu is not being asked", place);
    return NULL;
}

/* Describes service p.NAME with a rule for `path`. */
static void describe(struct fake_call *c, const char *name, const char *path)
{
    char service[32], file[32];
    snprintf(service, sizeof service, "p.%s", name);
    snprintf(file, sizeof file, "%s.proto", name);
    struct slice http = write_bytes(4, write_bytes(72295728, write_text(2, path)));
    struct slice method = write_bytes(
        2, ALL(write_text(1, "Say"), write_text(2, ".p.M"), write_text(3, ".p.M"), http));
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(service));
    fake_call_message(c, FILES(write_bytes(1, BARE_FILE(file, "p", "proto3", MESSAGE("M", NOTHING),
                                                        SERVICE(name, method)))));
    fake_call_status(c, STATUS_OK, "", NULL);
}

/* Both attempts, v1 and v1alpha. */
static void refuse(size_t place, enum status_code code)
{
    fake_call_status(asked(place), code, "no", NULL);
    fake_call_status(asked(place), code, "no", NULL);
}

static const struct method *served(const char *path)
{
    return rig.routes ? schema_method(routes_schema(rig.routes), slice_from_string(path)) : NULL;
}

static void turn(unsigned ms)
{
    for (uint64_t end = loop_now_ms(rig.ctx.loop) + ms; loop_now_ms(rig.ctx.loop) < end;)
        loop_turn(rig.ctx.loop, (int)ms);
}

static void answers_that_come_together_are_published_together(void **state)
{
    (void)state;
    start();
    describe(asked(1), "B", "/b");
    assert_int_equal(rig.published, 0);
    describe(asked(0), "A", "/a");
    assert_int_equal(rig.published, 1);
    assert_int_equal(served("/p.A/Say")->upstream, 0);
    assert_int_equal(served("/p.B/Say")->upstream, 1);
    assert_false(schema_partial(routes_schema(rig.routes)));
    assert_true(schema_source_complete(rig.source));
    assert_string_equal(schema_source_failure(rig.source), "");
}

static void a_silent_one_does_not_hide_the_other(void **state)
{
    (void)state;
    start();
    describe(asked(1), "B", "/b");
    turn(300);
    assert_int_equal(rig.published, 1);
    assert_int_equal(served("/p.B/Say")->upstream, 1);
    assert_true(schema_partial(routes_schema(rig.routes)));
    assert_false(schema_source_complete(rig.source));
    assert_string_equal(schema_source_failure(rig.source),
                        "a: server reflection has not answered yet");
    describe(asked(0), "A", "/a");
    assert_int_equal(rig.published, 2);
    assert_non_null(served("/p.A/Say"));
    assert_non_null(served("/p.B/Say"));
}

static void one_that_is_down_is_waited_for_one_without_reflection_is_not(void **state)
{
    (void)state;
    start();
    describe(asked(1), "B", "/b");
    refuse(0, STATUS_UNAVAILABLE);
    assert_int_equal(rig.published, 1); /* nobody is being asked any more */
    assert_false(schema_source_complete(rig.source));
    assert_non_null(strstr(schema_source_failure(rig.source), "a: the server cannot be reached"));
    schema_source_refresh(rig.source);
    refuse(0, STATUS_UNIMPLEMENTED);
    assert_true(schema_source_complete(rig.source));
    assert_non_null(served("/p.B/Say"));
    describe(asked(1), "B", "/b");
}

static void a_failed_refresh_keeps_what_was_known(void **state)
{
    (void)state;
    start();
    describe(asked(0), "A", "/a");
    describe(asked(1), "B", "/b");
    schema_source_refresh(rig.source);
    describe(asked(1), "C", "/c");
    refuse(0, STATUS_UNAVAILABLE);
    assert_int_equal(rig.published, 2);
    assert_non_null(served("/p.A/Say"));
    assert_null(served("/p.B/Say"));
    assert_int_equal(served("/p.C/Say")->upstream, 1);
    assert_true(schema_source_complete(rig.source));
}

static void a_bad_rule_is_the_fault_of_one(void **state)
{
    (void)state;
    start();
    describe(asked(0), "A", "/a/{no_such_field}");
    describe(asked(1), "B", "/b");
    assert_int_equal(rig.published, 1);
    assert_null(served("/p.A/Say"));
    assert_non_null(served("/p.B/Say"));
    assert_non_null(strstr(schema_source_failure(rig.source), "a: "));
    assert_non_null(strstr(schema_source_failure(rig.source), "no_such_field"));
}

/* Descriptors of Calculator, and of services that nobody lists. */
static void use_files(void)
{
    static const char *const calculator[] = {"Calculator"};
    rig.config.descriptors[0] = CALCULATOR_DESCRIPTORS;
    rig.config.descriptors_count = 1;
    rig.config.upstreams[1].services = calculator;
    rig.config.upstreams[1].services_count = 1;
}

static void with_lists_for_the_files_nobody_is_asked(void **state)
{
    (void)state;
    static const char *const reflection[] = {"grpc.reflection.v1.ServerReflection"};
    use_files();
    rig.config.upstreams[0].services = reflection;
    rig.config.upstreams[0].services_count = 1;
    rig.source = schema_source_new(&rig.ctx, on_routes, NULL);
    assert_true(schema_source_start(rig.source));
    assert_int_equal(fake_call_live(), 0);
    assert_true(schema_source_complete(rig.source));
    assert_int_equal(served("/Calculator/SquareRoot")->upstream, 1);
    assert_int_equal(served("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")->upstream,
                     0);
    assert_null(served("/grpc.health.v1.Health/Check"));
    assert_false(schema_partial(routes_schema(rig.routes)));
}

static void a_list_for_the_files_names_what_they_have(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Calculater"};
    use_files();
    rig.config.upstreams[1].services = wrong;
    rig.source = schema_source_new(&rig.ctx, on_routes, NULL);
    assert_false(schema_source_start(rig.source));
    assert_string_equal(schema_source_failure(rig.source),
                        "upstream b: services: the descriptors have no service \"Calculater\", did "
                        "you mean \"Calculator\"?");
}

/* Files, one list, and one that reflection must tell of: until then rules may name what it has. */
static void files_are_partial_until_who_has_no_list_is_heard(void **state)
{
    (void)state;
    static const char *const calculator[] = {"Calculator"};
    use_files();
    rig.config.upstreams[0].services = calculator;
    rig.config.upstreams[0].services_count = 1;
    rig.config.upstreams[1].services_count = 0;
    rig.source = schema_source_new(&rig.ctx, on_routes, NULL);
    assert_true(schema_source_start(rig.source));
    assert_int_equal(served("/Calculator/SquareRoot")->upstream, 0);
    assert_true(schema_partial(routes_schema(rig.routes)));
    describe(asked(1), "B", "/b");
    assert_int_equal(rig.published, 2);
    assert_false(schema_partial(routes_schema(rig.routes)));
    assert_true(schema_source_complete(rig.source));
}

/* A list is also a filter of what reflection tells: a bad rule outside of it is nobody's. */
static void a_list_leaves_out_what_reflection_tells_beside_it(void **state)
{
    (void)state;
    static const char *const other[] = {"p.Other"};
    rig.config.upstreams[0].services = other;
    rig.config.upstreams[0].services_count = 1;
    start();
    describe(asked(0), "A", "/a/{no_such_field}");
    describe(asked(1), "B", "/b");
    assert_null(served("/p.A/Say"));
    assert_int_equal(served("/p.B/Say")->upstream, 1);
    assert_string_equal(schema_source_failure(rig.source), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        SCENARIO(answers_that_come_together_are_published_together),
        SCENARIO(a_silent_one_does_not_hide_the_other),
        SCENARIO(one_that_is_down_is_waited_for_one_without_reflection_is_not),
        SCENARIO(a_failed_refresh_keeps_what_was_known),
        SCENARIO(a_bad_rule_is_the_fault_of_one),
        SCENARIO(with_lists_for_the_files_nobody_is_asked),
        SCENARIO(a_list_for_the_files_names_what_they_have),
        SCENARIO(files_are_partial_until_who_has_no_list_is_heard),
        SCENARIO(a_list_leaves_out_what_reflection_tells_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
