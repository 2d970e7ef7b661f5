/* merged_files: the descriptor sets of several servers as one that others can load: each file name
 * and each symbol once.  A file whose name is taken gets another one; a file of which a symbol is
 * taken is left out, and what imports it with it, unless the file that has the symbol has all the
 * others too, or is of a package that every server has (another version of it), and can stand in.
 * Private to schema/. */
#pragma once
#include "base/arena.h"

struct merged_files;

/* What every server brings along, each in the version of its library: packages grpc and google.
 * `name` is that of a package or of something in it. */
static inline bool merged_files_common(struct slice name)
{
    return slice_has_prefix(name, SLICE("grpc.")) || slice_has_prefix(name, SLICE("google."));
}

/* Owned by the caller, who ends it with merged_files_free().  NULL when memory is out. */
struct merged_files *merged_files_new(void);
void merged_files_free(struct merged_files *m);
/* Takes a serialised FileDescriptorSet that compiles, imports before importers; borrowed until the
 * end.  *left_out becomes the number of its files that are.  False when memory is out. */
bool merged_files_add(struct merged_files *m, struct slice set, size_t *left_out);
/* The whole as a FileDescriptorSet in `arena`; data is NULL when memory is out. */
struct slice merged_files_write(const struct merged_files *m, struct arena *arena);
