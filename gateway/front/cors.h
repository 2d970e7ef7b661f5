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
    uint64_t max_age_s;   /* of a preflight's answer */
    bool private_network; /* a preflight may let a page into a private network */
};

/* What of a request the policy looks at; data NULL: the field is absent. */
struct cors_request {
    struct slice origin, host, sec_fetch_site, sec_fetch_mode;
    /* Of a preflight, behind Access-Control-. */
    struct slice request_method, request_headers, request_private_network;
};

enum cors_verdict {
    CORS_NO_BROWSER,  /* neither Origin nor Sec-Fetch-Site: not judged */
    CORS_SAME_ORIGIN, /* no fields needed */
    CORS_ALLOWED,     /* by exact match or loopback: credentials too */
    CORS_ALLOWED_ANY, /* by "*": without credentials */
    CORS_REFUSED,
};

enum cors_verdict cors_decide(const struct cors_policy *policy, const struct cors_request *req);

/* The answer to a preflight that was not refused: a method that it asks for is allowed beside the
 * usual ones when a request may have it; the fields that it asks for are echoed when they are a
 * list of tokens; the way into a private network is opened when it asks and the policy says
 * so (WICG Private Network Access).  Adds to `fields`; names and values are NUL-terminated.
 * 0, or -ENOBUFS. */
int cors_preflight_fields(const struct cors_policy *policy, enum cors_verdict verdict,
                          const struct cors_request *req, struct metadata *fields);
/* Adds what a response of this verdict needs, Access-Control-Expose-Headers computed from the
 * fields already there.  Names and values are NUL-terminated.  0, or -ENOBUFS. */
int cors_response_fields(enum cors_verdict verdict, struct slice origin, struct metadata *fields);
