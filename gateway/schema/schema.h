/* schema: one immutable snapshot of everything known of the upstream's services.  Made from
 * descriptor sets (file or reflection), shared by workers, counted. */
#pragma once
#include "gateway/schema/types.h"
#include "grpc/status.h"

struct schema;

/* Collects files, in any order and with duplicates, until schema_build(). */
struct schema_builder;
struct schema_builder *schema_builder_new(void);
void schema_builder_free(struct schema_builder *b);
/* Adds a serialised FileDescriptorSet; `source` (a file name, "reflection") is named in errors.
 * Bytes are copied. False with INVALID_ARGUMENT in *st. */
bool schema_builder_add_set(struct schema_builder *b, struct slice set, const char *source,
                            struct status *st);
/* Adds one serialised FileDescriptorProto.  A file of a name already known must be identical or is
 * ignored. */
bool schema_builder_add_file(struct schema_builder *b, struct slice file, const char *source,
                             struct status *st);
/* The name of an import that no added file satisfies and that is not one of the well-known files;
 * NULL: none. */
const char *schema_builder_missing(const struct schema_builder *b);
/* Compiles.  The snapshot has one reference.  NULL with *st naming file, symbol and reason. */
struct schema *schema_build(struct schema_builder *b, struct status *st);
/* Reads and compiles files of descriptor sets. */
struct schema *schema_load_files(const char *const *paths, size_t count, struct status *st);

/* From any thread. */
struct schema *schema_ref(struct schema *s);
void schema_unref(struct schema *s);

/* NULL when there is none. */
const struct method *schema_method(const struct schema *s, struct slice path);
const struct message_type *schema_message(const struct schema *s, struct slice full_name);
const struct enum_type *schema_enum(const struct schema *s, struct slice full_name);
/* Extensions (proto2): the field of that number on that message. */
const struct field *schema_extension(const struct schema *s, const struct message_type *type,
                                     uint32_t number);
/* Methods in order of service and declaration. */
size_t schema_method_count(const struct schema *s);
const struct method *schema_method_at(const struct schema *s, size_t i);
/* Name of the .proto file that defines the method; empty when it is not one of this schema. */
struct slice schema_method_file(const struct schema *s, const struct method *method);
size_t schema_service_count(const struct schema *s);
struct slice schema_service_at(const struct schema *s, size_t i);
/* The whole as a serialised FileDescriptorSet, imports before importers; borrowed. */
struct slice schema_descriptor_set(const struct schema *s);
/* Whether the services of some upstream are missing in it, and may come later. */
bool schema_partial(const struct schema *s);
/* Where it came from, for people: "reflection (v1)", "descriptors: a.binpb". */
const char *schema_source(const struct schema *s);
