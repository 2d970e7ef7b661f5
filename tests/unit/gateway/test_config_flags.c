#include "unit/cmocka_all.h"

#include "gateway/config_flags.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_ARGS = 24 };

struct fixture {
    struct config_flags flags;
    struct config config;
    char error[OPTION_ERROR_LEN];
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    config_flags_init(&f->flags);
}

/* Parses a command line whose words are separated by '|' and applies it. */
static int run(struct fixture *f, const char *line)
{
    static char text[1024];
    char *argv[MAX_ARGS + 1] = {"serve"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, "|"); word && argc < MAX_ARGS; word = strtok(NULL, "|"))
        argv[argc++] = word;
    int result = config_flags_parse(&f->flags, argc, argv, f->error);
    return result < 0 ? result : config_flags_apply(&f->flags, &f->config, f->error);
}

static void only_upstream_gives_the_defaults(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(run(&f, "--upstream|127.0.0.1:50051"), 0);
    struct config defaults;
    config_init(&defaults);
    const struct config_limits *limits = &f.config.limits;
    assert_int_equal(limits->max_message_bytes, defaults.limits.max_message_bytes);
    assert_int_equal(limits->max_reply_bytes, defaults.limits.max_reply_bytes);
    assert_int_equal(limits->max_header_bytes, defaults.limits.max_header_bytes);
    assert_int_equal(limits->header_timeout_ms, defaults.limits.header_timeout_ms);
    assert_int_equal(limits->body_grace_ms, defaults.limits.body_grace_ms);
    assert_int_equal(limits->stall_timeout_ms, defaults.limits.stall_timeout_ms);
    assert_int_equal(limits->keepalive_timeout_ms, defaults.limits.keepalive_timeout_ms);
    assert_int_equal(limits->connect_timeout_ms, defaults.limits.connect_timeout_ms);
    assert_int_equal(limits->drain_timeout_ms, defaults.limits.drain_timeout_ms);
    assert_int_equal(limits->max_timeout_ms, 0);
    assert_int_equal(limits->default_timeout_ms, 0);
    assert_int_equal(f.config.cors_max_age_ms, 7200 * 1000);
    assert_false(f.config.cors_private_network);
    assert_int_equal(f.config.workers, defaults.workers);
    assert_int_equal(f.config.listen_count, 1);
    assert_int_equal(net_port(&f.config.listen[0]), 8080);
    assert_true(f.config.loopback_only);
    assert_string_equal(f.config.path_prefix, "");
    assert_true(f.config.admin_on);
    assert_int_equal(net_port(&f.config.admin), 9901);
    assert_int_equal(f.config.upstreams_count, 1);
    assert_null(f.config.upstreams[0].authority);
    assert_string_equal(f.config.upstreams[0].target.text, "127.0.0.1:50051");
    assert_int_equal(f.config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(f.config.console, SWITCH_AUTO);
    config_flags_fini(&f.flags);
}

static void every_option_reaches_its_field(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(
        run(&f,
            "--upstream=127.0.0.1:1|--listen|0.0.0.0:0|--listen|127.0.0.1:81|"
            "--admin|off|--workers=3|--max-message-bytes|100|--max-reply-bytes=200|"
            "--path-prefix=/api/"
            "v1.2|--max-buffered-bytes=2097152|--console|off|--log-format=json|--log-level=off"),
        0);
    assert_int_equal(f.config.listen_count, 2);
    assert_false(f.config.loopback_only);
    assert_false(f.config.admin_on);
    assert_int_equal(f.config.workers, 3);
    assert_int_equal(f.config.limits.max_message_bytes, 100);
    assert_int_equal(f.config.limits.max_reply_bytes, 200);
    assert_int_equal(f.config.limits.max_buffered_bytes, 2097152);
    assert_string_equal(f.config.path_prefix, "/api/v1.2");
    assert_int_equal(f.config.console, SWITCH_OFF);
    assert_int_equal(f.config.log_format, LOG_FORMAT_JSON);
    assert_int_equal(f.config.log_level, LOG_LEVEL_OFF);
    config_flags_fini(&f.flags);

    fixture_init(&f);
    assert_int_equal(run(&f, "-u|127.0.0.1:1|--max-timeout=1m30s|--default-timeout=5s|"
                             "--cors-max-age=10m|--cors-private-network|--drain-timeout|0|"
                             "--header-timeout=2s|--body-grace=500ms|--stall-timeout=3s|"
                             "--keepalive-timeout=4s|--upstream-connect-timeout=5s|"
                             "--json-ignore-unknown|--log-level=debug|--descriptors=a.binpb|"
                             "--descriptors=b.binpb|--cors-origin=https://a.example"),
                     0);
    assert_int_equal(f.config.limits.max_timeout_ms, 90000);
    assert_int_equal(f.config.limits.default_timeout_ms, 5000);
    assert_int_equal(f.config.cors_max_age_ms, 600000);
    assert_true(f.config.cors_private_network);
    assert_int_equal(f.config.limits.drain_timeout_ms, 0);
    assert_int_equal(f.config.limits.header_timeout_ms, 2000);
    assert_int_equal(f.config.limits.body_grace_ms, 500);
    assert_int_equal(f.config.limits.stall_timeout_ms, 3000);
    assert_int_equal(f.config.limits.keepalive_timeout_ms, 4000);
    assert_int_equal(f.config.limits.connect_timeout_ms, 5000);
    assert_true(f.config.json_ignore_unknown);
    assert_false(f.config.json_pretty || f.config.json_emit_defaults || f.config.decode_slashes ||
                 f.config.json_enums_as_numbers || f.config.json_proto_names ||
                 f.config.json_int64_as_numbers);
    assert_null(f.config.request_metadata_prefix);
    assert_null(f.config.response_metadata_prefix);
    assert_int_equal(f.config.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(f.config.descriptors_count, 2);
    assert_string_equal(f.config.descriptors[1], "b.binpb");
    assert_string_equal(f.config.cors_origins[0], "https://a.example");
    config_flags_fini(&f.flags);
}

static void options_of_json_reach_their_fields(void **state)
{
    (void)state;
    struct fixture f;
    static const struct {
        const char *line;
        size_t field;
    } rows[] = {
        {"-u|127.0.0.1:1|--json-pretty", offsetof(struct config, json_pretty)},
        {"-u|127.0.0.1:1|--json-emit-defaults", offsetof(struct config, json_emit_defaults)},
        {"-u|127.0.0.1:1|--json-enums-as-numbers", offsetof(struct config, json_enums_as_numbers)},
        {"-u|127.0.0.1:1|--json-proto-names", offsetof(struct config, json_proto_names)},
        {"-u|127.0.0.1:1|--json-int64-as-numbers", offsetof(struct config, json_int64_as_numbers)},
        {"-u|127.0.0.1:1|--decode-slashes", offsetof(struct config, decode_slashes)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture_init(&f);
        assert_int_equal(run(&f, rows[i].line), 0);
        int set = f.config.json_pretty + f.config.json_emit_defaults +
                  f.config.json_enums_as_numbers + f.config.json_proto_names +
                  f.config.json_int64_as_numbers + f.config.decode_slashes;
        assert_int_equal(set, 1);
        assert_true(*((const char *)&f.config + rows[i].field));
        config_flags_fini(&f.flags);
    }
    fixture_init(&f);
    assert_int_equal(run(&f, "-u|127.0.0.1:1|--ignore-query=utm_source|--ignore-query|v|"
                             "--request-metadata-prefix=grpc-metadata-|"
                             "--response-metadata-prefix|x-"),
                     0);
    assert_int_equal(f.config.ignore_query_count, 2);
    assert_true(slice_equal(f.config.ignore_query[0], SLICE("utm_source")));
    assert_true(slice_equal(f.config.ignore_query[1], SLICE("v")));
    assert_string_equal(f.config.request_metadata_prefix, "grpc-metadata-");
    assert_string_equal(f.config.response_metadata_prefix, "x-");
    config_flags_fini(&f.flags);
}

static void wrong_usage_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"--workers=2", "--upstream HOST:PORT is required"},
        {"--upstream|a:1|--upstream|b", "--upstream \"b\" is no target: it needs HOST:PORT"},
        {"--upstream|a:1|--upstream|a:1", "--upstream a:1 is given twice"},
        {"--upstreem|a:1", "did you mean --upstream?"},
        {"--upstream", "needs a value"},
        {"--upstream=127.0.0.1", "needs HOST:PORT"},
        {"--upstream=http://127.0.0.1:1", "without \"http://\""},
        {"--upstream=https://127.0.0.1:1", "without \"https://\""},
        {"--upstream=ipv4:127.0.0.1:1,a:2",
         "--upstream \"ipv4:127.0.0.1:1,a:2\" is no target: \"a\" is not an address"},
        {"--upstream=127.0.0.1:1|--upstream-authority=", "--upstream-authority needs a host"},
        {"--upstream=127.0.0.1:1|--upstream-authority=a b", "--upstream-authority needs a host"},
        {"--upstream=127.0.0.1:1|--upstream-authority=a\r\nb:c", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--upstream-authority=http://a", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--upstream-authority=me@a", "--upstream-authority needs a host"},
        {"--upstream=127.0.0.1:1|--upstream-authority=b\xc3\xbc", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--listen=8080", "--listen needs HOST:PORT"},
        {"--upstream=127.0.0.1:1|--listen=127.0.0.1:65536", "--listen needs HOST:PORT"},
        {"--upstream=127.0.0.1:1|--admin=on", "--admin needs HOST:PORT"},
        {"--upstream=127.0.0.1:1|--workers=0", "at least 1"},
        {"--upstream=127.0.0.1:1|--workers=257", "at most 256"},
        {"--upstream=127.0.0.1:1|--max-message-bytes=4MB", "whole number"},
        {"--upstream=127.0.0.1:1|--max-message-bytes=2147483648", "at most"},
        {"--upstream=127.0.0.1:1|--stall-timeout=5", "needs a duration"},
        {"--upstream=127.0.0.1:1|--stall-timeout=0", "at least 1 ms"},
        {"--upstream=127.0.0.1:1|--console=maybe", "auto|on|off"},
        {"--upstream=127.0.0.1:1|--cors-origin=app.example", "--cors-origin needs an origin"},
        {"--upstream=127.0.0.1:1|--cors-origin=https://a.example/",
         "--cors-origin needs an origin"},
        {"--upstream=127.0.0.1:1|--cors-origin=https://A.example", "--cors-origin needs an origin"},
        {"--upstream=127.0.0.1:1|--cors-origin=null", "--cors-origin needs an origin"},
        {"--upstream=127.0.0.1:1|--path-prefix=api", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/api/", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=//api", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/a/../b", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/a/.", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/a?b", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=/a%2fb", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--path-prefix=http://a/b", "--path-prefix needs a path"},
        {"--upstream=127.0.0.1:1|--request-metadata-prefix=Grpc-Metadata-",
         "--request-metadata-prefix needs the beginning of a field name, in lower case"},
        {"--upstream=127.0.0.1:1|--response-metadata-prefix=a:",
         "--response-metadata-prefix needs the beginning of a field name, in lower case"},
        {"--upstream=127.0.0.1:1|--response-metadata-prefix=", "--response-metadata-prefix needs"},
        {"--upstream=127.0.0.1:1|--upstream-authority=", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--upstream-authority=a\nb", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--upstream-authority=http://a", "--upstream-authority needs"},
        {"--upstream=127.0.0.1:1|--listen=127.0.0.1:80|--listen=0.0.0.0:80",
         "--listen 0.0.0.0:80: another listener has that port there"},
        {"--upstream=127.0.0.1:1|--listen=[::]:9901",
         "--admin 127.0.0.1:9901: another listener has that port there"},
        {"--upstream=127.0.0.1:1|--tls-cert=x", "--tls-cert is not built yet"},
        {"--upstream=127.0.0.1:1|--upstream-tls", "--upstream-tls is not built yet"},
        {"--upstream=127.0.0.1:1|extra", "unexpected argument"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_init(&f);
        int result = run(&f, rows[i].line);
        if (result != -EINVAL || !strstr(f.error, rows[i].says))
            fail_msg("%s: %d \"%s\"", rows[i].line, result, f.error);
        config_flags_fini(&f.flags);
    }
}

static void an_authority_replaces_the_target(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(run(&f, "--upstream=127.0.0.1:1|--upstream-authority=calc.example"), 0);
    assert_string_equal(f.config.upstreams[0].authority, "calc.example");
    config_flags_fini(&f.flags);
}

static char *fake_environment(const char *name)
{
    static const char *const variables[][2] = {
        {"DRAWBRIDGE_UPSTREAM", "127.0.0.1:7"},
        {"DRAWBRIDGE_LISTEN", "127.0.0.1:81  127.0.0.1:82"},
        {"DRAWBRIDGE_MAX_MESSAGE_BYTES", "123"},
        {"DRAWBRIDGE_JSON_IGNORE_UNKNOWN", "true"},
        {"DRAWBRIDGE_CORS_ORIGIN", ""},
        {"DRAWBRIDGE_LOG_LEVEL", "debug"},
    };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strcmp(variables[i][0], name) == 0)
            return (char *)(uintptr_t)variables[i][1];
    return NULL;
}

static void the_command_line_wins_over_the_environment(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(config_flags_environment(&f.flags, fake_environment, f.error), 0);
    assert_int_equal(run(&f, "--listen=127.0.0.1:90|--log-level=warn"), 0);
    assert_string_equal(f.config.upstreams[0].target.text, "127.0.0.1:7");
    assert_int_equal(f.config.listen_count, 1);
    assert_int_equal(net_port(&f.config.listen[0]), 90);
    assert_int_equal(f.config.limits.max_message_bytes, 123);
    assert_true(f.config.json_ignore_unknown);
    assert_int_equal(f.config.log_level, LOG_LEVEL_WARN);
    assert_int_equal(f.config.cors_origins_count, 0);
    config_flags_fini(&f.flags);

    fixture_init(&f);
    assert_int_equal(config_flags_environment(&f.flags, fake_environment, f.error), 0);
    assert_int_equal(run(&f, ""), 0);
    assert_int_equal(f.config.listen_count, 2);
    assert_int_equal(net_port(&f.config.listen[1]), 82);
    config_flags_fini(&f.flags);
}

static char *wrong_environment(const char *name)
{
    return strcmp(name, "DRAWBRIDGE_WORKERS") == 0 ? (char *)(uintptr_t) "many" : NULL;
}

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(config_flags_environment(&f.flags, wrong_environment, f.error), -EINVAL);
    assert_non_null(strstr(f.error, "DRAWBRIDGE_WORKERS: "));
    assert_non_null(strstr(f.error, "whole number"));
    config_flags_fini(&f.flags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_upstream_gives_the_defaults),
        cmocka_unit_test(every_option_reaches_its_field),
        cmocka_unit_test(options_of_json_reach_their_fields),
        cmocka_unit_test(wrong_usage_says_what_is_wrong),
        cmocka_unit_test(an_authority_replaces_the_target),
        cmocka_unit_test(the_command_line_wins_over_the_environment),
        cmocka_unit_test(a_wrong_variable_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
