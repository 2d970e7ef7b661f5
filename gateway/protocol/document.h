/* document: something that a GET reads as a whole: a file of the page, a description of the API.
 * It goes out with an ETag; a client that has this version gets 304 (RFC 9110 section 13.1.2). */
#pragma once
#include "gateway/protocol.h"

struct document {
    struct slice type;                   /* content type */
    struct slice body;                   /* read until document_send() returns */
    const struct metadata_entry *fields; /* what else the response says */
    size_t fields_count;
};

/* Whether the request may be answered with a document for developers: GET or HEAD, the console is
 * on, and the service has no path of that name, which would go first. */
bool document_may_serve(const struct exchange_request *req, const struct context *ctx);
/* Answers the exchange. */
void document_send(struct exchange *ex, const struct document *document);
