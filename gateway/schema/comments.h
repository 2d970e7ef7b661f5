/* comments: what people wrote beside the definitions of a descriptor set (descriptor.proto,
 * SourceCodeInfo): found by the name of what they stand at.  Servers that reflect without source
 * information have none. */
#pragma once
#include "gateway/schema/symbols.h"

struct comments {
    struct arena arena;   /* the table and the texts that were asked for; borrows the set */
    struct symbols table; /* what: struct comment of comments.c */
};

/* Reads a serialised FileDescriptorSet, which must outlive the comments.  What is malformed, and
 * what memory has no room for, has no comment. */
void comments_init(struct comments *c, struct slice set);
void comments_fini(struct comments *c);
/* The comment at `name` in `scope` (package, message, enum or service; may be empty): what stands
 * above it and what stands behind it, one blank after the comment sign removed from each line, no
 * blank space at either end.  Valid UTF-8, lives as long as the comments; empty: none. */
struct slice comments_find(struct comments *c, struct slice scope, struct slice name);
