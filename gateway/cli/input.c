#include "gateway/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_DOCUMENT = 256 << 20, READ_LEN = 64 << 10 };

int input_open(struct input *in, const char *source)
{
    *in = (struct input){.fd = -1};
    buf_init(&in->held, MAX_DOCUMENT);
    if (!source || strcmp(source, "-") == 0 || strcmp(source, "@-") == 0) {
        in->fd = STDIN_FILENO;
        return 0;
    }
    if (source[0] != '@')
        return buf_append(&in->held, source, strlen(source));
    in->fd = open(source + 1, O_RDONLY | O_CLOEXEC);
    in->owns_fd = in->fd >= 0;
    return in->fd < 0 ? -errno : 0;
}

static void close_fd(struct input *in)
{
    if (in->owns_fd)
        close(in->fd);
    in->fd = -1;
    in->owns_fd = false;
}

void input_close(struct input *in)
{
    close_fd(in);
    buf_fini(&in->held);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The length of the first document; 0 when its end is not there yet.  Outside brackets a document
 * ends with its line. */
static size_t document_len(struct slice text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
            return i + 1;
        } else if (c == '\n' && depth == 0) {
            return i;
        }
    }
    return 0;
}

enum input_result input_next(struct input *in, bool whole, struct slice *document)
{
    buf_consume(&in->held, in->given);
    in->given = 0;
    struct slice text = buf_slice(&in->held);
    size_t blanks = 0;
    while (!whole && blanks < text.len && is_blank(text.data[blanks]))
        blanks++;
    if (blanks > 0)
        text = slice_skip(text, blanks);
    size_t len = whole ? 0 : document_len(text);
    if (len == 0 && in->fd >= 0)
        return INPUT_WAIT;
    if (len == 0)
        len = text.len; /* the end of the input ends the last document */
    if (len == 0)
        return INPUT_END;
    in->given = blanks + len;
    *document = slice_first(text, len);
    return INPUT_DOCUMENT;
}

int input_read(struct input *in)
{
    uint8_t *room = buf_reserve(&in->held, READ_LEN);
    if (!room)
        return -ENOBUFS;
    ssize_t n = read(in->fd, room, READ_LEN);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    buf_commit(&in->held, (size_t)n);
    if (n == 0)
        close_fd(in);
    return 0;
}
