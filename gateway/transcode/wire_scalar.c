#include "gateway/transcode/json_writer.h"
#include "gateway/transcode/shortest.h"
#include "gateway/transcode/wire_printer.h"

#include <math.h>

/* A 32-bit field carries its low 32 bits, whatever length the varint has. */
static int64_t signed_value(enum field_kind kind, uint64_t bits)
{
    switch (kind) {
    case FIELD_SINT32:
        return wire_unzigzag((uint32_t)bits);
    case FIELD_SINT64:
        return wire_unzigzag(bits);
    case FIELD_INT64:
    case FIELD_SFIXED64:
        return (int64_t)bits;
    default:
        return (int32_t)bits;
    }
}

static void put_double(struct sink *out, double value)
{
    struct slice name = isnan(value) ? SLICE("\"NaN\"")
                        : value > 0  ? SLICE("\"Infinity\"")
                                     : SLICE("\"-Infinity\"");
    if (isfinite(value))
        out->at += shortest_double(value, (char *)out->at);
    else
        sink_store(out, name.data, name.len);
}

static void put_float(struct sink *out, uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value))
        out->at += shortest_float(value, (char *)out->at);
    else
        put_double(out, value);
}

static void put_integer(struct sink *out, enum field_kind kind, uint64_t bits, bool quote)
{
    bool wide = false, is_unsigned = false;
    switch (kind) {
    case FIELD_UINT64:
    case FIELD_FIXED64:
        wide = is_unsigned = true;
        break;
    case FIELD_INT64:
    case FIELD_SFIXED64:
    case FIELD_SINT64:
        wide = true;
        break;
    case FIELD_UINT32:
    case FIELD_FIXED32:
        is_unsigned = true;
        bits = (uint32_t)bits;
        break;
    default:
        break;
    }
    quote = quote && wide;
    *out->at = '"';
    out->at += quote;
    char *to = (char *)out->at;
    out->at +=
        is_unsigned ? shortest_uint64(bits, to) : shortest_int64(signed_value(kind, bits), to);
    *out->at = '"';
    out->at += quote;
}

static bool print_enum(struct wire_printer *p, const struct enum_type *type, int32_t number)
{
    if (type->null_value) /* whatever its number */
        return wire_printer_raw(p, SLICE("null"));
    const struct enum_value *value =
        p->options->enums_as_numbers ? NULL : enum_type_value(type, number);
    if (value)
        return wire_printer_raw(p, value->json);
    p->out.at += shortest_int64(number, (char *)p->out.at);
    return true;
}

/* Where the raw bits of a value end; NULL: malformed. */
static const uint8_t *read_bits(const struct field *f, const uint8_t *at, const uint8_t *end,
                                uint64_t *bits)
{
    if (f->wire_type == WIRE_VARINT)
        return wire_varint(at, end, bits);
    size_t len = f->wire_type == WIRE_FIXED32 ? 4 : 8;
    if ((size_t)(end - at) < len)
        return NULL;
    *bits = wire_get_fixed(at, len);
    return at + len;
}

/* Room for the longest number was asked for. */
static bool print_bits(struct wire_printer *p, const struct field *f, uint64_t bits)
{
    double value;
    switch (f->kind) {
    case FIELD_DOUBLE:
        memcpy(&value, &bits, sizeof value);
        put_double(&p->out, value);
        return true;
    case FIELD_FLOAT:
        put_float(&p->out, (uint32_t)bits);
        return true;
    case FIELD_BOOL:
        return wire_printer_raw(p, bits ? SLICE("true") : SLICE("false"));
    case FIELD_ENUM:
        return print_enum(p, f->enumeration, (int32_t)bits);
    default:
        put_integer(&p->out, f->kind, bits, !p->options->int64_as_numbers);
        return true;
    }
}

bool wire_scalar_is_default(const struct field *f, const uint8_t *at, const uint8_t *end)
{
    uint64_t bits;
    if (f->wire_type == WIRE_LEN)
        return wire_varint(at, end, &bits) && bits == 0;
    if (!read_bits(f, at, end, &bits))
        return false;
    bool narrow = f->kind == FIELD_INT32 || f->kind == FIELD_UINT32 || f->kind == FIELD_SINT32 ||
                  f->kind == FIELD_ENUM;
    return (narrow ? (uint32_t)bits : bits) == 0;
}

static const uint8_t *failed_bytes(struct wire_printer *p)
{
    wire_printer_unprintable(p, "the message is truncated or malformed");
    return NULL;
}

const uint8_t *wire_scalar(struct wire_printer *p, const struct field *f, const uint8_t *at,
                           const uint8_t *end)
{
    if (f->wire_type == WIRE_LEN) {
        struct slice bytes;
        at = wire_bytes(at, end, &bytes);
        if (!at)
            return failed_bytes(p);
        bool ok = f->kind == FIELD_STRING
                      ? wire_printer_string(p, bytes)
                      : json_writer_base64(&p->out, bytes) || wire_printer_full(p);
        return ok ? at : NULL;
    }
    uint64_t bits;
    at = read_bits(f, at, end, &bits);
    if (!at)
        return failed_bytes(p);
    if (!sink_need(&p->out, SHORTEST_LEN + 2)) {
        wire_printer_full(p);
        return NULL;
    }
    return print_bits(p, f, bits) ? at : NULL;
}

bool wire_scalar_default(struct wire_printer *p, const struct field *f)
{
    if (f->wire_type == WIRE_LEN)
        return wire_printer_raw(p, SLICE("\"\""));
    if (f->kind == FIELD_ENUM && f->enumeration->value_count > 0 && f->enumeration->closed)
        return print_enum(p, f->enumeration, f->enumeration->values[0].number);
    return (sink_need(&p->out, SHORTEST_LEN + 2) || wire_printer_full(p)) && print_bits(p, f, 0);
}

bool wire_scalar_key(struct wire_printer *p, const struct field *f, const uint8_t *at,
                     const uint8_t *end)
{
    bool quote = f->wire_type != WIRE_LEN;
    uint64_t bits = 0;
    if (!quote)
        return at ? wire_scalar(p, f, at, end) != NULL : wire_scalar_default(p, f);
    if (at && !read_bits(f, at, end, &bits))
        return failed_bytes(p) != NULL;
    if (!sink_need(&p->out, SHORTEST_LEN + 4))
        return wire_printer_full(p);
    *p->out.at++ = '"';
    if (f->kind == FIELD_BOOL) {
        struct slice name = bits ? SLICE("true") : SLICE("false");
        sink_store(&p->out, name.data, name.len);
    } else {
        put_integer(&p->out, f->kind, bits, false);
    }
    *p->out.at++ = '"';
    return true;
}
