#include "grpc/compression.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_WINDOW = 15 + 16,
    CHUNK = 16 * 1024
}; /* +16: a gzip header and trailer instead of zlib's */

enum compression compression_parse(struct slice encoding)
{
    if (encoding.len == 0 || slice_equal(encoding, SLICE("identity")))
        return COMPRESSION_IDENTITY;
    return slice_equal(encoding, SLICE("gzip")) ? COMPRESSION_GZIP : COMPRESSION_UNKNOWN;
}

/* Whether the parameters of one list member contain q=0 (RFC 9110 section 12.4.2). */
static bool weight_is_zero(struct slice parameters)
{
    while (parameters.data) {
        struct slice p = slice_trim(slice_cut(&parameters, ';'));
        if (!slice_has_prefix(p, SLICE("q=0")))
            continue;
        for (size_t i = 3; i < p.len; i++)
            if (p.data[i] != '0' && p.data[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool compression_accepts_gzip(struct slice accept)
{
    while (accept.data) {
        struct slice rest = slice_cut(&accept, ',');
        struct slice name = slice_trim(slice_cut(&rest, ';'));
        if (slice_equal_ignore_case(name, SLICE("gzip")))
            return !weight_is_zero(rest);
    }
    return false;
}

int compression_deflate(struct slice in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
    if (in.len > UINT32_MAX / 2 ||
        deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOBUFS;
    int result = -ENOBUFS;
    uLong bound = deflateBound(&z, (uLong)in.len);
    uint8_t *to = buf_reserve(out, bound);
    if (to) {
        z.next_out = to;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            buf_commit(out, bound - z.avail_out);
            result = 0;
        }
    }
    deflateEnd(&z);
    return result;
}

static bool too_large(struct status *st, size_t max_len)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED,
               "decompressed message is larger than the limit of %zu bytes", max_len);
    return false;
}

static bool no_memory(struct status *st)
{
    status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory while decompressing a message");
    return false;
}

/* One call of zlib, into len bytes at `to`; *got receives how many came.  False when it is over:
 * at the end of the data, or broken with *st filled. */
static bool inflate_piece(z_stream *z, uint8_t *to, size_t len, size_t *got, struct status *st)
{
    z->next_out = to;
    z->avail_out = (uInt)len;
    int result = inflate(z, Z_NO_FLUSH);
    *got = len - z->avail_out;
    if (result == Z_STREAM_END) {
        if (z->avail_in > 0)
            status_set(st, STATUS_INTERNAL, "compressed message has %u bytes behind its end",
                       z->avail_in);
        return false;
    }
    if (result != Z_OK || (z->avail_in == 0 && z->avail_out > 0)) {
        status_set(st, STATUS_INTERNAL,
                   "message is flagged as compressed but is not valid gzip: %s",
                   z->msg ? z->msg : "it ends early");
        return false;
    }
    return true;
}

static bool inflate_begin(z_stream *z, struct slice in, struct status *st)
{
    *z = (z_stream){.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
    status_ok(st);
    return inflateInit2(z, GZIP_WINDOW) == Z_OK || no_memory(st);
}

/* The same into out; one byte over its limit tells "exactly full" from "too large". */
static bool inflate_append(z_stream *z, struct buf *out, struct status *st)
{
    uint8_t extra[1];
    size_t room = out->max_len - buf_len(out), got;
    size_t want = room < CHUNK ? room : CHUNK;
    uint8_t *to = want ? buf_reserve(out, want) : extra;
    if (!to)
        return no_memory(st);
    bool more = inflate_piece(z, to, want ? want : 1, &got, st);
    if (!want && got > 0)
        return too_large(st, out->max_len);
    if (want)
        buf_commit(out, got);
    return more;
}

bool compression_inflate(struct slice in, struct buf *out, struct status *st)
{
    z_stream z;
    if (!inflate_begin(&z, in, st))
        return false;
    while (inflate_append(&z, out, st))
        continue;
    inflateEnd(&z);
    return st->code == STATUS_OK;
}

bool compression_fits(struct slice in, size_t max_len, struct status *st)
{
    z_stream z;
    uint8_t chunk[CHUNK];
    size_t total = 0, got;
    bool more = true;
    if (!inflate_begin(&z, in, st))
        return false;
    while (more) {
        more = inflate_piece(&z, chunk, sizeof chunk, &got, st);
        total += got;
        if (total > max_len)
            more = too_large(st, max_len);
    }
    inflateEnd(&z);
    return st->code == STATUS_OK;
}
