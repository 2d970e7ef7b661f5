/* name: names of protobuf symbols and fields: validity, hashing, JSON spelling.  Names come from
 * peers, so every one is checked before it is stored, and their length is bounded. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

enum { NAME_MAX_LEN = 1024 }; /* of a full name; the protobuf language sets no limit */

/* [A-Za-z_][A-Za-z0-9_]* (Protobuf language specification, identifiers), of bounded length. */
bool name_is_identifier(struct slice name);
/* One or more identifiers with dots in between, of bounded length. */
bool name_is_dotted(struct slice name);
/* A file name that may stand in messages and logs: UTF-8 without control characters, not empty. */
bool name_is_file(struct slice name);

uint64_t name_hash(uint64_t seed, struct slice name);

/* "scope.name", or "name" when scope is empty.  data is NULL when memory is out; so below. */
struct slice name_join(struct arena *arena, struct slice scope, struct slice name);
/* lowerCamelCase as protoc computes json_name: an underscore goes and raises the next letter. */
struct slice name_lower_camel(struct arena *arena, struct slice name);
/* `"name"` as JSON text (RFC 8259 section 7), followed by `after`. */
struct slice name_quote(struct arena *arena, struct slice name, struct slice after);
