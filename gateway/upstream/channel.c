#include "gateway/upstream/channel.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DEAD_HOST_MS = 20000,
    /* With the streams that may still be open, half of what the strictest common server takes (200
     * in 30 s); nghttp2's are 1000, then 33 a second. */
    MAX_RESETS = 100,
};

static void channel_enter(struct channel *ch, enum channel_state state)
{
    assert(state > ch->state);
    ch->state = state;
    if (state >= CHANNEL_READY)
        loop_timer_cancel(ch->config->conns->loop, &ch->timer);
    if (state == CHANNEL_READY) {
        ch->was_ready = true;
        ch->ready_ms = ch->idle_ms = loop_now_ms(ch->config->conns->loop);
    }
    if (state == CHANNEL_CLOSED && !ch->was_ready && ch->why.code != STATUS_OK)
        metrics_add(ch->config->metrics, METRIC_UPSTREAM_FAILURES, 1);
    ch->config->events->on_state(ch->config->arg, ch);
}

/* The address is named where the upstream's name does not. */
static void channel_blame(struct channel *ch, enum status_code code, struct slice reason)
{
    char address[NET_TEXT_LEN];
    net_format(&ch->address, address);
    bool same = strcmp(address, ch->config->name) == 0;
    status_set(&ch->why, code, "upstream %s%s%s%s: %.*s", ch->config->name, same ? "" : " (",
               same ? "" : address, same ? "" : ")", SLICE_PRINT(reason));
}

static void channel_stop_connecting(struct channel *ch)
{
    loop_io_free(ch->connect);
    ch->connect = NULL;
    if (ch->fd >= 0)
        close(ch->fd);
    ch->fd = -1;
}

static void channel_fail(struct channel *ch, const char *reason)
{
    channel_stop_connecting(ch);
    channel_blame(ch, STATUS_UNAVAILABLE, slice_from_string(reason));
    channel_enter(ch, CHANNEL_CLOSED);
}

static void channel_fail_errno(struct channel *ch, int error)
{
    char text[96];
    const char *reason = strerror_r(-error, text, sizeof text);
    if (reason != text)
        snprintf(text, sizeof text, "%s", reason);
    text[0] = (char)tolower((unsigned char)text[0]);
    channel_fail(ch, text);
}

static void on_timeout(void *arg)
{
    struct channel *ch = arg;
    char text[80];
    snprintf(text, sizeof text, "%s within %llu ms",
             ch->state == CHANNEL_CONNECTING ? "no connection" : "no HTTP/2 answer",
             (unsigned long long)ch->config->connect_timeout_ms);
    channel_close(ch, STATUS_UNAVAILABLE, text);
}

static void on_settings(void *arg, uint32_t max_streams)
{
    struct channel *ch = arg;
    ch->max_streams = max_streams;
    if (ch->state == CHANNEL_GREETING)
        channel_enter(ch, CHANNEL_READY);
    else
        ch->config->events->on_room(ch->config->arg, ch);
}

static void on_goaway(void *arg, uint32_t error_code, struct slice debug_data)
{
    (void)error_code, (void)debug_data;
    struct channel *ch = arg;
    if (ch->state < CHANNEL_DRAINING)
        channel_enter(ch, CHANNEL_DRAINING);
}

static void on_closed(void *arg, const struct status *why)
{
    struct channel *ch = arg;
    ch->conn = NULL;
    metrics_sub(ch->config->metrics, METRIC_UPSTREAM_CONNECTIONS, 1);
    if (ch->why.code == STATUS_OK && why->code != STATUS_OK)
        channel_blame(ch, STATUS_UNAVAILABLE, status_message(why));
    if (ch->why.code == STATUS_OK && !ch->was_ready)
        channel_blame(ch, STATUS_UNAVAILABLE, SLICE("closed the connection at once"));
    channel_enter(ch, CHANNEL_CLOSED);
}

static const struct h2_conn_events conn_events = {
    .session = {.on_settings = on_settings, .on_goaway = on_goaway},
    .on_closed = on_closed,
};

static void on_connected(void *arg, int events)
{
    (void)events;
    struct channel *ch = arg;
    int error = net_connect_result(ch->fd);
    if (error < 0) {
        channel_fail_errno(ch, error);
        return;
    }
    int fd = ch->fd;
    ch->fd = -1;
    net_expect_life(fd, DEAD_HOST_MS);
    channel_stop_connecting(ch);
    ch->conn =
        h2_conn_new(ch->config->conns, fd, H2_CLIENT, &h2_session_config_default, &conn_events, ch);
    if (!ch->conn) {
        channel_fail(ch, "out of memory");
        return;
    }
    metrics_add(ch->config->metrics, METRIC_UPSTREAM_CONNECTIONS, 1);
    channel_enter(ch, CHANNEL_GREETING);
}

struct channel *channel_new(const struct channel_config *config, const struct net_address *address)
{
    struct channel *ch = calloc(1, sizeof *ch);
    if (!ch)
        return NULL;
    ch->config = config;
    ch->address = *address;
    ch->timer = (struct timer){.on_expire = on_timeout, .arg = ch};
    list_init(&ch->node);
    metrics_add(config->metrics, METRIC_UPSTREAM_CONNECTS, 1);
    ch->fd = net_connect(address);
    if (ch->fd < 0) {
        channel_fail_errno(ch, ch->fd);
        return ch;
    }
    ch->connect = loop_io_new(config->conns->loop, ch->fd, LOOP_WRITE, on_connected, ch);
    if (!ch->connect) {
        channel_fail(ch, "out of memory");
        return ch;
    }
    loop_timer_set(config->conns->loop, &ch->timer,
                   loop_now_ms(config->conns->loop) + config->connect_timeout_ms);
    return ch;
}

void channel_close(struct channel *ch, enum status_code code, const char *reason)
{
    if (ch->state == CHANNEL_CLOSED)
        return;
    if (code != STATUS_OK)
        channel_blame(ch, code, slice_from_string(reason));
    if (ch->conn) {
        h2_conn_close(ch->conn);
        return;
    }
    channel_stop_connecting(ch);
    channel_enter(ch, CHANNEL_CLOSED);
}

void channel_free(struct channel *ch)
{
    assert(ch->state == CHANNEL_CLOSED && ch->streams == 0);
    loop_timer_cancel(ch->config->conns->loop, &ch->timer);
    free(ch);
}

bool channel_has_room(const struct channel *ch)
{
    return ch->state == CHANNEL_READY && !ch->worn &&
           h2_session_can_start(h2_conn_session(ch->conn));
}

struct h2_stream *channel_request(struct channel *ch, const struct metadata *headers, bool end,
                                  const struct h2_stream_events *events, void *arg)
{
    struct h2_stream *stream = h2_session_request(h2_conn_session(ch->conn), headers, end);
    if (!stream)
        return NULL;
    h2_stream_set_events(stream, events, arg);
    ch->streams++;
    metrics_add(ch->config->metrics, METRIC_STREAMS_OPEN, 1);
    return stream;
}

static void on_abandoned_close(void *arg, uint32_t error_code)
{
    (void)error_code;
    channel_stream_closed(arg);
}

void channel_abandon(struct channel *ch, struct h2_stream *stream, bool complete,
                     enum h2_error error)
{
    static const struct h2_stream_events events = {.on_close = on_abandoned_close};
    h2_stream_set_events(stream, &events, ch);
    if (complete)
        return;
    h2_stream_reset(stream, error);
    ch->worn = ++ch->resets >= MAX_RESETS;
}

void channel_stream_closed(struct channel *ch)
{
    assert(ch->streams > 0);
    if (--ch->streams == 0)
        ch->idle_ms = loop_now_ms(ch->config->conns->loop);
    metrics_sub(ch->config->metrics, METRIC_STREAMS_OPEN, 1);
    ch->config->events->on_room(ch->config->arg, ch);
}

uint64_t channel_bytes_out(const struct channel *ch)
{
    return ch->conn ? h2_conn_bytes_out(ch->conn) : 0;
}
