#include "backend/history.h"

#include "backend/arithmetic.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>

enum {
    FIRST_SECOND = 1704067200, /* 2024-01-01T00:00:00Z */
    SECONDS_APART = 97,
};

static const char token_prefix[] = "history-";

static const char *const names[] = {
    [OPERATION__ADD] = "add",
    [OPERATION__SUBTRACT] = "subtract",
    [OPERATION__MULTIPLY] = "multiply",
    [OPERATION__DIVIDE] = "divide",
    [OPERATION__SQUARE_ROOT] = "square root",
};

/* splitmix64: well mixed bits from consecutive numbers. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

HistoryRecord *history_record(uint32_t index, struct arena *arena)
{
    HistoryRecord *record = arena_alloc(arena, sizeof *record);
    Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof *time);
    if (!record || !time)
        return NULL;
    history_record__init(record);
    google__protobuf__timestamp__init(time);
    uint64_t bits = mix(index);
    const char *why;
    record->operation = (Operation)(OPERATION__ADD + bits % 5);
    record->left = (double)(bits >> 8 & 0xffff) / 8;
    record->right = (double)((bits >> 24 & 0xffff) + 1) / 16;
    arithmetic_apply(record->operation, record->left, record->right, &record->result, &why);
    if (record->operation == OPERATION__SQUARE_ROOT)
        record->right = 0;
    record->name = arena_printf(arena, "%s %u", names[record->operation], index + 1);
    record->sequence = (int64_t)index + 1;
    time->seconds = FIRST_SECOND + (int64_t)index * SECONDS_APART;
    time->nanos = (int32_t)(bits >> 40 & 0x3ff) * 976562;
    record->time = time;
    return record->name ? record : NULL;
}

void history_token(uint32_t index, char token[static HISTORY_TOKEN_LEN])
{
    snprintf(token, HISTORY_TOKEN_LEN, "%s%u", token_prefix, index);
}

int history_parse_token(struct slice token, uint32_t *index)
{
    uint64_t number;
    *index = 0;
    if (token.len == 0)
        return 0;
    struct slice prefix = SLICE("history-");
    if (!slice_has_prefix(token, prefix))
        return -EINVAL;
    struct slice digits = slice_skip(token, prefix.len);
    if (text_parse_uint64(digits, &number) < 0 || number == 0 || number >= HISTORY_LEN ||
        digits.data[0] == '0')
        return -EINVAL;
    *index = (uint32_t)number;
    return 0;
}
