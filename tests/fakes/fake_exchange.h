/* fake_exchange: implements gateway/exchange.h without HTTP: a test says what the client asked,
 * drives a protocol and reads what it answered.  It asserts the order rules of exchange.h. */
#pragma once
#include "base/buf.h"
#include "gateway/protocol.h"

struct fake_exchange {
    struct exchange_request request;
    struct context *context;
    struct exchange_outcome outcome;
    struct arena arena;
    const struct protocol *protocol;
    void *state;
    /* What the protocol answered. */
    int http_status; /* 0: no head yet */
    struct metadata headers, trailers;
    struct buf body;
    struct slice upgrade; /* empty: it is not upgraded */
    bool ended, aborted, discarding, upload_paused, slow_upload;
    bool full; /* exchange_write() answers false */
};

/* path is a literal; METHOD_CUSTOM is SEARCH, until request.method_name is set; add headers with
 * fake_exchange_header() before fake_exchange_open(). */
void fake_exchange_init(struct fake_exchange *fx, struct context *context,
                        enum exchange_method method, const char *path);
void fake_exchange_header(struct fake_exchange *fx, const char *name, const char *value);
struct exchange *fake_exchange_handle(struct fake_exchange *fx);
void fake_exchange_open(struct fake_exchange *fx, const struct protocol *protocol);
/* Nothing is delivered while the upload is paused or discarded. */
void fake_exchange_body(struct fake_exchange *fx, struct slice data);
void fake_exchange_body_end(struct fake_exchange *fx);
/* Makes room again and tells the protocol. */
void fake_exchange_drained(struct fake_exchange *fx);
/* Calls close() and frees. */
void fake_exchange_close(struct fake_exchange *fx);
/* The response header or trailer; empty when there is none. */
struct slice fake_exchange_answer(const struct fake_exchange *fx, const char *name);
struct slice fake_exchange_trailer(const struct fake_exchange *fx, const char *name);
