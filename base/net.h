/* net: addresses and non-blocking sockets (IPv4, IPv6, unix).  Every descriptor is close-on-exec.
 */
#pragma once
#include "base/slice.h"

#include <sys/socket.h>

struct net_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

enum { NET_TEXT_LEN = 128, NET_HOST_LEN = 256 };

/* Splits "HOST", "HOST:PORT", "[V6]" and "[V6]:PORT"; an address of several colons without brackets
 * is all host.  *port becomes -1 when there is none.  Says nothing of the host.  0 or -EINVAL. */
int net_split(struct slice text, char host[static NET_HOST_LEN], int *port);
/* A numeric host ("127.0.0.1", "::1", "fe80::1%eth0"); looks nothing up.  0 or -EINVAL. */
int net_numeric(const char *host, uint16_t port, struct net_address *address);
/* A unix socket: a path, or a name in Linux's abstract namespace (unix(7)).  0, -EINVAL (empty, a
 * NUL), -ENAMETOOLONG. */
int net_unix(struct slice path, struct net_address *address);
int net_unix_abstract(struct slice name, struct net_address *address);

/* "HOST:PORT", "[V6]:PORT", ":PORT" (all interfaces), "unix:PATH".  A HOST that is not numeric is
 * looked up, which may block: only for use at start.  0, or -EINVAL (syntax), -ENOENT (unknown
 * host), -ENAMETOOLONG (unix path). */
int net_parse(const char *text, struct net_address *address);
/* Whether that is the form of an address; nothing is looked up. */
bool net_is_address(const char *text);
/* The reverse, NUL-terminated: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path",
 * "unix-abstract:name". */
void net_format(const struct net_address *address, char text[static NET_TEXT_LEN]);
bool net_is_loopback(const struct net_address *address);
uint16_t net_port(const struct net_address *address);
/* Whether two listeners cannot have them both: they are the same, or one is all interfaces, which
 * in IPv6 includes IPv4.  Port 0 is another one for each. */
bool net_overlap(const struct net_address *a, const struct net_address *b);

enum net_listen_mode { NET_LISTEN_ALONE, NET_LISTEN_SHARED /* SO_REUSEPORT */ };
/* A listening, non-blocking descriptor; *address receives the port that was picked when it asked
 * for port 0. A stale unix socket that nobody serves is replaced.  Negative errno on failure. */
int net_listen(struct net_address *address, enum net_listen_mode mode);
/* Whether somebody already listens there: binds without SO_REUSEPORT and closes.  0, or -EADDRINUSE
 * and the like. */
int net_probe_bind(const struct net_address *address);
/* Accepts one connection, non-blocking, TCP_NODELAY.  The descriptor, or negative errno (-EAGAIN:
 * none waits). */
int net_accept(int listener, struct net_address *peer);
/* Starts to connect; when the descriptor turns writable, net_connect_result() tells.  Negative
 * errno on failure. */
int net_connect(const struct net_address *address);
/* 0 when connected, else negative errno. */
int net_connect_result(int fd);
/* Has the kernel end the connection when the peer's host is silent for so long: data that is not
 * acknowledged, or probes while nothing is sent.  Does nothing on unix sockets. */
void net_expect_life(int fd, unsigned timeout_ms);
/* Raises the soft limit of open files to the hard one; returns the limit. */
size_t net_raise_file_limit(void);
