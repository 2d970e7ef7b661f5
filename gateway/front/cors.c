#include "gateway/front/cors.h"

#include "gateway/front/firewall.h"

#include <errno.h>

/* An origin taken apart: "scheme://host[:port]". */
struct origin_parts {
    struct slice authority, host, port;
    bool https;
};

/* host[:port], also "[v6]:port". */
static void split_authority(struct slice authority, struct slice *host, struct slice *port)
{
    *host = authority;
    *port = (struct slice){NULL, 0};
    size_t from = 0;
    if (authority.len && authority.data[0] == '[') {
        const uint8_t *end = memchr(authority.data, ']', authority.len);
        from = end ? (size_t)(end - authority.data) : 0;
    }
    const uint8_t *colon = memchr(authority.data + from, ':', authority.len - from);
    if (authority.len && colon) {
        *host = slice_first(authority, (size_t)(colon - authority.data));
        *port = slice_skip(authority, host->len + 1);
    }
}

static bool split_origin(struct slice origin, struct origin_parts *parts)
{
    parts->https = slice_has_prefix(origin, SLICE("https://"));
    if (!parts->https && !slice_has_prefix(origin, SLICE("http://")))
        return false;
    parts->authority = slice_skip(origin, parts->https ? 8 : 7);
    if (parts->authority.len == 0)
        return false;
    split_authority(parts->authority, &parts->host, &parts->port);
    for (size_t i = 0; i < parts->port.len; i++)
        if (parts->port.data[i] < '0' || parts->port.data[i] > '9')
            return false;
    return true;
}

static bool is_dotted_127(struct slice host)
{
    if (!slice_has_prefix(host, SLICE("127.")))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    return true;
}

static bool is_loopback_name(struct slice host)
{
    if (slice_equal_ignore_case(host, SLICE("localhost")) || slice_equal(host, SLICE("[::1]")))
        return true;
    struct slice suffix = SLICE(".localhost");
    if (host.len > suffix.len &&
        slice_equal_ignore_case(slice_skip(host, host.len - suffix.len), suffix))
        return true;
    return is_dotted_127(host);
}

static struct slice effective_port(struct slice port, bool https)
{
    if (port.len)
        return port;
    return https ? SLICE("443") : SLICE("80");
}

/* A proxy in front may have ended TLS: the scheme of the page only gives the default port. */
static bool is_same_origin(const struct origin_parts *origin, struct slice host_field)
{
    struct slice host, port;
    split_authority(host_field, &host, &port);
    return slice_equal_ignore_case(origin->host, host) &&
           slice_equal(effective_port(origin->port, origin->https),
                       effective_port(port, origin->https));
}

static enum cors_verdict find_origin(const struct cors_policy *policy, struct slice origin)
{
    enum cors_verdict verdict = CORS_REFUSED;
    for (size_t i = 0; i < policy->origins_count; i++) {
        struct slice allowed = slice_from_string(policy->origins[i]);
        if (slice_equal_ignore_case(allowed, origin))
            return CORS_ALLOWED;
        if (slice_equal(allowed, SLICE("*")))
            verdict = CORS_ALLOWED_ANY;
    }
    return verdict;
}

/* DNS rebinding: a foreign name that now resolves to this machine must not count as our own. */
static bool host_is_ours(const struct cors_policy *policy, struct slice host_field)
{
    struct slice host, port;
    split_authority(host_field, &host, &port);
    if (!policy->loopback_only || is_loopback_name(host))
        return true;
    for (size_t i = 0; i < policy->origins_count; i++) {
        struct origin_parts parts;
        if (split_origin(slice_from_string(policy->origins[i]), &parts) &&
            slice_equal_ignore_case(parts.host, host))
            return true;
    }
    return false;
}

/* Browsers leave Origin out of same-origin GETs, of navigations and of what <img> and <script>
 * load; Sec-Fetch-Site tells them apart. */
static enum cors_verdict decide_without_origin(const struct cors_policy *policy,
                                               const struct cors_request *req)
{
    if (!req->sec_fetch_site.data)
        return CORS_NO_BROWSER;
    bool own = slice_equal(req->sec_fetch_site, SLICE("same-origin")) ||
               slice_equal(req->sec_fetch_site, SLICE("none")) ||
               slice_equal(req->sec_fetch_mode, SLICE("navigate"));
    if (own && host_is_ours(policy, req->host))
        return CORS_SAME_ORIGIN;
    return !own && find_origin(policy, SLICE("null")) == CORS_ALLOWED_ANY ? CORS_ALLOWED_ANY
                                                                          : CORS_REFUSED;
}

enum cors_verdict cors_decide(const struct cors_policy *policy, const struct cors_request *req)
{
    if (!req->origin.data)
        return decide_without_origin(policy, req);
    struct origin_parts parts;
    if (!split_origin(req->origin, &parts))
        return CORS_REFUSED; /* "null", extensions, files: they prove nothing about the page */
    enum cors_verdict listed = find_origin(policy, req->origin);
    if (listed == CORS_ALLOWED)
        return listed;
    if (is_same_origin(&parts, req->host))
        return host_is_ours(policy, req->host) ? CORS_SAME_ORIGIN : listed;
    if (policy->loopback_only && is_loopback_name(parts.host))
        return CORS_ALLOWED;
    return listed;
}

static bool is_token_list(struct slice list)
{
    for (size_t i = 0; i < list.len; i++) {
        uint8_t c = list.data[i];
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && memchr("!#$%&'*+-.^_`|~", c, 15));
        if (!token && c != ',' && c != ' ')
            return false;
    }
    return list.len > 0;
}

static int add_origin(enum cors_verdict verdict, struct slice origin, struct metadata *fields)
{
    if (metadata_add_borrowed(fields, SLICE("vary"), SLICE("Origin")) < 0)
        return -ENOBUFS;
    if (verdict == CORS_ALLOWED_ANY)
        return metadata_add_borrowed(fields, SLICE("access-control-allow-origin"), SLICE("*"));
    struct slice copy = arena_copy(fields->arena, origin);
    if (!copy.data || metadata_add_borrowed(fields, SLICE("access-control-allow-origin"), copy) < 0)
        return -ENOBUFS;
    return metadata_add_borrowed(fields, SLICE("access-control-allow-credentials"), SLICE("true"));
}

static int add_private_network(const struct cors_policy *policy, const struct cors_request *req,
                               struct metadata *fields)
{
    if (!policy->private_network || !slice_equal(req->request_private_network, SLICE("true")))
        return 0;
    return metadata_add_borrowed(fields, SLICE("access-control-allow-private-network"),
                                 SLICE("true"));
}

static int add_methods(struct slice asked, struct metadata *fields)
{
    static const char usual[] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    const char *methods = usual;
    enum exchange_method method;
    if (firewall_method(asked, &method) && method == METHOD_CUSTOM)
        methods = arena_printf(fields->arena, "%s, %.*s", usual, SLICE_PRINT(asked));
    return methods ? metadata_add_borrowed(fields, SLICE("access-control-allow-methods"),
                                           slice_from_string(methods))
                   : -ENOBUFS;
}

int cors_preflight_fields(const struct cors_policy *policy, enum cors_verdict verdict,
                          const struct cors_request *req, struct metadata *fields)
{
    const char *max_age =
        arena_printf(fields->arena, "%llu", (unsigned long long)policy->max_age_s);
    if (!max_age || add_origin(verdict, req->origin, fields) < 0 ||
        add_methods(req->request_method, fields) < 0 ||
        metadata_add_borrowed(fields, SLICE("access-control-max-age"), slice_from_string(max_age)) <
            0 ||
        add_private_network(policy, req, fields) < 0)
        return -ENOBUFS;
    if (!is_token_list(req->request_headers))
        return 0;
    struct slice copy = arena_copy(fields->arena, req->request_headers);
    if (!copy.data)
        return -ENOBUFS;
    return metadata_add_borrowed(fields, SLICE("access-control-allow-headers"), copy);
}

/* Fields that scripts see without being told, or never. */
static bool needs_no_exposing(struct slice name)
{
    static const char *const names[] = {"content-type", "content-length", "cache-control",
                                        "vary",         "expires",        "last-modified",
                                        "date",         "pragma",         "content-language"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(name, slice_from_string(names[i])))
            return true;
    return slice_has_prefix(name, SLICE("access-control-")) ||
           slice_has_prefix(name, SLICE("grpc-status")) || slice_equal(name, SLICE("grpc-message"));
}

static struct slice exposed_names(const struct metadata *fields)
{
    static const struct slice always = {
        (const uint8_t *)"grpc-status, grpc-message, grpc-status-details-bin", 50};
    size_t len = always.len;
    for (uint32_t i = 0; i < fields->count; i++)
        if (!needs_no_exposing(fields->entries[i].name))
            len += fields->entries[i].name.len + 2;
    if (len == always.len)
        return always;
    uint8_t *to = arena_alloc(fields->arena, len + 1);
    if (!to)
        return (struct slice){NULL, 0};
    memcpy(to, always.data, always.len);
    size_t at = always.len;
    for (uint32_t i = 0; i < fields->count; i++) {
        struct slice name = fields->entries[i].name;
        if (needs_no_exposing(name))
            continue;
        to[at++] = ',';
        to[at++] = ' ';
        memcpy(to + at, name.data, name.len);
        at += name.len;
    }
    to[at] = 0;
    return slice_from(to, at);
}

int cors_response_fields(enum cors_verdict verdict, struct slice origin, struct metadata *fields)
{
    if ((verdict != CORS_ALLOWED && verdict != CORS_ALLOWED_ANY) || !origin.data)
        return 0;
    struct slice exposed = exposed_names(fields);
    if (!exposed.data || add_origin(verdict, origin, fields) < 0)
        return -ENOBUFS;
    return metadata_add_borrowed(fields, SLICE("access-control-expose-headers"), exposed);
}
