#include "gateway/cli/client.h"

#include "gateway/schema/reflection_client.h"

#include <errno.h>
#include <signal.h>

enum {
    CONNECT_TIMEOUT_MS = 5000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 3000,
    MAX_CALLS = 1024,
    MAX_UNARY_REPLY = 1 << 20
};

int client_open(struct client *c, const char *target, const struct client_flags *flags,
                char error[static OPTION_ERROR_LEN])
{
    struct upstream_config config = {
        .target = &c->target,
        .authority = flags->authority,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .backoff_min_ms = BACKOFF_MIN_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .max_in_flight = MAX_CALLS,
        .max_queued = MAX_CALLS,
    };
    *c = (struct client){0};
    int result = target_parse(target, &c->target, error);
    if (result < 0)
        return result;
    signal(SIGPIPE, SIG_IGN);
    c->loop = loop_new();
    if (c->loop) {
        h2_conn_set_init(&c->conns, c->loop);
        c->upstream = upstream_new(&c->conns, &config, NULL, NULL);
    }
    if (c->upstream)
        return 0;
    snprintf(error, OPTION_ERROR_LEN, "out of memory");
    client_close(c);
    return -ENOMEM;
}

void client_close(struct client *c)
{
    schema_unref(c->schema);
    if (c->upstream)
        upstream_free(c->upstream);
    if (c->conns.loop)
        h2_conn_set_fini(&c->conns);
    if (c->loop)
        loop_free(c->loop);
    *c = (struct client){0};
}

struct reflection {
    struct client *client;
    struct reflection_client *asking; /* NULL once it is over */
    struct status *st;
    struct timer timer;
};

/* What a status says must outlive the call it came from. */
static void keep_status(struct status *to, const struct status *from)
{
    status_set(to, (enum status_code)from->code, "%.*s", SLICE_PRINT(status_message(from)));
}

static void on_reflection_done(void *arg, struct schema *schema, const struct status *failure)
{
    struct reflection *r = arg;
    r->client->schema = schema;
    if (!schema)
        keep_status(r->st, failure);
    r->asking = NULL;
}

static void on_reflection_late(void *arg)
{
    struct reflection *r = arg;
    reflection_client_cancel(r->asking);
    status_set(r->st, STATUS_DEADLINE_EXCEEDED, "server reflection has not answered in time");
    r->asking = NULL;
}

static bool reflect(struct client *c, uint64_t timeout_ms, struct status *st)
{
    uint64_t now_ms = loop_now_ms(c->loop);
    struct reflection r = {.client = c, .st = st};
    r.timer = (struct timer){.on_expire = on_reflection_late, .arg = &r};
    r.asking = reflection_client_start(c->upstream, NULL, now_ms, on_reflection_done, &r);
    if (!r.asking) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    if (timeout_ms > 0)
        loop_timer_set(c->loop, &r.timer, now_ms + timeout_ms);
    while (r.asking)
        loop_turn(c->loop, -1);
    loop_timer_cancel(c->loop, &r.timer);
    return c->schema != NULL;
}

bool client_load_schema(struct client *c, const struct option_list *descriptors,
                        uint64_t timeout_ms, struct status *st)
{
    if (descriptors->count == 0)
        return reflect(c, timeout_ms, st);
    c->schema = schema_load_files(descriptors->items, descriptors->count, st);
    return c->schema != NULL;
}

struct unary {
    struct buf *reply;
    struct status *st;
    bool done;
};

static void on_unary_message(void *arg, struct slice message)
{
    struct unary *u = arg;
    buf_append_slice(u->reply, message);
}

static void on_unary_status(void *arg, const struct status *status, const struct metadata *trailers)
{
    struct unary *u = arg;
    (void)trailers;
    keep_status(u->st, status);
    u->done = true;
}

static const struct call_events unary_events = {
    .on_message = on_unary_message,
    .on_status = on_unary_status,
};

void client_unary(struct client *c, struct slice path, struct slice request, uint64_t timeout_ms,
                  struct buf *reply, struct status *st)
{
    struct unary u = {.reply = reply, .st = st};
    struct call_request req = {
        .path = path,
        .deadline_ms = loop_now_ms(c->loop) + timeout_ms,
        .max_reply_len = MAX_UNARY_REPLY,
    };
    struct call *call = call_start(c->upstream, &req, &unary_events, &u);
    if (!call) {
        status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    call_send(call, request);
    call_half_close(call);
    while (!u.done)
        loop_turn(c->loop, -1);
}
