/* Wire that ordinary serialisers do not write but every parser accepts: fields out of order,
 * scalars twice, messages in pieces, oneofs that switch, maps with repeated keys. */
#include "fixture.h"

#include <stdio.h>

static void test_singular(void **state)
{
    (void)state;
    static const struct fixture_print prints[] = {
        {"40 01 28 01", "{\"aBool\":true,\"anInt32\":1}"},
        {"28 01 28 02", "{\"anInt32\":2}"},
        {"28 01 40 01 28 02", "{\"anInt32\":2,\"aBool\":true}"},
        {"5a 02 28 01 5a 02 40 01", "{\"child\":{\"anInt32\":1,\"aBool\":true}}"},
        {"5a 04 28 01 28 05 40 00 5a 02 28 07", "{\"child\":{\"anInt32\":7}}"},
        {"5a 06 5a 04 fa01 01 01 5a 06 5a 04 fa01 01 02",
         "{\"child\":{\"child\":{\"ints\":[1,2]}}}"},
        /* The default of a field without presence is none. */
        {"28 00 40 01", "{\"aBool\":true}"},
        {"28 01 28 00", "{}"},
        {"28 8000", "{}"},
        {"28 8080808010", "{}"}, /* 2^32: an int32 has its low half */
        {"70 8080808010", "{}"},
        {"18 8080808010", "{\"anInt64\":\"4294967296\"}"},
        {"40 8080808010", "{\"aBool\":true}"},
        {"09 0000000000000080", "{\"aDouble\":-0}"},
        {"a001 00", "{\"maybe\":0}"},
        {"5a 00 5a 00", "{\"child\":{}}"},
        /* Timestamp in two pieces. */
        {"a203 02 08 01 a203 02 10 0a", "{\"time\":\"1970-01-01T00:00:01.000000010Z\"}"},
        {"8204 02 08 01 8204 00", "{\"int32Wrapper\":1}"},
        /* NullValue has one text. */
        {"c001 06", "{\"nothing\":null}"},
        {"b203 03 0a 01 61 b203 03 0a 01 62", "{\"mask\":\"a,b\"}"},
        {"ba03 05 0a 03 0a 01 61 ba03 05 0a 03 0a 01 62", "{\"struct\":{\"a\":null,\"b\":null}}"},
        {"ca03 04 0a 02 2001 ca03 04 0a 02 2000", "{\"list\":[true,false]}"},
        {"c203 02 2001 c203 03 1a 01 78", "{\"value\":\"x\"}"},
        {"9a03 03 0a 01 61 9a03 03 12 01 78", "{\"any\":{\"@type\":\"a\",\"value\":\"eA==\"}}"},
        {"d203 00 d203 00", "{\"empty\":{}}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_oneof(void **state)
{
    (void)state;
    static const struct fixture_print prints[] = {
        {"aa01 01 61 b001 05", "{\"number\":5}"},
        {"b001 05 aa01 01 61", "{\"text\":\"a\"}"},
        {"aa01 01 61 b001 05 aa01 01 62", "{\"text\":\"b\"}"},
        {"ba01 02 28 01 ba01 02 40 01", "{\"nested\":{\"anInt32\":1,\"aBool\":true}}"},
        {"ba01 02 28 01 b001 05 ba01 02 40 01", "{\"nested\":{\"aBool\":true}}"},
        {"ba01 02 28 01 b001 05", "{\"number\":5}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_repeated(void **state)
{
    (void)state;
    static const struct fixture_print prints[] = {
        {"f801 01 28 05 f801 02", "{\"anInt32\":5,\"ints\":[1,2]}"},
        {"fa01 02 01 02 28 05 f801 03", "{\"anInt32\":5,\"ints\":[1,2,3]}"},
        {"9202 02 28 01 28 05 9202 02 28 02",
         "{\"anInt32\":5,\"children\":[{\"anInt32\":1},{\"anInt32\":2}]}"},
        {"8a02 01 61 28 05 8a02 01 62", "{\"anInt32\":5,\"strings\":[\"a\",\"b\"]}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_maps(void **state)
{
    (void)state;
    static const struct fixture_print prints[] = {
        {"ca02 05 0a0161 1001 ca02 05 0a0161 1002", "{\"counts\":{\"a\":2}}"},
        {"ca02 05 0a0161 1001 ca02 05 0a0162 1002 ca02 05 0a0161 1003",
         "{\"counts\":{\"a\":3,\"b\":2}}"},
        {"ca02 05 0a0161 1001 28 05 ca02 05 0a0162 1002",
         "{\"anInt32\":5,\"counts\":{\"a\":1,\"b\":2}}"},
        {"ca02 00", "{\"counts\":{\"\":0}}"},
        {"ca02 02 1001", "{\"counts\":{\"\":1}}"},
        {"ca02 03 0a0161", "{\"counts\":{\"a\":0}}"},
        {"ca02 05 1001 0a0161", "{\"counts\":{\"a\":1}}"},
        {"ca02 07 0a0161 1001 1002", "{\"counts\":{\"a\":2}}"},
        {"ca02 08 0a0161 0a0162 1002", "{\"counts\":{\"b\":2}}"},
        {"ca02 07 0a0161 1801 1002", "{\"counts\":{\"a\":2}}"},
        {"d202 00 d202 03 120178", "{\"byInt32\":{\"0\":\"x\"}}"},
        {"da02 00", "{\"byBool\":{\"false\":\"\"}}"},
        {"e202 00", "{\"byUint64\":{\"0\":{}}}"},
        {"ea02 00", "{\"bySint32\":{\"0\":\"COLOR_UNSPECIFIED\"}}"},
        {"f202 00", "{\"byFixed64\":{\"0\":0}}"},
        {"fa02 00", "{\"anyValues\":{\"\":null}}"},
        /* 1 and 2^32 + 1 are the same int32. */
        {"d202 05 0801 120178 d202 09 088180808010 120179", "{\"byInt32\":{\"1\":\"y\"}}"},
        {"da02 05 0801 120178 da02 05 0802 120179", "{\"byBool\":{\"true\":\"y\"}}"},
        /* A message value in two pieces. */
        {"e202 0a 0801 1202 2801 1202 4001",
         "{\"byUint64\":{\"1\":{\"anInt32\":1,\"aBool\":true}}}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_many_keys(void **state)
{
    (void)state;
    static char hex[400000], json[200000];
    char *at = hex, *text = json + sprintf(json, "{\"counts\":{");
    for (unsigned i = 0; i < 5000; i++) {
        at += sprintf(at, "ca02 09 0a04 %02x%02x%02x%02x 10%02x", '0' + i / 1000,
                      '0' + i / 100 % 10, '0' + i / 10 % 10, '0' + i % 10, i % 128);
        text += sprintf(text, "%s\"%04u\":%u", i ? "," : "", i, i == 4321 ? 99 : i % 128);
    }
    sprintf(text, "}}");
    sprintf(at, "ca02 09 0a04 34333231 10 63"); /* 4321 once more */
    /* The length: tag, 4 digits, value. */
    for (char *p = hex; (p = strstr(p, "ca02 09")); p++)
        p[6] = '8';
    assert_string_equal(fixture_to_json("kinds.All", hex), json);
}

static void test_unknown(void **state)
{
    (void)state;
    static const struct fixture_print prints[] = {
        {"d00f 01 28 01", "{\"anInt32\":1}"},
        {"d20f 03 616263 28 01", "{\"anInt32\":1}"},
        {"d30f 08 01 0b 0c d40f 28 01", "{\"anInt32\":1}"},
        {"d50f 01020304 d10f 0102030405060708 28 01", "{\"anInt32\":1}"},
        /* A known number of another wire type is unknown too. */
        {"2d 01000000 28 01", "{\"anInt32\":1}"},
        {"2a 01 01 28 01", "{\"anInt32\":1}"},
        {"48 01 28 01", "{\"anInt32\":1}"},
        {"8802 01 28 01", "{\"anInt32\":1}"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

static void test_malformed(void **state)
{
    (void)state;
#define INVALID "INTERNAL: the bytes are not a valid kinds.All"
#define MALFORMED "INTERNAL: the message is truncated or malformed"
    static const struct fixture_print prints[] = {
        {"28", MALFORMED},
        {"28 80", MALFORMED},
        {"28 ffffffffffffffffffff01", MALFORMED},
        {"09 01020304050607", MALFORMED},
        {"4a 05 61", MALFORMED},
        {"4a ffffffffffffffffff01 61", MALFORMED},
        {"fa01 02 01", MALFORMED},
        {"fa01 02 01 80", MALFORMED},
        {"5a 02 28", INVALID},
        {"5a 03 28 80 80", MALFORMED},
        {"00 01", INVALID},
        {"02 00", INVALID},
        {"80", INVALID},
        {"a880808080808000 01", INVALID},
        {"a8808080 7f 01", INVALID},
        {"2e 01", INVALID},
        {"2f 01", INVALID},
        {"d30f 08 01", INVALID},
        {"d30f 08 01 dc0f", INVALID},
        {"d40f", INVALID},
        {"d20f 05 01", INVALID},
        {"ca02 03 0a 05 61", "INTERNAL: the bytes are not a valid kinds.All.CountsEntry"},
    };
    fixture_check_prints("kinds.All", prints, FIXTURE_COUNT(prints));
}

/* Each level in two pieces: the work must not double with every level. */
static void test_nested_pieces(void **state)
{
    (void)state;
    enum { LEVELS = 60 };
    static char hex[2000];
    char wire[1000] = "28 01", next[1000], *at = hex;
    size_t len = 2;
    for (int i = 0; i < LEVELS; i++) {
        /* child = what there is, child = {} once more */
        assert_in_range(len, 0, 127 * 128);
        if (len < 128)
            snprintf(next, sizeof next, "5a %02zx ", len);
        else
            snprintf(next, sizeof next, "5a %02zx%02zx ", len % 128 + 128, len / 128);
        size_t head = len < 128 ? 2 : 3;
        memmove(wire + strlen(next), wire, strlen(wire) + 1);
        memcpy(wire, next, strlen(next));
        strcat(wire, "5a00");
        len += head + 2;
        assert_true(strlen(wire) < sizeof wire - 20);
    }
    at += sprintf(at, "%s", wire);
    const char *json = fixture_to_json("kinds.All", hex);
    assert_int_equal(strncmp(json, "{\"child\":{\"child\":{", 19), 0);
    assert_non_null(strstr(json, "{\"anInt32\":1}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_singular),  FIXTURE_TEST(test_oneof),         FIXTURE_TEST(test_repeated),
        FIXTURE_TEST(test_maps),      FIXTURE_TEST(test_many_keys),     FIXTURE_TEST(test_unknown),
        FIXTURE_TEST(test_malformed), FIXTURE_TEST(test_nested_pieces),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
