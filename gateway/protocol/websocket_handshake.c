#include "gateway/protocol/websocket_handshake.h"

#include "base/sha1.h"
#include "base/text.h"

enum { KEY_LEN = 24, NONCE_LEN = 16 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* Whether a field of that name lists the token; the field may come more than once (RFC 9110
 * section 5.3). */
static bool lists(const struct metadata *headers, struct slice name, struct slice token)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        struct slice rest = headers->entries[i].value;
        if (!slice_equal(headers->entries[i].name, name))
            continue;
        while (rest.data)
            if (slice_equal_ignore_case(slice_trim(slice_cut(&rest, ',')), token))
                return true;
    }
    return false;
}

static uint32_t count(const struct metadata *headers, struct slice name)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < headers->count; i++)
        found += slice_equal(headers->entries[i].name, name);
    return found;
}

/* Base64 of 16 bytes. */
static bool key_valid(struct slice key)
{
    uint8_t nonce[KEY_LEN];
    return key.len == KEY_LEN && slice_has_suffix(key, SLICE("==")) &&
           text_base64_decode(key, nonce) == NONCE_LEN;
}

static void accept_key(struct slice key, char accept[static WEBSOCKET_ACCEPT_LEN])
{
    char text[KEY_LEN + sizeof guid - 1];
    uint8_t digest[SHA1_LEN];
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    sha1(slice_from(text, sizeof text), digest);
    text_base64_encode(slice_from(digest, sizeof digest), true, accept);
}

bool websocket_handshake_asked(const struct exchange_request *req)
{
    return req->method == METHOD_GET && lists(&req->headers, SLICE("upgrade"), SLICE("websocket"));
}

static struct websocket_handshake refuse(int http_status, const char *reason)
{
    return (struct websocket_handshake){.http_status = http_status, .reason = reason};
}

struct websocket_handshake websocket_handshake_judge(const struct exchange_request *req)
{
    const struct metadata *headers = &req->headers;
    struct slice key = metadata_get(headers, SLICE("sec-websocket-key"));
    struct slice version = metadata_get(headers, SLICE("sec-websocket-version"));
    if (!req->upgradable)
        return refuse(400, "a WebSocket begins with an HTTP/1.1 request without a body");
    if (!lists(headers, SLICE("connection"), SLICE("upgrade")))
        return refuse(400, "the Connection field does not say \"upgrade\"");
    if (count(headers, SLICE("sec-websocket-version")) != 1 || !slice_equal(version, SLICE("13")))
        return refuse(426, "Sec-WebSocket-Version must be 13");
    if (count(headers, SLICE("sec-websocket-key")) != 1 || !key_valid(key))
        return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64");
    if (!lists(headers, SLICE("sec-websocket-protocol"), SLICE(WEBSOCKET_SUBPROTOCOL)))
        return refuse(400, "the WebSocket sub-protocol must be " WEBSOCKET_SUBPROTOCOL);
    struct websocket_handshake shake = {.http_status = 101};
    accept_key(key, shake.accept);
    return shake;
}
