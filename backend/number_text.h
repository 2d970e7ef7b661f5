/* number_text: numbers as the Python client prints them: the shortest digits that give the same
 * double back, "4.0", "1e+16", "inf". */
#pragma once
#include <stdbool.h>

enum { NUMBER_TEXT_LEN = 32 };

/* NUL-terminated.  A float becomes the double of the same value first, as Python does:
 * 0.1f prints as 0.10000000149011612. */
void number_format(double value, char text[static NUMBER_TEXT_LEN]);
/* The whole text must be a number (strtod's syntax). */
bool number_parse(const char *text, double *value);
