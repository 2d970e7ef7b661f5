/* compile: turns the files of a descriptor set into the tables of types.h.  Two passes: declaring
 * registers every name of every file; then messages, enums and services are filled in, in any
 * order, since every type they refer to has its place already.  Private to schema/. */
#pragma once
#include "base/arena.h"
#include "gateway/schema/features.h"
#include "gateway/schema/symbols.h"
#include "gateway/schema/types.h"
#include "grpc/status.h"

enum { COMPILE_MAX_NESTING = 64 /* messages in messages */ };

/* One file being compiled. */
struct compile_file {
    struct slice bytes; /* serialised FileDescriptorProto; lives as long as the schema */
    struct slice name, package;
    const char *source; /* for error messages */
    struct features features;
    struct slice missing_import; /* the first that is not there; may be empty */
};

struct compile_extension {
    struct compile_extension *next, *next_of_message;
    const struct compile_file *file;
    struct slice bytes; /* FieldDescriptorProto */
    struct slice scope; /* package or message that declares it */
    struct features features;
};

struct compile_message {
    struct message_type type; /* first: symbols and fields point at it */
    struct compile_message *next;
    const struct compile_file *file;
    struct slice bytes; /* DescriptorProto */
    struct features features;
    uint32_t fields, oneofs, extensions; /* how many there are */
    struct compile_extension *first_extension, **last_extension;
};

struct compile_enum {
    struct enum_type type; /* first */
    struct compile_enum *next;
    const struct compile_file *file;
    struct slice bytes; /* EnumDescriptorProto */
    struct features features;
    uint32_t values;
    bool allow_alias;
};

struct compile_service {
    struct compile_service *next;
    const struct compile_file *file;
    struct slice bytes; /* ServiceDescriptorProto */
    struct slice full_name;
    uint32_t methods;
};

struct compile {
    struct arena *arena; /* the schema's; everything lies there */
    struct symbols *symbols;
    struct status *st;
    struct compile_message *messages, **messages_end;
    struct compile_enum *enums, **enums_end;
    struct compile_extension *extensions, **extensions_end;
    struct compile_service *services, **services_end;
    size_t service_count, method_count;
    struct method *methods; /* filled by compile_services() */
    struct slice *service_names;
};

void compile_init(struct compile *c, struct arena *arena, struct symbols *symbols,
                  struct status *st);
/* Pass 1 for one file: package, syntax and features go to *file, the names to the symbols. */
bool compile_declare(struct compile *c, struct compile_file *file);
/* Pass 2 for everything declared.  False with the status filled; so below. */
bool compile_define(struct compile *c);

/* The parts of pass 2. */
bool compile_attach_extension(struct compile *c, struct compile_extension *extension);
bool compile_message_fields(struct compile *c, struct compile_message *message);
bool compile_message_tables(struct compile *c, struct compile_message *message);
bool compile_enum_values(struct compile *c, struct compile_enum *def);
bool compile_services(struct compile *c);
bool compile_well_known(struct compile *c);

/* The well-known type of that full name. */
enum well_known compile_well_known_of(struct slice full_name);

/* Fails with INVALID_ARGUMENT, naming file, symbol ("scope.name", parts may be empty) and reason.
 * Returns false. */
bool compile_fail(struct compile *c, const struct compile_file *file, struct slice scope,
                  struct slice name, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Fails with RESOURCE_EXHAUSTED. */
bool compile_fail_memory(struct compile *c);
/* Registers a name; duplicates and names that are no identifiers fail. */
bool compile_add_symbol(struct compile *c, const struct compile_file *file,
                        const struct symbol *symbol);
/* A type name as written in `scope` (Protobuf language specification: a leading dot is absolute,
 * otherwise from the innermost scope outwards).  NULL when there is no such message or enum. */
struct symbol *compile_resolve(const struct compile *c, struct slice scope, struct slice name);
/* Fails because `written`, used by scope.name, is not defined. */
bool compile_fail_unknown(struct compile *c, const struct compile_file *file, struct slice scope,
                          struct slice name, struct slice written);

/* For printf of peers' names: "%.*s", at most 100 bytes of them. */
#define COMPILE_SHOW(s) (int)((s).len < 100 ? (s).len : 100), (const char *)(s).data
