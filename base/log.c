#include "base/log.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH_AT = 32 * 1024, MAX_BUFFERED = 256 * 1024, MAX_VALUE = 2048, MAX_LINE = 16 * 1024 };

struct log {
    int fd;
    enum log_format format;
    enum log_level level;
    struct buf buf;    /* complete lines */
    size_t lines;      /* in buf */
    uint8_t *at, *end; /* of the present line: room reserved in buf by log_begin() */
    bool broken;       /* the present line did not fit */
    bool is_pipe;      /* writing may have to wait for a reader */
    uint64_t lost;
    time_t stamp_second; /* `stamp` was formatted for this second */
    char stamp[24];
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct log *log_new(int fd, enum log_format format, enum log_level level)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    struct stat st;
    log->fd = fd;
    log->is_pipe = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    log->format = format;
    log->level = level;
    buf_init(&log->buf, MAX_BUFFERED);
    return log;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    log_flush(log);
    buf_fini(&log->buf);
    free(log);
}

static void log_put(struct log *log, const char *data, size_t len)
{
    if (len > (size_t)(log->end - log->at)) {
        log->broken = true;
        return;
    }
    if (len > 0)
        memcpy(log->at, data, len);
    log->at += len;
}

static void log_put_text(struct log *log, const char *text)
{
    log_put(log, text, strlen(text));
}

static void log_put_time(struct log *log)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    if (ts.tv_sec != log->stamp_second) {
        struct tm tm;
        gmtime_r(&ts.tv_sec, &tm);
        strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S", &tm);
        log->stamp_second = ts.tv_sec;
    }
    char ms[5] = {'.', (char)('0' + ts.tv_nsec / 100000000),
                  (char)('0' + ts.tv_nsec / 10000000 % 10), (char)('0' + ts.tv_nsec / 1000000 % 10),
                  'Z'};
    log_put_text(log, log->stamp);
    log_put(log, ms, sizeof ms);
}

static bool needs_escape(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* Quoted with JSON's escapes in both formats.  Bytes that are not UTF-8 become \u00XX. */
static void log_put_quoted(struct log *log, struct slice s)
{
    bool cut = s.len > MAX_VALUE;
    if (cut)
        s.len = MAX_VALUE;
    bool utf8 = text_is_utf8(s);
    log_put(log, "\"", 1);
    size_t plain = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (!needs_escape(c) && (utf8 || c < 0x80))
            continue;
        char escape[8];
        int len = snprintf(escape, sizeof escape, c == '"' || c == '\\' ? "\\%c" : "\\u%04x", c);
        log_put(log, (const char *)s.data + plain, i - plain);
        log_put(log, escape, (size_t)len);
        plain = i + 1;
    }
    log_put(log, (const char *)s.data + plain, s.len - plain);
    log_put_text(log, cut ? "...\"" : "\"");
}

/* What stands unquoted in a text line: visible ASCII but quote, backslash and '='. */
static const bool bare[256] = {
    ['!'] = true,
    ['#' ... '<'] = true,
    ['>' ... '['] = true,
    [']' ... '~'] = true,
};

static bool is_bare(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!bare[s.data[i]])
            return false;
    return s.len > 0 && s.len <= MAX_VALUE;
}

static void log_put_key(struct log *log, const char *key)
{
    if (log->format == LOG_FORMAT_JSON) {
        log_put(log, ",\"", 2);
        log_put_text(log, key);
        log_put(log, "\":", 2);
    } else {
        log_put(log, " ", 1);
        log_put_text(log, key);
        log_put(log, "=", 1);
    }
}

bool log_begin(struct log *log, enum log_level level, const char *event)
{
    if (!log || level > log->level)
        return false;
    /* One check per line instead of one per piece: a line is on the path of every call. */
    log->at = buf_reserve(&log->buf, MAX_LINE);
    log->end = log->at ? log->at + MAX_LINE : NULL;
    log->broken = !log->at;
    bool json = log->format == LOG_FORMAT_JSON;
    if (json)
        log_put_text(log, "{\"time\":\"");
    log_put_time(log);
    log_put_text(log, json ? "\",\"level\":\"" : " ");
    log_put_text(log, level_names[level]);
    log_put_text(log, json ? "\",\"event\":\"" : " ");
    log_put_text(log, event);
    if (json)
        log_put(log, "\"", 1);
    return true;
}

void log_str(struct log *log, const char *key, struct slice value)
{
    log_put_key(log, key);
    if (log->format == LOG_FORMAT_TEXT && is_bare(value))
        log_put(log, (const char *)value.data, value.len);
    else
        log_put_quoted(log, value);
}

void log_text(struct log *log, const char *key, const char *value)
{
    log_str(log, key, slice_from_string(value));
}

void log_uint(struct log *log, const char *key, uint64_t value)
{
    char digits[TEXT_UINT64_LEN];
    log_put_key(log, key);
    log_put(log, digits, text_format_uint64(digits, value));
}

void log_duration_us(struct log *log, const char *key, uint64_t us)
{
    char digits[TEXT_UINT64_LEN + 4];
    size_t len = text_format_uint64(digits, us / 1000);
    uint64_t part = us % 1000;
    digits[len++] = '.';
    digits[len++] = (char)('0' + part / 100);
    digits[len++] = (char)('0' + part / 10 % 10);
    digits[len++] = (char)('0' + part % 10);
    log_put_key(log, key);
    log_put(log, digits, len);
}

void log_end(struct log *log)
{
    log_put_text(log, log->format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (log->broken) {
        log->lost++;
        return;
    }
    buf_commit(&log->buf, (size_t)(log->at - (log->buf.data + log->buf.end)));
    log->lines++;
    if (buf_len(&log->buf) >= FLUSH_AT)
        log_flush(log);
}

void log_message(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    if (!log_begin(log, level, event))
        return;
    char text[MAX_VALUE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_text(log, "message", text);
    log_end(log);
}

/* How much may be written now without waiting for whoever reads the other end: a stalled reader of
 * a pipe must not stop a worker.  A pipe that polls writable takes PIPE_BUF bytes, and takes them
 * whole (pipe(7)): whole lines, so that those of several workers do not mix.  Files and terminals
 * take all. */
static size_t log_room(const struct log *log, struct slice s)
{
    struct pollfd fd = {.fd = log->fd, .events = POLLOUT};
    if (!log->is_pipe)
        return s.len;
    if (poll(&fd, 1, 0) <= 0)
        return 0;
    if (s.len <= PIPE_BUF)
        return s.len;
    const uint8_t *newline = memrchr(s.data, '\n', PIPE_BUF);
    return newline ? (size_t)(newline - s.data) + 1 : PIPE_BUF;
}

void log_flush(struct log *log)
{
    while (buf_len(&log->buf) > 0) {
        struct slice s = buf_slice(&log->buf);
        size_t room = log_room(log, s);
        if (room == 0)
            return; /* the next flush tries again; lines that find no room until then are lost */
        ssize_t n = write(log->fd, s.data, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            log->lost += log->lines;
            buf_reset(&log->buf, FLUSH_AT);
            break;
        }
        buf_consume(&log->buf, (size_t)n);
    }
    log->lines = 0;
}

uint64_t log_lost(const struct log *log)
{
    return log->lost;
}

int log_level_parse(const char *name, enum log_level *level)
{
    if (strcmp(name, "off") == 0) {
        *level = LOG_LEVEL_OFF;
        return 0;
    }
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

int log_format_parse(const char *name, enum log_format *format)
{
    bool json = strcmp(name, "json") == 0;
    if (!json && strcmp(name, "text") != 0)
        return -EINVAL;
    *format = json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return 0;
}
