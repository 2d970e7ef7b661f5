/* descriptors: the schema that is embedded in the binary, searched by file, symbol and extension.
 * Immutable and shared by all threads once descriptors_load() has run. */
#pragma once
#include "base/slice.h"
#include "google/protobuf/descriptor.pb-c.h"

enum { DESCRIPTORS_MAX = 32 };

struct descriptor_file {
    struct slice bytes; /* the serialised FileDescriptorProto */
    const Google__Protobuf__FileDescriptorProto *proto;
};

/* Parses the embedded set at the first call, from any thread. */
void descriptors_load(void);

/* Each returns NULL when there is none.  Names are full names without a leading dot. */
const struct descriptor_file *descriptors_by_filename(const char *name);
/* Services, methods, messages, fields, oneofs, enums, enum values and extensions. */
const struct descriptor_file *descriptors_by_symbol(const char *symbol);
const struct descriptor_file *descriptors_by_extension(const char *extended, int32_t number);

/* Whether a message of that name exists; its extension numbers go to numbers, their count to *len
 * (at most DESCRIPTORS_MAX). */
bool descriptors_extension_numbers(const char *extended, int32_t numbers[static DESCRIPTORS_MAX],
                                   size_t *len);

/* The file and everything it imports, itself first; returns how many. */
size_t descriptors_with_imports(const struct descriptor_file *file,
                                const struct descriptor_file *files[static DESCRIPTORS_MAX]);
