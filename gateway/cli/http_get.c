#include "gateway/cli/http_get.h"

#include "base/net.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REPLY = 1 << 20, HOST_MAX = 256 };

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 0, or -ETIMEDOUT. */
static int wait_for(int fd, short events, uint64_t end_ms)
{
    for (;;) {
        uint64_t now = now_ms();
        struct pollfd p = {.fd = fd, .events = events};
        if (now >= end_ms)
            return -ETIMEDOUT;
        uint64_t left = end_ms - now < INT32_MAX ? end_ms - now : INT32_MAX;
        if (poll(&p, 1, (int)left) > 0)
            return 0;
    }
}

static int send_all(int fd, struct slice bytes, uint64_t end_ms)
{
    while (bytes.len > 0) {
        int result = wait_for(fd, POLLOUT, end_ms);
        if (result < 0)
            return result;
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

static int receive_all(int fd, struct buf *reply, uint64_t end_ms)
{
    for (;;) {
        uint8_t *room = buf_reserve(reply, 4096);
        int result = room ? wait_for(fd, POLLIN, end_ms) : -EMSGSIZE;
        if (result < 0)
            return result;
        ssize_t n = recv(fd, room, 4096, 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            buf_commit(reply, (size_t)n);
    }
}

/* "HTTP/1.1 200 OK" (RFC 9112 section 4); the status or -EPROTO. */
static int parse_reply(struct slice reply, struct buf *body)
{
    uint64_t http_status;
    struct slice rest = reply;
    if (!slice_has_prefix(reply, SLICE("HTTP/1.")) || reply.len < 12 ||
        text_parse_uint64(slice_from(reply.data + 9, 3), &http_status) < 0)
        return -EPROTO;
    while (rest.len >= 4 && memcmp(rest.data, "\r\n\r\n", 4) != 0)
        rest = slice_skip(rest, 1);
    if (rest.len >= 4)
        buf_append_slice(body, slice_skip(rest, 4));
    return (int)http_status;
}

static int exchange(const struct net_address *address, struct slice request, uint64_t timeout_ms,
                    struct buf *body)
{
    uint64_t end_ms = now_ms() + timeout_ms;
    struct buf reply;
    int fd = net_connect(address);
    if (fd < 0)
        return fd;
    buf_init(&reply, MAX_REPLY);
    int result = wait_for(fd, POLLOUT, end_ms);
    if (result == 0)
        result = net_connect_result(fd);
    if (result == 0)
        result = send_all(fd, request, end_ms);
    if (result == 0)
        result = receive_all(fd, &reply, end_ms);
    if (result == 0)
        result = parse_reply(buf_slice(&reply), body);
    buf_fini(&reply);
    close(fd);
    return result;
}

/* Splits the URL; `host` becomes "HOST:PORT". */
static int parse_url(const char *url, char host[static HOST_MAX], struct slice *path)
{
    struct slice rest = slice_from_string(url);
    if (!slice_has_prefix(rest, SLICE("http://")))
        return -EINVAL;
    rest = slice_skip(rest, strlen("http://"));
    size_t len = strcspn((const char *)rest.data, "/?#");
    struct slice name = slice_first(rest, len);
    const char *bracket = memchr(name.data, ']', name.len);
    const char *colon_from = bracket ? bracket : (const char *)name.data;
    bool has_port = len > 0 && strchr(colon_from, ':') &&
                    strchr(colon_from, ':') < (const char *)name.data + name.len;
    int written = snprintf(host, HOST_MAX, "%.*s%s", SLICE_PRINT(name), has_port ? "" : ":80");
    *path = slice_skip(rest, len);
    if (path->len == 0)
        *path = SLICE("/");
    return len == 0 || written >= HOST_MAX || path->data[0] != '/' ? -EINVAL : 0;
}

int http_get(const char *url, uint64_t timeout_ms, struct buf *body,
             char error[static OPTION_ERROR_LEN])
{
    char host[HOST_MAX];
    struct slice path;
    struct net_address address;
    int result = parse_url(url, host, &path);
    if (result == 0)
        result = net_parse(host, &address);
    if (result == -EINVAL) {
        snprintf(error, OPTION_ERROR_LEN, "needs a URL such as http://127.0.0.1:9901/readyz");
        return result;
    }
    if (result == 0) {
        struct buf request;
        buf_init(&request, 1 << 14);
        buf_printf(&request, "GET %.*s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n",
                   SLICE_PRINT(path), host);
        result = exchange(&address, buf_slice(&request), timeout_ms, body);
        buf_fini(&request);
    }
    if (result < 0)
        snprintf(error, OPTION_ERROR_LEN, "%s",
                 result == -EPROTO ? "the answer is not HTTP" : strerror(-result));
    return result;
}
