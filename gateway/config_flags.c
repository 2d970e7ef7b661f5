#include "gateway/config_flags.h"

#include "grpc/metadata.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#define AT(member) offsetof(struct config_flags, member)
#define NOT_BUILT "Not built yet."

enum {
    MAX_MESSAGE_BYTES = INT32_MAX, /* gRPC lengths have 32 bits */
    MAX_WORKERS = 256,
    DAY_MS = 24 * 60 * 60 * 1000,
    MAX_PATH_PREFIX = 200,
    MAX_ENVIRONMENT_BYTES = 64 << 10,
    LOG_OFF_CHOICE = 4
};

/* An origin as browsers send it (RFC 6454 section 6.1): scheme://host[:port], lower case, and
 * nothing behind it. */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    if (strcmp(text, "*") == 0)
        return true;
    if (!host || host == text || host[3] == 0)
        return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || isupper((unsigned char)*c) || (c >= host + 3 && *c == '/'))
            return false;
    return true;
}

static const char *judge_origin(const char *value)
{
    return is_origin(value) ? NULL
                            : "needs an origin such as https://app.example, lower case and without "
                              "a path, or *";
}

/* Segments of unreserved characters, each behind a "/": what no client or proxy writes otherwise
 * (RFC 3986 sections 2.3 and 6.2.2). */
static bool is_path_prefix(const char *text)
{
    static const char unreserved[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    while (*text == '/') {
        size_t len = strspn(++text, unreserved);
        if (len == 0 || strspn(text, ".") == len)
            return false;
        text += len;
    }
    return *text == 0;
}

const char *config_flags_judge_path_prefix(const char *value)
{
    return is_path_prefix(value) && strlen(value) <= MAX_PATH_PREFIX
               ? NULL
               : "needs a path such as /api/v1, of letters, digits and -._~ and without a / at its "
                 "end";
}

static const char *judge_metadata_prefix(const char *value)
{
    return metadata_name_valid(slice_from_string(value))
               ? NULL
               : "needs the beginning of a field name, in lower case, such as grpc-metadata-";
}

static const char *judge_address(const char *value)
{
    return net_is_address(value) ? NULL : "needs HOST:PORT or unix:PATH";
}

static const char *judge_admin(const char *value)
{
    return strcmp(value, "off") == 0 || net_is_address(value) ? NULL
                                                              : "needs HOST:PORT, unix:PATH or off";
}

const struct option config_flags_options[] = {
    {"upstream", "TARGET",
     "A gRPC server: HOST:PORT, dns:[//SERVER/]HOST:PORT, ipv4:A:PORT[,B:PORT],\n"
     "ipv6:[A]:PORT, unix:PATH, unix-abstract:NAME. Required; repeatable: a call\n"
     "goes to the one that has its service.",
     NULL, 0, CONFIG_MAX_UPSTREAMS, AT(upstream), OPTION_LIST, 'u', .check = target_check},
    {"listen", "ADDR:PORT",
     "Where HTTP is served; repeatable (default 127.0.0.1:8080).\n"
     "Port 0 picks a free one and prints it; unix:PATH.",
     NULL, 0, CONFIG_MAX_LISTEN, AT(listen), OPTION_LIST, 'l', .judge = judge_address},
    {"admin", "ADDR:PORT",
     "Where /metrics, /healthz and /readyz are served, or off\n(default 127.0.0.1:9901).", NULL, 0,
     0, AT(admin), OPTION_TEXT, 0, .judge = judge_admin},
    {"descriptors", "FILE",
     "A descriptor set instead of server reflection; repeatable. Made by\n"
     "protoc --include_imports --include_source_info --descriptor_set_out=FILE.",
     NULL, 0, CONFIG_MAX_FILES, AT(descriptors), OPTION_LIST, 0},
    {"http-rules", "FILE",
     "HTTP rules that override those of the schema: YAML, the section http of\n"
     "google.api.Service.",
     NULL, 0, 0, AT(http_rules), OPTION_TEXT, 0},
    CONFIG_PATH_PREFIX_OPTION(AT(path_prefix)),
    {"schema-interval", "D", "Between refreshes of the schema; 0: only on SIGHUP (the default).",
     NULL, 0, 0, AT(schema_interval), OPTION_DURATION, 0},
    {"upstream-authority", "NAME",
     "What upstreams see as :authority (default: the target; in the configuration\n"
     "file each may have its own).",
     NULL, 0, 0, AT(upstream_authority), OPTION_TEXT, 0, .judge = target_judge_authority},
    {"cors-origin", "ORIGIN",
     "A web origin whose pages may call; repeatable; * for all.\n"
     "Default: same origin, and loopback pages while every listener is loopback.",
     NULL, 0, 0, AT(cors_origin), OPTION_LIST, 0, .key = "cors.origins", .judge = judge_origin},
    {"cors-max-age", "D", "How long browsers may keep a preflight's answer (default 2h).", NULL, 0,
     DAY_MS, AT(cors_max_age), OPTION_DURATION, 0, .key = "cors.max_age"},
    {"cors-private-network", NULL,
     "Let allowed pages of public networks reach this gateway in a private one.", NULL, 0, 0,
     AT(cors_private_network), OPTION_FLAG, 0, .key = "cors.private_network"},
    {"workers", "N", "Threads, each with a loop of its own (default: one per core).", NULL, 1,
     MAX_WORKERS, AT(workers), OPTION_NUMBER, 0},
    {"max-message-bytes", "N", "Largest request message, uncompressed (default 4194304).", NULL, 1,
     MAX_MESSAGE_BYTES, AT(max_message_bytes), OPTION_NUMBER, 0, .key = "limits.max_message_bytes"},
    {"max-reply-bytes", "N", "Largest reply message, uncompressed (default 16777216).", NULL, 1,
     MAX_MESSAGE_BYTES, AT(max_reply_bytes), OPTION_NUMBER, 0, .key = "limits.max_reply_bytes"},
    {"max-buffered-bytes", "N",
     "Response bytes that may wait for slow clients, per worker (default 268435456).", NULL,
     1 << 20, 0, AT(max_buffered_bytes), OPTION_NUMBER, 0, .key = "limits.max_buffered_bytes"},
    {"max-timeout", "D", "Cap on every call's deadline; 0: none (the default).", NULL, 0, 0,
     AT(max_timeout), OPTION_DURATION, 0, .key = "limits.max_timeout"},
    {"default-timeout", "D", "Deadline of calls whose client gave none; 0: none (the default).",
     NULL, 0, 0, AT(default_timeout), OPTION_DURATION, 0, .key = "limits.default_timeout"},
    {"header-timeout", "D", "For a request's header section to be complete (default 10s).", NULL, 1,
     DAY_MS, AT(header_timeout), OPTION_DURATION, 0, .key = "limits.header_timeout"},
    {"body-grace", "D", "Before a request body must keep a minimum rate (default 5s).", NULL, 1,
     DAY_MS, AT(body_grace), OPTION_DURATION, 0, .key = "limits.body_grace"},
    {"stall-timeout", "D",
     "Without a byte of a request body, or with none taken of a\nresponse (default 30s).", NULL, 1,
     DAY_MS, AT(stall_timeout), OPTION_DURATION, 0, .key = "limits.stall_timeout"},
    {"keepalive-timeout", "D", "Until an idle connection is closed (default 1m).", NULL, 1, DAY_MS,
     AT(keepalive_timeout), OPTION_DURATION, 0, .key = "limits.keepalive_timeout"},
    {"upstream-connect-timeout", "D", "For a connection to the upstream (default 5s).", NULL, 1,
     DAY_MS, AT(upstream_connect_timeout), OPTION_DURATION, 0,
     .key = "limits.upstream_connect_timeout"},
    {"drain-timeout", "D", "For calls in progress after SIGTERM (default 30s).", NULL, 0, DAY_MS,
     AT(drain_timeout), OPTION_DURATION, 0, .key = "limits.drain_timeout"},
    {"log-format", "FORMAT", "How log lines look (default text).", "text|json", 0, 0,
     AT(log_format), OPTION_CHOICE, 0, .key = "log.format"},
    {"log-level", "LEVEL", "What is logged (default info).", "error|warn|info|debug|off", 0, 0,
     AT(log_level), OPTION_CHOICE, 0, .key = "log.level"},
    {"console", "WHEN", "The page at /; auto, the default: while every listener is loopback.",
     "auto|on|off", 0, 0, AT(console), OPTION_CHOICE, 0},
    {"json-ignore-unknown", NULL,
     "Skip unknown JSON fields and query parameters instead of refusing them.", NULL, 0, 0,
     AT(json_ignore_unknown), OPTION_FLAG, 0, .key = "json.ignore_unknown"},
    {"json-pretty", NULL, "Indent JSON replies; a request may ask otherwise.", NULL, 0, 0,
     AT(json_pretty), OPTION_FLAG, 0, .key = "json.pretty"},
    {"json-emit-defaults", NULL, "Print fields that have their default value.", NULL, 0, 0,
     AT(json_emit_defaults), OPTION_FLAG, 0, .key = "json.emit_defaults"},
    CONFIG_JSON_FORM_OPTIONS(AT(json_enums_as_numbers), AT(json_proto_names),
                             AT(json_int64_as_numbers)),
    {"ignore-query", "NAME", "A query parameter to pass over; repeatable.", NULL, 0,
     CONFIG_MAX_FILES, AT(ignore_query), OPTION_LIST, 0, .key = "rest.ignore_query"},
    {"decode-slashes", NULL, "Decode %2F also in path variables of several segments.", NULL, 0, 0,
     AT(decode_slashes), OPTION_FLAG, 0, .key = "rest.decode_slashes"},
    {"request-metadata-prefix", "P",
     "JSON: a request field named P and NAME goes upstream as NAME, beside all\n"
     "others; for clients of other gateways, as grpc-metadata-.",
     NULL, 0, 0, AT(request_metadata_prefix), OPTION_TEXT, 0, .key = "rest.request_metadata_prefix",
     .judge = judge_metadata_prefix},
    {"response-metadata-prefix", "P",
     "JSON: metadata NAME of a reply, in its head or trailers, is named P and NAME.", NULL, 0, 0,
     AT(response_metadata_prefix), OPTION_TEXT, 0, .key = "rest.response_metadata_prefix",
     .judge = judge_metadata_prefix},
    {"config", "FILE",
     "A file of settings, YAML or JSON: drawbridge.yaml names every key. Options and\n"
     "environment win over it.",
     NULL, 0, 0, AT(config), OPTION_TEXT, 0, .key = ""},
    {"tls-cert", "FILE", NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {"tls-key", "FILE", NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {"upstream-tls", NULL, NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {"upstream-ca", "FILE", NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {"upstream-cert", "FILE", NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {"upstream-key", "FILE", NOT_BUILT, NULL, 0, 0, 0, OPTION_ABSENT, 0},
    {.name = NULL},
};

static int fail(char *error, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *error, int result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, OPTION_ERROR_LEN, format, args);
    va_end(args);
    return result;
}

void config_flags_init(struct config_flags *flags)
{
    struct config config;
    config_init(&config);
    const struct config_limits *limits = &config.limits;
    *flags = (struct config_flags){
        .workers = config.workers,
        .path_prefix = config.path_prefix,
        .max_message_bytes = limits->max_message_bytes,
        .max_reply_bytes = limits->max_reply_bytes,
        .max_buffered_bytes = limits->max_buffered_bytes,
        .max_timeout = limits->max_timeout_ms,
        .default_timeout = limits->default_timeout_ms,
        .cors_max_age = config.cors_max_age_ms,
        .drain_timeout = limits->drain_timeout_ms,
        .header_timeout = limits->header_timeout_ms,
        .body_grace = limits->body_grace_ms,
        .stall_timeout = limits->stall_timeout_ms,
        .keepalive_timeout = limits->keepalive_timeout_ms,
        .upstream_connect_timeout = limits->connect_timeout_ms,
        .console = SWITCH_AUTO,
        .log_format = LOG_FORMAT_TEXT,
        .log_level = LOG_LEVEL_INFO,
    };
    arena_init(&flags->words, NULL, 0, MAX_ENVIRONMENT_BYTES);
}

void config_flags_fini(struct config_flags *flags)
{
    arena_fini(&flags->words);
}

static struct option_list *list_of(struct config_flags *flags, const struct option *row)
{
    return (struct option_list *)((char *)flags + row->offset);
}

/* Sets the option from a variable's value; a list from each of its words. */
static int take_variable(struct config_flags *flags, const struct option *row, const char *value,
                         char *error)
{
    struct slice rest = slice_from_string(value);
    if (row->kind == OPTION_LIST)
        list_of(flags, row)->count = 0;
    do {
        struct slice word = row->kind == OPTION_LIST ? slice_cut(&rest, ' ') : rest;
        if (row->kind == OPTION_LIST && word.len == 0)
            continue;
        const char *copy = (const char *)arena_copy(&flags->words, word).data;
        if (!copy)
            return fail(error, -EINVAL, "too long");
        int result = option_set(row, flags, copy, error);
        if (result < 0)
            return result;
    } while (row->kind == OPTION_LIST && rest.data);
    return 0;
}

int config_flags_environment(struct config_flags *flags, char *(*get)(const char *name),
                             char error[static OPTION_ERROR_LEN])
{
    for (const struct option *row = config_flags_options; row->name; row++) {
        char variable[64], reason[OPTION_ERROR_LEN];
        snprintf(variable, sizeof variable, "DRAWBRIDGE_%s", row->name);
        for (char *c = variable; *c; c++)
            *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = get(variable);
        if (value && *value && take_variable(flags, row, value, reason) < 0)
            return fail(error, -EINVAL, "%s: %.190s", variable, reason);
    }
    return 0;
}

int config_flags_parse(struct config_flags *flags, int argc, char **argv,
                       char error[static OPTION_ERROR_LEN])
{
    struct config_flags given = *flags;
    for (const struct option *row = config_flags_options; row->name; row++)
        if (row->kind == OPTION_LIST)
            list_of(&given, row)->count = 0;
    if (options_parse(config_flags_options, &given, argc, argv, NULL, error) < 0)
        return -EINVAL;
    for (const struct option *row = config_flags_options; row->name; row++)
        if (row->kind == OPTION_LIST && list_of(&given, row)->count == 0)
            *list_of(&given, row) = *list_of(flags, row);
    *flags = given;
    return 0;
}

/* Of a listener beside those that there are; `what` names the option in the sentence. */
static int parse_address(const char *what, const char *text, const struct config *config,
                         size_t count, struct net_address *address, char *error)
{
    int result = net_parse(text, address);
    if (result == -ENOENT)
        return fail(error, result, "%s %.100s: no address is known for that host", what, text);
    if (result == -ENAMETOOLONG)
        return fail(error, result, "%s %.100s: the path is too long for a unix socket", what, text);
    if (result < 0)
        return fail(error, -EINVAL, "%s needs HOST:PORT or unix:PATH, not \"%.100s\"", what, text);
    for (size_t i = 0; i < count; i++)
        if (net_overlap(&config->listen[i], address))
            return fail(error, -EINVAL, "%s %.100s: another listener has that port there", what,
                        text);
    return 0;
}

static int apply_listeners(const struct config_flags *flags, struct config *config, char *error)
{
    static const char *const by_default = "127.0.0.1:8080";
    const char *const *texts = flags->listen.count ? flags->listen.items : &by_default;
    config->listen_count = flags->listen.count ? flags->listen.count : 1;
    config->loopback_only = true;
    for (size_t i = 0; i < config->listen_count; i++) {
        int result = parse_address("--listen", texts[i], config, i, &config->listen[i], error);
        if (result < 0)
            return result;
        config->loopback_only &= net_is_loopback(&config->listen[i]);
    }
    const char *admin = flags->admin ? flags->admin : "127.0.0.1:9901";
    config->admin_on = strcmp(admin, "off") != 0;
    return config->admin_on ? parse_address("--admin", admin, config, config->listen_count,
                                            &config->admin, error)
                            : 0;
}

static int apply_upstreams(const struct config_flags *flags, struct config *config, char *error)
{
    bool listed = flags->upstream.count == 0;
    size_t count = listed ? flags->upstreams_count : flags->upstream.count;
    if (count == 0)
        return fail(error, -EINVAL, "--upstream HOST:PORT is required: the gRPC server to serve");
    for (size_t i = 0; i < count; i++) {
        const struct upstream_flags *from = listed ? &flags->upstreams[i] : NULL;
        const char *text = from ? from->target : flags->upstream.items[i];
        struct config_upstream *up = &config->upstreams[i];
        int result = target_parse(text, &up->target, error);
        if (result < 0)
            return result;
        for (size_t k = 0; k < i; k++)
            if (strcmp(text, config->upstreams[k].target.text) == 0)
                return fail(error, -EINVAL, "--upstream %.100s is given twice", text);
        up->authority = from && from->authority ? from->authority : flags->upstream_authority;
        up->services = from ? from->services.items : NULL;
        up->services_count = from ? from->services.count : 0;
    }
    config->upstreams_count = count;
    return 0;
}

static void apply_lists(const struct config_flags *flags, struct config *config)
{
    config->descriptors_count = flags->descriptors.count;
    for (size_t i = 0; i < flags->descriptors.count; i++)
        config->descriptors[i] = flags->descriptors.items[i];
    config->cors_origins_count = flags->cors_origin.count;
    for (size_t i = 0; i < flags->cors_origin.count; i++)
        config->cors_origins[i] = flags->cors_origin.items[i];
}

/* How requests and replies on REST look, and JSON wherever it is spoken. */
static void apply_json(const struct config_flags *flags, struct config *config)
{
    config->ignore_query_count = flags->ignore_query.count;
    for (size_t i = 0; i < flags->ignore_query.count; i++)
        config->ignore_query[i] = slice_from_string(flags->ignore_query.items[i]);
    config->json_ignore_unknown = flags->json_ignore_unknown;
    config->json_pretty = flags->json_pretty;
    config->json_emit_defaults = flags->json_emit_defaults;
    config->json_enums_as_numbers = flags->json_enums_as_numbers;
    config->json_proto_names = flags->json_proto_names;
    config->json_int64_as_numbers = flags->json_int64_as_numbers;
    config->decode_slashes = flags->decode_slashes;
    config->request_metadata_prefix = flags->request_metadata_prefix;
    config->response_metadata_prefix = flags->response_metadata_prefix;
}

static void apply_limits(const struct config_flags *flags, struct config_limits *limits)
{
    limits->max_message_bytes = flags->max_message_bytes;
    limits->max_reply_bytes = flags->max_reply_bytes;
    limits->max_buffered_bytes = flags->max_buffered_bytes;
    limits->max_timeout_ms = flags->max_timeout;
    limits->default_timeout_ms = flags->default_timeout;
    limits->drain_timeout_ms = flags->drain_timeout;
    limits->header_timeout_ms = flags->header_timeout;
    limits->body_grace_ms = flags->body_grace;
    limits->stall_timeout_ms = flags->stall_timeout;
    limits->keepalive_timeout_ms = flags->keepalive_timeout;
    limits->connect_timeout_ms = flags->upstream_connect_timeout;
}

int config_flags_apply(const struct config_flags *flags, struct config *config,
                       char error[static OPTION_ERROR_LEN])
{
    config_init(config);
    int result = apply_upstreams(flags, config, error);
    if (result == 0)
        result = apply_listeners(flags, config, error);
    apply_lists(flags, config);
    config->path_prefix = flags->path_prefix;
    config->workers = (unsigned)flags->workers;
    config->http_rules = flags->http_rules;
    config->console = (enum config_switch)flags->console;
    config->cors_max_age_ms = flags->cors_max_age;
    config->cors_private_network = flags->cors_private_network;
    apply_json(flags, config);
    config->schema_interval_ms = flags->schema_interval;
    config->log_format = (enum log_format)flags->log_format;
    config->log_level =
        flags->log_level == LOG_OFF_CHOICE ? LOG_LEVEL_OFF : (enum log_level)flags->log_level;
    apply_limits(flags, &config->limits);
    return result;
}
