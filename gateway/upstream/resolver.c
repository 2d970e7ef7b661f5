#include "gateway/upstream/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A question is asked again after a quarter of the time-out and then has half of it: what a server
 * says of IPv4 must come through before the end also when it drops questions for IPv6. */
enum { FIRST_TRY_PART = 4, TRIES = 2 };

/* A socket of c-ares. */
struct resolver_socket {
    struct resolver *r;
    ares_socket_t fd;
    struct loop_io *io;
    struct list node;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct list sockets; /* of struct resolver_socket */
    struct timer timer;  /* what c-ares waits for, or the end */
    uint64_t deadline_ms, timeout_ms;
    char host[NET_HOST_LEN];
    uint16_t port;
    bool answered;
    int status; /* of c-ares; when answered */
    struct net_address addresses[TARGET_MAX_ADDRESSES];
    size_t count;
    void (*on_done)(void *arg, const struct net_address *addresses, size_t count, const char *why);
    void *arg;
};

static void resolver_free(struct resolver *r)
{
    if (r->channel)
        ares_destroy(r->channel); /* closes its sockets: see on_socket_state() */
    loop_timer_cancel(r->loop, &r->timer);
    free(r);
}

static void explain(const struct resolver *r, char *why, size_t len)
{
    const char *reason = ares_strerror(r->status);
    if (!r->answered || r->status == ARES_ETIMEOUT)
        snprintf(why, len, "no name server has told the address of %.100s within %llu ms", r->host,
                 (unsigned long long)r->timeout_ms);
    else if (r->status == ARES_ENOTFOUND || r->status == ARES_ENODATA || r->status == ARES_SUCCESS)
        snprintf(why, len, "no address is known for %.100s", r->host);
    else if (r->status == ARES_ECONNREFUSED)
        snprintf(why, len, "%.100s cannot be looked up: no name server answers", r->host);
    else
        snprintf(why, len, "%.100s cannot be looked up: %s", r->host, reason);
}

static void resolver_finish(struct resolver *r)
{
    char why[200];
    explain(r, why, sizeof why);
    r->on_done(r->arg, r->addresses, r->count, why);
    resolver_free(r);
}

/* After everything that c-ares did: its callbacks must not end it. */
static void resolver_go_on(struct resolver *r)
{
    uint64_t now_ms = loop_now_ms(r->loop);
    if (r->answered || now_ms >= r->deadline_ms) {
        resolver_finish(r);
        return;
    }
    uint64_t left_ms = r->deadline_ms - now_ms;
    struct timeval most = {(time_t)(left_ms / 1000), (suseconds_t)(left_ms % 1000 * 1000)}, wait;
    const struct timeval *next = ares_timeout(r->channel, &most, &wait);
    loop_timer_set(r->loop, &r->timer,
                   now_ms + (uint64_t)next->tv_sec * 1000 + (uint64_t)(next->tv_usec + 999) / 1000);
}

static void on_timer(void *arg)
{
    struct resolver *r = arg;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolver_go_on(r);
}

static void on_ready(void *arg, int events)
{
    const struct resolver_socket *socket = arg;
    struct resolver *r = socket->r;
    ares_socket_t fd = socket->fd; /* the socket may be gone after the first half */
    ares_process_fd(r->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    resolver_go_on(r);
}

static struct resolver_socket *find_socket(struct resolver *r, ares_socket_t fd)
{
    LIST_EACH(node, &r->sockets)
    {
        struct resolver_socket *socket = LIST_ENTRY(node, struct resolver_socket, node);
        if (socket->fd == fd)
            return socket;
    }
    return NULL;
}

static void watch_socket(struct resolver *r, ares_socket_t fd, int events)
{
    struct resolver_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        return; /* its question times out */
    *socket = (struct resolver_socket){.r = r, .fd = fd};
    list_append(&r->sockets, &socket->node);
    socket->io = loop_io_new(r->loop, fd, events, on_ready, socket);
}

/* c-ares tells what it waits for on a socket; nothing before it closes it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct resolver_socket *socket = find_socket(r, fd);
    int events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
    if (!socket && events) {
        watch_socket(r, fd, events);
    } else if (socket && events && socket->io) {
        loop_io_set(socket->io, events);
    } else if (socket && !events) {
        loop_io_free(socket->io);
        list_remove(&socket->node);
        free(socket);
    }
}

static void take_addresses(struct resolver *r, const struct ares_addrinfo *found, int family)
{
    for (const struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next) {
        if (n->ai_family != family || r->count == TARGET_MAX_ADDRESSES)
            continue;
        struct net_address *address = &r->addresses[r->count++];
        *address = (struct net_address){.len = n->ai_addrlen};
        memcpy(&address->storage, n->ai_addr, n->ai_addrlen);
        if (family == AF_INET)
            ((struct sockaddr_in *)&address->storage)->sin_port = htons(r->port);
        else
            ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(r->port);
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct resolver *r = arg;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return; /* we end it */
    r->answered = true;
    r->status = status;
    if (status == ARES_SUCCESS) {
        take_addresses(r, found, AF_INET);
        take_addresses(r, found, AF_INET6);
    }
    ares_freeaddrinfo(found);
}

static void init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

/* A status of c-ares: it reads /etc/resolv.conf. */
static int open_channel(struct resolver *r, const char *server)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    struct ares_options options = {
        .timeout = (int)(r->timeout_ms / FIRST_TRY_PART) + 1,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&r->channel, &options, mask);
    if (status == ARES_SUCCESS && *server)
        status = ares_set_servers_ports_csv(r->channel, server);
    return status;
}

struct resolver *resolver_start(struct loop *loop, const struct target *target, uint64_t timeout_ms,
                                void (*on_done)(void *arg, const struct net_address *addresses,
                                                size_t count, const char *why),
                                void *arg)
{
    struct resolver *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct resolver){
        .loop = loop,
        .timeout_ms = timeout_ms,
        .deadline_ms = loop_now_ms(loop) + timeout_ms,
        .port = target->port,
        .timer = {.on_expire = on_timer, .arg = r},
        .on_done = on_done,
        .arg = arg,
    };
    snprintf(r->host, sizeof r->host, "%s", target->host);
    list_init(&r->sockets);
    /* The order of the answer is the name's owner's; c-ares would open sockets to sort it. */
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC};
    r->status = open_channel(r, target->server);
    r->answered = r->status != ARES_SUCCESS;
    if (!r->answered)
        ares_getaddrinfo(r->channel, r->host, NULL, &hints, on_answer, r);
    if (r->answered)
        loop_timer_set(loop, &r->timer, loop_now_ms(loop)); /* not inside this call */
    else
        resolver_go_on(r);
    return r;
}

void resolver_cancel(struct resolver *r)
{
    resolver_free(r);
}
