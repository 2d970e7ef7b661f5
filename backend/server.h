/* server: the workers of one process, their listeners and the signals that end them. */
#pragma once
#include "base/log.h"
#include "base/options.h"

struct server_config {
    const struct option_list *listen; /* addresses as net_parse() takes them */
    size_t workers;                   /* threads */
    uint64_t drain_timeout_ms;
    enum log_level log_level;
    enum log_format log_format;
};

/* Serves until SIGTERM or SIGINT and a drain; a second signal stops at once.  Prints one line per
 * listener on standard error when connections are accepted.  0, or negative errno when it could not
 * start (-EINVAL: a malformed address), with the reason on standard error. */
int server_run(const struct server_config *config);
