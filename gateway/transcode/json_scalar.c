#include "base/text.h"
#include "gateway/transcode/digits.h"
#include "gateway/transcode/json_parser.h"
#include "gateway/transcode/nearest.h"
#include "gateway/transcode/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

/* A number, bare or in quotes; *at: where it stands.  In quotes nothing but the number is allowed.
 */
static bool read_number(struct json_parser *p, struct number *n, const char *expected)
{
    int c = json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (c != '"') {
        if (!json_reader_number(&p->in, n))
            return json_parser_fail(p, at, "%s", c < 0 ? "unexpected end of the text" : expected);
        return true;
    }
    struct slice text;
    if (!json_parser_text(p, &text))
        return false;
    if (text.len == 0 || number_parse(text.data, text.data + text.len, n) != text.data + text.len)
        return json_parser_fail(p, at, "%s", expected);
    return true;
}

static bool fail_integer(struct json_parser *p, const uint8_t *at, int rc)
{
    return json_parser_fail(p, at, "%s",
                            rc == -ERANGE ? "the number is out of range" : "expected an integer");
}

/* An integer of up to 17 plain digits, bare or in quotes: nearly all there are.  False: it is
 * written otherwise, nothing is consumed. */
static bool read_plain_integer(struct json_parser *p, uint64_t *magnitude, bool *negative)
{
    enum { DIGITS_MAX = 17 };
    bool quoted = json_reader_peek(&p->in) == '"';
    const uint8_t *at = p->in.at + quoted, *end = p->in.end;
    *negative = at < end && *at == '-';
    at += *negative;
    const uint8_t *first = at;
    uint64_t sum = 0;
    for (; end - at >= 8 && at == first && digits_are_8(word_load(at)); at += 8)
        sum = digits_value_8(word_load(at));
    for (; at < end && (uint8_t)(*at - '0') < 10 && at - first < DIGITS_MAX; at++)
        sum = sum * 10 + (*at - (unsigned)'0');
    ptrdiff_t len = at - first;
    if (len == 0 || at == end || (*first == '0' && len > 1))
        return false;
    bool ends = quoted ? *at == '"' : *at == ',' || *at == '}' || *at == ']';
    if (!ends)
        return false;
    *magnitude = sum;
    p->in.at = at + quoted;
    return true;
}

static bool read_signed(struct json_parser *p, bool wide, int64_t *value)
{
    struct number n;
    uint64_t magnitude;
    bool negative;
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (read_plain_integer(p, &magnitude, &negative)) {
        uint64_t limit = wide ? INT64_MAX : (uint64_t)INT32_MAX + negative;
        if (magnitude > limit)
            return fail_integer(p, at, -ERANGE);
        *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
        return true;
    }
    if (!read_number(p, &n, "expected a number"))
        return false;
    int rc = number_to_int64(&n, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX, value);
    return rc == 0 || fail_integer(p, at, rc);
}

static bool read_unsigned(struct json_parser *p, bool wide, uint64_t *value)
{
    struct number n;
    bool negative;
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (read_plain_integer(p, value, &negative)) {
        bool fits = *value <= (wide ? UINT64_MAX : UINT32_MAX) && !(negative && *value);
        return fits || fail_integer(p, at, -ERANGE);
    }
    if (!read_number(p, &n, "expected a number"))
        return false;
    int rc = number_to_uint64(&n, wide ? UINT64_MAX : UINT32_MAX, value);
    return rc == 0 || fail_integer(p, at, rc);
}

/* The quoted names of what JSON numbers cannot say. */
static bool read_special(struct json_parser *p, double *value)
{
    static const struct {
        struct slice text;
        double value;
    } names[] = {
        {{(const uint8_t *)"\"NaN\"", 5}, NAN},
        {{(const uint8_t *)"\"Infinity\"", 10}, INFINITY},
        {{(const uint8_t *)"\"-Infinity\"", 11}, -INFINITY},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_reader_literal(&p->in, names[i].text)) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

static bool read_floating(struct json_parser *p, bool wide, uint64_t *bits)
{
    struct number n;
    double value;
    float narrow;
    bool special = json_reader_peek(&p->in) == '"' && read_special(p, &value);
    const uint8_t *at = p->in.at;
    if (!special && !read_number(p, &n, "expected a number"))
        return false;
    int rc = 0;
    if (special)
        narrow = (float)value;
    else
        rc = wide ? number_to_double(&n, &value) : number_to_float(&n, &narrow);
    if (rc < 0)
        return json_parser_fail(p, at, "the number is out of range");
    uint32_t narrow_bits;
    if (wide) {
        memcpy(bits, &value, sizeof *bits);
    } else {
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        *bits = narrow_bits;
    }
    return true;
}

static bool write_bool(struct json_parser *p)
{
    bool yes = json_reader_literal(&p->in, SLICE("true"));
    if (!yes && !json_reader_literal(&p->in, SLICE("false")))
        return json_parser_fail(p, p->in.at, "expected true or false");
    *p->out.at++ = yes;
    return true;
}

/* Length and bytes of a string that was read. */
static bool write_text(struct json_parser *p, const struct json_string *s)
{
    struct sink *out = &p->out;
    if (!sink_need(out, s->raw.len + WIRE_VARINT_LEN))
        return json_parser_full(p);
    if (!s->escaped) {
        out->at = wire_put_varint(out->at, s->raw.len);
        if (s->raw.len)
            sink_store(out, s->raw.data, s->raw.len);
        return true;
    }
    size_t start;
    if (!json_parser_open(p, &start))
        return false;
    out->at += json_string_decode(s, out->at);
    return json_parser_close(p, start);
}

static bool write_string(struct json_parser *p)
{
    struct json_string s;
    if (!json_reader_string(&p->in, &s))
        return json_parser_fail_read(p);
    return write_text(p, &s);
}

static bool write_bytes(struct json_parser *p)
{
    struct slice text;
    json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    if (!json_parser_text(p, &text))
        return false;
    /* The length follows from the text; padding is at most two characters. */
    uint8_t *to = p->out.at;
    size_t digits = text.len;
    for (int i = 0; i < 2 && digits > 0 && text.data[digits - 1] == '='; i++)
        digits--;
    to = wire_put_varint(to, digits / 4 * 3 + digits % 4 * 6 / 8);
    ssize_t len = text_base64_decode(text, to);
    if (len < 0)
        return json_parser_fail(p, at, "expected base64");
    p->out.at = to + len;
    return true;
}

static bool unknown_enum_name(struct json_parser *p, const struct enum_type *type,
                              const uint8_t *at, struct slice name)
{
    if (p->options->ignore_unknown) {
        p->dropped = true;
        return true;
    }
    int shown = name.len < 48 ? (int)name.len : 48;
    struct slice near = nearest_enum_value(type, name);
    if (near.len > 0)
        return json_parser_fail(p, at, "unknown value \"%.*s\", did you mean \"%.*s\"?", shown,
                                (const char *)name.data, SLICE_PRINT(near));
    return json_parser_fail(p, at, "unknown value \"%.*s\"", shown, (const char *)name.data);
}

static bool read_enum_name(struct json_parser *p, const struct enum_type *type, int64_t *number)
{
    struct slice text;
    struct number n;
    const uint8_t *at = p->in.at;
    if (!json_parser_text(p, &text))
        return false;
    const struct enum_value *value = enum_type_value_by_name(type, text);
    if (value) {
        *number = value->number;
        return true;
    }
    if (text.len > 0 && number_parse(text.data, text.data + text.len, &n) == text.data + text.len &&
        number_to_int64(&n, INT32_MIN, INT32_MAX, number) == 0)
        return true;
    return unknown_enum_name(p, type, at, text);
}

static bool write_enum(struct json_parser *p, const struct field *f)
{
    const struct enum_type *type = f->enumeration;
    int c = json_reader_peek(&p->in);
    const uint8_t *at = p->in.at;
    int64_t number = 0;
    if (c == '"') {
        if (!read_enum_name(p, type, &number) || p->dropped)
            return p->dropped;
    } else if (!type->null_value || !json_reader_literal(&p->in, SLICE("null"))) {
        if (c != '-' && (c < '0' || c > '9'))
            return json_parser_fail(p, at, "expected the name or number of an enum value");
        if (!read_signed(p, false, &number))
            return false;
    }
    if (type->closed && !enum_type_value(type, (int32_t)number)) {
        p->dropped = p->options->ignore_unknown;
        return p->dropped || json_parser_fail(p, at, "the enum has no value of that number");
    }
    p->out.at = wire_put_varint(p->out.at, (uint64_t)number);
    return true;
}

static bool write_integer(struct json_parser *p, enum field_kind kind)
{
    bool wide = kind == FIELD_INT64 || kind == FIELD_UINT64 || kind == FIELD_FIXED64 ||
                kind == FIELD_SFIXED64 || kind == FIELD_SINT64;
    bool fixed = kind == FIELD_FIXED32 || kind == FIELD_FIXED64 || kind == FIELD_SFIXED32 ||
                 kind == FIELD_SFIXED64;
    uint64_t bits;
    if (kind == FIELD_UINT64 || kind == FIELD_UINT32 || kind == FIELD_FIXED64 ||
        kind == FIELD_FIXED32) {
        if (!read_unsigned(p, wide, &bits))
            return false;
    } else {
        int64_t value;
        if (!read_signed(p, wide, &value))
            return false;
        bits = kind == FIELD_SINT32 || kind == FIELD_SINT64 ? wire_zigzag(value) : (uint64_t)value;
    }
    uint8_t *at = p->out.at;
    p->out.at = fixed ? wire_put_fixed(at, bits, wide ? 8 : 4) : wire_put_varint(at, bits);
    return true;
}

bool json_scalar(struct json_parser *p, const struct field *f)
{
    uint64_t bits = 0;
    if (!sink_need(&p->out, WIRE_VARINT_LEN)) /* packed elements have no tag that asked for it */
        return json_parser_full(p);
    switch (f->kind) {
    case FIELD_DOUBLE:
    case FIELD_FLOAT:
        if (!read_floating(p, f->kind == FIELD_DOUBLE, &bits))
            return false;
        p->out.at = wire_put_fixed(p->out.at, bits, f->kind == FIELD_DOUBLE ? 8 : 4);
        return true;
    case FIELD_BOOL:
        return write_bool(p);
    case FIELD_STRING:
        return write_string(p);
    case FIELD_BYTES:
        return write_bytes(p);
    case FIELD_ENUM:
        return write_enum(p, f);
    default:
        return write_integer(p, f->kind);
    }
}

bool json_scalar_key(struct json_parser *p, const struct field *f, const struct json_string *key)
{
    if (f->kind == FIELD_STRING)
        return write_text(p, key);
    const uint8_t *at = key->raw.data - 1;
    struct slice bare = key->raw;
    uint8_t room[64];
    if (key->escaped) {
        if (key->raw.len > sizeof room)
            return json_parser_fail(p, at, "expected another kind of key");
        bare = slice_from(room, json_string_decode(key, room));
    }
    if (f->kind == FIELD_BOOL) {
        bool yes = slice_equal(bare, SLICE("true"));
        if (!yes && !slice_equal(bare, SLICE("false")))
            return json_parser_fail(p, at, "expected \"true\" or \"false\" as a key");
        *p->out.at++ = yes;
        return true;
    }
    struct number n;
    if (bare.len == 0 || number_parse(bare.data, bare.data + bare.len, &n) != bare.data + bare.len)
        return json_parser_fail(p, at, "expected an integer in quotes as a key");
    /* Reads the key again as a value, from its own text. */
    struct json_reader in = p->in;
    json_reader_init(&p->in, bare);
    bool ok = write_integer(p, f->kind);
    p->in = in;
    return ok || json_parser_fail(p, at, "the key is not an integer or out of range");
}
