/* log: structured lines, text or JSON, collected in a buffer and written once per turn of the loop
 * by log_flush(). One log belongs to one thread.  Every value is escaped, so that no peer can forge
 * a line.  A full disk or a closed descriptor loses lines, counts them (log_lost()) and disturbs
 * nothing. */
#pragma once
#include "base/slice.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_OFF = -1
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log;

/* fd is borrowed.  NULL when memory is out. */
struct log *log_new(int fd, enum log_format format, enum log_level level);
/* Flushes and frees. */
void log_free(struct log *log);

/* Starts a line: false when the level is not wanted, and then nothing more is to be called.
 * A line is begin, any number of fields, end.  `event` and keys are literals of [a-z_]. */
bool log_begin(struct log *log, enum log_level level, const char *event);
void log_str(struct log *log, const char *key, struct slice value);
void log_text(struct log *log, const char *key, const char *value);
void log_uint(struct log *log, const char *key, uint64_t value);
/* Microseconds, printed as milliseconds with three decimals. */
void log_duration_us(struct log *log, const char *key, uint64_t us);
void log_end(struct log *log);

/* A whole line with one field `message`. */
void log_message(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes what has been collected. */
void log_flush(struct log *log);
/* Lines lost so far because they could not be written. */
uint64_t log_lost(const struct log *log);

/* "error", "warn", "info", "debug", "off": 0; anything else: -EINVAL. */
int log_level_parse(const char *name, enum log_level *level);
/* "text", "json": 0; anything else: -EINVAL. */
int log_format_parse(const char *name, enum log_format *format);
