/* The front protocols, in order of precedence.  To add one: a file in this folder and a line here.
 */
#include "gateway/protocol/protocols.h"

#include <stddef.h>

const struct protocol *const protocols_public[] = {
    &protocol_websocket,
    &protocol_grpc_web,
    &protocol_connect_stream,
    &protocol_connect_unary,
    &protocol_page,
    &protocol_description,
    &protocol_rest, /* takes what is left, and explains what it cannot serve */
    NULL,
};

const struct protocol *const protocols_admin[] = {
    &protocol_admin,
    NULL,
};
