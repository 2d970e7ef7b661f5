#include "gateway/transcode/system_params.h"

#include "gateway/transcode/query_reader.h"

enum { NAME_LEN = 32, VALUE_LEN = 96 };

/* Each may be spelt with a dollar sign in front. */
static const char *const names[] = {"alt",    "prettyPrint", "key",         "fields",
                                    ".xgafv", "quotaUser",   "userProject", "callback"};

/* What follows the dollar sign when there is one. */
static struct slice strip(struct slice name)
{
    return name.len > 1 && name.data[0] == '$' ? slice_skip(name, 1) : name;
}

bool system_params_known(struct slice name)
{
    name = strip(name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal(name, slice_from_string(names[i])))
            return true;
    return false;
}

enum system_choice system_choice_parse(struct slice value)
{
    if (slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("1")))
        return CHOICE_YES;
    if (slice_equal(value, SLICE("false")) || slice_equal(value, SLICE("0")))
        return CHOICE_NO;
    return CHOICE_NONE;
}

/* `json;enum-encoding=int`: a form and its parameters. */
static bool read_alt(struct system_params *s, struct slice value)
{
    struct slice form = slice_cut(&value, ';');
    if (slice_equal(form, SLICE("sse")))
        s->event_stream = true;
    else if (!slice_equal(form, SLICE("json")))
        return false;
    while (value.data) {
        struct slice parameter = slice_cut(&value, ';');
        if (slice_equal(parameter, SLICE("enum-encoding=int")))
            s->enums_as_numbers = CHOICE_YES;
        else if (slice_equal(parameter, SLICE("enum-encoding=string")))
            s->enums_as_numbers = CHOICE_NO;
        else
            return false;
    }
    return true;
}

static bool read_param(struct system_params *s, struct slice name, struct slice value)
{
    struct slice bare = strip(name);
    bool dollar = bare.len < name.len;
    if (slice_equal(bare, SLICE("alt"))) {
        s->google_errors |= dollar;
        /* Without the dollar sign it may as well be a field of the request. */
        return read_alt(s, value) || !dollar;
    }
    if (slice_equal(bare, SLICE("prettyPrint")))
        s->pretty = system_choice_parse(value);
    return true;
}

bool system_params_read(struct system_params *s, struct slice query, struct status *st)
{
    struct query_reader r = {query};
    struct slice raw_name, raw_value;
    bool good = true;
    *s = (struct system_params){.google_errors = false};
    while (query_reader_next(&r, &raw_name, &raw_value)) {
        uint8_t name[NAME_LEN], value[VALUE_LEN];
        if (raw_name.len > sizeof name || raw_value.len > sizeof value)
            continue;
        ssize_t name_len = query_decode(raw_name, name);
        ssize_t value_len = query_decode(raw_value, value);
        if (name_len < 0 || value_len < 0)
            continue;
        good &=
            read_param(s, slice_from(name, (size_t)name_len), slice_from(value, (size_t)value_len));
    }
    if (!good)
        status_set(st, STATUS_INVALID_ARGUMENT,
                   "parameter \"$alt\": only \"json\", with \"enum-encoding=int\", and \"sse\" are "
                   "served");
    return good;
}
