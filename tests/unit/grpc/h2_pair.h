/* h2_pair: a client and a server h2_session back to back over memory, each stream's events written
 * down, so that tests read like a conversation.  The server answers only what a test tells it to.
 */
#pragma once
#include "grpc/h2_stream.h"

enum { PAIR_STREAMS = 256, PAIR_LOG_LEN = 256 };

/* What happened on one end of one stream: "h" headers, "H" headers with end, "d" data (runs count
 * once), "e" end, "t" end with trailers, "w" writable, "c" close. */
struct pair_stream {
    struct h2_pair *pair;
    struct h2_stream *stream; /* NULL after on_close */
    char log[PAIR_LOG_LEN];
    size_t bytes, held; /* DATA bytes received; those not given back yet */
    struct buf body;
    uint32_t error; /* of on_close */
    int closes;
    char status[16]; /* client: ":status"; server: ":path" */
    char trailer[64];
    bool hold; /* do not give the window back */
};

struct h2_pair {
    struct h2_session *client, *server;
    size_t step; /* bytes per input; 0: all at once */
    uint64_t now_ms;
    bool client_dead, server_dead; /* input returned false */
    struct status client_why, server_why;
    struct pair_stream clients[PAIR_STREAMS], servers[PAIR_STREAMS];
    size_t clients_len, servers_len;
    int goaways, pings, settings;
    uint32_t goaway_error, max_streams;
    char goaway_debug[64];
    void (*on_request)(struct pair_stream *ps, bool end); /* the server's behaviour, or NULL */
    void (*on_server_end)(struct pair_stream *ps);
    void (*on_server_data)(struct pair_stream *ps);
    void (*on_client_headers)(struct pair_stream *ps);
    void (*on_writable)(struct pair_stream *ps);
    void (*on_client_close)(struct pair_stream *ps);
};

void pair_init(struct h2_pair *p, size_t step, const struct h2_session_config *client,
               const struct h2_session_config *server);
void pair_fini(struct h2_pair *p);
/* Moves bytes both ways until both are silent. */
void pair_run(struct h2_pair *p);
/* Bytes that the peer's session did not write; SERVER or CLIENT receives them. */
void pair_inject(struct h2_pair *p, enum h2_role to, const void *bytes, size_t len);
/* One request; its events go to the returned record. */
struct pair_stream *pair_request(struct h2_pair *p, const char *path, bool end);
/* Writes down the events of a stream that the test started itself. */
void pair_attach(struct h2_pair *p, struct pair_stream *ps, struct h2_stream *stream);
void pair_respond(struct pair_stream *ps, const char *status, bool end);
void pair_trailers(struct pair_stream *ps, const char *grpc_status);
/* Lists of fields for tests that build their own: pairs of name and value, ended by NULL. */
struct metadata *pair_fields(const char *const *names_and_values);
