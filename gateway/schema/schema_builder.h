/* schema_builder: collects serialised FileDescriptorProtos from descriptor sets and reflection: one
 * entry for each file name, whether the file is here or only imported by one that is.  Puts them in
 * import order and supplies the well-known files that peers leave out.  The public functions are in
 * schema.h; this header is private to schema/. */
#pragma once
#include "gateway/schema/schema.h"

enum {
    SCHEMA_MAX_FILES = 4096,
    SCHEMA_MAX_NAMES = 4 * SCHEMA_MAX_FILES, /* files and imports */
    SCHEMA_MAX_BYTES = 16 << 20,
};

/* One file name. */
struct descriptor_file {
    struct slice name;
    struct slice bytes; /* FileDescriptorProto; data is NULL while the file is not here */
    const char *source;
    bool well_known;                                   /* bytes are our own, not a peer's */
    enum { FILE_WAITING, FILE_OPEN, FILE_DONE } state; /* of the ordering */
    struct slice imports_left;        /* of the ordering: fields not yet looked at */
    struct descriptor_file *importer; /* of the ordering */
};

/* The files in order, imports before importers, each with its bytes; the array is the builder's,
 * until the next call.  Imports that are nowhere are left out.  NULL with *st: a cycle, memory,
 * nothing there. */
struct descriptor_file *const *schema_builder_order(struct schema_builder *b, size_t *count,
                                                    struct status *st);
/* NULL when the name is unknown. */
const struct descriptor_file *schema_builder_find(const struct schema_builder *b,
                                                  struct slice name);
/* The i-th name ever seen, in order of appearance; NULL past the last. */
const struct descriptor_file *schema_builder_at(const struct schema_builder *b, size_t i);
/* Takes out each file that directly or indirectly imports one that is not here; returns how many.
 */
size_t schema_builder_drop_incomplete(struct schema_builder *b);
/* "a.binpb, b.binpb": every source that was offered; cut at len. */
void schema_builder_describe(const struct schema_builder *b, char *text, size_t len);
