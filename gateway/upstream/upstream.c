/* The connections of one worker: when to connect, which connection a call goes to, who waits. */
#include "gateway/upstream/upstream.h"

#include "gateway/upstream/upstream_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_CONNECTIONS = 1024,
    KEEP_CALLS = 1024, /* free calls kept for the next ones */
    KEEP_OUT = 4 * 1024,
};

void upstream_wake(struct upstream *up)
{
    if (!up->work_due.place && !up->closing)
        loop_timer_set(up->loop, &up->work_due, loop_now_ms(up->loop));
}

/* Connections came with a burst of calls; when it is over, one is enough. */
static void upstream_watch_idle(struct upstream *up)
{
    if (up->config.idle_timeout_ms && up->channels_count > 1 && !up->idle.place && !up->closing)
        loop_timer_set(up->loop, &up->idle, loop_now_ms(up->loop) + up->config.idle_timeout_ms);
}

static void on_channel_room(void *arg, struct channel *ch)
{
    struct upstream *up = arg;
    if (!list_empty(&up->queue) || (ch->worn && ch->streams == 0))
        upstream_wake(up);
    if (ch->streams == 0)
        upstream_watch_idle(up);
}

static void on_channel_state(void *arg, struct channel *ch)
{
    struct upstream *up = arg;
    if (ch->state == CHANNEL_READY) {
        up->failing = false;
        upstream_log_connected(up, ch);
    }
    upstream_wake(up);
}

/* The connections' view */

static size_t upstream_in_flight(const struct upstream *up)
{
    size_t streams = 0;
    for (const struct list *n = up->channels.next; n != &up->channels; n = n->next)
        streams += LIST_ENTRY(n, struct channel, node)->streams;
    return streams;
}

static struct channel *upstream_pick(const struct upstream *up)
{
    LIST_EACH(node, &up->channels)
    {
        struct channel *ch = LIST_ENTRY(node, struct channel, node);
        if (channel_has_room(ch))
            return ch;
    }
    return NULL;
}

static bool upstream_any(const struct upstream *up, enum channel_state from, enum channel_state to)
{
    LIST_EACH(node, &up->channels)
    {
        const struct channel *ch = LIST_ENTRY(node, struct channel, node);
        if (ch->state >= from && ch->state <= to)
            return true;
    }
    return false;
}

bool upstream_ready(const struct upstream *up)
{
    return upstream_any(up, CHANNEL_READY, CHANNEL_READY);
}

/* A connection helps only where the peer's stream limit is what calls wait for: not while it allows
 * none at all, and not while our own bound holds them back. */
static bool upstream_wants_connection(const struct upstream *up)
{
    if (up->channels_count >= MAX_CONNECTIONS ||
        upstream_any(up, CHANNEL_CONNECTING, CHANNEL_GREETING))
        return false;
    if (!upstream_ready(up))
        return true;
    if (list_empty(&up->queue) || upstream_in_flight(up) >= up->config.max_in_flight)
        return false;
    LIST_EACH(node, &up->channels)
    {
        const struct channel *ch = LIST_ENTRY(node, struct channel, node);
        if (channel_has_room(ch) || (ch->state == CHANNEL_READY && ch->max_streams == 0))
            return false;
    }
    return true;
}

/* Once may be a restart.  Twice in a row is a server that takes connections and serves none: calls
 * must not wait for that. */
static void upstream_distrust(struct upstream *up)
{
    status_set(&up->last_failure, STATUS_UNAVAILABLE,
               "upstream %s: it closes connections before it answers any call", up->name);
    up->failing = true;
}

/* Once for each connection that takes no calls any more.  One that served is replaced at once;
 * after one that failed, or that went as soon as it came, the next address is in turn, and a pause
 * after the last. */
static void upstream_judge(struct upstream *up, struct channel *ch)
{
    if (ch->judged)
        return;
    ch->judged = true;
    uint64_t now = loop_now_ms(up->loop);
    if (ch->answered || ch->worn ||
        (ch->was_ready && now - ch->ready_ms >= up->config.backoff_max_ms)) {
        backoff_reset(&up->backoff);
        up->next_attempt_ms = now;
        if (!upstream_ready(up))
            addresses_restart(&up->addresses);
    } else if (!upstream_ready(up) && addresses_next(&up->addresses)) {
        up->next_attempt_ms = now;
    } else {
        bool again = up->backoff.next_ms > up->backoff.min_ms;
        up->next_attempt_ms = now + backoff_next(&up->backoff);
        if (again && ch->was_ready && !upstream_ready(up))
            upstream_distrust(up);
    }
}

static void upstream_remove(struct upstream *up, struct channel *ch)
{
    list_remove(&ch->node);
    up->channels_count--;
    channel_free(ch);
}

/* Idle and yet without room: its stream identifiers are used up (RFC 9113 section 5.1.1), it had
 * its share of resets, or it failed and has not said so. */
static bool upstream_spent(const struct channel *ch)
{
    return ch->state == CHANNEL_READY && ch->streams == 0 && ch->max_streams > 0 &&
           !channel_has_room(ch);
}

static void upstream_sweep(struct upstream *up)
{
    LIST_EACH(node, &up->channels)
    {
        struct channel *ch = LIST_ENTRY(node, struct channel, node);
        if (upstream_spent(ch))
            channel_close(ch, STATUS_OK, "");
        if (ch->state < CHANNEL_DRAINING)
            continue;
        upstream_judge(up, ch);
        if (ch->state != CHANNEL_CLOSED)
            continue;
        upstream_log_end(up, ch);
        if (ch->why.code != STATUS_OK)
            up->last_failure = ch->why;
        if (!ch->was_ready && !upstream_ready(up) && up->addresses.place == 0)
            up->failing = true;
        upstream_remove(up, ch);
    }
}

/* The oldest connection stays: it is the one that calls are given to first. */
static void on_idle_look(void *arg)
{
    struct upstream *up = arg;
    uint64_t now = loop_now_ms(up->loop);
    const struct channel *first = NULL;
    LIST_EACH(node, &up->channels)
    {
        struct channel *ch = LIST_ENTRY(node, struct channel, node);
        if (ch->state != CHANNEL_READY || ch->worn)
            continue;
        if (first && ch->streams == 0 && now - ch->idle_ms >= up->config.idle_timeout_ms)
            channel_close(ch, STATUS_OK, "");
        first = first ? first : ch;
    }
    upstream_watch_idle(up);
    upstream_wake(up);
}

static void upstream_try_later(struct upstream *up)
{
    up->next_attempt_ms = loop_now_ms(up->loop) + backoff_next(&up->backoff);
    loop_timer_set(up->loop, &up->attempt, up->next_attempt_ms);
}

/* Without an answer the addresses of the last one are tried again. */
static void on_looked_up(void *arg, const char *why, bool changed)
{
    struct upstream *up = arg;
    if (why || changed)
        upstream_log_looked_up(up, why);
    if (!addresses_current(&up->addresses)) {
        status_set(&up->last_failure, STATUS_UNAVAILABLE, "upstream %s: %s", up->name, why);
        up->failing = true;
        upstream_try_later(up);
    }
    upstream_wake(up);
}

static void upstream_open_channel(struct upstream *up, const struct net_address *address)
{
    struct channel *ch = channel_new(&up->channel_config, address);
    if (!ch) {
        upstream_try_later(up);
        return;
    }
    list_append(&up->channels, &ch->node);
    up->channels_count++;
}

static void upstream_connect(struct upstream *up)
{
    if (up->addresses.resolver || !upstream_wants_connection(up))
        return;
    if (loop_now_ms(up->loop) < up->next_attempt_ms) {
        loop_timer_set(up->loop, &up->attempt, up->next_attempt_ms);
        return;
    }
    loop_timer_cancel(up->loop, &up->attempt);
    const struct net_address *address = addresses_current(&up->addresses);
    if (address)
        upstream_open_channel(up, address);
    else if (!addresses_look_up(&up->addresses, up->config.connect_timeout_ms))
        upstream_try_later(up);
}

/* The calls' view */

static bool upstream_refuses(const struct upstream *up)
{
    return up->failing && !upstream_ready(up);
}

static struct channel *upstream_place(const struct upstream *up)
{
    return upstream_in_flight(up) < up->config.max_in_flight ? upstream_pick(up) : NULL;
}

void upstream_dispatch(struct upstream *up, struct call *c)
{
    struct channel *ch = list_empty(&up->queue) ? upstream_place(up) : NULL;
    if (ch) {
        call_open_stream(c, ch);
    } else if (upstream_refuses(up)) {
        call_fail_soon(c, &up->last_failure);
    } else if (up->queued >= up->config.max_queued) {
        struct status st;
        status_set(&st, STATUS_UNAVAILABLE, "upstream %s: too many calls are waiting", up->name);
        call_fail_soon(c, &st);
    } else {
        c->place = CALL_QUEUED;
        list_append(&up->queue, &c->wait);
        up->queued++;
        metrics_add(up->metrics, METRIC_CALLS_QUEUED, 1);
        upstream_wake(up);
    }
}

void upstream_unqueue(struct upstream *up, struct call *c)
{
    list_remove(&c->wait);
    up->queued--;
    metrics_sub(up->metrics, METRIC_CALLS_QUEUED, 1);
}

static struct call *first_call(struct list *head)
{
    return LIST_ENTRY(head->next, struct call, wait);
}

static void upstream_serve_queue(struct upstream *up)
{
    while (!list_empty(&up->queue)) {
        struct channel *ch = upstream_place(up);
        if (ch)
            call_open_stream(first_call(&up->queue), ch);
        else if (upstream_refuses(up))
            call_fail_soon(first_call(&up->queue), &up->last_failure);
        else
            break;
    }
}

static void upstream_notify(struct upstream *up)
{
    bool ready = upstream_ready(up);
    if (ready == up->was_ready)
        return;
    up->was_ready = ready;
    if (up->on_state)
        up->on_state(up->on_state_arg, ready);
}

/* Calls come before their closed connections go: they ask why. */
static void upstream_work(void *arg)
{
    struct upstream *up = arg;
    while (!list_empty(&up->work)) {
        struct call *c = first_call(&up->work);
        list_remove(&c->wait);
        call_work(c);
    }
    upstream_sweep(up);
    upstream_serve_queue(up);
    upstream_connect(up);
    upstream_notify(up);
}

/* Memory of calls */

struct call *upstream_take_call(struct upstream *up)
{
    struct call *c = up->free_calls;
    if (c) {
        up->free_calls = c->next;
        up->free_count--;
        memset(c, 0, offsetof(struct call, reply));
    } else {
        c = calloc(1, sizeof *c);
        if (!c)
            return NULL;
        buf_init(&c->out, SIZE_MAX / 2); /* the caller bounds a message and stops at "full" */
    }
    c->up = up;
    arena_init(&c->arena, c->room, sizeof c->room, 4 * UPSTREAM_MAX_METADATA);
    c->reply.arena = &c->arena;
    c->reply.inflated = &up->inflated;
    list_init(&c->wait);
    list_init(&c->open);
    list_append(&up->open, &c->open);
    return c;
}

static void upstream_free_call(struct call *c)
{
    reply_fini(&c->reply);
    buf_fini(&c->out);
    free(c);
}

static void upstream_reclaim(struct upstream *up, struct call *c)
{
    arena_fini(&c->arena);
    if (up->free_count >= KEEP_CALLS) {
        upstream_free_call(c);
        return;
    }
    reply_release(&c->reply);
    buf_reset(&c->out, KEEP_OUT);
    c->next = up->free_calls;
    up->free_calls = c;
    up->free_count++;
}

static void upstream_finish_free(struct upstream *up)
{
    LIST_EACH(node, &up->channels)
    upstream_remove(up, LIST_ENTRY(node, struct channel, node));
    while (up->free_calls) {
        struct call *c = up->free_calls;
        up->free_calls = c->next;
        upstream_free_call(c);
    }
    buf_fini(&up->inflated);
    free(up);
}

static void upstream_reap(void *arg)
{
    struct upstream *up = arg;
    up->reap_due = false;
    while (up->dead_calls) {
        struct call *c = up->dead_calls;
        up->dead_calls = c->next;
        upstream_reclaim(up, c);
    }
    if (up->closing)
        upstream_finish_free(up);
}

static void upstream_reap_soon(struct upstream *up)
{
    if (!up->reap_due)
        loop_defer(up->loop, &up->reap);
    up->reap_due = true;
}

void upstream_bury(struct upstream *up, struct call *c)
{
    c->next = up->dead_calls;
    up->dead_calls = c;
    upstream_reap_soon(up);
}

/* The whole */

static const struct channel_events channel_events = {
    .on_state = on_channel_state,
    .on_room = on_channel_room,
};

struct upstream *upstream_new(struct h2_conn_set *conns, const struct upstream_config *config,
                              struct metrics *metrics, struct log *log)
{
    struct upstream *up = calloc(1, sizeof *up);
    if (!up)
        return NULL;
    up->conns = conns;
    up->loop = conns->loop;
    up->config = *config;
    up->metrics = metrics;
    up->log = log;
    if (config->target->count == 1)
        net_format(&config->target->addresses[0], up->name);
    else
        snprintf(up->name, sizeof up->name, "%s", config->target->text);
    if (!up->config.authority)
        up->config.authority = config->target->authority;
    addresses_init(&up->addresses, up->loop, config->target, on_looked_up, up);
    up->channel_config = (struct channel_config){
        .conns = conns,
        .name = up->name,
        .connect_timeout_ms = config->connect_timeout_ms,
        .metrics = metrics,
        .events = &channel_events,
        .arg = up,
    };
    /* The address of the object differs from worker to worker, the time from process to process. */
    backoff_init(&up->backoff, config->backoff_min_ms, config->backoff_max_ms,
                 loop_now_us(up->loop) ^ (uint64_t)(uintptr_t)up);
    list_init(&up->channels);
    list_init(&up->work);
    list_init(&up->queue);
    list_init(&up->open);
    buf_init(&up->inflated, 0);
    up->attempt = (struct timer){.on_expire = upstream_work, .arg = up};
    up->idle = (struct timer){.on_expire = on_idle_look, .arg = up};
    up->work_due = (struct timer){.on_expire = upstream_work, .arg = up};
    up->reap = (struct loop_task){.run = upstream_reap, .arg = up};
    upstream_wake(up);
    return up;
}

void upstream_free(struct upstream *up)
{
    if (!up)
        return;
    up->closing = true;
    LIST_EACH(call, &up->open)
    call_drop(LIST_ENTRY(call, struct call, open));
    LIST_EACH(node, &up->channels)
    channel_close(LIST_ENTRY(node, struct channel, node), STATUS_OK, "");
    addresses_fini(&up->addresses);
    loop_timer_cancel(up->loop, &up->work_due);
    loop_timer_cancel(up->loop, &up->attempt);
    loop_timer_cancel(up->loop, &up->idle);
    upstream_reap_soon(up);
}

void upstream_on_state(struct upstream *up, void (*on_state)(void *arg, bool ready), void *arg)
{
    up->on_state = on_state;
    up->on_state_arg = arg;
}

const struct status *upstream_last_failure(const struct upstream *up)
{
    return &up->last_failure;
}
