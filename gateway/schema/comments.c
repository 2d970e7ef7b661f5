#include "gateway/schema/comments.h"

#include "base/buf.h"
#include "base/text.h"
#include "gateway/schema/proto_reader.h"
#include "gateway/schema/types.h"

enum { MAX_MEMORY = 64 << 20, MAX_COMMENT_LEN = 64 << 10, MAX_DEPTH = 32, PATH_MAX_LEN = 512 };

/* descriptor.proto */
enum {
    SET_FILE = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_SOURCE = 9,
    SOURCE_LOCATION = 1,
    LOCATION_PATH = 1,
    LOCATION_LEADING = 3,
    LOCATION_TRAILING = 4,
    ANY_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    SERVICE_METHOD = 2,
    ENUM_VALUE = 2,
};

struct comment {
    struct slice leading, trailing; /* as they stand in the set */
};

/* The way to a descriptor: its field numbers and places, encoded as in Location.path. */
struct path {
    uint8_t bytes[PATH_MAX_LEN];
    size_t len;
};

/* One file at a time. */
struct file_reading {
    struct comments *comments;
    struct symbols by_path; /* name: the path; what: struct comment */
};

/* What a descriptor has inside that can have comments. */
struct level {
    uint32_t field;
    const struct level *inside; /* ends with field 0; NULL: nothing */
};

static const struct level enum_levels[] = {{ENUM_VALUE, NULL}, {0, NULL}};
static const struct level service_levels[] = {{SERVICE_METHOD, NULL}, {0, NULL}};
static const struct level message_levels[] = {{MESSAGE_FIELD, NULL},
                                              {MESSAGE_NESTED, message_levels},
                                              {MESSAGE_ENUM, enum_levels},
                                              {0, NULL}};
static const struct level file_levels[] = {{FILE_MESSAGE, message_levels},
                                           {FILE_ENUM, enum_levels},
                                           {FILE_SERVICE, service_levels},
                                           {0, NULL}};

static void add_location(struct file_reading *f, struct slice bytes)
{
    struct proto_reader r;
    struct proto_field field;
    struct comment comment = {.leading = {NULL, 0}};
    struct slice path = {NULL, 0};
    proto_reader_init(&r, bytes);
    while (proto_reader_next(&r, &field)) {
        if (field.wire_type != WIRE_LEN)
            continue;
        if (field.number == LOCATION_PATH)
            path = field.bytes;
        else if (field.number == LOCATION_LEADING)
            comment.leading = field.bytes;
        else if (field.number == LOCATION_TRAILING)
            comment.trailing = field.bytes;
    }
    if (path.len == 0 || comment.leading.len + comment.trailing.len == 0)
        return;
    struct comment *copy = arena_alloc(&f->comments->arena, sizeof *copy);
    struct symbol symbol = {.name = path, .kind = SYMBOL_MEMBER, .what = copy}, *entry;
    if (!copy)
        return;
    *copy = comment;
    symbols_add(&f->by_path, &symbol, &entry);
}

static void read_locations(struct file_reading *f, struct slice file)
{
    struct proto_reader r, info;
    struct proto_field field, location;
    proto_reader_init(&r, file);
    while (proto_reader_next(&r, &field)) {
        if (field.number != FILE_SOURCE || field.wire_type != WIRE_LEN)
            continue;
        proto_reader_init(&info, field.bytes);
        while (proto_reader_next(&info, &location))
            if (location.number == SOURCE_LOCATION && location.wire_type == WIRE_LEN)
                add_location(f, location.bytes);
    }
}

static void path_append(struct path *path, uint32_t value)
{
    for (; value >= 0x80 && path->len < PATH_MAX_LEN; value >>= 7)
        path->bytes[path->len++] = (uint8_t)(value | 0x80);
    if (path->len < PATH_MAX_LEN)
        path->bytes[path->len++] = (uint8_t)value;
}

static struct slice text_field(struct slice message, uint32_t number)
{
    struct proto_reader r;
    struct proto_field field;
    struct slice text = {NULL, 0};
    proto_reader_init(&r, message);
    while (proto_reader_next(&r, &field))
        if (field.number == number && field.wire_type == WIRE_LEN)
            text = field.bytes;
    return text;
}

/* Enters the comment at that path, if there is one, under the descriptor's name. */
static void name_comment(struct file_reading *f, const struct path *path, struct slice scope,
                         struct slice name)
{
    struct symbol *entry, *found = symbols_find(&f->by_path, (struct slice){NULL, 0},
                                                slice_from(path->bytes, path->len));
    if (!found)
        return;
    struct symbol symbol = {
        .scope = scope, .name = name, .kind = SYMBOL_MEMBER, .what = found->what};
    symbols_add(&f->comments->table, &symbol, &entry);
}

static struct slice join(struct arena *arena, struct slice scope, struct slice name)
{
    if (scope.len == 0)
        return name;
    return slice_from_string(
        arena_printf(arena, "%.*s.%.*s", SLICE_PRINT(scope), SLICE_PRINT(name)));
}

/* Names what stands inside of `bytes`, the descriptor of `scope`, whose path is `at`.  The depth is
 * that of nested messages, which is bounded here. */
static void name_inside(struct file_reading *f, struct slice bytes, struct slice scope,
                        const struct path *at, const struct level *levels)
{
    if (at->len + 12 > PATH_MAX_LEN || at->len > 4 * MAX_DEPTH)
        return;
    for (const struct level *level = levels; level->field; level++) {
        struct proto_reader r;
        struct proto_field field;
        uint32_t index = 0;
        proto_reader_init(&r, bytes);
        while (proto_reader_next(&r, &field)) {
            if (field.number != level->field || field.wire_type != WIRE_LEN)
                continue;
            struct path path = *at;
            path_append(&path, level->field);
            path_append(&path, index++);
            struct slice name = text_field(field.bytes, ANY_NAME);
            name_comment(f, &path, scope, name);
            if (level->inside)
                name_inside(f, field.bytes, join(&f->comments->arena, scope, name), &path,
                            level->inside);
        }
    }
}

void comments_init(struct comments *c, struct slice set)
{
    struct proto_reader r;
    struct proto_field file;
    const struct path root = {.len = 0};
    arena_init(&c->arena, NULL, 0, MAX_MEMORY);
    symbols_init(&c->table, &c->arena);
    proto_reader_init(&r, set);
    while (proto_reader_next(&r, &file)) {
        struct file_reading f = {.comments = c};
        if (file.number != SET_FILE || file.wire_type != WIRE_LEN)
            continue;
        symbols_init(&f.by_path, &c->arena);
        read_locations(&f, file.bytes);
        if (f.by_path.count > 0)
            name_inside(&f, file.bytes, text_field(file.bytes, FILE_PACKAGE), &root, file_levels);
    }
}

void comments_fini(struct comments *c)
{
    arena_fini(&c->arena);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Appends without the blank that stands behind each comment sign, and without blanks at line ends.
 */
static void append_clean(struct buf *out, struct slice raw)
{
    while (raw.data) {
        struct slice line = slice_cut(&raw, '\n');
        if (line.len > 0 && line.data[0] == ' ')
            line = slice_skip(line, 1);
        while (line.len > 0 && is_blank(line.data[line.len - 1]))
            line.len--;
        buf_append_slice(out, line);
        buf_append_byte(out, '\n');
    }
}

static struct slice trim(struct slice s)
{
    while (s.data && s.len > 0 && is_blank(s.data[0]))
        s = slice_skip(s, 1);
    while (s.data && s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct slice comments_find(struct comments *c, struct slice scope, struct slice name)
{
    const struct symbol *symbol = symbols_find(&c->table, scope, name);
    const struct comment *comment = symbol ? symbol->what : NULL;
    struct slice none = {NULL, 0};
    if (!comment)
        return none;
    struct buf text;
    buf_init(&text, MAX_COMMENT_LEN);
    append_clean(&text, comment->leading);
    append_clean(&text, comment->trailing);
    struct slice clean = trim(buf_slice(&text));
    clean = text_is_utf8(clean) ? arena_copy(&c->arena, clean) : none;
    buf_fini(&text);
    return clean.data ? clean : none;
}
