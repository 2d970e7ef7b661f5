/* Reflection as a transcript: the questions asked on a fake call, the answers of many kinds of
 * server. */
#include "fakes/fake_call.h"
#include "gateway/schema/reflection_client.h"
#include "unit/cmocka_all.h"
#include "unit/gateway/schema/descriptor_writer.h"

#include <stdlib.h>

#define V1 "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define V1ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

/* ServerReflectionResponse */
#define FILES(...) write_bytes(4, ALL(__VA_ARGS__))
#define LIST(...) write_bytes(6, ALL(__VA_ARGS__))
#define LISTED(name) write_bytes(1, write_text(1, name))
#define ERROR(code, message) write_bytes(7, ALL(write_number(1, code), write_text(2, message)))

static struct {
    unsigned calls;
    struct schema *schema;
    struct status failure;
} done;

static void on_done(void *arg, struct schema *schema, const struct status *failure)
{
    assert_ptr_equal(arg, &done);
    assert_true((schema != NULL) != (failure != NULL));
    done.calls++;
    done.schema = schema;
    if (failure)
        done.failure = *failure;
}

static int set_up(void **state)
{
    (void)state;
    memset(&done, 0, sizeof done);
    fake_call_reset();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(fake_call_live(), 0);
    schema_unref(done.schema);
    fake_call_reset();
    writer_reset();
    return 0;
}

static struct reflection_client *start(void)
{
    struct reflection_client *r = reflection_client_start(NULL, NULL, 1000, on_done, &done);
    assert_non_null(r);
    assert_int_equal(done.calls, 0);
    return r;
}

static struct fake_call *call(size_t i, const char *path)
{
    struct fake_call *c = fake_call_at(i);
    assert_true(slice_equal(c->path, slice_from_string(path)));
    assert_int_equal(c->deadline_ms, 1000 + REFLECTION_TIMEOUT_MS);
    return c;
}

/* The i-th question was `number` with that text, byte for byte. */
static void assert_asked(const struct fake_call *c, size_t i, uint32_t number, const char *text)
{
    assert_true(fake_call_sent_count(c) > i);
    uint8_t flags;
    struct slice question = fake_call_sent_message(c, i, &flags);
    assert_int_equal(flags, 0);
    assert_true(slice_equal(question, write_text(number, text)));
}

static void end_ok(struct fake_call *c)
{
    assert_true(c->half_closed);
    fake_call_status(c, STATUS_OK, "", NULL);
    assert_int_equal(done.calls, 1);
}

static void assert_failed(enum status_code code, const char *text)
{
    assert_int_equal(done.calls, 1);
    assert_null(done.schema);
    assert_int_equal(done.failure.code, code);
    if (!strstr(done.failure.text, text))
        fail_msg("\"%s\" does not say: %s", done.failure.text, text);
}

static struct slice types_file(void)
{
    return write_bytes(1, BARE_FILE("types.proto", "acme", "proto3", MESSAGE("T", NOTHING)));
}

/* A service file that needs types.proto. */
static struct slice service_file(const char *file, const char *service)
{
    return write_bytes(1, BARE_FILE(file, "acme", "proto3", IMPORT("types.proto"),
                                    SERVICE(service, METHOD("Get", ".acme.T", ".acme.T"))));
}

static void test_one_stream(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    assert_asked(c, 0, 7, "*");
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.B")));
    assert_int_equal(fake_call_sent_count(c), 3); /* both at once */
    assert_asked(c, 1, 4, "acme.A");
    assert_asked(c, 2, 4, "acme.B");
    fake_call_message(c, FILES(service_file("a.proto", "A")));
    assert_int_equal(fake_call_sent_count(c), 3); /* imports wait for the services */
    fake_call_message(c, FILES(service_file("b.proto", "B")));
    assert_int_equal(fake_call_sent_count(c), 4);
    assert_asked(c, 3, 3, "types.proto");
    assert_false(c->half_closed);
    fake_call_message(c, FILES(types_file()));
    assert_int_equal(done.calls, 0);
    end_ok(c);
    assert_non_null(schema_method(done.schema, SLICE("/acme.A/Get")));
    assert_non_null(schema_method(done.schema, SLICE("/acme.B/Get")));
    assert_string_equal(schema_source(done.schema), "reflection (v1)");
}

/* Imports of imports, and the well-known ones that need no question. */
static void test_imports(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A")));
    fake_call_message(c, FILES(service_file("a.proto", "A")));
    assert_asked(c, 2, 3, "types.proto");
    fake_call_message(
        c, FILES(write_bytes(1, BARE_FILE("types.proto", "acme", "proto3", IMPORT("deep.proto"),
                                          IMPORT("google/protobuf/any.proto"),
                                          MESSAGE("T", FIELD("d", 1, OF_MESSAGE(".acme.D")))))));
    assert_int_equal(fake_call_sent_count(c), 4);
    assert_asked(c, 3, 3, "deep.proto");
    fake_call_message(
        c, FILES(write_bytes(1, BARE_FILE("deep.proto", "acme", "proto3", MESSAGE("D", NOTHING)))));
    end_ok(c);
    assert_non_null(schema_message(done.schema, SLICE("acme.D")));
}

/* Servers that send the imports along need no second question; duplicates do no harm. */
static void test_files_sent_along(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.B")));
    fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
    fake_call_message(c, FILES(service_file("b.proto", "B"), types_file()));
    assert_int_equal(fake_call_sent_count(c), 3);
    end_ok(c);
    assert_int_equal(schema_service_count(done.schema), 2);
}

static void test_v1alpha(void **state)
{
    (void)state;
    static const enum status_code codes[] = {STATUS_UNIMPLEMENTED, STATUS_UNAVAILABLE};
    for (size_t i = 0; i < 2; i++) {
        set_up(state);
        start();
        fake_call_status(call(0, V1), codes[i], "unknown service", NULL);
        assert_int_equal(done.calls, 0);
        struct fake_call *c = call(1, V1ALPHA);
        assert_asked(c, 0, 7, "*");
        fake_call_headers(c, NULL);
        fake_call_message(c, LIST(LISTED("acme.A")));
        fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
        end_ok(c);
        assert_string_equal(schema_source(done.schema), "reflection (v1alpha)");
        schema_unref(done.schema);
        done.schema = NULL;
    }
}

static void test_no_reflection(void **state)
{
    (void)state;
    start();
    fake_call_status(call(0, V1), STATUS_UNIMPLEMENTED, "", NULL);
    fake_call_status(call(1, V1ALPHA), STATUS_UNIMPLEMENTED, "", NULL);
    assert_failed(STATUS_UNIMPLEMENTED,
                  "reflection is not enabled on the server: pass --descriptors FILE, made by "
                  "protoc --include_imports --descriptor_set_out");
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        enum status_code code;
        const char *text;
        bool alpha;
    } rows[] = {
        {STATUS_UNAVAILABLE, "the server cannot be reached: it is down", true},
        {STATUS_DEADLINE_EXCEEDED, "did not finish reflection within 10 s; pass --descriptors",
         false},
        {STATUS_UNAUTHENTICATED, "reflection failed (UNAUTHENTICATED: it is down); pass", false},
        {STATUS_OK, "reflection failed (OK: it is down); pass", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_up(state);
        start();
        fake_call_status(call(0, V1), rows[i].code, "it is down", NULL);
        if (rows[i].alpha)
            fake_call_status(call(1, V1ALPHA), rows[i].code, "it is down", NULL);
        assert_failed(rows[i].code, rows[i].text);
        assert_int_equal(fake_call_count(), rows[i].alpha ? 2 : 1);
    }
}

static void test_failed_starts(void **state)
{
    (void)state;
    fake_call_fail_start();
    assert_null(reflection_client_start(NULL, NULL, 0, on_done, &done));
    start();
    fake_call_fail_start();
    fake_call_status(call(0, V1), STATUS_UNIMPLEMENTED, "", NULL);
    assert_failed(STATUS_RESOURCE_EXHAUSTED, "memory is out");
}

static void test_list_refused(void **state)
{
    (void)state;
    start();
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), ERROR(STATUS_PERMISSION_DENIED, "go away"));
    assert_failed(STATUS_PERMISSION_DENIED, "cannot be listed (PERMISSION_DENIED: go away); pass");
    assert_true(fake_call_last()->cancelled);
}

static void test_empty_list(void **state)
{
    (void)state;
    start();
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), LIST(LISTED("not a name"), LISTED("")));
    assert_failed(STATUS_NOT_FOUND, "the server lists no services; pass");
}

static void test_a_service_is_skipped(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.Gone"), LISTED("acme.Bad"), LISTED("acme.A")));
    fake_call_message(c, ERROR(STATUS_NOT_FOUND, "no such symbol"));
    fake_call_message(c, FILES(write_bytes(1, SLICE("\x07"))));
    fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
    end_ok(c);
    assert_int_equal(schema_service_count(done.schema), 1);
}

static void test_no_service_is_left(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.B")));
    fake_call_message(c, ERROR(STATUS_NOT_FOUND, "no such symbol"));
    fake_call_message(c, LIST(NOTHING)); /* an answer to another question */
    end_ok(c);
    assert_failed(STATUS_NOT_FOUND, "describes none of its 2 services; pass --descriptors");
}

/* The file of A never comes whole: B stays. */
static void test_a_missing_import_takes_one_service(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.B")));
    fake_call_message(c, FILES(service_file("a.proto", "A")));
    fake_call_message(
        c, FILES(write_bytes(1, BARE_FILE("b.proto", "acme", "proto3", MESSAGE("M", NOTHING),
                                          SERVICE("B", METHOD("Get", ".acme.M", ".acme.M"))))));
    fake_call_message(c, ERROR(STATUS_NOT_FOUND, "no such file"));
    end_ok(c);
    assert_non_null(schema_method(done.schema, SLICE("/acme.B/Get")));
    assert_null(schema_method(done.schema, SLICE("/acme.A/Get")));
}

static void test_a_missing_import_takes_all(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A")));
    fake_call_message(c, FILES(service_file("a.proto", "A")));
    fake_call_message(c, ERROR(STATUS_NOT_FOUND, "no such file"));
    end_ok(c);
    assert_failed(STATUS_FAILED_PRECONDITION, "a.proto: acme.A.Get: unknown type \"acme.T\"");
}

/* Some servers end the stream at a question they cannot answer. */
static void test_stream_ends_early(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.Gone"), LISTED("acme.B")));
    fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
    fake_call_status(c, STATUS_NOT_FOUND, "no such symbol", NULL);
    assert_int_equal(done.calls, 0);
    c = call(1, V1);
    assert_int_equal(fake_call_sent_count(c), 1);
    assert_asked(c, 0, 4, "acme.B");
    fake_call_headers(c, NULL);
    fake_call_message(c, FILES(service_file("b.proto", "B"), types_file()));
    end_ok(c);
    assert_int_equal(schema_service_count(done.schema), 2);
}

static void test_server_goes_away(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A")));
    fake_call_status(c, STATUS_UNAVAILABLE, "connection reset", NULL);
    assert_int_equal(fake_call_count(), 1);
    assert_failed(STATUS_UNAVAILABLE, "cannot be reached: connection reset");
}

/* The fake aborts when something is sent after a false answer and before on_writable. */
static void test_flow_control(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_set_full(c, true);
    fake_call_message(c, LIST(LISTED("acme.A"), LISTED("acme.B"), LISTED("acme.C")));
    assert_int_equal(fake_call_sent_count(c), 2);
    fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
    assert_int_equal(fake_call_sent_count(c), 2);
    fake_call_set_full(c, false);
    assert_int_equal(fake_call_sent_count(c), 4);
    fake_call_message(c, FILES(service_file("b.proto", "B")));
    fake_call_message(c, FILES(service_file("c.proto", "C")));
    end_ok(c);
    assert_int_equal(schema_service_count(done.schema), 3);
}

static void test_long_name(void **state)
{
    (void)state;
    char name[1024] = "acme.";
    memset(name + 5, 'S', 300);
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED(name)));
    assert_asked(c, 1, 4, name);
    fake_call_message(c, FILES(service_file("a.proto", name + 5), types_file()));
    end_ok(c);
    assert_int_equal(schema_service_count(done.schema), 1);
}

static void test_malformed_answers(void **state)
{
    (void)state;
    static const char *const answers[] = {"",         "\x07",     "\x32",
                                          "\x32\x05", "\x3a\x7f", "\x22\x02\x0a\x09"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        set_up(state);
        start();
        fake_call_headers(fake_call_last(), NULL);
        fake_call_message(fake_call_last(), slice_from_string(answers[i]));
        assert_failed(STATUS_INTERNAL, "does not fit the question");
    }
}

static void test_cancel(void **state)
{
    (void)state;
    struct reflection_client *r = start();
    fake_call_headers(fake_call_last(), NULL);
    fake_call_message(fake_call_last(), LIST(LISTED("acme.A")));
    reflection_client_cancel(r);
    assert_true(fake_call_last()->cancelled);
    assert_int_equal(done.calls, 0);
}

/* Everything was answered, only the server does not end its stream. */
static void test_server_never_ends(void **state)
{
    (void)state;
    start();
    struct fake_call *c = call(0, V1);
    fake_call_headers(c, NULL);
    fake_call_message(c, LIST(LISTED("acme.A")));
    fake_call_message(c, FILES(service_file("a.proto", "A"), types_file()));
    fake_call_message(c, FILES(types_file())); /* and says more than it was asked */
    fake_call_status(c, STATUS_DEADLINE_EXCEEDED, "", NULL);
    assert_int_equal(done.calls, 1);
    assert_non_null(done.schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_imports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_sent_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v1alpha, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_reflection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_service_is_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_service_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_import_takes_one_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_import_takes_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_ends_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server_goes_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flow_control, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server_never_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
