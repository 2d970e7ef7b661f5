/* features: the settings that differ between proto2, proto3 and editions
 * (google.protobuf.FeatureSet in descriptor.proto).  They are inherited from the outside inwards:
 * file, message, oneof, field. */
#pragma once
#include "base/slice.h"

/* The numbers of descriptor.proto. */
enum feature_presence { PRESENCE_EXPLICIT = 1, PRESENCE_IMPLICIT = 2, PRESENCE_REQUIRED = 3 };
enum feature_enum { ENUM_OPEN = 1, ENUM_CLOSED = 2 };
enum feature_repeated { REPEATED_PACKED = 1, REPEATED_EXPANDED = 2 };
enum feature_utf8 { UTF8_VERIFY = 2, UTF8_NONE = 3 };
enum feature_encoding { ENCODING_PREFIXED = 1, ENCODING_DELIMITED = 2 };
enum feature_json { JSON_ALLOW = 1, JSON_LEGACY = 2 };
enum edition {
    EDITION_PROTO2 = 998,
    EDITION_PROTO3 = 999,
    EDITION_2023 = 1000,
    EDITION_2024 = 1001
};

struct features {
    enum edition edition;
    enum feature_presence presence;
    enum feature_enum enumeration;
    enum feature_repeated repeated;
    enum feature_utf8 utf8;
    enum feature_encoding encoding;
    enum feature_json json;
};

/* Where the features stand in the options message of each kind of thing. */
enum {
    FEATURES_IN_FILE = 50,
    FEATURES_IN_MESSAGE = 12,
    FEATURES_IN_FIELD = 21,
    FEATURES_IN_ONEOF = 1,
    FEATURES_IN_ENUM = 7,
};

/* The defaults of an edition.  False when it is newer than what is known here. */
bool features_init(struct features *f, uint64_t edition);
/* Overrides with the features found as field `number` of a serialised options message; values that
 * are not known are left out.  Proto2 and proto3 files have none, what stands there is ignored.
 * False when malformed. */
bool features_apply(struct features *f, struct slice options, uint32_t number);
