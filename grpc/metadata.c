#include "grpc/metadata.h"

#include "base/text.h"

#include <errno.h>

enum { ENTRY_OVERHEAD = 32 }; /* RFC 9113 section 6.5.2 */

void metadata_init(struct metadata *md, struct arena *arena, size_t max_bytes)
{
    *md = (struct metadata){.arena = arena, .max_bytes = max_bytes};
}

static int metadata_append(struct metadata *md, struct slice name, struct slice value)
{
    if (md->count == md->cap) {
        uint32_t cap = md->cap ? md->cap * 2 : 16;
        struct metadata_entry *entries = arena_alloc(md->arena, cap * sizeof *entries);
        if (!entries)
            return -ENOBUFS;
        if (md->count)
            memcpy(entries, md->entries, md->count * sizeof *entries);
        md->entries = entries;
        md->cap = cap;
    }
    md->entries[md->count++] = (struct metadata_entry){name, value};
    md->bytes += name.len + value.len + ENTRY_OVERHEAD;
    return 0;
}

static bool metadata_fits(const struct metadata *md, struct slice name, struct slice value)
{
    size_t left = md->max_bytes - md->bytes;
    return name.len <= left && value.len <= left - name.len &&
           ENTRY_OVERHEAD <= left - name.len - value.len;
}

int metadata_add_borrowed(struct metadata *md, struct slice name, struct slice value)
{
    if (!metadata_fits(md, name, value))
        return -ENOBUFS;
    return metadata_append(md, name, value);
}

int metadata_add(struct metadata *md, struct slice name, struct slice value)
{
    if (!metadata_fits(md, name, value))
        return -ENOBUFS;
    uint8_t *to = arena_alloc(md->arena, name.len + value.len + 1);
    if (!to)
        return -ENOBUFS;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        to[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    if (value.len)
        memcpy(to + name.len, value.data, value.len);
    to[name.len + value.len] = 0;
    return metadata_append(md, slice_from(to, name.len), slice_from(to + name.len, value.len));
}

struct slice metadata_get(const struct metadata *md, struct slice name)
{
    for (uint32_t i = 0; i < md->count; i++)
        if (slice_equal(md->entries[i].name, name))
            return md->entries[i].value;
    return (struct slice){NULL, 0};
}

bool metadata_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        if (!ok)
            return false;
    }
    return name.len > 0;
}

bool metadata_value_valid(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}

bool metadata_is_binary(struct slice name)
{
    return slice_has_suffix(name, SLICE("-bin"));
}

static bool base64_part_valid(struct slice part)
{
    uint8_t scratch[48];
    size_t padded = part.len;
    while (part.len > 0 && padded - part.len < 2 && part.data[part.len - 1] == '=')
        part.len--;
    if (part.len % 4 == 1)
        return false;
    while (part.len > 0) {
        struct slice piece = slice_first(part, part.len < 60 ? part.len : 60);
        if (memchr(piece.data, '=', piece.len) || text_base64_decode(piece, scratch) < 0)
            return false;
        part = slice_skip(part, piece.len);
    }
    return true;
}

bool metadata_binary_valid(struct slice value)
{
    struct slice rest = value;
    do {
        if (!base64_part_valid(slice_trim(slice_cut(&rest, ','))))
            return false;
    } while (rest.data);
    return true;
}

struct slice metadata_binary_unpadded(struct slice value, struct arena *arena)
{
    if (value.len == 0 || !memchr(value.data, '=', value.len))
        return value;
    uint8_t *to = arena_alloc(arena, value.len);
    if (!to)
        return (struct slice){NULL, 0};
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] != '=')
            to[len++] = value.data[i];
    return slice_from(to, len);
}

/* One row per first letter keeps the check at a length comparison for most names. */
static bool name_in(struct slice name, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.len == names[i].len && name.data[0] == names[i].data[0] &&
            memcmp(name.data, names[i].data, name.len) == 0)
            return true;
    return false;
}

#define NAME(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct slice hop_by_hop[] = {
    NAME("connection"), NAME("keep-alive"),        NAME("te"),           NAME("trailer"),
    NAME("upgrade"),    NAME("transfer-encoding"), NAME("expect"),       NAME("content-length"),
    NAME("host"),       NAME("http2-settings"),    NAME("content-type"),
};

static const struct slice request_only[] = {
    NAME("accept"),       NAME("accept-encoding"),
    NAME("grpc-timeout"), NAME("grpc-encoding"),
    NAME("grpc-status"),  NAME("grpc-accept-encoding"),
    NAME("grpc-message"), NAME("grpc-status-details-bin"),
};

static const struct slice response_only[] = {
    NAME("grpc-encoding"),
    NAME("grpc-accept-encoding"),
};

#undef NAME

bool metadata_stripped_upstream(struct slice name)
{
    if (name.len == 0 || name.data[0] == ':')
        return true;
    return name_in(name, hop_by_hop, sizeof hop_by_hop / sizeof *hop_by_hop) ||
           name_in(name, request_only, sizeof request_only / sizeof *request_only) ||
           slice_has_prefix(name, SLICE("proxy-")) ||
           slice_has_prefix(name, SLICE("sec-websocket-")) ||
           slice_has_prefix(name, SLICE("access-control-request-"));
}

bool metadata_stripped_front(struct slice name)
{
    if (name.len == 0 || name.data[0] == ':')
        return true;
    return name_in(name, hop_by_hop, sizeof hop_by_hop / sizeof *hop_by_hop) ||
           name_in(name, response_only, sizeof response_only / sizeof *response_only) ||
           slice_has_prefix(name, SLICE("proxy-"));
}
