#include "gateway/metrics.h"
#include "unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct metrics one, two;
static struct metrics *const both[] = {&one, &two};

static int reset(void **state)
{
    (void)state;
    one = (struct metrics){0};
    two = (struct metrics){0};
    return 0;
}

static void assert_line(const struct buf *text, const char *line)
{
    char *copy = strndup((const char *)text->data + text->start, buf_len(text));
    assert_non_null(copy);
    if (!strstr(copy, line))
        fail_msg("\"%s\" is missing in:\n%s", line, copy);
    free(copy);
}

static void test_sums_workers(void **state)
{
    (void)state;
    metrics_add(&one, METRIC_CALLS_OPEN, 5);
    metrics_sub(&one, METRIC_CALLS_OPEN, 2);
    metrics_add(&two, METRIC_CALLS_OPEN, 4);
    metrics_add(NULL, METRIC_CALLS_OPEN, 4);
    assert_int_equal(metrics_sum(both, 2, METRIC_CALLS_OPEN), 7);
    assert_int_equal(metrics_sum(both, 1, METRIC_CALLS_OPEN), 3);
    assert_int_equal(metrics_sum(both, 2, METRIC_CALLS_QUEUED), 0);
}

static void test_writes_every_value(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    metrics_add(&one, METRIC_CONNECTIONS_OPEN, 3);
    assert_int_equal(metrics_write(both, 2, &out), 0);
    assert_line(&out, "# HELP drawbridge_connections_open Connections open now.\n"
                      "# TYPE drawbridge_connections_open gauge\n"
                      "drawbridge_connections_open 3\n");
#define X(symbol, name, type, help) assert_line(&out, "# TYPE " name " " type "\n" name " ");
    METRICS(X)
#undef X
    buf_fini(&out);
}

/* The workers meet the protocols in different order. */
static void test_calls(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    metrics_call(&one, "rest", STATUS_OK, 400, 300);
    metrics_call(&one, "grpc-web", STATUS_OK, 500, 0);
    metrics_call(&two, "grpc-web", STATUS_NOT_FOUND, 501, 1);
    metrics_call(&two, "rest", STATUS_OK, 20000000, 1000000);
    metrics_call(&two, "rest", 99, 700, 0);
    metrics_call(NULL, "rest", STATUS_OK, 1, 1);
    assert_int_equal(metrics_write(both, 2, &out), 0);
    assert_line(&out, "\ngrpc_server_handled_total{protocol=\"rest\",grpc_code=\"OK\"} 2\n");
    assert_line(&out, "\ngrpc_server_handled_total{protocol=\"rest\",grpc_code=\"UNKNOWN\"} 1\n");
    assert_line(&out,
                "\ngrpc_server_handled_total{protocol=\"grpc-web\",grpc_code=\"NOT_FOUND\"} 1\n");
    assert_line(&out, "_bucket{protocol=\"grpc-web\",le=\"0.0005\"} 1\n");
    assert_line(&out, "_bucket{protocol=\"grpc-web\",le=\"0.001\"} 2\n");
    assert_line(&out, "_bucket{protocol=\"rest\",le=\"10\"} 2\n");
    assert_line(&out, "_bucket{protocol=\"rest\",le=\"+Inf\"} 3\n");
    assert_line(&out, "grpc_server_handling_seconds_sum{protocol=\"rest\"} 20.001100\n");
    assert_line(&out, "grpc_server_handling_seconds_count{protocol=\"rest\"} 3\n");
    assert_line(&out, "drawbridge_upstream_seconds_total{protocol=\"rest\"} 1.000300\n");
    buf_fini(&out);
}

static void test_surplus_protocols_are_left_out(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        metrics_call(&one, names[i], STATUS_OK, 1, 1);
    assert_int_equal(metrics_write(both, 1, &out), 0);
    assert_line(&out, "{protocol=\"h\",grpc_code=\"OK\"} 1\n");
    assert_null(memmem(out.data, buf_len(&out), "protocol=\"i\"", 12));
    buf_fini(&out);
}

static void test_limit(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    assert_int_equal(metrics_write(both, 2, &out), -ENOBUFS);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sums_workers, reset),
        cmocka_unit_test_setup(test_writes_every_value, reset),
        cmocka_unit_test_setup(test_calls, reset),
        cmocka_unit_test_setup(test_surplus_protocols_are_left_out, reset),
        cmocka_unit_test_setup(test_limit, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
