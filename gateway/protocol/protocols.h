/* protocols: the front protocols that this build has; the tables that order them are in
 * protocols.c. */
#pragma once
#include "gateway/protocol.h"

extern const struct protocol protocol_connect_unary, protocol_connect_stream;
extern const struct protocol protocol_websocket, protocol_grpc_web, protocol_page, protocol_rest,
    protocol_description, protocol_admin;
