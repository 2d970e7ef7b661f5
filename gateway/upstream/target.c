#include "gateway/upstream/target.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { DEFAULT_PORT = 443, DNS_PORT = 53, NO_DEFAULT = -1, MAX_NAME = 253 /* RFC 1035 2.3.4 */ };

/* A text on its way into a target. */
struct parse {
    struct target *target;
    char *error;
};

static int fail(const struct parse *p, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const struct parse *p, int result, const char *format, ...)
{
    char reason[OPTION_ERROR_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(p->error, OPTION_ERROR_LEN, "\"%.100s\" is no target: %.138s", p->target->text,
             reason);
    return result;
}

/* Without the zone of an IPv6 address, which means nothing to others (RFC 6874 section 1). */
static void keep_authority(struct target *target, struct slice text)
{
    struct slice address = slice_cut(&text, '%');
    slice_cut(&text, ']');
    snprintf(target->authority, sizeof target->authority, "%.*s%s%.*s", SLICE_PRINT(address),
             text.data ? "]" : "", SLICE_PRINT(text));
}

static bool is_name(const char *host)
{
    size_t len = strlen(host);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr("-_.", host[i]))
            return false;
    return len > 0 && len <= MAX_NAME;
}

static int split(const struct parse *p, struct slice text, int default_port, char *host, int *port)
{
    if (net_split(text, host, port) < 0)
        return fail(p, -EINVAL, "\"%.*s\" is not HOST:PORT with a port up to 65535",
                    (int)(text.len < 60 ? text.len : 60), (const char *)text.data);
    if (*port < 0)
        *port = default_port;
    if (*port <= 0)
        return fail(p, -EINVAL, "it needs HOST:PORT, with a port from 1 to 65535");
    return 0;
}

static int add_address(const struct parse *p, const char *host, int port)
{
    struct target *t = p->target;
    if (t->count == TARGET_MAX_ADDRESSES)
        return fail(p, -EINVAL, "more than %d addresses", TARGET_MAX_ADDRESSES);
    if (net_numeric(host, (uint16_t)port, &t->addresses[t->count]) < 0)
        return fail(p, -EINVAL, "\"%.60s\" is not an address", host);
    t->count++;
    return 0;
}

/* HOST[:PORT].  No host at all is this one. */
static int parse_host(const struct parse *p, struct slice text, int default_port)
{
    struct target *t = p->target;
    int port;
    if (text.len == 0)
        return fail(p, -EINVAL, "the host is missing");
    int result = split(p, text, default_port, t->host, &port);
    if (result < 0)
        return result;
    keep_authority(t, text);
    if (t->host[0] == 0) {
        snprintf(t->host, sizeof t->host, "localhost");
        snprintf(t->authority, sizeof t->authority, "localhost:%d", port);
    }
    struct net_address numeric;
    if (net_numeric(t->host, (uint16_t)port, &numeric) == 0)
        return add_address(p, t->host, port);
    if (!is_name(t->host))
        return fail(p, -EINVAL, "it needs HOST:PORT; \"%.60s\" is neither a name nor an address",
                    t->host);
    t->kind = TARGET_NAME;
    t->port = (uint16_t)port;
    return 0;
}

/* What stands between "//" and "/": the name server; *text goes on behind it. */
static int parse_server(const struct parse *p, struct slice *text)
{
    char host[NET_HOST_LEN];
    int port;
    struct net_address address;
    *text = slice_skip(*text, 2);
    if (!memchr(text->data, '/', text->len))
        return fail(p, -EINVAL, "write dns:///HOST:PORT, or dns://SERVER/HOST:PORT");
    struct slice server = slice_cut(text, '/');
    if (server.len == 0)
        return 0;
    int result = split(p, server, DNS_PORT, host, &port);
    if (result < 0)
        return result;
    if (net_numeric(host, (uint16_t)port, &address) < 0)
        return fail(p, -EINVAL, "the name server \"%.60s\" must be a numeric address", host);
    net_format(&address, p->target->server);
    return 0;
}

static int parse_dns(const struct parse *p, struct slice rest)
{
    int result = slice_has_prefix(rest, SLICE("//")) ? parse_server(p, &rest) : 0;
    return result < 0 ? result : parse_host(p, rest, DEFAULT_PORT);
}

static int parse_addresses(const struct parse *p, struct slice rest, int family)
{
    struct target *t = p->target;
    do {
        char host[NET_HOST_LEN];
        int port;
        struct slice one = slice_cut(&rest, ',');
        int result = split(p, one, DEFAULT_PORT, host, &port);
        if (result == 0)
            result = add_address(p, host, port);
        if (result < 0)
            return result;
        if (t->addresses[t->count - 1].storage.ss_family != family)
            return fail(p, -EINVAL, "\"%.60s\" is not an IPv%c address", host,
                        family == AF_INET ? '4' : '6');
        if (t->count > 1)
            continue;
        char bracketed[NET_HOST_LEN + 2];
        bool bare = family == AF_INET6 && one.data[0] != '[';
        snprintf(bracketed, sizeof bracketed, "[%s]", host);
        keep_authority(t, bare ? slice_from_string(bracketed) : one);
    } while (rest.data);
    return 0;
}

static int parse_ipv4(const struct parse *p, struct slice rest)
{
    return parse_addresses(p, rest, AF_INET);
}

static int parse_ipv6(const struct parse *p, struct slice rest)
{
    return parse_addresses(p, rest, AF_INET6);
}

static int take_unix(const struct parse *p, int result)
{
    if (result == -ENAMETOOLONG)
        return fail(p, result, "the path is too long for a unix socket");
    if (result < 0)
        return fail(p, result, "the path is missing");
    p->target->count = 1;
    keep_authority(p->target, SLICE("localhost"));
    return 0;
}

static int parse_unix(const struct parse *p, struct slice rest)
{
    bool authority = slice_has_prefix(rest, SLICE("//"));
    if (authority && !slice_has_prefix(rest, SLICE("///")))
        return fail(p, -EINVAL, "write unix:PATH, or unix:///PATH for an absolute one");
    if (authority)
        rest = slice_skip(rest, 2);
    return take_unix(p, net_unix(rest, &p->target->addresses[0]));
}

static int parse_unix_abstract(const struct parse *p, struct slice rest)
{
    return take_unix(p, net_unix_abstract(rest, &p->target->addresses[0]));
}

static const struct {
    const char *prefix;
    int (*parse)(const struct parse *p, struct slice rest);
} schemes[] = {
    {"dns:", parse_dns},   {"ipv4:", parse_ipv4},
    {"ipv6:", parse_ipv6}, {"unix-abstract:", parse_unix_abstract},
    {"unix:", parse_unix},
};

int target_parse(const char *text, struct target *target, char error[static OPTION_ERROR_LEN])
{
    struct parse p = {.target = target, .error = error};
    struct slice all = slice_from_string(text);
    *target = (struct target){.text = text};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct slice prefix = slice_from_string(schemes[i].prefix);
        if (slice_has_prefix(all, prefix))
            return schemes[i].parse(&p, slice_skip(all, prefix.len));
    }
    const char *authority = strstr(text, "://");
    if (authority)
        return fail(&p, -EINVAL, "write it as HOST:PORT, without \"%.*s\"",
                    (int)(authority + 3 - text < 40 ? authority + 3 - text : 40), text);
    return parse_host(&p, all, NO_DEFAULT);
}

int target_check(const char *text, char error[static OPTION_ERROR_LEN])
{
    struct target target;
    return target_parse(text, &target, error);
}

const char *target_judge_authority(const char *value)
{
    enum { MAX_AUTHORITY = 253 + 6 }; /* a name (RFC 1035 section 2.3.4), ":65535" */
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~%!$&'()*+,;=:[]";
    size_t len = strlen(value);
    bool good = len > 0 && len <= MAX_AUTHORITY && strspn(value, allowed) == len;
    return good ? NULL : "needs a host or HOST:PORT, without blanks and slashes";
}
