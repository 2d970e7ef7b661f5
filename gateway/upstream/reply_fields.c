#include "gateway/upstream/reply_fields.h"

#include "base/percent.h"
#include "base/text.h"

static void take_status(struct reply_fields *f, struct slice value)
{
    if (f->grpc_status.data && !slice_equal(f->grpc_status, value))
        f->status_conflict = true;
    f->grpc_status = value;
}

/* Names are told apart by their length before any byte is compared: most fields match nothing. */
static bool reply_fields_take(struct reply_fields *f, struct slice name, struct slice value)
{
    switch (name.len) {
    case 7:
        if (slice_equal(name, SLICE(":status")))
            f->status = value;
        break;
    case 11:
        if (!slice_equal(name, SLICE("grpc-status")))
            return false;
        take_status(f, value);
        return true;
    case 12:
        if (slice_equal(name, SLICE("content-type")))
            f->content_type = value;
        else if (slice_equal(name, SLICE("grpc-message")))
            f->grpc_message = value;
        else
            return false;
        return true;
    case 13:
        if (!slice_equal(name, SLICE("grpc-encoding")))
            return false;
        f->encoding = value;
        return true;
    case 20:
        return slice_equal(name, SLICE("grpc-accept-encoding"));
    case 23:
        if (!slice_equal(name, SLICE("grpc-status-details-bin")))
            return false;
        f->details = value;
        return true;
    default:
        break;
    }
    return name.len == 0 || name.data[0] == ':';
}

bool reply_fields_split(struct reply_fields *f, const struct metadata *in, struct metadata *rest)
{
    *f = (struct reply_fields){0};
    for (uint32_t i = 0; i < in->count; i++) {
        struct slice name = in->entries[i].name, value = in->entries[i].value;
        if (reply_fields_take(f, name, value))
            continue;
        if (metadata_is_binary(name)) {
            value = metadata_binary_unpadded(value, rest->arena);
            if (!value.data && in->entries[i].value.data)
                return false;
        }
        if (metadata_add_borrowed(rest, name, value) < 0)
            return false;
    }
    return true;
}

bool reply_fields_grpc(const struct reply_fields *f)
{
    static const struct slice grpc = {(const uint8_t *)"application/grpc", 16};
    struct slice type = f->content_type;
    if (type.len < grpc.len || !slice_equal_ignore_case(slice_first(type, grpc.len), grpc))
        return false;
    return type.len == grpc.len || memchr("+; \t", type.data[grpc.len], 4) != NULL;
}

struct slice reply_fields_format(const struct reply_fields *f)
{
    struct slice type = f->content_type, format;
    type = slice_trim(slice_cut(&type, ';'));
    format = type;
    slice_cut(&format, '+');
    return format.data ? format : SLICE("");
}

/* The next base-128 varint (Protocol Buffers Encoding). */
static bool take_varint(struct slice *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
        uint8_t byte = in->data[0];
        *in = slice_skip(*in, 1);
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool skip_bytes(struct slice *in, uint64_t len)
{
    if (len > in->len)
        return false;
    *in = slice_skip(*in, (size_t)len);
    return true;
}

/* Field 1, "code", of a serialised google.rpc.Status; false when the bytes are no such message. */
static bool details_code(struct slice in, uint64_t *code)
{
    enum { VARINT = 0, FIXED64 = 1, LENGTH_DELIMITED = 2, FIXED32 = 5 };
    *code = 0;
    while (in.len > 0) {
        uint64_t tag, value = 0;
        if (!take_varint(&in, &tag) || tag >> 3 == 0)
            return false;
        uint64_t wire = tag & 7;
        if ((wire == VARINT || wire == LENGTH_DELIMITED) && !take_varint(&in, &value))
            return false;
        if (tag >> 3 == 1 && wire == VARINT)
            *code = value;
        uint64_t skip = wire == LENGTH_DELIMITED ? value
                        : wire == FIXED64        ? 8
                        : wire == FIXED32        ? 4
                                                 : 0;
        if (wire == 3 || wire == 4 || wire > FIXED32 || !skip_bytes(&in, skip))
            return false;
    }
    return true;
}

static void take_details(struct slice text, struct arena *arena, struct status *st)
{
    uint8_t *to = arena_alloc(arena, text_base64_decoded_max(text.len));
    ssize_t len = to ? text_base64_decode(text, to) : -1;
    uint64_t code;
    if (len > 0 && details_code(slice_from(to, (size_t)len), &code) && code == st->raw_code)
        st->details = slice_from(to, (size_t)len);
}

static void take_message(struct slice encoded, struct arena *arena, struct status *st)
{
    char *to = encoded.len ? arena_alloc(arena, encoded.len) : NULL;
    if (to)
        st->message = slice_from(to, percent_decode_message(encoded, to));
}

void reply_fields_status(const struct reply_fields *f, struct arena *arena, struct status *st)
{
    uint64_t number;
    if (!f->grpc_status.data) {
        status_set(st, STATUS_UNKNOWN, "upstream ended the reply without grpc-status");
        return;
    }
    if (f->status_conflict) {
        status_set(st, STATUS_UNKNOWN, "upstream sent grpc-status twice");
        return;
    }
    if (text_parse_uint64(f->grpc_status, &number) < 0 || number > UINT32_MAX) {
        status_set(st, STATUS_UNKNOWN, "upstream sent a malformed grpc-status: %.*s",
                   (int)(f->grpc_status.len < 32 ? f->grpc_status.len : 32),
                   (const char *)f->grpc_status.data);
        return;
    }
    status_ok(st);
    st->raw_code = (uint32_t)number;
    st->code = number < STATUS_CODE_COUNT ? (uint32_t)number : (uint32_t)STATUS_UNKNOWN;
    if (number != STATUS_OK)
        take_message(f->grpc_message, arena, st);
    if (f->details.len > 0)
        take_details(f->details, arena, st);
}

bool reply_fields_accept(const struct reply_fields *f, struct status *st)
{
    uint64_t http = 0;
    if (text_parse_uint64(f->status, &http) < 0 || http > 999)
        http = 0;
    if (http != 200) {
        status_set(st, status_from_http((int)http), "upstream answered with HTTP status %u",
                   (unsigned)http);
        return false;
    }
    if (!reply_fields_grpc(f)) {
        status_set(st, STATUS_UNKNOWN, "upstream answered with content type \"%.*s\", not gRPC",
                   (int)(f->content_type.len < 100 ? f->content_type.len : 100),
                   (const char *)f->content_type.data);
        return false;
    }
    return true;
}
