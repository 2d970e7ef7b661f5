/* config_flags: the options of `drawbridge serve` as one table, and what they mean for a struct
 * config.  Each option is also an environment variable (--max-timeout is DRAWBRIDGE_MAX_TIMEOUT; a
 * list is separated by spaces) and a key of the configuration file (config_file.h); an option on
 * the command line wins over its variable and that over its key, a list as a whole.  A new setting
 * is one member, one row, one line in config_flags_apply() and one in config/drawbridge.yaml. */
#pragma once
#include "base/arena.h"
#include "gateway/config.h"
#include "gateway/upstream_flags.h"

struct config_flags {
    struct option_list upstream, listen, descriptors, cors_origin;
    struct option_list ignore_query;
    /* The file's list; it counts where there is no `upstream`. */
    struct upstream_flags upstreams[CONFIG_MAX_UPSTREAMS];
    size_t upstreams_count;
    const char *admin; /* "ADDR:PORT" or "off" */
    const char *upstream_authority;
    const char *http_rules;
    const char *config; /* the configuration file; NULL: none */
    const char *path_prefix;
    uint64_t workers, max_message_bytes, max_reply_bytes;
    uint64_t schema_interval, max_timeout, drain_timeout, header_timeout, body_grace,
        stall_timeout;                                    /* ms */
    uint64_t keepalive_timeout, upstream_connect_timeout; /* ms */
    int console, log_format, log_level;                   /* places in their choices */
    uint64_t default_timeout, cors_max_age;               /* ms */
    uint64_t max_buffered_bytes;
    bool cors_private_network;
    bool json_ignore_unknown;
    bool json_pretty, json_emit_defaults, json_enums_as_numbers, json_proto_names,
        json_int64_as_numbers, decode_slashes;
    const char *request_metadata_prefix, *response_metadata_prefix;
    struct arena words; /* copies of what came from the environment */
};

/* Rows that commands have too which show what `serve` would do; `at` says where the value goes. */
#define CONFIG_PATH_PREFIX_OPTION(at)                                                              \
    {                                                                                              \
        "path-prefix", "PATH",                                                                     \
            "Serve only what is below this path, as if it stood at / (default: all).", NULL, 0, 0, \
            at, OPTION_TEXT, 0, .judge = config_flags_judge_path_prefix                            \
    }
#define CONFIG_JSON_FLAG_OPTION(name, help, at, key)                                               \
    {                                                                                              \
        name, NULL, help, NULL, 0, 0, at, OPTION_FLAG, 0, "json." key                              \
    }
#define CONFIG_JSON_FORM_OPTIONS(enums_at, names_at, int64_at)                                     \
    CONFIG_JSON_FLAG_OPTION("json-enums-as-numbers", "Print enum values as numbers, not names.",   \
                            enums_at, "enums_as_numbers"),                                         \
        CONFIG_JSON_FLAG_OPTION("json-proto-names",                                                \
                                "Print field names as in the .proto, not in lowerCamelCase.",      \
                                names_at, "proto_names"),                                          \
        CONFIG_JSON_FLAG_OPTION(                                                                   \
            "json-int64-as-numbers",                                                               \
            "Print 64-bit integers as numbers, not strings: exact only in clients\n"               \
            "that read them so.",                                                                  \
            int64_at, "int64_as_numbers")

extern const struct option config_flags_options[];
const char *config_flags_judge_path_prefix(const char *value);

/* The defaults of config_init(). */
void config_flags_init(struct config_flags *flags);
void config_flags_fini(struct config_flags *flags);
/* Takes the variables that `get` (getenv) knows over what is there.  0, or -EINVAL with a sentence
 * naming the variable in `error`. */
int config_flags_environment(struct config_flags *flags, char *(*get)(const char *name),
                             char error[static OPTION_ERROR_LEN]);
/* Takes the command line (argv[0] is skipped) over what is there.  0, or -EINVAL with a sentence.
 */
int config_flags_parse(struct config_flags *flags, int argc, char **argv,
                       char error[static OPTION_ERROR_LEN]);
/* Fills *config, which borrows the flags' strings.  Host names of listeners are looked up, which
 * may block.  0; -EINVAL for a value that makes no sense (wrong usage), -ENOENT for a host that
 * nobody knows, -ENAMETOOLONG; each with a sentence in `error`. */
int config_flags_apply(const struct config_flags *flags, struct config *config,
                       char error[static OPTION_ERROR_LEN]);
