/* Fuzz target of the framing firewall: the input is a request head as text, "METHOD TARGET VERSION"
 * and then "name:value" lines.  What passes must be free of everything that two servers could read
 * differently. */
#include "gateway/front/firewall.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct firewall fw;
    config_init(&config);
    firewall_init(&fw, &config.limits);
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    struct slice rest = slice_from(copy, size);
    struct slice line = slice_cut(&rest, '\n');
    while (rest.data) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        firewall_field(&fw, (uint8_t *)(uintptr_t)name.data, name.len, &value);
    }
    struct slice method = slice_cut(&line, ' ');
    struct slice target = slice_cut(&line, ' ');
    struct firewall_verdict verdict = firewall_judge(&fw, method, target, line);
    if (verdict.http_status == 0) {
        assert(slice_equal(fw.method_name, method) && method.len > 0);
        assert(method.len <= FIREWALL_MAX_METHOD && !memchr(method.data, '\r', method.len));
        assert(!slice_equal(method, SLICE("TRACE")) && !slice_equal(method, SLICE("CONNECT")));
        assert(!fw.bad_name && !fw.bad_value && target.data[0] == '/');
        assert(fw.seen[FIREWALL_HOST] == 1 || (fw.http_1_0 && fw.seen[FIREWALL_HOST] == 0));
        assert(fw.seen[FIREWALL_CONTENT_LENGTH] + fw.seen[FIREWALL_TRANSFER_ENCODING] <= 1);
        assert(!fw.chunked || !fw.http_1_0);
        assert(fw.count <= config.limits.max_header_count);
        assert(fw.bytes <= config.limits.max_header_bytes);
    } else {
        assert(verdict.http_status >= 400 && verdict.http_status <= 505 && verdict.reason);
    }
    free(copy);
    return 0;
}
