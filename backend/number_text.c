#include "backend/number_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fewest significant digits that read back as the same double: "d.ddde-xx". */
static int shortest(double value, char *text)
{
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, NUMBER_TEXT_LEN, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value)
            return digits;
    }
    snprintf(text, NUMBER_TEXT_LEN, "%.16e", value);
    return 17;
}

void number_format(double value, char text[static NUMBER_TEXT_LEN])
{
    if (isnan(value) || isinf(value)) {
        snprintf(text, NUMBER_TEXT_LEN, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    int digits = shortest(value, text);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 16)
        return;
    int decimals = digits - 1 - exponent;
    snprintf(text, NUMBER_TEXT_LEN, "%.*f", decimals > 1 ? decimals : 1, value);
}

bool number_parse(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end == text)
        return false;
    while (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t')
        end++;
    return *end == 0;
}
