#include "gateway/schema/field_path.h"

/* Whether a path may go on below this field. */
static enum field_path_result judge_hop(const struct field *f)
{
    if (!f->message)
        return FIELD_PATH_SCALAR;
    if (f->repeated)
        return FIELD_PATH_REPEATED;
    return f->message->well_known == WELL_KNOWN_NONE ? FIELD_PATH_OK : FIELD_PATH_OPAQUE;
}

enum field_path_result field_path_resolve(const struct message_type *type, struct slice text,
                                          const struct field *fields[static FIELD_PATH_MAX],
                                          size_t *len)
{
    struct slice rest = text;
    *len = 0;
    for (;;) {
        const struct field *f = message_type_field_by_name(type, slice_cut(&rest, '.'));
        if (!f)
            return FIELD_PATH_UNKNOWN;
        if (*len == FIELD_PATH_MAX)
            return FIELD_PATH_DEEP;
        fields[(*len)++] = f;
        if (!rest.data)
            return FIELD_PATH_OK;
        enum field_path_result result = judge_hop(f);
        if (result != FIELD_PATH_OK)
            return result;
        type = f->message;
    }
}

const char *field_path_reason(enum field_path_result result)
{
    static const char *const reasons[] = {
        [FIELD_PATH_OK] = "",
        [FIELD_PATH_UNKNOWN] = "no such field",
        [FIELD_PATH_SCALAR] = "only messages have fields",
        [FIELD_PATH_REPEATED] = "it leads through a list or map",
        [FIELD_PATH_OPAQUE] = "it leads into a type that has a text form of its own",
        [FIELD_PATH_DEEP] = "too many levels",
    };
    return reasons[result];
}

bool field_path_has_prefix(struct field_path a, struct field_path prefix)
{
    if (a.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (a.fields[i] != prefix.fields[i])
            return false;
    return true;
}

bool field_path_equal(struct field_path a, struct field_path b)
{
    return a.len == b.len && field_path_has_prefix(a, b);
}

bool field_is_text(const struct field *f)
{
    if (!f->message)
        return true;
    switch (f->message->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
    case WELL_KNOWN_FIELD_MASK:
    case WELL_KNOWN_WRAPPER:
        return true;
    default:
        return false;
    }
}
