#include "gateway/protocol/rest_values.h"

enum { KEEP_PARTIAL = 64 * 1024 };

enum place {
    PLACE_START,   /* nothing was read */
    PLACE_NEXT,    /* values without an array: another may follow */
    PLACE_FIRST,   /* behind '[' */
    PLACE_ELEMENT, /* behind ',' */
    PLACE_BEHIND,  /* behind an element */
    PLACE_END      /* behind ']' */
};

enum value { VALUE_NONE, VALUE_NESTED, VALUE_STRING, VALUE_SCALAR };

void rest_values_init(struct rest_values *v, size_t max_value_len)
{
    *v = (struct rest_values){.place = PLACE_START};
    buf_init(&v->partial, max_value_len);
}

void rest_values_fini(struct rest_values *v)
{
    buf_fini(&v->partial);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool fail(struct rest_values *v, const char *error)
{
    v->error = error;
    return false;
}

/* c is the first byte of a value, which is not consumed. */
static bool begin_value(struct rest_values *v, uint8_t c)
{
    v->depth = 0;
    v->in_string = v->escaped = false;
    v->place = v->array ? PLACE_BEHIND : PLACE_NEXT;
    if (c == '{' || c == '[')
        v->value = VALUE_NESTED;
    else if (c == '"')
        v->value = VALUE_STRING;
    else if (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n')
        v->value = VALUE_SCALAR;
    else
        return fail(v, "expected a value");
    return true;
}

/* One byte between values, no blank.  Returns whether it is consumed; an error may be set. */
static bool step_between(struct rest_values *v, uint8_t c)
{
    switch ((enum place)v->place) {
    case PLACE_START:
        if (c == '[') {
            v->array = true;
            v->place = PLACE_FIRST;
            return true;
        }
        break;
    case PLACE_FIRST:
        if (c == ']') {
            v->place = PLACE_END;
            return true;
        }
        break;
    case PLACE_BEHIND:
        if (c == ',' || c == ']') {
            v->place = c == ',' ? PLACE_ELEMENT : PLACE_END;
            return true;
        }
        return fail(v, "expected ',' or ']'");
    case PLACE_END:
        return fail(v, "unexpected text after the end of the array");
    case PLACE_NEXT:
    case PLACE_ELEMENT:
        break;
    }
    begin_value(v, c);
    return false;
}

/* Moves to the first byte of a value; false: there is none in the data, or the error is set. */
static bool find_value(struct rest_values *v, struct slice *data)
{
    buf_reset(&v->partial, KEEP_PARTIAL);
    while (data->len > 0 && !v->error && v->value == VALUE_NONE) {
        uint8_t c = data->data[0];
        if (is_space(c) || step_between(v, c))
            *data = slice_skip(*data, 1);
    }
    return v->value != VALUE_NONE && !v->error;
}

/* Follows one byte of a string; false behind its closing quote. */
static bool step_string(struct rest_values *v, uint8_t c)
{
    if (v->escaped)
        v->escaped = false;
    else if (c == '\\')
        v->escaped = true;
    else if (c == '"')
        v->in_string = !v->in_string;
    return v->in_string;
}

/* Follows one byte of an object or array; false behind its last bracket. */
static bool step_nested(struct rest_values *v, uint8_t c)
{
    if (v->in_string || c == '"')
        step_string(v, c);
    else if (c == '{' || c == '[')
        v->depth++;
    else if (c == '}' || c == ']')
        v->depth--;
    return v->depth > 0;
}

static bool ends_scalar(uint8_t c)
{
    return is_space(c) || c == ',' || c == ']' || c == '}' || c == '[' || c == '{' || c == '"';
}

/* How many bytes of the data belong to the value; it is complete when v->value is then NONE. */
static size_t value_len(struct rest_values *v, struct slice data)
{
    for (size_t i = 0; i < data.len; i++) {
        uint8_t c = data.data[i];
        bool goes_on = true, counts = true;
        if (v->value == VALUE_NESTED)
            goes_on = step_nested(v, c);
        else if (v->value == VALUE_STRING)
            goes_on = step_string(v, c);
        else
            goes_on = counts = !ends_scalar(c);
        if (!goes_on) {
            v->value = VALUE_NONE;
            return i + counts;
        }
    }
    return data.len;
}

enum rest_values_result rest_values_next(struct rest_values *v, struct slice *data,
                                         struct slice *value)
{
    if (v->value == VALUE_NONE && !find_value(v, data))
        return v->error ? REST_VALUES_BAD : REST_VALUES_MORE;
    struct slice piece = slice_first(*data, value_len(v, *data));
    *data = slice_skip(*data, piece.len);
    bool whole = v->value == VALUE_NONE;
    if (whole && buf_len(&v->partial) == 0 && piece.len <= v->partial.max_len) {
        *value = piece;
        return REST_VALUES_READY;
    }
    if (buf_append_slice(&v->partial, piece) < 0)
        return REST_VALUES_TOO_LARGE;
    *value = buf_slice(&v->partial);
    return whole ? REST_VALUES_READY : REST_VALUES_MORE;
}

enum rest_values_result rest_values_end(struct rest_values *v, struct slice *value)
{
    if (v->value == VALUE_SCALAR && !v->array) {
        v->value = VALUE_NONE;
        *value = buf_slice(&v->partial);
        return REST_VALUES_READY;
    }
    if (v->value != VALUE_NONE || (v->array && v->place != PLACE_END)) {
        v->error = "unexpected end of the text";
        return REST_VALUES_BAD;
    }
    return REST_VALUES_MORE;
}
