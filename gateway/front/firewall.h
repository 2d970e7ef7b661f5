/* firewall: the framing firewall: decides whether the head of an HTTP/1.1 request is one that every
 * server on the way reads alike (RFC 9112 sections 2.2, 3, 5, 6.3 and 11.2).  A pure function of
 * what it is fed: the fields one by one, then the request line.  It answers with an HTTP status
 * and a reason; who asks sends it with "Connection: close".  A new limit or rule is one line in
 * firewall_judge(). */
#pragma once
#include "gateway/exchange.h"

enum firewall_known {
    FIREWALL_HOST,
    FIREWALL_CONTENT_LENGTH,
    FIREWALL_TRANSFER_ENCODING,
    FIREWALL_CONTENT_TYPE,
    FIREWALL_ORIGIN,
    FIREWALL_EXPECT,
    FIREWALL_SEC_FETCH_SITE,
    FIREWALL_SEC_FETCH_MODE,
    FIREWALL_REQUEST_METHOD,          /* access-control-request-method */
    FIREWALL_REQUEST_HEADERS,         /* access-control-request-headers */
    FIREWALL_REQUEST_PRIVATE_NETWORK, /* access-control-request-private-network */
    FIREWALL_KNOWN_COUNT
};

struct firewall {
    const struct config_limits *limits;
    size_t count, bytes; /* of all fields; name, value and 4 for ": " and the line end */
    bool bad_name, bad_value;
    struct slice value[FIREWALL_KNOWN_COUNT]; /* the first of its name; data NULL: absent */
    uint32_t seen[FIREWALL_KNOWN_COUNT];      /* how many there were */
    /* Results of firewall_judge(). */
    enum exchange_method method;
    struct slice method_name; /* its text, cut at FIREWALL_MAX_METHOD */
    uint64_t content_length;  /* UINT64_MAX: not announced */
    bool chunked, http_1_0;
};

struct firewall_verdict {
    int http_status;    /* 0: passed */
    const char *reason; /* one sentence; a literal */
};

enum { FIREWALL_MAX_METHOD = 32 };

/* Reads a method: a token of bounded length (RFC 9110 section 9.1).  False when no request may have
 * it, as TRACE and CONNECT, which mean the connection and not a service. */
bool firewall_method(struct slice text, enum exchange_method *method);

void firewall_init(struct firewall *fw, const struct config_limits *limits);
/* Takes one field.  The name is put into lower case in place, the value loses the blanks at its
 * ends.  False when the field may be no metadata: metadata_name_valid() refuses the name. */
bool firewall_field(struct firewall *fw, uint8_t *name, size_t name_len, struct slice *value);
/* After the last field: the request line.  `version` is "HTTP/1.1". */
struct firewall_verdict firewall_judge(struct firewall *fw, struct slice method,
                                       struct slice target, struct slice version);
