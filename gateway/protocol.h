/* protocol: what a front protocol provides.  One file in protocol/ and one line in protocols.c make
 * a protocol.
 *
 * Order of calls: open, on_body any number of times (never while paused), on_body_end at most once,
 * on_writable after exchange_write() answered false, on_fail at most once, close exactly once and
 * last: the response has been sent or the client is gone.  After close no exchange_*() may be
 * called with this exchange; a call still running must be cancelled in it.
 *
 * A protocol that has ended every response when open() returns hears of nothing more and needs none
 * of the callbacks; one that only upgrades needs no on_body_end, one that writes
 * and ends its response in one event no on_writable. */
#pragma once
#include "gateway/exchange.h"
#include "grpc/status.h"

struct protocol {
    const char *name; /* label of logs and metrics */
    /* Whether it takes this request.  The first protocol of the table that matches wins; the last
     * one matches all. */
    bool (*matches)(const struct exchange_request *req, const struct context *ctx);
    /* Takes the request; returns its state, usually from exchange_alloc().  May answer at once. */
    void *(*open)(struct exchange *ex);
    void (*on_body)(struct exchange *ex, void *state, struct slice data);
    void (*on_body_end)(struct exchange *ex, void *state);
    void (*on_writable)(struct exchange *ex, void *state);
    /* The front cannot go on with a response that has not ended: *st says why and is its status.
     * Optional; without it the connection just ends. */
    void (*on_fail)(struct exchange *ex, void *state, const struct status *st);
    void (*close)(struct exchange *ex, void *state);
};

/* NULL-terminated, in order of precedence (protocol/protocols.c). */
extern const struct protocol *const protocols_public[];
extern const struct protocol *const protocols_admin[];
