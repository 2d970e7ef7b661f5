#include "unit/cmocka_all.h"

#include "gateway/cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Hands out every document of `text`, which arrives in pieces of `piece` bytes, joined by '|'. */
static void documents(const char *text, size_t piece, char *out, size_t room)
{
    struct input in;
    struct slice document, rest = slice_from_string(text);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(input_open(&in, ""), 0);
    in.fd = ends[0];
    in.owns_fd = true;
    size_t len = 0;
    enum input_result result;
    out[0] = 0;
    while ((result = input_next(&in, false, &document)) != INPUT_END) {
        if (result == INPUT_DOCUMENT) {
            len += (size_t)snprintf(out + len, room - len, "%.*s|", SLICE_PRINT(document));
            continue;
        }
        struct slice part = slice_first(rest, rest.len < piece ? rest.len : piece);
        if (part.len > 0)
            assert_int_equal(write(ends[1], part.data, part.len), part.len);
        else if (ends[1] >= 0) {
            close(ends[1]);
            ends[1] = -1;
        }
        rest = slice_skip(rest, part.len);
        assert_int_equal(input_read(&in), 0);
    }
    input_close(&in);
    if (ends[1] >= 0)
        close(ends[1]);
}

static void documents_end_where_their_brackets_close(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {" \n\r\n\t", ""},
        {"{}", "{}|"},
        {"{\"value\":1}\n{\"value\":2}\n", "{\"value\":1}|{\"value\":2}|"},
        {"{\"value\":1}\r\n{\"value\":2}\r\n", "{\"value\":1}|{\"value\":2}|"},
        {"{\"a\":1}{\"a\":2} {\"a\":3}", "{\"a\":1}|{\"a\":2}|{\"a\":3}|"},
        {"{\n  \"a\": [1, {\n}]\n}\n{}", "{\n  \"a\": [1, {\n}]\n}|{}|"},
        {"{\"a\":\"}\"}\n{\"b\":\"\\\"}{\\\\\"}", "{\"a\":\"}\"}|{\"b\":\"\\\"}{\\\\\"}|"},
        {"1\n\"two\"\nnull", "1|\"two\"|null|"},
        {"{\"a\":1", "{\"a\":1|"}, /* broken off: for the JSON reader to complain about */
        {"}\n{}", "}|{}|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece < 40; piece += 3) {
            char out[256];
            documents(rows[i][0], piece, out, sizeof out);
            assert_string_equal(out, rows[i][1]);
        }
    }
}

static void an_operand_is_the_text_itself(void **state)
{
    (void)state;
    struct input in;
    struct slice document;
    assert_int_equal(input_open(&in, " {\"a\":1} {\"a\":2} "), 0);
    assert_int_equal(input_next(&in, true, &document), INPUT_DOCUMENT);
    assert_true(slice_equal(document, SLICE(" {\"a\":1} {\"a\":2} ")));
    assert_int_equal(input_next(&in, true, &document), INPUT_END);
    input_close(&in);
}

static void a_file_is_named_by_an_at_sign(void **state)
{
    (void)state;
    char name[] = "@/tmp/test_cli_input.XXXXXX";
    int fd = mkstemp(name + 1);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{}\n{}", 5), 5);
    close(fd);
    struct input in;
    struct slice document;
    assert_int_equal(input_open(&in, name), 0);
    assert_int_equal(input_next(&in, true, &document), INPUT_WAIT);
    assert_int_equal(input_read(&in), 0);
    assert_int_equal(input_next(&in, true, &document), INPUT_WAIT);
    assert_int_equal(input_read(&in), 0);
    assert_int_equal(in.fd, -1);
    assert_int_equal(input_next(&in, true, &document), INPUT_DOCUMENT);
    assert_true(slice_equal(document, SLICE("{}\n{}")));
    input_close(&in);
    unlink(name + 1);

    assert_int_equal(input_open(&in, "@/nowhere/at/all"), -ENOENT);
    input_close(&in);
    assert_int_equal(input_open(&in, "-"), 0);
    assert_int_equal(in.fd, STDIN_FILENO);
    input_close(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_end_where_their_brackets_close),
        cmocka_unit_test(an_operand_is_the_text_itself),
        cmocka_unit_test(a_file_is_named_by_an_at_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
