#include "gateway/config.h"

#include <unistd.h>

void config_init(struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *config = (struct config){
        .admin_on = true,
        .path_prefix = "",
        .cors_max_age_ms = 2 * 60 * 60 * 1000,
        .workers = cores > 0 ? (unsigned)cores : 1,
        .log_format = LOG_FORMAT_TEXT,
        .log_level = LOG_LEVEL_INFO,
        .limits =
            {
                .max_message_bytes = 4 << 20,
                .max_reply_bytes = 16 << 20,
                .max_header_bytes = 16 << 10,
                .max_header_count = 100,
                .max_target_bytes = 8 << 10,
                .header_timeout_ms = 10000,
                .body_grace_ms = 5000,
                .min_body_rate = 240,
                .stall_timeout_ms = 30000,
                .keepalive_timeout_ms = 60000,
                .connect_timeout_ms = 5000,
                .drain_timeout_ms = 30000,
                .max_in_flight = 1024,
                .max_queued = 1024,
                .max_buffered_bytes = 256 << 20,
            },
    };
}
