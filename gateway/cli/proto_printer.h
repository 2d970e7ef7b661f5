/* proto_printer: descriptors as proto source for reading: what a symbol is, with its comments and
 * HTTP bindings.  It shows what matters to a caller; options that concern code generators are left
 * out. */
#pragma once
#include "base/buf.h"

#include "google/protobuf/descriptor.pb-c.h"

/* Prints the service, method, message, enum or field of that full name ("pkg.Message",
 * "pkg.Service.Method", "pkg.Service/Method").  False when the set has none. */
bool proto_printer_symbol(const Google__Protobuf__FileDescriptorSet *set, struct slice name,
                          struct buf *out);
/* Prints every service. */
void proto_printer_services(const Google__Protobuf__FileDescriptorSet *set, struct buf *out);
