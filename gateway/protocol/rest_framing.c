/* An EventSource connects again when its response ends, whatever the reason.  So the last block of
 * a stream has an id of its own, which the browser sends back, and 204 tells it to stop. */
#include "gateway/protocol/rest_framing.h"

#define LAST_ID "end"

struct media_type {
    const char *name;
    enum rest_framing framing;
};

static const struct media_type media_types[] = {
    {"application/json", REST_ARRAY},
    {"application/x-ndjson", REST_LINES},
    {"text/event-stream", REST_EVENTS},
};

/* A weight in thousandths (RFC 9110 section 12.4.2). */
static unsigned read_weight(struct slice text)
{
    unsigned weight = 0, unit = 1000;
    for (size_t i = 0; i < text.len && unit > 0; i++) {
        if (text.data[i] == '.')
            continue;
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        weight += (unsigned)(text.data[i] - '0') * unit;
        unit /= 10;
    }
    return weight;
}

/* The value of a media range's parameter; data NULL: none. */
static struct slice range_parameter(struct slice parameters, struct slice name)
{
    while (parameters.data) {
        struct slice value = slice_trim(slice_cut(&parameters, ';'));
        if (slice_equal_ignore_case(slice_cut(&value, '='), name))
            return value;
    }
    return parameters;
}

static unsigned range_weight(struct slice parameters)
{
    struct slice weight = range_parameter(parameters, SLICE("q"));
    return weight.len > 0 ? read_weight(weight) : 1000;
}

enum rest_framing rest_framing_choose(struct slice accept)
{
    enum rest_framing best = REST_ARRAY;
    unsigned best_weight = 0;
    while (accept.data) {
        struct slice range = slice_cut(&accept, ',');
        struct slice type = slice_trim(slice_cut(&range, ';'));
        unsigned weight = range_weight(range);
        for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++) {
            if (weight <= best_weight ||
                !slice_equal_ignore_case(type, slice_from_string(media_types[i].name)))
                continue;
            best = media_types[i].framing;
            best_weight = weight;
        }
    }
    return best;
}

enum system_choice rest_framing_pretty(struct slice accept)
{
    if (accept.len == 0 || !memchr(accept.data, ';', accept.len))
        return CHOICE_NONE;
    while (accept.data) {
        struct slice range = slice_cut(&accept, ',');
        struct slice type = slice_trim(slice_cut(&range, ';'));
        struct slice value = range_parameter(range, SLICE("pretty"));
        if (value.data && slice_equal_ignore_case(type, SLICE("application/json")))
            return system_choice_parse(value);
    }
    return CHOICE_NONE;
}

const char *rest_framing_content_type(enum rest_framing framing)
{
    for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++)
        if (media_types[i].framing == framing)
            return media_types[i].name;
    return "application/json";
}

void rest_framing_before(enum rest_framing framing, uint64_t n, struct buf *out)
{
    if (framing == REST_ARRAY)
        buf_append_byte(out, n == 1 ? '[' : ',');
    else if (framing == REST_EVENTS)
        buf_printf(out, "id: %llu\ndata: ", (unsigned long long)n);
}

void rest_framing_behind(enum rest_framing framing, struct buf *out)
{
    if (framing == REST_LINES)
        buf_append_byte(out, '\n');
    else if (framing == REST_EVENTS)
        buf_append(out, "\n\n", 2);
}

void rest_framing_finish(enum rest_framing framing, uint64_t n, struct buf *out)
{
    if (framing == REST_ARRAY)
        buf_append_slice(out, n == 0 ? SLICE("[]") : SLICE("]"));
    else if (framing == REST_EVENTS)
        buf_append_slice(out, SLICE("id: " LAST_ID "\n\n"));
}

void rest_framing_before_error(enum rest_framing framing, struct buf *out)
{
    if (framing == REST_ARRAY)
        buf_append_byte(out, ',');
    else if (framing == REST_EVENTS)
        buf_append_slice(out, SLICE("id: " LAST_ID "\nevent: error\ndata: "));
}

bool rest_framing_was_ended(struct slice last_event_id)
{
    return slice_equal(last_event_id, SLICE(LAST_ID));
}
