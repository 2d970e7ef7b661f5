#include "fixture.h"

#include "gateway/schema/schema.h"

#include <stdio.h>
#include <stdlib.h>

struct transcode_options fixture_options;
static struct schema *schema;
static struct buf result;

int fixture_setup(void **state)
{
    (void)state;
    static const char *const sets[] = {TRANSCODE_TEST_SETS "/kinds.binpb",
                                       TRANSCODE_TEST_SETS "/kinds2.binpb"};
    struct status st;
    schema = schema_load_files(sets, 2, &st);
    if (!schema)
        print_error("%s\n", st.text);
    fixture_options = (struct transcode_options){.schema = schema};
    buf_init(&result, (size_t)1 << 30);
    return schema ? 0 : -1;
}

int fixture_teardown(void **state)
{
    (void)state;
    schema_unref(schema);
    buf_fini(&result);
    return 0;
}

const struct message_type *fixture_type(const char *name)
{
    const struct message_type *type = schema_message(schema, slice_from_string(name));
    assert_non_null(type);
    return type;
}

static const char *finish(bool ok, const struct status *st)
{
    if (!ok) {
        buf_reset(&result, SIZE_MAX);
        buf_printf(&result, "%s: %s", status_name(st->code), st->text);
    }
    buf_append_byte(&result, 0);
    return (const char *)buf_slice(&result).data;
}

/* An exact copy on the heap, so that the sanitizer sees any over-read. */
static struct slice exact_copy(const void *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, data, len);
    return slice_from(copy, len);
}

static struct slice unhex(const char *hex)
{
    size_t len = 0;
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    assert_non_null(bytes);
    for (const char *at = hex; *at;) {
        unsigned byte;
        int used;
        if (*at == ' ') {
            at++;
            continue;
        }
        assert_int_equal(sscanf(at, "%2x%n", &byte, &used), 1);
        assert_int_equal(used, 2);
        bytes[len++] = (uint8_t)byte;
        at += 2;
    }
    struct slice exact = exact_copy(bytes, len);
    free(bytes);
    return exact;
}

static bool to_wire(const char *type, const char *json, struct buf *out, struct status *st)
{
    struct slice copy = exact_copy(json, strlen(json));
    bool ok = json_to_wire(fixture_type(type), copy, &fixture_options, out, st);
    free((void *)copy.data);
    return ok;
}

const char *fixture_to_wire(const char *type, const char *json)
{
    struct buf wire;
    struct status st;
    buf_init(&wire, (size_t)1 << 30);
    buf_reset(&result, SIZE_MAX);
    bool ok = to_wire(type, json, &wire, &st);
    for (size_t i = 0; i < buf_len(&wire); i++)
        buf_printf(&result, "%02x", buf_slice(&wire).data[i]);
    buf_fini(&wire);
    return finish(ok, &st);
}

const char *fixture_to_json(const char *type, const char *hex)
{
    struct slice wire = unhex(hex);
    struct status st;
    buf_reset(&result, SIZE_MAX);
    bool ok = wire_to_json(fixture_type(type), wire, &fixture_options, &result, &st);
    free((void *)wire.data);
    return finish(ok, &st);
}

const char *fixture_round_trip(const char *type, const char *json)
{
    struct buf wire;
    struct status st;
    buf_init(&wire, (size_t)1 << 30);
    buf_reset(&result, SIZE_MAX);
    bool ok = to_wire(type, json, &wire, &st);
    if (ok) {
        struct slice copy = exact_copy(buf_slice(&wire).data, buf_len(&wire));
        ok = wire_to_json(fixture_type(type), copy, &fixture_options, &result, &st);
        free((void *)copy.data);
    }
    buf_fini(&wire);
    return finish(ok, &st);
}

static void without_spaces(const char *from, char *to)
{
    for (; *from; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = 0;
}

void fixture_check_pairs(const char *type, const struct fixture_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *hex = malloc(strlen(pairs[i].hex) + 1);
        without_spaces(pairs[i].hex, hex);
        const char *wire = fixture_to_wire(type, pairs[i].json);
        if (strcmp(wire, hex) != 0)
            print_error("for %s\n", pairs[i].json);
        assert_string_equal(wire, hex);
        const char *back = fixture_to_json(type, hex);
        assert_string_equal(back, pairs[i].back ? pairs[i].back : pairs[i].json);
        free(hex);
    }
}

void fixture_check_failures(const char *type, const struct fixture_failure *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = fixture_to_wire(type, cases[i].json);
        if (strcmp(got, cases[i].failure) != 0)
            print_error("for %s\n", cases[i].json);
        assert_string_equal(got, cases[i].failure);
    }
}

void fixture_check_prints(const char *type, const struct fixture_print *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = fixture_to_json(type, cases[i].hex);
        if (strcmp(got, cases[i].json) != 0)
            print_error("for %s\n", cases[i].hex);
        assert_string_equal(got, cases[i].json);
    }
}
