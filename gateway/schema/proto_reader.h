/* proto_reader: walks the fields of one serialised protobuf message in place.  Descriptors are read
 * with it instead of being unpacked: they come from peers, so nothing is allocated per element and
 * nothing recurses; and options keep the fields that an older descriptor.proto does not know
 * (features of editions, google.api.http). */
#pragma once
#include "base/slice.h"

struct proto_reader {
    struct slice rest;
    bool malformed; /* why the last proto_reader_next() returned false */
};

struct proto_field {
    uint32_t number;
    uint8_t wire_type;  /* enum wire_type (types.h); never WIRE_EGROUP */
    uint64_t value;     /* WIRE_VARINT, WIRE_FIXED32, WIRE_FIXED64 */
    struct slice bytes; /* WIRE_LEN, and the inside of WIRE_SGROUP; borrowed */
};

/* bytes are borrowed. */
void proto_reader_init(struct proto_reader *r, struct slice bytes);
/* False at the end and at malformed bytes (Protobuf encoding; r->malformed tells). */
bool proto_reader_next(struct proto_reader *r, struct proto_field *field);
/* Whether the fields of the whole message can be walked; looks one level deep only. */
bool proto_reader_check(struct slice bytes);
/* The string or bytes field of that number in a serialised message, borrowed; the last one counts.
 * data is NULL when there is none. */
struct slice proto_reader_find_bytes(struct slice message, uint32_t number);
