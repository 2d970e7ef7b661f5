/* shortest: floating point to the shortest decimal text that reads back as the same value, the
 * nearest of those; digits placed as ECMAScript's Number::toString does (RFC 8785 section 3.2.2.3),
 * but -0 keeps its sign. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHORTEST_LEN = 32 }; /* room that any value needs */

/* The value must be finite.  Returns the bytes written, no NUL. */
size_t shortest_double(double value, char out[static SHORTEST_LEN]);
size_t shortest_float(float value, char out[static SHORTEST_LEN]);
/* Decimal digits of an integer, 1 to 20. */
size_t shortest_uint64(uint64_t value, char out[static SHORTEST_LEN]);
/* 1 to 20 bytes. */
size_t shortest_int64(int64_t value, char out[static SHORTEST_LEN]);
