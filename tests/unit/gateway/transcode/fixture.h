/* fixture: the schema of kinds.proto and kinds2.proto, and conversions whose result is a string:
 * wire bytes in hex, JSON, or "code: message" of a failure. */
#pragma once
#include "gateway/transcode/transcode.h"

#include "unit/cmocka_all.h"

extern struct transcode_options fixture_options; /* without a schema until fixture_setup() */

int fixture_setup(void **state);
int fixture_teardown(void **state);
const struct message_type *fixture_type(const char *name);

/* The result is static and lives until the next call. */
const char *fixture_to_wire(const char *type, const char *json);
const char *fixture_to_json(const char *type, const char *hex);
/* JSON to wire and back. */
const char *fixture_round_trip(const char *type, const char *json);

/* JSON and the wire form in hex, which leads back to `back` (NULL: to the same JSON). */
struct fixture_pair {
    const char *json, *hex, *back;
};
void fixture_check_pairs(const char *type, const struct fixture_pair *pairs, size_t count);
/* JSON and the exact failure. */
struct fixture_failure {
    const char *json, *failure;
};
void fixture_check_failures(const char *type, const struct fixture_failure *cases, size_t count);
/* Wire in hex and what it prints as (or fails with). */
struct fixture_print {
    const char *hex, *json;
};
void fixture_check_prints(const char *type, const struct fixture_print *cases, size_t count);

#define FIXTURE_COUNT(a) (sizeof(a) / sizeof(a)[0])
#define FIXTURE_TEST(f) cmocka_unit_test(f)
