/* sha1: the hash of FIPS 180-4 section 6.1, for the WebSocket handshake (RFC 6455 section 4.2.2)
 * and for nothing that needs to be secret or hard to forge. */
#pragma once
#include "base/slice.h"

enum { SHA1_LEN = 20 };

void sha1(struct slice in, uint8_t digest[static SHA1_LEN]);
