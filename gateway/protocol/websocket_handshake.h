/* websocket_handshake: the opening handshake of a WebSocket from the server's side (RFC 6455
 * section 4.2) as a pure function of the request.  It checks no Origin: the front has done that
 * before any protocol sees the request. */
#pragma once
#include "gateway/exchange.h"

/* The sub-protocol: one gRPC-Web call over one WebSocket. */
#define WEBSOCKET_SUBPROTOCOL "grpc-websockets"

enum { WEBSOCKET_ACCEPT_LEN = 28 };

struct websocket_handshake {
    int http_status;                   /* 101, or what the refusal deserves */
    const char *reason;                /* of a refusal: one sentence, a literal */
    char accept[WEBSOCKET_ACCEPT_LEN]; /* Sec-WebSocket-Accept; not NUL-terminated */
};

/* Whether the request asks for a WebSocket: GET with that token in Upgrade. */
bool websocket_handshake_asked(const struct exchange_request *req);
/* Judges a request that asked.  426 wants Sec-WebSocket-Version: 13 in the answer. */
struct websocket_handshake websocket_handshake_judge(const struct exchange_request *req);
