/* config: everything a user can set, with its default.  Filled once at start, immutable afterwards.
 */
#pragma once
#include "base/log.h"
#include "gateway/upstream/target.h"

enum {
    CONFIG_MAX_LISTEN = 16,
    CONFIG_MAX_UPSTREAMS = 32,
    CONFIG_MAX_ORIGINS = 64,
    CONFIG_MAX_FILES = 32
};
enum config_switch { SWITCH_AUTO, SWITCH_ON, SWITCH_OFF };

struct config_limits {
    size_t max_message_bytes; /* one request message, uncompressed */
    size_t max_reply_bytes;   /* one reply message, uncompressed */
    size_t max_header_bytes;  /* request header section */
    size_t max_header_count;
    size_t max_target_bytes;
    uint64_t
        header_timeout_ms;  /* headers complete, from accept or the first byte of a later request */
    uint64_t body_grace_ms; /* before the minimum rate of a body counts */
    uint32_t min_body_rate; /* bytes per second, both directions */
    uint64_t stall_timeout_ms;     /* no byte of a body, or none taken of a response */
    uint64_t keepalive_timeout_ms; /* idle connection */
    uint64_t connect_timeout_ms;   /* upstream */
    uint64_t drain_timeout_ms;
    uint64_t max_timeout_ms;          /* cap of a call's deadline; 0: none */
    uint64_t default_timeout_ms;      /* deadline of calls whose client gave none; 0: none */
    size_t max_in_flight, max_queued; /* per upstream and worker */
    size_t max_buffered_bytes;        /* per worker */
};

struct config_upstream {
    struct target target;
    const char *authority; /* ":authority"; NULL: the target's */
    /* The full names of the services that it has, and no others; none: reflection tells. */
    const char *const *services;
    size_t services_count;
};

struct config {
    struct net_address listen[CONFIG_MAX_LISTEN];
    size_t listen_count;
    bool admin_on;
    struct net_address admin;
    struct config_upstream upstreams[CONFIG_MAX_UPSTREAMS];
    size_t upstreams_count; /* at least one */
    const char *descriptors[CONFIG_MAX_FILES];
    size_t descriptors_count;
    const char *path_prefix;     /* "/api": the public listeners serve what is below; "": all */
    const char *http_rules;      /* file of rules over those of the schema; NULL: none */
    uint64_t schema_interval_ms; /* between refreshes of the schema; 0: only on SIGHUP */
    const char *cors_origins[CONFIG_MAX_ORIGINS]; /* exact, or "*" */
    size_t cors_origins_count;
    uint64_t cors_max_age_ms;  /* how long browsers may keep a preflight's answer */
    bool cors_private_network; /* pages of public networks may reach a gateway in a private one */
    unsigned workers;
    enum config_switch console;
    bool json_ignore_unknown; /* also parameters of a query */
    bool json_pretty, json_emit_defaults, json_enums_as_numbers, json_proto_names,
        json_int64_as_numbers;
    struct slice ignore_query[CONFIG_MAX_FILES]; /* names of parameters to pass over */
    size_t ignore_query_count;
    bool decode_slashes;                 /* "%2F" also in variables of several segments */
    const char *request_metadata_prefix; /* REST: what request metadata is named with; NULL: none */
    const char *response_metadata_prefix; /* REST: goes before the names of a reply's metadata */
    enum log_format log_format;
    enum log_level log_level;
    bool loopback_only; /* computed: every listener is loopback */
    struct config_limits limits;
};

/* Whether what is for developers is served: the console's page and the description of the API. */
static inline bool config_console_on(const struct config *config)
{
    return config->console == SWITCH_ON ||
           (config->console == SWITCH_AUTO && config->loopback_only);
}

/* The defaults of every field. */
void config_init(struct config *config);
