#include "unit/cmocka_all.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static size_t read_back(int fd, char *out, size_t size)
{
    ssize_t n = read(fd, out, size - 1);
    assert_true(n >= 0);
    out[n] = 0;
    return (size_t)n;
}

static void one_line_each(enum log_format format, char *out, size_t size)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct log *log = log_new(fds[1], format, LOG_LEVEL_INFO);
    assert_false(log_begin(log, LOG_LEVEL_DEBUG, "hidden"));
    assert_true(log_begin(log, LOG_LEVEL_INFO, "call"));
    log_text(log, "path", "/A/B");
    log_str(log, "evil", SLICE("x\ny\"z\xff"));
    log_uint(log, "n", 12);
    log_duration_us(log, "ms", 1234567);
    log_end(log);
    log_free(log);
    close(fds[1]);
    read_back(fds[0], out, size);
    close(fds[0]);
}

static void text_lines_cannot_be_forged(void **state)
{
    (void)state;
    char out[1024];
    one_line_each(LOG_FORMAT_TEXT, out, sizeof out);
    assert_non_null(
        strstr(out, "Z info call path=/A/B evil=\"x\\u000ay\\\"z\\u00ff\" n=12 ms=1234.567\n"));
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void json_lines_are_objects(void **state)
{
    (void)state;
    char out[1024];
    one_line_each(LOG_FORMAT_JSON, out, sizeof out);
    assert_memory_equal(out, "{\"time\":\"2", 10);
    assert_non_null(strstr(out, "\"level\":\"info\",\"event\":\"call\",\"path\":\"/A/B\",\"evil\":"
                                "\"x\\u000ay\\\"z\\u00ff\",\"n\":12,\"ms\":1234.567}\n"));
}

static void a_full_descriptor_loses_and_counts(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct log *log = log_new(fd, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (int i = 0; i < 3; i++)
        log_message(log, LOG_LEVEL_WARN, "x", "line %d", i);
    log_flush(log);
    assert_int_equal(log_lost(log), 3);
    log_free(log);
    close(fd);
}

static void a_stalled_reader_stops_nobody(void **state)
{
    (void)state;
    int fds[2];
    char out[8192];
    assert_int_equal(pipe(fds), 0);
    struct log *log = log_new(fds[1], LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    unsigned lines = 0;
    for (; log_lost(log) == 0 && lines < 100000; lines++) {
        log_message(log, LOG_LEVEL_INFO, "x", "line %u", lines);
        log_flush(log); /* returns although the pipe is full */
    }
    assert_true(lines > 1000 && lines < 100000);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    size_t whole = 0;
    for (ssize_t n; log_flush(log), (n = read(fds[0], out, sizeof out)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            whole += out[i] == '\n';
    assert_int_equal(whole, lines - log_lost(log)); /* what was not lost is whole and in order */
    log_free(log);
    close(fds[0]);
    close(fds[1]);
}

static void names_parse(void **state)
{
    (void)state;
    enum log_level level;
    enum log_format format;
    assert_int_equal(log_level_parse("warn", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_int_equal(log_level_parse("off", &level), 0);
    assert_true(log_level_parse("loud", &level) < 0);
    assert_int_equal(log_format_parse("json", &format), 0);
    assert_true(log_format_parse("xml", &format) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_cannot_be_forged),
        cmocka_unit_test(json_lines_are_objects),
        cmocka_unit_test(a_full_descriptor_loses_and_counts),
        cmocka_unit_test(a_stalled_reader_stops_nobody),
        cmocka_unit_test(names_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
