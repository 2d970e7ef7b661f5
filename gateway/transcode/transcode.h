/* transcode: proto3 JSON to protobuf wire and back (the ProtoJSON page of the protobuf
 * documentation), in one pass, without message objects, over the compiled tables of schema/types.h.
 */
#pragma once
#include "base/buf.h"
#include "gateway/schema/schema.h"
#include "grpc/status.h"

struct transcode_options {
    const struct schema *schema; /* for Any; may be NULL: every Any is then of unknown type */
    size_t max_elements;         /* per message; 0: 100000 */
    bool ignore_unknown; /* JSON to wire: unknown fields and unknown enum names are skipped */
    bool emit_defaults;  /* wire to JSON: fields without presence are printed when unset */
    bool enums_as_numbers;
    bool proto_names;
    bool int64_as_numbers;
};

/* Appends the wire form of the JSON text to out (whose limit bounds it).  False with *st filled:
 * INVALID_ARGUMENT with line, column and field path, RESOURCE_EXHAUSTED at a limit; what was
 * appended is then to be dropped. */
bool json_to_wire(const struct message_type *type, struct slice json,
                  const struct transcode_options *options, struct buf *out, struct status *st);
/* Appends the JSON form of a serialised message.  False: INTERNAL when the bytes do not fit the
 * type, else as above. */
bool wire_to_json(const struct message_type *type, struct slice wire,
                  const struct transcode_options *options, struct buf *out, struct status *st);
/* The same for one field alone, whose value stands bare: a list for a repeated field, an object for
 * a map.  Appends tag and value; nothing for null. */
bool json_field_to_wire(const struct field *field, struct slice json,
                        const struct transcode_options *options, struct buf *out,
                        struct status *st);
/* Appends the JSON value of one field of a serialised message of that type; its default when it is
 * not set ("null" for a message). */
bool wire_field_to_json(const struct message_type *type, const struct field *field,
                        struct slice wire, const struct transcode_options *options, struct buf *out,
                        struct status *st);
