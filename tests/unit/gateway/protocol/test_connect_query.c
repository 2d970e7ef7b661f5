#include "unit/cmocka_all.h"

#include "gateway/protocol/connect_query.h"

static struct connect_query parse(const char *query)
{
    struct connect_query q;
    connect_query_parse(slice_from_string(query), &q);
    return q;
}

static void expect_slice(struct slice found, const char *wanted)
{
    assert_true(slice_equal(found, slice_from_string(wanted)));
    assert_true((found.data != NULL) == (wanted != NULL));
}

static void values_are_found_in_any_order(void **state)
{
    (void)state;
    struct connect_query q =
        parse("x=1&message=m%20&&compression=gzip&base64=1&encoding=proto&connect=v1&connects=v2");
    expect_slice(q.version, "v1");
    expect_slice(q.encoding, "proto");
    expect_slice(q.message, "m%20"); /* as it stands */
    expect_slice(q.base64, "1");
    expect_slice(q.compression, "gzip");
}

static void absent_is_not_empty(void **state)
{
    (void)state;
    struct connect_query q = parse("message=&encoding");
    expect_slice(q.message, "");
    expect_slice(q.encoding, "");
    expect_slice(q.version, NULL);
    q = parse(NULL);
    expect_slice(q.message, NULL);
    expect_slice(parse("message=a&message=b").message, "a");
}

static void messages(void **state)
{
    (void)state;
    static const struct {
        const char *query, *message; /* NULL: refused */
    } rows[] = {
        {"message=a+b%2Bc", "a b+c"},
        {"message=%7B%7D", "{}"},
        {"message=", ""},
        {"message=AAE&base64=0", "AAE"},
        {"message=PDw-Pz8_&base64=1", "<<>\?\?\?"},
        {"message=PDw%2BPz8%2F&base64=1", "<<>\?\?\?"},
        {"message=YQ&base64=1", "a"},
        {"message=YQ%3D%3D&base64=1", "a"},
        {"message=&base64=1", ""},
        {"message=Y&base64=1", NULL},
        {"message=Y%20==&base64=1", NULL},
        {"message=%", NULL},
        {"message=%4", NULL},
        {"message=%zz", NULL},
        {"encoding=json", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct connect_query q = parse(rows[i].query);
        struct arena arena;
        struct slice message;
        struct status st;
        arena_init(&arena, NULL, 0, 4096);
        bool ok = connect_query_message(&q, &arena, &message, &st);
        assert_int_equal(ok, rows[i].message != NULL);
        if (ok)
            assert_true(slice_equal(message, slice_from_string(rows[i].message)));
        else
            assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
        arena_fini(&arena);
    }
}

static void no_memory(void **state)
{
    (void)state;
    struct connect_query q = parse("message=a");
    struct arena arena;
    struct slice message;
    struct status st;
    arena_init(&arena, NULL, 0, 0);
    assert_false(connect_query_message(&q, &arena, &message, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_in_any_order),
        cmocka_unit_test(absent_is_not_empty),
        cmocka_unit_test(messages),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
