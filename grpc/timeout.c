#include "grpc/timeout.h"

#include "base/text.h"

#include <errno.h>

enum { MAX_DIGITS = 8 };
#define MAX_VALUE UINT64_C(99999999)

static const struct {
    char unit;
    uint64_t us;
} units[] = {{'u', 1}, {'m', 1000}, {'S', 1000000}, {'M', 60000000}, {'H', UINT64_C(3600000000)}};

int timeout_parse(struct slice text, uint64_t *us)
{
    uint64_t value;
    if (text.len < 2 || text.len > MAX_DIGITS + 1)
        return -EINVAL;
    char unit = (char)text.data[text.len - 1];
    if (text_parse_uint64(slice_first(text, text.len - 1), &value) < 0)
        return -EINVAL;
    if (unit == 'n') {
        *us = (value + 999) / 1000;
        return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == unit) {
            *us = value * units[i].us; /* 99999999 hours in microseconds fit 59 bits */
            return 0;
        }
    }
    return -EINVAL;
}

size_t timeout_format(uint64_t us, char text[static TIMEOUT_TEXT_LEN])
{
    size_t i = 0;
    size_t last = sizeof units / sizeof *units - 1;
    while (i < last && us / units[i].us > MAX_VALUE)
        i++;
    uint64_t value = us / units[i].us;
    char digits[TEXT_UINT64_LEN];
    size_t len = text_format_uint64(digits, value > MAX_VALUE ? MAX_VALUE : value);
    memcpy(text, digits, len);
    text[len++] = units[i].unit;
    text[len] = 0;
    return len;
}
