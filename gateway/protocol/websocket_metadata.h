/* websocket_metadata: the request fields of a call over a WebSocket.  The client's first message
 * names them as "name: value" lines; what it does not name is taken from the upgrade request,
 * because browsers let no script set fields there but do send their cookies. */
#pragma once
#include "gateway/exchange.h"
#include "grpc/status.h"

/* Fills `fields` (initialised here; in the exchange's memory, like `text`, which is put into lower
 * case where names are).  False with *st when the text is something else, or too much, or a value
 * has control characters. */
bool websocket_metadata_collect(struct exchange *ex, struct slice text, struct metadata *fields,
                                struct status *st);
