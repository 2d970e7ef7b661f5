/* http_get: the least HTTP/1.1 client there can be, for health checks: one GET, one connection,
 * plain text only, everything within one time limit. */
#pragma once
#include "base/buf.h"
#include "base/options.h"

/* "http://HOST:PORT/PATH" (port 80 and "/" when left out).  Returns the HTTP status and appends the
 * body up to its limit; -EINVAL: not such a URL; another negative errno: no answer; with a sentence
 * in `error`. */
int http_get(const char *url, uint64_t timeout_ms, struct buf *body,
             char error[static OPTION_ERROR_LEN]);
