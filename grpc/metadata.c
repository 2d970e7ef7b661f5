#include "grpc/metadata.h"

#include "base/text.h"
#include "base/word.h"

enum { MIN_ENTRIES = 16 };

void metadata_init(struct metadata *md, struct arena *arena, size_t max_bytes)
{
    *md = (struct metadata){.arena = arena, .max_bytes = max_bytes};
}

int metadata_reserve(struct metadata *md, uint32_t more)
{
    if (md->cap - md->count >= more)
        return 0;
    uint32_t cap = md->cap ? md->cap * 2 : MIN_ENTRIES;
    if (cap < md->count + more)
        cap = md->count + more;
    struct metadata_entry *entries = arena_alloc(md->arena, cap * sizeof *entries);
    if (!entries)
        return -ENOBUFS;
    if (md->count)
        memcpy(entries, md->entries, md->count * sizeof *entries);
    md->entries = entries;
    md->cap = cap;
    return 0;
}

int metadata_add(struct metadata *md, struct slice name, struct slice value)
{
    if (!metadata_fits(md, name, value))
        return -ENOBUFS;
    uint8_t *to = arena_alloc(md->arena, name.len + value.len + 1);
    if (!to)
        return -ENOBUFS;
    if (name.len)
        memcpy(to, name.data, name.len);
    metadata_lower_name(to, name.len);
    if (value.len)
        memcpy(to + name.len, value.data, value.len);
    to[name.len + value.len] = 0;
    return metadata_add_borrowed(md, slice_from(to, name.len),
                                 slice_from(to + name.len, value.len));
}

struct slice metadata_get(const struct metadata *md, struct slice name)
{
    for (uint32_t i = 0; i < md->count; i++)
        if (slice_equal(md->entries[i].name, name))
            return md->entries[i].value;
    return (struct slice){NULL, 0};
}

/* Bytes of a metadata name. */
static const bool name_bytes[256] = {
    ['0' ... '9'] = true, ['a' ... 'z'] = true, ['_'] = true, ['-'] = true, ['.'] = true,
};

bool metadata_name_valid(struct slice name)
{
    bool ok = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        ok &= name_bytes[name.data[i]];
    return ok;
}

/* Eight bytes at once.  Most are in lower case already; who reads what has just been written in
 * other pieces waits for it. */
static bool lower_word(uint8_t *at)
{
    uint64_t word = word_load(at), upper = word_between(word, 'A', 'Z');
    if (upper) {
        word |= upper >> 2;
        word_store(at, word);
    }
    return (word_between(word, 'a', 'z') | word_between(word, '0', '9') |
            word_between(word, '-', '.') | word_between(word, '_', '_')) == WORD_EACH(0x80);
}

static bool lower_bytes(uint8_t *at, size_t len)
{
    bool ok = len > 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] |= 0x20;
        ok &= name_bytes[at[i]];
    }
    return ok;
}

bool metadata_lower_name(uint8_t *name, size_t len)
{
    if (len < WORD_LEN)
        return lower_bytes(name, len);
    bool ok = true;
    for (size_t i = 0; i < len - WORD_LEN; i += WORD_LEN)
        ok &= lower_word(name + i);
    return lower_word(name + len - WORD_LEN) && ok; /* overlaps what comes before it */
}

/* Eight bytes at a time: false when none is below 0x20 (but a tab is such) or 0x7f: then none of
 * the bytes below 0x80 changes its highest bit when 0x20 is taken off or 1 is added.  A carry into
 * its neighbour may make it true for nothing. */
static bool may_be_control(const uint8_t *at)
{
    uint64_t word = word_load(at);
    return (((word - WORD_EACH(0x20)) | (word + WORD_EACH(1))) & ~word & WORD_EACH(0x80)) != 0;
}

static bool has_control(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
            return true;
    return false;
}

bool metadata_value_valid(struct slice value)
{
    if (value.len < WORD_LEN)
        return !has_control(value.data, value.len);
    bool maybe = may_be_control(value.data + value.len - WORD_LEN);
    for (size_t i = 0; i < value.len - WORD_LEN; i += WORD_LEN)
        maybe |= may_be_control(value.data + i);
    return !maybe || !has_control(value.data, value.len);
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

#define NAME(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

enum { NAMES_MAX_LEN = 24, NAMES_OF_A_LENGTH = 4 };

/* Names by their length: most fields are told apart from all of them by one look. */
struct names {
    struct slice of[NAMES_MAX_LEN][NAMES_OF_A_LENGTH];
};

static bool names_have(const struct names *names, struct slice name)
{
    if (name.len >= NAMES_MAX_LEN)
        return false;
    const struct slice *row = names->of[name.len];
    for (size_t i = 0; i < NAMES_OF_A_LENGTH && row[i].data; i++)
        if (name.data[0] == row[i].data[0] && memcmp(name.data, row[i].data, name.len) == 0)
            return true;
    return false;
}

static const struct names stripped_upstream = {{
    [2] = {NAME("te")},
    [4] = {NAME("host")},
    [6] = {NAME("accept"), NAME("expect")},
    [7] = {NAME("trailer"), NAME("upgrade")},
    [10] = {NAME("connection"), NAME("keep-alive")},
    [11] = {NAME("grpc-status")},
    [12] = {NAME("content-type"), NAME("grpc-timeout"), NAME("grpc-message")},
    [13] = {NAME("grpc-encoding")},
    [14] = {NAME("content-length"), NAME("http2-settings")},
    [15] = {NAME("accept-encoding")},
    [17] = {NAME("transfer-encoding")},
    [20] = {NAME("grpc-accept-encoding")},
    [23] = {NAME("grpc-status-details-bin")},
}};

static const struct names stripped_front = {{
    [2] = {NAME("te")},
    [4] = {NAME("host")},
    [6] = {NAME("expect")},
    [7] = {NAME("trailer"), NAME("upgrade")},
    [10] = {NAME("connection"), NAME("keep-alive")},
    [12] = {NAME("content-type")},
    [13] = {NAME("grpc-encoding")},
    [14] = {NAME("content-length"), NAME("http2-settings")},
    [17] = {NAME("transfer-encoding")},
    [20] = {NAME("grpc-accept-encoding")},
}};

#undef NAME

bool metadata_stripped_upstream(struct slice name)
{
    return name.len == 0 || name.data[0] == ':' || names_have(&stripped_upstream, name) ||
           slice_has_prefix(name, SLICE("proxy-")) ||
           slice_has_prefix(name, SLICE("sec-websocket-")) ||
           slice_has_prefix(name, SLICE("access-control-request-"));
}

bool metadata_stripped_front(struct slice name)
{
    return name.len == 0 || name.data[0] == ':' || names_have(&stripped_front, name) ||
           slice_has_prefix(name, SLICE("proxy-"));
}
