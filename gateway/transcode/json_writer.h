/* json_writer: JSON strings and base64 into a sink, and the same for callers that hold a plain
 * buffer. */
#pragma once
#include "gateway/transcode/sink.h"

enum json_writer_result {
    JSON_WRITER_OK,
    JSON_WRITER_FULL,    /* the buffer's limit */
    JSON_WRITER_NOT_UTF8 /* the text is not valid UTF-8; something of it may have been written */
};

/* Quoted; `"`, `\` and control characters escaped, anything else as it is. */
enum json_writer_result json_writer_string(struct sink *out, struct slice text);
/* Quoted, standard alphabet, padded.  False at the limit. */
bool json_writer_base64(struct sink *out, struct slice bytes);
/* Quoted, appended to a plain buffer; bytes that are not UTF-8 become U+FFFD.  0 or -ENOBUFS. */
int json_writer_append_string(struct buf *out, struct slice text);
