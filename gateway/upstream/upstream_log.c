/* What the upstream tells the log: a line for each change of its connections and addresses.  The
 * first failure is a warning, its repetitions are for debugging. */
#include "gateway/upstream/upstream_private.h"

static bool begin(struct upstream *up, enum log_level level, const char *event)
{
    if (!up->log || !log_begin(up->log, level, event))
        return false;
    log_text(up->log, "upstream", up->name);
    return true;
}

/* Where the name does not say it. */
static void add_address(struct upstream *up, const struct net_address *address)
{
    char text[NET_TEXT_LEN];
    net_format(address, text);
    if (strcmp(text, up->name) != 0)
        log_text(up->log, "address", text);
}

void upstream_log_connected(struct upstream *up, const struct channel *ch)
{
    if (!begin(up, LOG_LEVEL_INFO, "upstream_connected"))
        return;
    add_address(up, &ch->address);
    log_uint(up->log, "max_streams", ch->max_streams);
    log_end(up->log);
}

void upstream_log_end(struct upstream *up, const struct channel *ch)
{
    const char *event = ch->was_ready ? "upstream_lost" : "upstream_unreachable";
    enum log_level level = up->failing ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
    if (ch->was_ready && ch->why.code == STATUS_OK)
        level = LOG_LEVEL_INFO;
    if (!begin(up, level, event))
        return;
    uint64_t now = loop_now_ms(up->loop);
    log_str(up->log, "message",
            ch->why.code == STATUS_OK ? SLICE("connection closed") : status_message(&ch->why));
    log_uint(up->log, "streams", ch->streams);
    log_uint(up->log, "retry_ms", up->next_attempt_ms > now ? up->next_attempt_ms - now : 0);
    log_end(up->log);
}

void upstream_log_looked_up(struct upstream *up, const char *why)
{
    enum log_level level = !why ? LOG_LEVEL_INFO : up->failing ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
    if (!begin(up, level, why ? "upstream_unknown" : "upstream_resolved"))
        return;
    if (why) {
        log_text(up->log, "message", why);
    } else {
        add_address(up, &up->addresses.list[0]);
        log_uint(up->log, "addresses", up->addresses.count);
    }
    log_end(up->log);
}
