/* Depth, elements, sizes, truncation and over-reads: what a hostile peer may try. */
#include "fixture.h"

#include "gateway/schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* `open` n times, the middle, `close` n times; freed by the caller. */
static char *nest(const char *open, const char *middle, const char *close, size_t n)
{
    char *text = malloc((strlen(open) + strlen(close)) * n + strlen(middle) + 1), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, close);
    return text;
}

static void check_depth(const char *type, const char *open, const char *close, size_t levels)
{
    /* `levels` times open is 100 brackets deep together with the middle. */
    char *text = nest(open, "{}", close, levels - 1);
    assert_string_equal(fixture_round_trip(type, text), text);
    free(text);
    static const size_t deep[] = {0, 1, 9900};
    for (size_t i = 0; i < FIXTURE_COUNT(deep); i++) {
        text = nest(open, "{}", close, levels + deep[i]);
        assert_non_null(strstr(fixture_to_wire(type, text), "nested more than 100 levels deep"));
        free(text);
    }
}

static void test_json_depth(void **state)
{
    (void)state;
    check_depth("kinds.All", "{\"child\":", "}", 100);
    check_depth("google.protobuf.Struct", "{\"a\":", "}", 100);
    check_depth("google.protobuf.Value", "[", "]", 100);
    char *text = nest("{\"children\":[", "{}", "]}", 49);
    assert_string_equal(fixture_round_trip("kinds.All", text), text);
    free(text);
    text = nest("{\"children\":[", "{}", "]}", 50);
    assert_non_null(strstr(fixture_to_wire("kinds.All", text), "nested more than 100 levels deep"));
    free(text);
    fixture_options.ignore_unknown = true;
    text = nest("[", "", "]", 10000);
    char *json = malloc(strlen(text) + 20);
    sprintf(json, "{\"x\":%s}", text);
    assert_non_null(strstr(fixture_to_wire("kinds.All", json), "nested too deeply"));
    free(json);
    free(text);
    fixture_options.ignore_unknown = false;
}

/* kinds.All.child n deep; freed by the caller. */
static uint8_t *nested_wire(size_t n, size_t *len)
{
    size_t room = n * 6 + 1, at = room;
    uint8_t *bytes = malloc(room);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        size_t content = room - at;
        uint8_t head[6] = {0x5a};
        size_t used = 1;
        for (; content >= 128; content >>= 7)
            head[used++] = (uint8_t)(content | 128);
        head[used++] = (uint8_t)content;
        at -= used;
        memcpy(bytes + at, head, used);
    }
    *len = room - at;
    memmove(bytes, bytes + at, *len);
    return bytes;
}

static bool print(const char *type, const uint8_t *wire, size_t len, size_t max_len,
                  struct status *st)
{
    struct buf out;
    buf_init(&out, max_len);
    bool ok = wire_to_json(fixture_type(type), slice_from(wire, len), &fixture_options, &out, st);
    assert_true(ok || buf_len(&out) == 0);
    assert_true(buf_len(&out) <= max_len);
    buf_fini(&out);
    return ok;
}

static void test_wire_depth(void **state)
{
    (void)state;
    static const struct {
        size_t depth;
        bool ok;
    } rows[] = {{99, true}, {100, false}, {10000, false}};
    for (size_t i = 0; i < FIXTURE_COUNT(rows); i++) {
        size_t len;
        struct status st;
        uint8_t *wire = nested_wire(rows[i].depth, &len);
        assert_int_equal(print("kinds.All", wire, len, SIZE_MAX, &st), rows[i].ok);
        if (!rows[i].ok)
            assert_string_equal(st.text, "the message is nested more than 100 levels deep");
        free(wire);
    }
    /* Unknown groups. */
    uint8_t groups[20000];
    memset(groups, 0x1b, 10000);
    memset(groups + 10000, 0x1c, 10000);
    struct status st;
    assert_false(print("kinds.Small", groups, sizeof groups, SIZE_MAX, &st));
    assert_int_equal(st.code, STATUS_INTERNAL);
    assert_true(print("kinds.Small", groups + 9900, 200, SIZE_MAX, &st));
}

static char *repeat(const char *head, const char *element, size_t n, const char *tail)
{
    char *text = malloc(strlen(head) + (strlen(element) + 1) * n + strlen(tail) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, head);
    for (size_t i = 0; i < n; i++) {
        at = stpcpy(at, element);
        if (i + 1 < n)
            *at++ = ',';
    }
    strcpy(at, tail);
    return text;
}

static void test_elements(void **state)
{
    (void)state;
    static const struct {
        const char *head, *element, *tail;
    } rows[] = {
        {"{\"children\":[", "{}", "]}"},
        {"{\"ints\":[", "1", "]}"},
        {"{\"list\":[", "{}", "]}"},
    };
    for (size_t i = 0; i < FIXTURE_COUNT(rows); i++) {
        char *text = repeat(rows[i].head, rows[i].element, 100000, rows[i].tail);
        assert_string_equal(fixture_round_trip("kinds.All", text), text);
        free(text);
        text = repeat(rows[i].head, rows[i].element, 100001, rows[i].tail);
        assert_non_null(strstr(fixture_to_wire("kinds.All", text),
                               "more than 100000 list elements and map entries"));
        free(text);
    }
    /* Two million empty sub-messages. */
    size_t len = 6000000;
    uint8_t *wire = malloc(len);
    for (size_t i = 0; i < len; i += 3)
        memcpy(wire + i, "\x92\x02", 3);
    struct status st;
    assert_false(print("kinds.All", wire, len, SIZE_MAX, &st));
    assert_string_equal(st.text, "the message has more than 100000 list elements and map entries");
    /* The same as pieces of one message. */
    for (size_t i = 0; i < len; i += 2)
        memcpy(wire + i, "\x5a", 2);
    assert_false(print("kinds.All", wire, len, SIZE_MAX, &st));
    assert_string_equal(st.text, "the message has more than 100000 fields that must be merged");
    free(wire);
}

/* Four megabytes of what costs two bytes each and, where they become objects, 52 to 77 times that:
 * memory stays below twice the text, or twice the limit. */
static void test_amplification(void **state)
{
    (void)state;
    static const struct {
        const char *type, *head, *tail, *failure;
    } rows[] = {
        {"google.protobuf.ListValue", "[", "]", "more than 100000 list elements"},
        {"kinds.All", "{\"children\":[", "]}", "more than 100000 list elements"},
        {"kinds.All", "{\"x\":[", "]}", NULL}, /* unknown, and skipped */
    };
    enum { COUNT = 1400000, MAX_LEN = 16 << 20 };
    struct status st;
    struct buf out;
    fixture_options.ignore_unknown = true;
    for (size_t i = 0; i < FIXTURE_COUNT(rows); i++) {
        char *text = repeat(rows[i].head, "{}", COUNT, rows[i].tail);
        buf_init(&out, MAX_LEN);
        bool ok = json_to_wire(fixture_type(rows[i].type), slice_from_string(text),
                               &fixture_options, &out, &st);
        assert_int_equal(ok, rows[i].failure == NULL);
        assert_true(ok || strstr(st.text, rows[i].failure));
        assert_int_equal(buf_len(&out), 0);
        assert_in_range(out.cap, 0, 2 * strlen(text));
        buf_fini(&out);
        free(text);
    }
    fixture_options.ignore_unknown = false;
    /* Empty messages, of which each prints all its defaults. */
    fixture_options.emit_defaults = true;
    enum { MESSAGES = 99999 };
    static uint8_t wire[3 * MESSAGES];
    for (size_t i = 0; i < sizeof wire; i += 3)
        memcpy(wire + i, "\x92\x02", 3);
    buf_init(&out, MAX_LEN);
    assert_false(wire_to_json(fixture_type("kinds.All"), slice_from(wire, sizeof wire),
                              &fixture_options, &out, &st));
    assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
    assert_in_range(out.cap, 0, 2 * MAX_LEN);
    buf_fini(&out);
    fixture_options.emit_defaults = false;
}

static void test_output_limit(void **state)
{
    (void)state;
    struct status st;
    struct buf out;
    const struct message_type *type = fixture_type("kinds.All");
    struct slice json = SLICE("{\"aString\":\"abc\",\"children\":[{},{}]}"); /* 11 bytes of wire */
    for (size_t max = 0; max < 20; max++) {
        buf_init(&out, max);
        bool ok = json_to_wire(type, json, &fixture_options, &out, &st);
        assert_int_equal(ok, max >= 11);
        assert_int_equal(buf_len(&out), ok ? 11 : 0);
        if (!ok)
            assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
        assert_int_equal(out.max_len, max);
        buf_fini(&out);
    }
    struct slice wire = SLICE("\x28\x01\x40\x01");
    size_t len = strlen("{\"anInt32\":1,\"aBool\":true}");
    for (size_t max = 0; max < len + 10; max++)
        assert_int_equal(print("kinds.All", wire.data, wire.len, max, &st), max >= len);
    /* What stood in the buffer before stays in front. */
    buf_init(&out, 100);
    buf_append(&out, "x", 1);
    assert_false(json_to_wire(type, SLICE("{\"anInt32\":1,\"x\":2}"), &fixture_options, &out, &st));
    assert_int_equal(buf_len(&out), 1);
    assert_true(json_to_wire(type, SLICE("{\"anInt32\":1}"), &fixture_options, &out, &st));
    assert_int_equal(buf_len(&out), 3);
    assert_memory_equal(buf_slice(&out).data, "x\x28\x01", 3);
    buf_fini(&out);
}

/* A page that ends at an unreadable one. */
static uint8_t *guarded_end(size_t *room)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    *room = page;
    return map + page;
}

static const char everything[] =
    "{\"aDouble\":1.25e-3,\"aFloat\":-0.5,\"anInt64\":\"-9000000000\",\"aBool\":true,\"aString\":"
    "\"plain text \\u00e9\\ud83d\\ude00 \\n "
    "end\",\"child\":{\"aUint32\":7,\"maybe\":0},\"someBytes\":"
    "\"AAECAwQFBgc=\",\"color\":\"GREEN\",\"nested\":{},\"ints\":[1,2,300],\"strings\":[\"a\","
    "\"b\"],"
    "\"counts\":{\"k\":1,\"l\":2},\"by_int32\":{\"-5\":\"v\"},\"time\":\"2024-02-29T01:02:03."
    "004Z\","
    "\"duration\":\"-3.5s\",\"mask\":\"a.bC,d\",\"struct\":{\"a\":[null,true,1.5,\"s\",{}]},"
    "\"any\":{"
    "\"id\":3,\"@type\":\"type.googleapis.com/kinds.Small\"},\"boolWrapper\":false}";

/* Every beginning of a valid text fails, and none is read past its end. */
static void test_json_truncated(void **state)
{
    (void)state;
    size_t room, len = sizeof everything - 1;
    uint8_t *end = guarded_end(&room);
    struct buf out;
    struct status st;
    buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i <= len; i++) {
        memcpy(end - i, everything, i);
        bool ok = json_to_wire(fixture_type("kinds.All"), slice_from(end - i, i), &fixture_options,
                               &out, &st);
        assert_int_equal(ok, i == len);
        if (!ok)
            assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
    }
    buf_fini(&out);
    munmap(end - room, 2 * room);
}

/* Every beginning of a valid message either ends between two of its fields or fails. */
static void test_wire_truncated(void **state)
{
    (void)state;
    size_t room, boundaries = 0;
    uint8_t *end = guarded_end(&room);
    struct buf out;
    struct status st;
    buf_init(&out, SIZE_MAX);
    assert_true(json_to_wire(fixture_type("kinds.All"),
                             slice_from(everything, sizeof everything - 1), &fixture_options, &out,
                             &st));
    for (size_t i = 0; i <= buf_len(&out); i++) {
        memcpy(end - i, buf_slice(&out).data, i);
        boundaries += print("kinds.All", end - i, i, SIZE_MAX, &st);
    }
    assert_int_equal(boundaries, 22); /* 21 fields and list elements on the outside, and nothing */
    buf_fini(&out);
    munmap(end - room, 2 * room);
}

/* Every value of every byte of a message: anything may come out, but nothing may go wrong. */
static void test_wire_mutated(void **state)
{
    (void)state;
    struct buf out;
    struct status st;
    buf_init(&out, SIZE_MAX);
    assert_true(json_to_wire(fixture_type("kinds.All"),
                             slice_from(everything, sizeof everything - 1), &fixture_options, &out,
                             &st));
    size_t len = buf_len(&out), printed = 0;
    uint8_t *wire = malloc(len);
    memcpy(wire, buf_slice(&out).data, len);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = wire[i];
        for (unsigned value = 0; value < 256; value += 17) {
            wire[i] = (uint8_t)value;
            printed += print("kinds.All", wire, len, SIZE_MAX, &st);
        }
        wire[i] = byte;
    }
    assert_in_range(printed, 1, len * 16 - 1);
    free(wire);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_json_depth),     FIXTURE_TEST(test_wire_depth),
        FIXTURE_TEST(test_elements),       FIXTURE_TEST(test_output_limit),
        FIXTURE_TEST(test_json_truncated), FIXTURE_TEST(test_wire_truncated),
        FIXTURE_TEST(test_wire_mutated),   FIXTURE_TEST(test_amplification),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
