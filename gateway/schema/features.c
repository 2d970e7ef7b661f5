#include "gateway/schema/features.h"

#include "gateway/schema/proto_reader.h"
#include "gateway/schema/types.h"

static const struct features defaults[] = {
    {EDITION_PROTO2, PRESENCE_EXPLICIT, ENUM_CLOSED, REPEATED_EXPANDED, UTF8_NONE,
     ENCODING_PREFIXED, JSON_LEGACY},
    {EDITION_PROTO3, PRESENCE_IMPLICIT, ENUM_OPEN, REPEATED_PACKED, UTF8_VERIFY, ENCODING_PREFIXED,
     JSON_ALLOW},
    {EDITION_2023, PRESENCE_EXPLICIT, ENUM_OPEN, REPEATED_PACKED, UTF8_VERIFY, ENCODING_PREFIXED,
     JSON_ALLOW},
    {EDITION_2024, PRESENCE_EXPLICIT, ENUM_OPEN, REPEATED_PACKED, UTF8_VERIFY, ENCODING_PREFIXED,
     JSON_ALLOW},
};

bool features_init(struct features *f, uint64_t edition)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        if (defaults[i].edition == edition) {
            *f = defaults[i];
            return true;
        }
    }
    return false;
}

static void set_feature(struct features *f, uint32_t number, uint64_t value)
{
    switch (number) {
    case 1:
        if (value >= PRESENCE_EXPLICIT && value <= PRESENCE_REQUIRED)
            f->presence = (enum feature_presence)value;
        break;
    case 2:
        if (value == ENUM_OPEN || value == ENUM_CLOSED)
            f->enumeration = (enum feature_enum)value;
        break;
    case 3:
        if (value == REPEATED_PACKED || value == REPEATED_EXPANDED)
            f->repeated = (enum feature_repeated)value;
        break;
    case 4:
        if (value == UTF8_VERIFY || value == UTF8_NONE)
            f->utf8 = (enum feature_utf8)value;
        break;
    case 5:
        if (value == ENCODING_PREFIXED || value == ENCODING_DELIMITED)
            f->encoding = (enum feature_encoding)value;
        break;
    case 6:
        if (value == JSON_ALLOW || value == JSON_LEGACY)
            f->json = (enum feature_json)value;
        break;
    default:
        break;
    }
}

static bool apply_set(struct features *f, struct slice set)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, set);
    while (proto_reader_next(&r, &field))
        if (field.wire_type == WIRE_VARINT)
            set_feature(f, field.number, field.value);
    return !r.malformed;
}

bool features_apply(struct features *f, struct slice options, uint32_t number)
{
    struct proto_reader r;
    struct proto_field field;
    proto_reader_init(&r, options);
    while (proto_reader_next(&r, &field)) {
        bool found = field.number == number && field.wire_type == WIRE_LEN;
        if (found && f->edition >= EDITION_2023 && !apply_set(f, field.bytes))
            return false;
    }
    return !r.malformed;
}
