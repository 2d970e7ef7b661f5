#include "gateway/front/firewall.h"

#include "base/text.h"

void firewall_init(struct firewall *fw, const struct config_limits *limits)
{
    *fw = (struct firewall){.limits = limits, .content_length = UINT64_MAX};
}

/* tchar of RFC 9110 section 5.6.2. */
static const bool token_bytes[256] = {
    ['0' ... '9'] = true,  ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
    ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,         ['-'] = true,
    ['.'] = true,          ['^' ... '`'] = true, ['|'] = true,         ['~'] = true,
};

static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!token_bytes[text.data[i]])
            return false;
    return text.len > 0;
}

#define KNOWN(index, literal)                                                                      \
    case sizeof(literal) - 1:                                                                      \
        return memcmp(name, literal, sizeof(literal) - 1) == 0 ? (index) : FIREWALL_KNOWN_COUNT

static enum firewall_known known_name(const uint8_t *name, size_t len)
{
    switch (len) {
        KNOWN(FIREWALL_HOST, "host");
        KNOWN(FIREWALL_CONTENT_TYPE, "content-type");
        KNOWN(FIREWALL_TRANSFER_ENCODING, "transfer-encoding");
        KNOWN(FIREWALL_REQUEST_METHOD, "access-control-request-method");
        KNOWN(FIREWALL_REQUEST_HEADERS, "access-control-request-headers");
        KNOWN(FIREWALL_REQUEST_PRIVATE_NETWORK, "access-control-request-private-network");
    case sizeof "origin" - 1: /* as long as "expect" */
        if (memcmp(name, "origin", len) == 0)
            return FIREWALL_ORIGIN;
        return memcmp(name, "expect", len) == 0 ? FIREWALL_EXPECT : FIREWALL_KNOWN_COUNT;
    case sizeof "content-length" - 1: /* as long as the two sec-fetch-* */
        if (memcmp(name, "content-length", len) == 0)
            return FIREWALL_CONTENT_LENGTH;
        if (memcmp(name, "sec-fetch-site", len) == 0)
            return FIREWALL_SEC_FETCH_SITE;
        return memcmp(name, "sec-fetch-mode", len) == 0 ? FIREWALL_SEC_FETCH_MODE
                                                        : FIREWALL_KNOWN_COUNT;
    default:
        return FIREWALL_KNOWN_COUNT;
    }
}

bool firewall_field(struct firewall *fw, uint8_t *name, size_t name_len, struct slice *value)
{
    *value = slice_trim(*value);
    if (!value->data)
        value->data = (const uint8_t *)"";
    fw->count++;
    fw->bytes += name_len + value->len + 4;
    bool usual = metadata_lower_name(name, name_len);
    if (!usual && !is_token(slice_from(name, name_len)))
        fw->bad_name = true;
    if (!metadata_value_valid(*value))
        fw->bad_value = true;
    enum firewall_known known = known_name(name, name_len);
    if (known != FIREWALL_KNOWN_COUNT && fw->seen[known]++ == 0)
        fw->value[known] = *value;
    return usual;
}

static bool is_of_connection(struct slice method)
{
    return slice_equal(method, SLICE("TRACE")) || slice_equal(method, SLICE("CONNECT"));
}

bool firewall_method(struct slice text, enum exchange_method *method)
{
    static const char names[][8] = {
        [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
        [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
        [METHOD_OPTIONS] = "OPTIONS",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_equal(text, slice_from_string(names[i]))) {
            *method = (enum exchange_method)i;
            return true;
        }
    }
    *method = METHOD_CUSTOM;
    return is_token(text) && text.len <= FIREWALL_MAX_METHOD && !is_of_connection(text);
}

/* Visible ASCII without '#': what RFC 3986 lets a path and query consist of, and a little more. */
static bool target_ok(struct slice target)
{
    if (target.len == 0 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if (target.data[i] <= 0x20 || target.data[i] >= 0x7f || target.data[i] == '#')
            return false;
    return true;
}

static bool host_ok(struct slice host)
{
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] <= 0x20 || host.data[i] >= 0x7f ||
            memchr("\"#,/<>?@\\^`{|}", host.data[i], 14))
            return false;
    return true;
}

static struct firewall_verdict refuse(int http_status, const char *reason)
{
    return (struct firewall_verdict){http_status, reason};
}

static struct firewall_verdict judge_line(struct firewall *fw, struct slice method,
                                          struct slice target, struct slice version)
{
    fw->method_name =
        slice_first(method, method.len < FIREWALL_MAX_METHOD ? method.len : FIREWALL_MAX_METHOD);
    fw->http_1_0 = slice_equal(version, SLICE("HTTP/1.0"));
    if (!fw->http_1_0 && !slice_equal(version, SLICE("HTTP/1.1")))
        return refuse(505, "this port speaks HTTP/1.1 and HTTP/1.0");
    if (!firewall_method(method, &fw->method))
        return is_of_connection(method)
                   ? refuse(405, "TRACE and CONNECT are not served")
                   : refuse(501, "the method is not a token of at most 32 characters");
    if (target.len > fw->limits->max_target_bytes)
        return refuse(414, "the request target is too long");
    if (!target_ok(target))
        return refuse(400, "the request target must be a path of visible ASCII characters");
    return refuse(0, NULL);
}

static struct firewall_verdict judge_framing(struct firewall *fw)
{
    uint32_t lengths = fw->seen[FIREWALL_CONTENT_LENGTH];
    uint32_t encodings = fw->seen[FIREWALL_TRANSFER_ENCODING];
    if (lengths && encodings)
        return refuse(400, "Content-Length and Transfer-Encoding exclude each other");
    if (lengths > 1)
        return refuse(400, "more than one Content-Length");
    if (lengths && text_parse_uint64(fw->value[FIREWALL_CONTENT_LENGTH], &fw->content_length) < 0)
        return refuse(400, "Content-Length must be a decimal number below 2^64");
    if (lengths && fw->content_length == UINT64_MAX)
        return refuse(413, "the body is too long");
    if (encodings == 0)
        return refuse(0, NULL);
    if (fw->http_1_0)
        return refuse(400, "Transfer-Encoding needs HTTP/1.1");
    if (encodings > 1 ||
        !slice_equal_ignore_case(fw->value[FIREWALL_TRANSFER_ENCODING], SLICE("chunked")))
        return refuse(501, "the only Transfer-Encoding is chunked, once");
    fw->chunked = true;
    return refuse(0, NULL);
}

struct firewall_verdict firewall_judge(struct firewall *fw, struct slice method,
                                       struct slice target, struct slice version)
{
    struct firewall_verdict verdict = judge_line(fw, method, target, version);
    if (verdict.http_status)
        return verdict;
    if (fw->count > fw->limits->max_header_count)
        return refuse(431, "too many header fields");
    if (fw->bytes > fw->limits->max_header_bytes)
        return refuse(431, "the header fields are too long");
    if (fw->bad_name)
        return refuse(400, "a header field name is not a token");
    if (fw->bad_value)
        return refuse(400, "a header field value contains control characters");
    uint32_t hosts = fw->seen[FIREWALL_HOST];
    if (hosts > 1 || (hosts == 0 && !fw->http_1_0))
        return refuse(400, "exactly one Host field is needed");
    if (!host_ok(fw->value[FIREWALL_HOST]))
        return refuse(400, "the Host field is not a host name");
    if (fw->seen[FIREWALL_ORIGIN] > 1)
        return refuse(400, "more than one Origin field");
    return judge_framing(fw);
}
