/* cors: the cross-origin policy (Fetch standard, "CORS protocol") as pure functions: which pages
 * may use the gateway, what a preflight is answered, which fields a response gets.  It knows
 * neither sockets nor exchanges.  A refused origin reaches no protocol. */
#pragma once
#include "gateway/config.h"
#include "grpc/metadata.h"

struct cors_policy {
    const char *const *origins; /* exact origins or "*"; borrowed */
    size_t origins_count;
    /* Every listener is a loopback address: pages from loopback origins are allowed, and a page
     * counts as same-origin only under a loopback name (DNS rebinding). */
    bool loopback_only;
};

/* What of a request the policy looks at; data NULL: the field is absent. */
struct cors_request {
    struct slice origin, host, sec_fetch_site, sec_fetch_mode;
};

enum cors_verdict {
    CORS_NO_BROWSER,  /* neither Origin nor Sec-Fetch-Site: not judged */
    CORS_SAME_ORIGIN, /* no fields needed */
    CORS_ALLOWED,     /* by exact match or loopback: credentials too */
    CORS_ALLOWED_ANY, /* by "*": without credentials */
    CORS_REFUSED,
};

enum cors_verdict cors_decide(const struct cors_policy *policy, const struct cors_request *req);

enum { CORS_MAX_AGE_S = 7200 };

/* The answer to a preflight that was not refused: `requested` is Access-Control-Request-Headers,
 * echoed when it is a list of tokens.  Adds to `fields`; names and values are NUL-terminated.
 * 0, or -ENOBUFS. */
int cors_preflight_fields(enum cors_verdict verdict, struct slice origin, struct slice requested,
                          struct metadata *fields);
/* Adds what a response of this verdict needs, Access-Control-Expose-Headers computed from the
 * fields already there.  Names and values are NUL-terminated.  0, or -ENOBUFS. */
int cors_response_fields(enum cors_verdict verdict, struct slice origin, struct metadata *fields);
