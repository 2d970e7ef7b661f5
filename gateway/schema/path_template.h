/* path_template: the path of an HTTP rule (google/api/http.proto, "Path template syntax"):
 *     Template = "/" Segments [ ":" verb ]
 *     Segment  = "*" | "**" | literal | "{" field.path [ "=" Segments ] "}"
 * Wider than the letter of it in one point: after `**` more segments and variables may follow.
 * "/" alone is the path without segments.  Which fields the variables name is not judged here. */
#pragma once
#include "base/arena.h"
#include "grpc/status.h"

enum {
    PATH_TEMPLATE_MAX_LEN = 1024,
    PATH_TEMPLATE_MAX_SEGMENTS = 32,
    PATH_TEMPLATE_MAX_VARIABLES = 16,
};

enum path_segment_kind {
    PATH_LITERAL,
    PATH_STAR, /* one segment, not empty */
    PATH_STARS /* any number of segments, also none; at most one in a template */
};

struct path_segment {
    enum path_segment_kind kind;
    struct slice literal; /* percent-decoded */
};

struct path_variable {
    struct slice field_path; /* as written: "book.name" */
    uint8_t first, count;    /* the segments that it covers */
    bool multi;              /* covers other than one segment: "%2F" stays encoded in its value */
};

struct path_template {
    const struct path_segment *segments;
    const struct path_variable *variables;
    struct slice verb; /* without its colon, percent-decoded; empty: none */
    uint8_t segment_count;
    uint8_t variable_count;
    uint8_t stars; /* place of the `**`; segment_count: there is none */
};

/* Everything *t points at is the arena's.  False with INVALID_ARGUMENT (reason and column, counted
 * in bytes from 1) or RESOURCE_EXHAUSTED. */
bool path_template_parse(struct path_template *t, struct slice text, struct arena *arena,
                         struct status *st);
