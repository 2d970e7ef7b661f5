#include "unit/cmocka_all.h"

#include "gateway/protocol/connect_error.h"
#include "gateway/protocol/error_body.h"

#include <stdio.h>

/* google.rpc.Status {code: 5, details: [{type.googleapis.com/google.rpc.ErrorInfo, reason: "x"},
 * {no-slash, one byte}]} */
#define ERROR_INFO "\x0a\x28type.googleapis.com/google.rpc.ErrorInfo\x12\3\x0a\1x"
#define UNKNOWN_TYPE "\x0a\x8no-slash\x12\1\xff"
#define DETAILS "\x08\5\x1a\x2f" ERROR_INFO "\x1a\x0d" UNKNOWN_TYPE

static struct status failed(uint32_t code, const char *message, struct slice details)
{
    struct status st;
    status_ok(&st);
    st.code = st.raw_code = code;
    st.message = slice_from_string(message);
    st.details = details;
    return st;
}

static struct schema *any_schema(void)
{
    static const char *const files[] = {CALCULATOR_DESCRIPTORS};
    struct status st;
    struct schema *schema = schema_load_files(files, 1, &st);
    assert_non_null(schema);
    return schema;
}

static void expect(int error, struct buf *out, const char *wanted)
{
    assert_int_equal(error, 0);
    buf_append_byte(out, 0);
    assert_string_equal((const char *)buf_slice(out).data, wanted);
    buf_fini(out);
}

static void codes_have_the_names_of_the_protocol(void **state)
{
    (void)state;
    static const char *const names[STATUS_CODE_COUNT] = {
        [STATUS_CANCELLED] = "canceled",
        [STATUS_UNKNOWN] = "unknown",
        [STATUS_INVALID_ARGUMENT] = "invalid_argument",
        [STATUS_DEADLINE_EXCEEDED] = "deadline_exceeded",
        [STATUS_NOT_FOUND] = "not_found",
        [STATUS_ALREADY_EXISTS] = "already_exists",
        [STATUS_PERMISSION_DENIED] = "permission_denied",
        [STATUS_RESOURCE_EXHAUSTED] = "resource_exhausted",
        [STATUS_FAILED_PRECONDITION] = "failed_precondition",
        [STATUS_ABORTED] = "aborted",
        [STATUS_OUT_OF_RANGE] = "out_of_range",
        [STATUS_UNIMPLEMENTED] = "unimplemented",
        [STATUS_INTERNAL] = "internal",
        [STATUS_UNAVAILABLE] = "unavailable",
        [STATUS_DATA_LOSS] = "data_loss",
        [STATUS_UNAUTHENTICATED] = "unauthenticated",
    };
    for (uint32_t code = 1; code < STATUS_CODE_COUNT; code++) {
        struct status st = failed(code, NULL, SLICE(""));
        struct buf out;
        char wanted[64];
        buf_init(&out, 1000);
        snprintf(wanted, sizeof wanted, "{\"code\":\"%s\"}", names[code]);
        expect(connect_error_append(&out, &st, NULL), &out, wanted);
    }
}

static void details_are_unpadded_base64(void **state)
{
    (void)state;
    struct status st = failed(STATUS_NOT_FOUND, "none", SLICE(DETAILS));
    struct buf out;
    buf_init(&out, 1000);
    expect(connect_error_append(&out, &st, NULL), &out,
           "{\"code\":\"not_found\",\"message\":\"none\",\"details\":["
           "{\"type\":\"google.rpc.ErrorInfo\",\"value\":\"CgF4\"},"
           "{\"type\":\"no-slash\",\"value\":\"/w\"}]}");
}

static void known_details_can_be_read(void **state)
{
    (void)state;
    struct schema *schema = any_schema();
    struct status st = failed(STATUS_NOT_FOUND, "none", SLICE(DETAILS));
    struct buf out;
    assert_non_null(schema_message(schema, SLICE("google.rpc.ErrorInfo")));
    buf_init(&out, 1000);
    expect(connect_error_append(&out, &st, schema), &out,
           "{\"code\":\"not_found\",\"message\":\"none\",\"details\":["
           "{\"type\":\"google.rpc.ErrorInfo\",\"value\":\"CgF4\",\"debug\":{\"reason\":\"x\"}},"
           "{\"type\":\"no-slash\",\"value\":\"/w\"}]}");
    schema_unref(schema);
}

/* The JSON of google.rpc.Status is made from the same details. */
static void the_other_form_of_the_same_error(void **state)
{
    (void)state;
    struct schema *schema = any_schema();
    struct status st = failed(STATUS_NOT_FOUND, "none", SLICE(DETAILS));
    struct buf out;
    buf_init(&out, 1000);
    expect(error_body_append(&out, &st, schema), &out,
           "{\"code\":5,\"message\":\"none\",\"details\":["
           "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"x\"},"
           "{\"@type\":\"no-slash\",\"value\":\"/w==\"}]}");
    schema_unref(schema);
}

static void details_that_are_none(void **state)
{
    (void)state;
    struct status st = failed(STATUS_NOT_FOUND, NULL, SLICE("\xff\xff"));
    struct buf out;
    buf_init(&out, 1000);
    expect(connect_error_append(&out, &st, NULL), &out, "{\"code\":\"not_found\"}");
}

static void texts_become_valid_utf8(void **state)
{
    (void)state;
    struct status st = failed(STATUS_NOT_FOUND, "\xff\xc3\xa4", SLICE(""));
    struct buf out;
    buf_init(&out, 1000);
    expect(connect_error_append(&out, &st, NULL), &out,
           "{\"code\":\"not_found\",\"message\":\"???\"}");
    st.message = SLICE("\xc3\xa4");
    buf_init(&out, 1000);
    expect(connect_error_append(&out, &st, NULL), &out,
           "{\"code\":\"not_found\",\"message\":\"\xc3\xa4\"}");
}

static void ends_of_streams(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata trailers;
    struct status st;
    struct buf out;
    arena_init(&arena, NULL, 0, 4096);
    metadata_init(&trailers, &arena, 4096);
    status_ok(&st);
    buf_init(&out, 1000);
    expect(connect_error_append_end(&out, &st, NULL, NULL), &out, "{}");
    metadata_add(&trailers, SLICE("connection"), SLICE("x"));
    buf_init(&out, 1000);
    expect(connect_error_append_end(&out, &st, &trailers, NULL), &out, "{}");
    metadata_add(&trailers, SLICE("x-raw-bin"), SLICE("AAE"));
    buf_init(&out, 1000);
    expect(connect_error_append_end(&out, &st, &trailers, NULL), &out,
           "{\"metadata\":{\"x-raw-bin\":[\"AAE\"]}}");
    buf_init(&out, 10);
    assert_true(connect_error_append_end(&out, &st, &trailers, NULL) < 0);
    buf_fini(&out);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_the_names_of_the_protocol),
        cmocka_unit_test(details_are_unpadded_base64),
        cmocka_unit_test(known_details_can_be_read),
        cmocka_unit_test(the_other_form_of_the_same_error),
        cmocka_unit_test(details_that_are_none),
        cmocka_unit_test(texts_become_valid_utf8),
        cmocka_unit_test(ends_of_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
