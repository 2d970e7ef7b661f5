#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int net_parse_unix(const char *path, struct net_address *address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
    size_t len = strlen(path);
    if (len == 0)
        return -EINVAL;
    if (len >= sizeof un->sun_path)
        return -ENAMETOOLONG;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return 0;
}

static bool is_port(const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long port = strtoul(text, &end, 10);
    return *end == 0 && port <= 65535;
}

enum { HOST_LEN = 256 };

/* "HOST:PORT" into its parts; the host without brackets. */
static int split_address(const char *text, char host[static HOST_LEN], const char **port)
{
    const char *colon = strrchr(text, ':');
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    if (!colon || !is_port(colon + 1) || host_len >= HOST_LEN)
        return -EINVAL;
    bool bracketed = text[0] == '[';
    if (bracketed && (host_len < 3 || text[host_len - 1] != ']'))
        return -EINVAL;
    if (!bracketed && memchr(text, ':', host_len))
        return -EINVAL;
    memcpy(host, text + (bracketed ? 1 : 0), host_len);
    host[bracketed ? host_len - 2 : host_len] = 0;
    *port = colon + 1;
    return 0;
}

bool net_is_address(const char *text)
{
    char host[HOST_LEN];
    const char *port;
    return strncmp(text, "unix:", 5) == 0 ? text[5] != 0 : split_address(text, host, &port) == 0;
}

int net_parse(const char *text, struct net_address *address)
{
    *address = (struct net_address){0};
    if (strncmp(text, "unix:", 5) == 0)
        return net_parse_unix(text + 5, address);
    char host[HOST_LEN];
    const char *port;
    if (split_address(text, host, &port) < 0)
        return -EINVAL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host[0] ? host : NULL, port, &hints, &found) != 0)
        return -ENOENT;
    /* "localhost" means 127.0.0.1 to most servers: prefer IPv4 when a name has both. */
    const struct addrinfo *pick = found;
    for (const struct addrinfo *ai = found->ai_next; ai; ai = ai->ai_next) {
        if (pick->ai_family != AF_INET && ai->ai_family == AF_INET)
            pick = ai;
    }
    memcpy(&address->storage, pick->ai_addr, pick->ai_addrlen);
    address->len = pick->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

void net_format(const struct net_address *address, char text[static NET_TEXT_LEN])
{
    char host[INET6_ADDRSTRLEN];
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, NET_TEXT_LEN, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, NET_TEXT_LEN, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (address->storage.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
        bool named = address->len > offsetof(struct sockaddr_un, sun_path);
        snprintf(text, NET_TEXT_LEN, "unix:%.108s", named ? un->sun_path : "");
    } else {
        snprintf(text, NET_TEXT_LEN, "unknown");
    }
}

bool net_is_loopback(const struct net_address *address)
{
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return address->storage.ss_family == AF_UNIX;
}

uint16_t net_port(const struct net_address *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return 0;
}

static int net_socket(const struct net_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* Removes a unix socket file that refuses connections: what a killed process left behind. */
static void net_remove_stale(const struct net_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    struct stat st;
    if (address->storage.ss_family != AF_UNIX || stat(un->sun_path, &st) < 0 ||
        !S_ISSOCK(st.st_mode))
        return;
    int fd = net_socket(address);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) < 0 &&
        errno == ECONNREFUSED)
        unlink(un->sun_path);
    close(fd);
}

static int net_bind(const struct net_address *address, bool shared)
{
    int fd = net_socket(address);
    if (fd < 0)
        return fd;
    int one = 1;
    if (address->storage.ss_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (shared)
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    }
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int net_listen(struct net_address *address, enum net_listen_mode mode)
{
    net_remove_stale(address);
    int fd = net_bind(address, mode == NET_LISTEN_SHARED);
    if (fd < 0)
        return fd;
    socklen_t len = sizeof address->storage;
    if (listen(fd, 1024) < 0 || (address->storage.ss_family != AF_UNIX &&
                                 getsockname(fd, (struct sockaddr *)&address->storage, &len) < 0)) {
        int error = -errno;
        close(fd);
        return error;
    }
    if (address->storage.ss_family != AF_UNIX)
        address->len = len;
    return fd;
}

int net_probe_bind(const struct net_address *address)
{
    if (address->storage.ss_family == AF_UNIX || net_port(address) == 0)
        return 0;
    int fd = net_bind(address, false);
    if (fd < 0)
        return fd;
    /* With SO_REUSEADDR two sockets may bind; only listening tells that another one listens. */
    int error = listen(fd, 1) < 0 ? -errno : 0;
    close(fd);
    return error;
}

int net_accept(int listener, struct net_address *peer)
{
    *peer = (struct net_address){.len = sizeof peer->storage};
    int fd;
    do {
        fd = accept4(listener, (struct sockaddr *)&peer->storage, &peer->len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        return -errno;
    int one = 1;
    if (peer->storage.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int net_connect(const struct net_address *address)
{
    int fd = net_socket(address);
    if (fd < 0)
        return fd;
    int one = 1;
    if (address->storage.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) < 0 &&
        errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int net_connect_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

void net_expect_life(int fd, unsigned timeout_ms)
{
    enum { PROBES = 3 };
    int on = 1, probes = PROBES;
    int interval_s = (int)(timeout_ms / 1000 / (PROBES + 1));
    interval_s = interval_s > 0 ? interval_s : 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

size_t net_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return (size_t)limit.rlim_cur;
}
