#include "gateway/schema/well_known_files.h"

#include "gateway/schema/proto_reader.h"

extern const uint8_t drawbridge_well_known_start[], drawbridge_well_known_end[];

struct slice well_known_files(void)
{
    return slice_from(drawbridge_well_known_start,
                      (size_t)(drawbridge_well_known_end - drawbridge_well_known_start));
}

static struct slice name_of(struct slice file)
{
    enum { FILE_NAME = 1 };
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, file);
    while (proto_reader_next(&r, &field))
        if (field.number == FILE_NAME)
            return field.bytes;
    return (struct slice){NULL, 0};
}

struct slice well_known_file(struct slice name)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, well_known_files());
    while (proto_reader_next(&r, &field))
        if (slice_equal(name_of(field.bytes), name))
            return field.bytes;
    return (struct slice){NULL, 0};
}
