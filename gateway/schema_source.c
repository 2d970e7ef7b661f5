#include "gateway/schema_source.h"

#include "gateway/schema/http_rules_yaml.h"
#include "gateway/schema/reflection_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 1000, RETRY_MAX_MS = 30000 };

struct schema_source {
    const struct context *ctx;
    void (*on_routes)(void *arg, struct routes *routes);
    void *arg;
    struct schema *last; /* a reference of our own, for the comparison with the next */
    struct reflection_client *reflection;
    struct timer next; /* the next attempt or refresh */
    uint64_t retry_ms;
    char failure[STATUS_TEXT_LEN];
};

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

static void log_schema(const struct schema_source *s, const struct schema *schema)
{
    struct log *log = s->ctx->log;
    log_message(log, LOG_LEVEL_INFO, "schema", "%zu services, %zu methods from %s",
                schema_service_count(schema), schema_method_count(schema), schema_source(schema));
    if (s->last) {
        log_methods(log, "added", schema, s->last);
        log_methods(log, "removed", s->last, schema);
    }
}

/* Takes over the schema's reference.  False with *st when its HTTP rules are bad. */
static bool schema_source_take(struct schema_source *s, struct schema *schema, struct status *st)
{
    struct routes *routes = http_rules_yaml_build(schema, s->ctx->config->http_rules, st);
    if (!routes) {
        schema_unref(schema);
        return false;
    }
    log_schema(s, schema);
    schema_unref(s->last);
    s->last = schema;
    s->failure[0] = 0;
    s->retry_ms = RETRY_MS;
    s->on_routes(s->arg, routes);
    return true;
}

static void schema_source_again_in(struct schema_source *s, uint64_t ms)
{
    loop_timer_set(s->ctx->loop, &s->next, loop_now_ms(s->ctx->loop) + ms);
}

static void schema_source_fail(struct schema_source *s, const struct status *st)
{
    struct slice message = status_message(st);
    bool news = !slice_equal(slice_from_string(s->failure), message);
    snprintf(s->failure, sizeof s->failure, "%.*s", SLICE_PRINT(message));
    if (news)
        log_message(s->ctx->log, LOG_LEVEL_WARN, "schema", "%s: %s",
                    s->last ? "not refreshed, the old one stays" : "not loaded, trying again",
                    s->failure);
}

/* A server that is down comes back soon; one without reflection stays so. */
static void schema_source_retry(struct schema_source *s, const struct status *st)
{
    schema_source_again_in(s, s->retry_ms);
    if (st->code != STATUS_UNAVAILABLE && s->retry_ms < RETRY_MAX_MS)
        s->retry_ms *= 2;
}

static void schema_source_schedule(struct schema_source *s)
{
    if (s->ctx->config->schema_interval_ms)
        schema_source_again_in(s, s->ctx->config->schema_interval_ms);
}

static void on_reflection_done(void *arg, struct schema *schema, const struct status *failure)
{
    struct schema_source *s = arg;
    struct status st;
    s->reflection = NULL;
    if (schema) {
        if (schema_source_take(s, schema, &st)) {
            schema_source_schedule(s);
            return;
        }
        failure = &st;
    }
    schema_source_fail(s, failure);
    if (s->last)
        schema_source_schedule(s);
    else
        schema_source_retry(s, failure);
}

static bool schema_source_read_files(struct schema_source *s)
{
    struct status st;
    struct schema *schema =
        schema_load_files(s->ctx->config->descriptors, s->ctx->config->descriptors_count, &st);
    bool good = schema && schema_source_take(s, schema, &st);
    if (!good)
        schema_source_fail(s, &st);
    schema_source_schedule(s);
    return good;
}

void schema_source_refresh(struct schema_source *s)
{
    if (s->ctx->config->descriptors_count > 0) {
        schema_source_read_files(s);
        return;
    }
    if (s->reflection)
        return; /* under way */
    loop_timer_cancel(s->ctx->loop, &s->next);
    s->reflection = reflection_client_start(s->ctx->upstream, s->ctx->log,
                                            loop_now_ms(s->ctx->loop), on_reflection_done, s);
    if (!s->reflection)
        schema_source_again_in(s, RETRY_MAX_MS);
}

static void on_next(void *arg)
{
    schema_source_refresh(arg);
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
    s->retry_ms = RETRY_MS;
    s->next = (struct timer){.on_expire = on_next, .arg = s};
    return s;
}

void schema_source_free(struct schema_source *s)
{
    if (!s)
        return;
    if (s->reflection)
        reflection_client_cancel(s->reflection);
    loop_timer_cancel(s->ctx->loop, &s->next);
    schema_unref(s->last);
    free(s);
}

/* A broken file of rules is found at once, whether the upstream is there or not. */
static bool schema_source_check_rules(struct schema_source *s)
{
    enum { MAX_MEMORY = 64 << 20 };
    struct arena arena;
    struct http_rule *rules;
    size_t count;
    struct status st;
    arena_init(&arena, NULL, 0, MAX_MEMORY);
    bool good = http_rules_yaml_load(s->ctx->config->http_rules, &arena, &rules, &count, &st);
    arena_fini(&arena);
    if (!good)
        schema_source_fail(s, &st);
    return good;
}

bool schema_source_start(struct schema_source *s)
{
    if (s->ctx->config->descriptors_count > 0)
        return schema_source_read_files(s);
    if (s->ctx->config->http_rules && !schema_source_check_rules(s))
        return false;
    snprintf(s->failure, sizeof s->failure, "server reflection has not answered yet");
    schema_source_refresh(s);
    return true;
}

const char *schema_source_failure(const struct schema_source *s)
{
    return s->failure;
}
