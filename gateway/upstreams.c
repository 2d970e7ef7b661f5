#include "gateway/upstreams.h"

#include "gateway/upstream/upstream.h"

bool upstreams_open(struct context *ctx, struct h2_conn_set *conns)
{
    for (size_t i = 0; i < ctx->config->upstreams_count; i++) {
        struct upstream_config config;
        upstream_config_init(&config, ctx->config, i);
        ctx->upstreams[i] = upstream_new(conns, &config, ctx->metrics, ctx->log);
        if (!ctx->upstreams[i])
            return false;
    }
    return true;
}

void upstreams_close(struct context *ctx)
{
    for (size_t i = 0; i < ctx->config->upstreams_count; i++)
        upstream_free(ctx->upstreams[i]);
}
