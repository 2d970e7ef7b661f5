#include "gateway/schema_source.h"

#include "base/buf.h"
#include "gateway/schema/http_rules_yaml.h"
#include "gateway/schema/reflection_client.h"
#include "gateway/schema_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_MS = 1000,
    RETRY_MAX_MS = 30000,
    SETTLE_MS = 250, /* answers that come together are published together */
    MAX_NOTES = 64 << 10,
};

/* What reflection tells of one upstream. */
struct description {
    struct schema_source *source;
    size_t place;          /* of the upstream */
    struct schema *schema; /* a reference; NULL until there is one; the last good one */
    struct reflection_client *asking;
    struct timer next; /* the next attempt or refresh */
    uint64_t retry_ms;
    bool answered; /* it was reached: there is a schema, or it has none to give */
    char failure[STATUS_TEXT_LEN];
};

struct schema_source {
    const struct context *ctx;
    void (*on_routes)(void *arg, struct routes *routes);
    void *arg;
    struct schema *files; /* of --descriptors; a reference */
    struct schema *last;  /* a reference of our own, for the comparison with the next */
    struct timer next;    /* when the files are read again */
    struct timer settle;
    struct buf notes; /* what the last merging had to say, to say it once */
    char failure[STATUS_TEXT_LEN];
    char text[1024]; /* schema_source_failure() of several */
    struct description descriptions[CONFIG_MAX_UPSTREAMS];
};

static const struct config_upstream *upstream_of(const struct description *d)
{
    return &d->source->ctx->config->upstreams[d->place];
}

static bool has_several(const struct schema_source *s)
{
    return s->ctx->config->upstreams_count > 1;
}

static bool has_files(const struct schema_source *s)
{
    return s->ctx->config->descriptors_count > 0;
}

/* Logging */

static void log_methods(struct log *log, const char *what, const struct schema *from,
                        const struct schema *other)
{
    for (size_t i = 0; i < schema_method_count(from); i++) {
        const struct method *method = schema_method_at(from, i);
        if (schema_method(other, method->path))
            continue;
        log_message(log, LOG_LEVEL_INFO, "schema", "method %s: %.*s", what,
                    SLICE_PRINT(method->path));
    }
}

static void log_schema(const struct schema_source *s, const struct routes *routes)
{
    struct log *log = s->ctx->log;
    const struct schema *schema = routes_schema(routes);
    log_message(log, LOG_LEVEL_INFO, "schema", "%zu services, %zu methods from %s",
                schema_service_count(schema), schema_method_count(schema), schema_source(schema));
    if (s->last) {
        log_methods(log, "added", schema, s->last);
        log_methods(log, "removed", s->last, schema);
    }
}

static void on_note(void *arg, const char *text)
{
    struct buf *notes = arg;
    buf_printf(notes, "%s\n", text);
}

static void note_left_out(const struct routes *routes, struct buf *notes)
{
    const char *first;
    size_t count = routes_left_out(routes, &first);
    if (count > 0)
        buf_printf(notes, "%zu HTTP bindings are left out, the first: %s\n", count,
                   first ? first : "");
}

/* Takes over the notes; those of the last time are no news. */
static void log_notes(struct schema_source *s, struct buf *notes)
{
    struct slice rest = buf_slice(notes);
    bool news = !slice_equal(rest, buf_slice(&s->notes));
    while (news && rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        log_message(s->ctx->log, LOG_LEVEL_WARN, "schema", "%.*s", SLICE_PRINT(line));
    }
    buf_fini(&s->notes);
    s->notes = *notes;
}

static void fail(struct schema_source *s, const struct description *d, char *failure,
                 const struct status *st)
{
    struct slice message = status_message(st);
    bool old = d ? d->schema != NULL : s->last != NULL;
    bool news = !slice_equal(slice_from_string(failure), message);
    bool named = d && has_several(s);
    const char *what = old        ? "not refreshed, the old one stays"
                       : s->files ? "its services of the files are not known, trying again"
                                  : "not loaded, trying again";
    snprintf(failure, STATUS_TEXT_LEN, "%.*s", SLICE_PRINT(message));
    if (news)
        log_message(s->ctx->log, LOG_LEVEL_WARN, "schema", "%s%s%s: %s",
                    named ? upstream_of(d)->target.text : "", named ? ": " : "", what, failure);
}

/* Publishing */

/* False with *st when the HTTP rules are bad. */
static bool publish_parts(struct schema_source *s, const struct schema_parts *parts,
                          struct status *st)
{
    struct buf notes;
    buf_init(&notes, MAX_NOTES);
    struct schema *schema = schema_parts_merge(parts, on_note, &notes, st);
    struct routes *routes =
        schema ? http_rules_yaml_build(schema, s->ctx->config->http_rules, st) : NULL;
    if (!routes) {
        schema_unref(schema);
        buf_fini(&notes);
        return false;
    }
    log_schema(s, routes);
    note_left_out(routes, &notes);
    log_notes(s, &notes);
    schema_unref(s->last);
    s->last = schema;
    s->failure[0] = 0;
    s->on_routes(s->arg, routes);
    return true;
}

static bool publish(struct schema_source *s)
{
    struct schema *told[CONFIG_MAX_UPSTREAMS];
    struct schema_parts parts;
    struct status st;
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++)
        told[i] = s->descriptions[i].schema;
    schema_parts_init(&parts, s->ctx->config, s->files, told);
    loop_timer_cancel(s->ctx->loop, &s->settle);
    if (parts.count == 0 || publish_parts(s, &parts, &st))
        return true;
    fail(s, NULL, s->failure, &st);
    return false;
}

static void on_settled(void *arg)
{
    publish(arg);
}

static void publish_soon(struct schema_source *s)
{
    bool asking = false;
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++)
        asking |= s->descriptions[i].asking != NULL;
    if (!asking)
        publish(s);
    else if (!s->settle.place)
        loop_timer_set(s->ctx->loop, &s->settle, loop_now_ms(s->ctx->loop) + SETTLE_MS);
}

/* Files */

static void schedule(struct schema_source *s, struct timer *timer)
{
    uint64_t interval_ms = s->ctx->config->schema_interval_ms;
    if (interval_ms)
        loop_timer_set(s->ctx->loop, timer, loop_now_ms(s->ctx->loop) + interval_ms);
}

static bool read_files(struct schema_source *s)
{
    struct status st;
    struct schema *schema =
        schema_load_files(s->ctx->config->descriptors, s->ctx->config->descriptors_count, &st);
    struct schema *before = s->files;
    schedule(s, &s->next);
    if (!schema || !schema_parts_check(s->ctx->config, schema, &st)) {
        fail(s, NULL, s->failure, &st);
        schema_unref(schema);
        return false;
    }
    s->files = schema;
    bool good = publish(s);
    if (!good)
        s->files = before;
    schema_unref(good ? before : schema);
    return good;
}

static void on_files_due(void *arg)
{
    read_files(arg);
}

/* Descriptions */

static void ask(struct description *d);

static void ask_again_in(struct description *d, uint64_t ms)
{
    struct loop *loop = d->source->ctx->loop;
    loop_timer_set(loop, &d->next, loop_now_ms(loop) + ms);
}

/* A server that is down comes back soon; one without reflection stays so. */
static void retry(struct description *d, const struct status *st)
{
    ask_again_in(d, d->retry_ms);
    if (st->code != STATUS_UNAVAILABLE && d->retry_ms < RETRY_MAX_MS)
        d->retry_ms *= 2;
}

/* By itself: what does not fit together here must not keep other upstreams from being served. */
static bool is_servable(const struct description *d, struct schema *schema, struct status *st)
{
    const struct schema_source *s = d->source;
    if (s->files)
        return true;
    struct schema *told[CONFIG_MAX_UPSTREAMS] = {[0] = NULL};
    struct schema_parts parts;
    struct buf notes;
    told[d->place] = schema;
    schema_parts_init(&parts, s->ctx->config, NULL, told);
    buf_init(&notes, 0);
    struct schema *alone = schema_parts_merge(&parts, on_note, &notes, st);
    struct routes *routes =
        alone ? http_rules_yaml_build(alone, s->ctx->config->http_rules, st) : NULL;
    bool good = routes != NULL;
    routes_unref(routes);
    schema_unref(alone);
    buf_fini(&notes);
    return good;
}

static void describe(struct description *d, struct schema *schema)
{
    struct schema *before = d->schema;
    d->schema = schema;
    d->failure[0] = 0;
    d->retry_ms = RETRY_MS;
    d->answered = true;
    schedule(d->source, &d->next);
    schema_unref(before);
    publish_soon(d->source);
}

static void on_reflection_done(void *arg, struct schema *schema, const struct status *failure)
{
    struct description *d = arg;
    struct status st;
    d->asking = NULL;
    if (schema && is_servable(d, schema, &st)) {
        describe(d, schema);
        return;
    }
    if (schema)
        failure = &st;
    schema_unref(schema);
    d->answered |= failure->code != STATUS_UNAVAILABLE;
    fail(d->source, d, d->failure, failure);
    if (d->schema && failure->code != STATUS_UNAVAILABLE)
        schedule(d->source, &d->next);
    else
        retry(d, failure);
    if (d->source->settle.place)
        publish_soon(d->source);
}

static void ask(struct description *d)
{
    const struct context *ctx = d->source->ctx;
    if (d->asking)
        return; /* under way */
    loop_timer_cancel(ctx->loop, &d->next);
    d->asking = reflection_client_start(ctx->upstreams[d->place], ctx->log, loop_now_ms(ctx->loop),
                                        on_reflection_done, d);
    if (!d->asking)
        ask_again_in(d, RETRY_MAX_MS);
}

static void on_description_due(void *arg)
{
    ask(arg);
}

static void ask_all(struct schema_source *s)
{
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++)
        if (schema_parts_asks(s->ctx->config, i))
            ask(&s->descriptions[i]);
}

/* The whole */

void schema_source_refresh(struct schema_source *s)
{
    if (has_files(s))
        read_files(s);
    ask_all(s);
}

struct schema_source *schema_source_new(const struct context *ctx,
                                        void (*on_routes)(void *arg, struct routes *routes),
                                        void *arg)
{
    struct schema_source *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = ctx;
    s->on_routes = on_routes;
    s->arg = arg;
    s->next = (struct timer){.on_expire = on_files_due, .arg = s};
    s->settle = (struct timer){.on_expire = on_settled, .arg = s};
    buf_init(&s->notes, MAX_NOTES);
    for (size_t i = 0; i < ctx->config->upstreams_count; i++) {
        struct description *d = &s->descriptions[i];
        *d = (struct description){.source = s, .place = i, .retry_ms = RETRY_MS};
        d->next = (struct timer){.on_expire = on_description_due, .arg = d};
    }
    return s;
}

void schema_source_free(struct schema_source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++) {
        struct description *d = &s->descriptions[i];
        if (d->asking)
            reflection_client_cancel(d->asking);
        loop_timer_cancel(s->ctx->loop, &d->next);
        schema_unref(d->schema);
    }
    loop_timer_cancel(s->ctx->loop, &s->next);
    loop_timer_cancel(s->ctx->loop, &s->settle);
    buf_fini(&s->notes);
    schema_unref(s->files);
    schema_unref(s->last);
    free(s);
}

/* A broken file of rules is found at once, whether the upstream is there or not. */
static bool check_rules(struct schema_source *s)
{
    size_t count;
    struct status st;
    bool good = http_rules_yaml_check(s->ctx->config->http_rules, &count, &st);
    if (!good)
        fail(s, NULL, s->failure, &st);
    return good;
}

bool schema_source_start(struct schema_source *s)
{
    if (has_files(s) && !read_files(s))
        return false;
    if (!has_files(s) && s->ctx->config->http_rules && !check_rules(s))
        return false;
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++)
        if (schema_parts_asks(s->ctx->config, i))
            snprintf(s->descriptions[i].failure, STATUS_TEXT_LEN,
                     "server reflection has not answered yet");
    ask_all(s);
    return true;
}

bool schema_source_complete(const struct schema_source *s)
{
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++)
        if (schema_parts_asks(s->ctx->config, i) && !s->descriptions[i].answered)
            return false;
    return !s->failure[0] || (s->last && !schema_partial(s->last));
}

const char *schema_source_failure(struct schema_source *s)
{
    struct buf all;
    buf_init(&all, sizeof s->text - 1);
    if (s->failure[0])
        return s->failure;
    for (size_t i = 0; i < s->ctx->config->upstreams_count; i++) {
        const struct description *d = &s->descriptions[i];
        if (d->failure[0] && has_several(s))
            buf_printf(&all, "%s%s: %s", buf_len(&all) ? "; " : "", upstream_of(d)->target.text,
                       d->failure);
        else if (d->failure[0])
            buf_printf(&all, "%s", d->failure);
    }
    snprintf(s->text, sizeof s->text, "%.*s", SLICE_PRINT(buf_slice(&all)));
    buf_fini(&all);
    return s->text;
}
