/* arithmetic: the operations of the calculator on plain numbers.  It knows the schema's Operation
 * and nothing else of RPC. */
#pragma once
#include "calculator.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* right is not used by SQUARE_ROOT.  False when there is no result; *why then says so. */
bool arithmetic_apply(Operation operation, double left, double right, double *result,
                      const char **why);

enum { FACTORS_MAX = 64 };
/* The prime factors of n >= 2 in ascending order, with repetition; returns their number.  At most
 * about a millisecond for any n: trial division by small primes, Miller-Rabin, Pollard-Brent. */
unsigned factors_find(uint64_t n, uint64_t factors[static FACTORS_MAX]);

/* Newton's iteration towards sqrt(value). */
struct newton {
    double value;
    double tolerance; /* relative: the last step is at most this much of the estimate */
    double estimate;
    double error;  /* absolute difference to the previous estimate */
    uint32_t step; /* 0 before the first */
};

/* value is finite and not negative. */
void newton_init(struct newton *n, double value, double tolerance);
/* One step; false when it was the last. */
bool newton_next(struct newton *n);

/* Count, mean and variance in one pass (Welford), without keeping the numbers. */
struct running_statistics {
    uint64_t count;
    double sum, mean, squares; /* squares: sum of squared distances to the mean */
    double min, max;
};

void running_statistics_add(struct running_statistics *s, double value);
