/* proto_unpack: protobuf-c's unpack made safe for bytes from a peer.  protobuf-c 1.4 has no
 * recursion limit and expands empty sub-messages some fifty-fold, so a scan along the descriptor
 * checks depth, element count, wire format and UTF-8 before anything is allocated. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"
#include "grpc/status.h"

#include <protobuf-c/protobuf-c.h>

/* The outermost message is at depth 0.  Elements are field occurrences, known or not, and the
 * elements of packed varints; packed fixed-width elements do not grow in memory and are free. */
enum { PROTO_MAX_DEPTH = 100, PROTO_MAX_ELEMENTS = 100000 };

/* The message, to be freed by protobuf_c_message_free_unpacked(m, NULL); NULL with *st
 * INVALID_ARGUMENT (malformed, too deep, not UTF-8) or RESOURCE_EXHAUSTED (too many elements,
 * memory). */
ProtobufCMessage *proto_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                               struct status *st);
/* The same, but the message lives in the arena and dies with it; its limit counts as memory. */
ProtobufCMessage *proto_unpack_in(const ProtobufCMessageDescriptor *type, struct slice bytes,
                                  struct arena *arena, struct status *st);
/* Only the scan. */
bool proto_scan(const ProtobufCMessageDescriptor *type, struct slice bytes, struct status *st);
