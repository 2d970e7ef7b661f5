/* client: one gRPC server as the commands see it: a loop, a connection and the schema.  Everything
 * waits by turning the loop.  The same upstream, reflection and transcoding as the gateway's. */
#pragma once
#include "base/options.h"
#include "gateway/schema/schema.h"
#include "gateway/upstream/upstream.h"

/* What the options of the commands have in common; part of their settings. */
struct client_flags {
    struct option_list descriptors;
    const char *authority;
};

/* Rows for an option table; `at` is the offset of the struct client_flags in the settings. */
#define CLIENT_OPTIONS(at)                                                                         \
    {"descriptors",                                                                                \
     "FILE",                                                                                       \
     "A descriptor set instead of server reflection; repeatable.",                                 \
     NULL,                                                                                         \
     0,                                                                                            \
     0,                                                                                            \
     (at) + offsetof(struct client_flags, descriptors),                                            \
     OPTION_LIST,                                                                                  \
     0},                                                                                           \
        {"authority",                                                                              \
         "NAME",                                                                                   \
         "What the server sees as :authority (default: the target).",                              \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         (at) + offsetof(struct client_flags, authority),                                          \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         .judge = target_judge_authority},                                                         \
        {"tls", NULL, "Not built yet.", NULL, 0, 0, 0, OPTION_ABSENT, 0},                          \
    {                                                                                              \
        "ca", "FILE", "Not built yet.", NULL, 0, 0, 0, OPTION_ABSENT, 0                            \
    }

struct client {
    struct loop *loop;
    struct h2_conn_set conns;
    struct target target;
    struct upstream *upstream;
    struct schema *schema; /* after client_load_schema() */
};

/* Starts to connect; whether that works shows with the first call.  `c` stays where it is until
 * client_close().  0; -EINVAL when the target makes no sense, another negative errno; each with a
 * sentence in `error`; then nothing is to be closed. */
int client_open(struct client *c, const char *target, const struct client_flags *flags,
                char error[static OPTION_ERROR_LEN]);
void client_close(struct client *c);
/* From the descriptor files, or by reflection when there are none, within timeout_ms (0:
 * reflection's own limit).  `c` needs no connection for files: zero-initialised will do.  False
 * with the reason in *st. */
bool client_load_schema(struct client *c, const struct option_list *descriptors,
                        uint64_t timeout_ms, struct status *st);
/* One call with one message each way, at most timeout_ms long.  The outcome goes to *st (its text
 * only), the reply is appended. */
void client_unary(struct client *c, struct slice path, struct slice request, uint64_t timeout_ms,
                  struct buf *reply, struct status *st);
