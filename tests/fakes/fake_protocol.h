/* fake_protocol: one front protocol whose behaviour the request's path chooses, for tests of the
 * front without an upstream.  Query parameters are numbers: ?size=, ?count=, ?ms=.
 *   /echo     the body, when it is complete           /later    the same, ms later (0: next turn)
 *   /size     a body of `size` bytes at once          /stream   `count` pieces of `size` bytes, one
 *                                                               each ms; waits while it is full
 *   /head     the head at once, the end never         /hold     no answer
 *   /abort    a head, `size` bytes, then broken off   /cut      broken off before the head
 *   /pause    an echo that pauses the upload for ms after each piece
 *   /early    404 before the body, without asking for it to be discarded
 *   /discard  200 with the number of bytes of the body, discarded from the start
 *   /slow     an echo that allows a slow upload       /rpc      an echo that counts as a call
 * Any other path: 404. */
#pragma once
#include "gateway/protocol.h"

extern const struct protocol fake_protocol;
extern const struct protocol *const fake_protocols[];

/* Exchanges opened, closed, and seen to end properly, since the program started. */
extern uint64_t fake_protocol_opened, fake_protocol_closed, fake_protocol_body_ends;
