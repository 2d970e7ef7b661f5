#include "gateway/front/front.h"

#include "gateway/front/acceptor.h"
#include "gateway/front/http1.h"

#include <stdlib.h>

struct front {
    struct connections connections;
    struct exchanges exchanges;
    struct acceptor acceptor;
    struct http1 *http1;
};

struct front *front_new(struct context *ctx, const struct front_options *options)
{
    struct front *front = calloc(1, sizeof *front);
    if (!front)
        return NULL;
    if (connections_init(&front->connections, ctx, options->max_connections) < 0) {
        free(front);
        return NULL;
    }
    const struct config *config = ctx->config;
    struct cors_policy cors = {
        .origins = config->cors_origins,
        .origins_count = config->cors_origins_count,
        .loopback_only = options->loopback_only,
        .max_age_s = config->cors_max_age_ms / 1000,
        .private_network = config->cors_private_network,
    };
    exchanges_init(&front->exchanges, ctx, options->protocols, cors);
    front->exchanges.path_prefix = slice_from_string(options->path_prefix);
    front->exchanges.quiet = options->quiet;
    acceptor_init(&front->acceptor, &front->connections);
    front->http1 = http1_new(&front->connections, &front->exchanges);
    if (!front->http1) {
        front_free(front);
        return NULL;
    }
    return front;
}

int front_listen_fd(struct front *front, int listener)
{
    return acceptor_listen(&front->acceptor, listener);
}

/* True when an exchange ends by it. */
static bool end_exchanges(struct front *front, bool only_silent)
{
    struct status st;
    bool any = false;
    status_set(&st, STATUS_UNAVAILABLE, "the gateway shuts down");
    LIST_EACH(node, &front->connections.busy)
    {
        struct exchange *ex = LIST_ENTRY(node, struct connection, node)->ex;
        bool silent = ex && ex->upgraded && ex->bytes_in == 0;
        if (ex && (silent || !only_silent))
            any |= exchange_fail(ex, &st);
    }
    return any;
}

void front_drain(struct front *front)
{
    acceptor_drain(&front->acceptor);
    connections_drain(&front->connections);
    end_exchanges(front, true);
}

bool front_go_away(struct front *front)
{
    return end_exchanges(front, false);
}

bool front_idle(const struct front *front)
{
    return front->connections.count == 0;
}

void front_free(struct front *front)
{
    if (!front)
        return;
    acceptor_fini(&front->acceptor);
    http1_free(front->http1);
    connections_fini(&front->connections);
    exchanges_fini(&front->exchanges);
    free(front);
}
