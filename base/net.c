#include "base/net.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
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

static int unix_address(struct slice name, bool abstract, struct net_address *address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
    *address = (struct net_address){0};
    if (name.len == 0 || memchr(name.data, 0, name.len))
        return -EINVAL;
    if (name.len >= sizeof un->sun_path)
        return -ENAMETOOLONG;
    un->sun_family = AF_UNIX;
    /* An abstract name begins with a NUL and ends with its length. */
    memcpy(un->sun_path + abstract, name.data, name.len);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.len + 1);
    return 0;
}

int net_split(struct slice text, char host[static NET_HOST_LEN], int *port)
{
    struct slice name = text, rest = {NULL, 0};
    const uint8_t *end;
    uint64_t number;
    *port = -1;
    if (text.len > 0 && text.data[0] == '[') {
        end = memchr(text.data, ']', text.len);
        if (!end || end == text.data + 1)
            return -EINVAL;
        name = slice_from(text.data + 1, (size_t)(end - text.data) - 1);
        rest = slice_skip(text, name.len + 2);
    } else if (text.len > 0 && (end = memchr(text.data, ':', text.len)) &&
               end == memrchr(text.data, ':', text.len)) {
        name = slice_first(text, (size_t)(end - text.data));
        rest = slice_skip(text, name.len);
    }
    if (name.len >= NET_HOST_LEN || (name.len > 0 && memchr(name.data, 0, name.len)))
        return -EINVAL;
    if (rest.len > 0) {
        if (rest.data[0] != ':' || text_parse_uint64(slice_skip(rest, 1), &number) < 0 ||
            number > UINT16_MAX)
            return -EINVAL;
        *port = (int)number;
    }
    memcpy(host, name.data, name.len);
    host[name.len] = 0;
    return 0;
}

/* `flags` of getaddrinfo.  "localhost" means 127.0.0.1 to most servers: IPv4 is preferred when a
 * name has both. */
static int look_up(const char *host, uint16_t port, int flags, struct net_address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    *address = (struct net_address){0};
    if (getaddrinfo(*host ? host : NULL, service, &hints, &found) != 0)
        return -ENOENT;
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

int net_numeric(const char *host, uint16_t port, struct net_address *address)
{
    /* getaddrinfo() takes "*" for all interfaces. */
    bool address_like = *host && strcmp(host, "*") != 0;
    return address_like && look_up(host, port, AI_NUMERICHOST, address) == 0 ? 0 : -EINVAL;
}

int net_unix(struct slice path, struct net_address *address)
{
    return unix_address(path, false, address);
}

int net_unix_abstract(struct slice name, struct net_address *address)
{
    return unix_address(name, true, address);
}

bool net_is_address(const char *text)
{
    char host[NET_HOST_LEN];
    int port;
    return strncmp(text, "unix:", 5) == 0
               ? text[5] != 0
               : net_split(slice_from_string(text), host, &port) == 0 && port >= 0;
}

int net_parse(const char *text, struct net_address *address)
{
    char host[NET_HOST_LEN];
    int port;
    if (strncmp(text, "unix:", 5) == 0)
        return net_unix(slice_from_string(text + 5), address);
    if (net_split(slice_from_string(text), host, &port) < 0 || port < 0)
        return -EINVAL;
    return look_up(host, (uint16_t)port, AI_PASSIVE, address);
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
        char zone[IF_NAMESIZE] = "";
        bool zoned = in6->sin6_scope_id > 0 && if_indextoname(in6->sin6_scope_id, zone);
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, NET_TEXT_LEN, "[%s%s%s]:%u", host, zoned ? "%" : "", zone,
                 ntohs(in6->sin6_port));
    } else if (address->storage.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
        bool named = address->len > offsetof(struct sockaddr_un, sun_path);
        bool abstract = named && un->sun_path[0] == 0;
        snprintf(text, NET_TEXT_LEN, "%s:%.*s", abstract ? "unix-abstract" : "unix", 107,
                 named ? un->sun_path + abstract : "");
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

static bool is_any(const struct net_address *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
    return address->storage.ss_family == AF_INET ? in->sin_addr.s_addr == htonl(INADDR_ANY)
                                                 : IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

bool net_overlap(const struct net_address *a, const struct net_address *b)
{
    sa_family_t family = a->storage.ss_family, other = b->storage.ss_family;
    bool same = a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
    if (family == AF_UNIX || other == AF_UNIX)
        return same;
    if (net_port(a) == 0 || net_port(a) != net_port(b))
        return false;
    return same || (is_any(a) && (family == other || family == AF_INET6)) ||
           (is_any(b) && (family == other || other == AF_INET6));
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
