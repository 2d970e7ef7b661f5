/* target: where a gRPC server is, as its user writes it (gRPC naming.md):
 *     HOST:PORT                        a name or a numeric address
 *     dns:[//SERVER[:PORT]/]HOST[:PORT]  a name, asked of that name server if one is given
 *     ipv4:A[:PORT][,...]  ipv6:[A][:PORT][,...]   addresses, tried in this order
 *     unix:PATH  unix:///PATH  unix-abstract:NAME
 * Where a port may be left out it is 443.  Only text is looked at: names are found by resolver.h.
 * To add a scheme: a row in `schemes`. */
#pragma once
#include "base/net.h"
#include "base/options.h"

enum { TARGET_MAX_ADDRESSES = 16 };

enum target_kind {
    TARGET_ADDRESSES, /* the addresses are known */
    TARGET_NAME,      /* host and port; the addresses are the resolver's */
};

struct target {
    const char *text; /* as it was given; borrowed */
    enum target_kind kind;
    struct net_address addresses[TARGET_MAX_ADDRESSES]; /* in order; of TARGET_ADDRESSES */
    size_t count;
    char host[NET_HOST_LEN]; /* of TARGET_NAME */
    uint16_t port;
    char server[NET_TEXT_LEN];         /* name server "ADDR:PORT"; empty: those of the system */
    char authority[NET_HOST_LEN + 16]; /* what stands in ":authority" */
};

/* Fills *target, which borrows `text`.  0; -EINVAL for what is no target, -ENAMETOOLONG for a path
 * that no socket can have; each with a sentence in `error`. */
int target_parse(const char *text, struct target *target, char error[static OPTION_ERROR_LEN]);
/* The same without a target, as the `check` of an option. */
int target_check(const char *text, char error[static OPTION_ERROR_LEN]);
/* A `judge` of options: whether ":authority" may say so: HOST or HOST:PORT (RFC 9113 section 8.3.1:
 * RFC 3986 section 3.2 without userinfo). */
const char *target_judge_authority(const char *value);
