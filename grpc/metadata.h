/* metadata: an ordered list of header or trailer fields.  Names are lower case.  Values of "-bin"
 * names are held as they travel: base64 text.  Storage comes from an arena; entries may also
 * borrow. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

#include <errno.h>

struct metadata_entry {
    struct slice name, value;
};

struct metadata {
    struct arena *arena; /* borrowed; where entries and copies live */
    struct metadata_entry *entries;
    uint32_t count, cap;
    size_t bytes;     /* sum over entries of name + value + 32, as RFC 9113 section 6.5.2 counts a
                         header list */
    size_t max_bytes; /* limit of bytes */
};

void metadata_init(struct metadata *md, struct arena *arena, size_t max_bytes);

enum { METADATA_ENTRY_OVERHEAD = 32 }; /* RFC 9113 section 6.5.2 */

/* Makes room for so many more entries, so that adding them one by one moves none.  0 or -ENOBUFS.
 */
int metadata_reserve(struct metadata *md, uint32_t more);
/* Whether the limit allows it. */
static inline bool metadata_fits(const struct metadata *md, struct slice name, struct slice value)
{
    size_t left = md->max_bytes - md->bytes;
    return name.len + METADATA_ENTRY_OVERHEAD <= left &&
           value.len <= left - name.len - METADATA_ENTRY_OVERHEAD;
}

/* Adds a field.  Name and value are copied; metadata_add lowers upper-case letters of the name.
 * 0, or -ENOBUFS (limit or memory). Neither is validated here. */
int metadata_add(struct metadata *md, struct slice name, struct slice value);
/* The same without copying: both must live as long as the metadata, the name in lower case. */
static inline int metadata_add_borrowed(struct metadata *md, struct slice name, struct slice value)
{
    if (!metadata_fits(md, name, value) || (md->count == md->cap && metadata_reserve(md, 1) < 0))
        return -ENOBUFS;
    md->entries[md->count++] = (struct metadata_entry){name, value};
    md->bytes += name.len + value.len + METADATA_ENTRY_OVERHEAD;
    return 0;
}

/* The first value of that name; data is NULL when there is none.  An existing empty value has data
 * != NULL. */
struct slice metadata_get(const struct metadata *md, struct slice name);

/* Field name: 1*( %x30-39 / %x61-7A / "_" / "-" / "." ) (gRPC PROTOCOL-HTTP2.md, Header-Name). */
bool metadata_name_valid(struct slice name);
/* The same once upper-case letters are put into lower case, which happens in place. */
bool metadata_lower_name(uint8_t *name, size_t len);
/* ASCII-Value: HTAB and 0x20-0x7e (PROTOCOL-HTTP2.md), and obs-text 0x80-0xff, which peers do send
 * (RFC 9110 section 5.5). */
bool metadata_value_valid(struct slice value);
bool metadata_is_binary(struct slice name);
/* Whether a "-bin" value is base64 in either alphabet, padded or not, possibly several joined by
 * commas. */
bool metadata_binary_valid(struct slice value);
/* The value with padding removed at each comma-separated part, as PROTOCOL-HTTP2.md wants it sent;
 * copied only when it changes.  data is NULL when memory is out. */
struct slice metadata_binary_unpadded(struct slice value, struct arena *arena);

/* Fields that belong to a single hop or to the protocol and never pass the bridge, by direction:
 * "connection", "te", "grpc-timeout" and so on (RFC 9110 section 7.6.1; gRPC PROTOCOL-HTTP2.md).
 * Names starting with ':' count too. */
bool metadata_stripped_upstream(struct slice name);
bool metadata_stripped_front(struct slice name);
