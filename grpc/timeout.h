/* timeout: the grpc-timeout header (gRPC PROTOCOL-HTTP2.md: Timeout = TimeoutValue TimeoutUnit). */
#pragma once
#include "base/slice.h"

enum { TIMEOUT_TEXT_LEN = 10 };

/* 1 to 8 digits and one of H M S m u n, nothing else; case matters.  *us receives microseconds:
 * sub-microsecond values round up to 1, except zero, which is already expired.  0, or -EINVAL. */
int timeout_parse(struct slice text, uint64_t *us);
/* The largest value that 8 digits of the finest unit can say without exceeding us.  NUL-terminated;
 * returns the length. */
size_t timeout_format(uint64_t us, char text[static TIMEOUT_TEXT_LEN]);
