/* A file of HTTP rules may hold anything: what is accepted obeys the order that routes_build()
 * wants, what is refused names its place. */
#include "gateway/schema/http_rules_yaml.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 4 << 20, MAX_INPUT = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct http_rule *rule, bool first)
{
    bool lost = rule->additional && first;
    bool nameless = !rule->additional && rule->selector.len == 0;
    bool half = (rule->method.len == 0) != (rule->path.len == 0);
    bool idle = rule->method.len == 0 && (rule->additional || rule->body.len > 0);
    if (lost || nameless || half || idle || rule->line == 0 || strcmp(rule->source, "fuzz") != 0) {
        fprintf(stderr, "a rule that should have been refused\n");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct http_rule *rules;
    struct status st;
    size_t count;
    if (size > MAX_INPUT)
        return 0;
    arena_init(&arena, NULL, 0, ROOM);
    if (http_rules_yaml_parse(slice_from(data, size), "fuzz", &arena, &rules, &count, &st)) {
        for (size_t i = 0; i < count; i++)
            check_rule(&rules[i], i == 0);
    } else if (count > 0 ||
               (st.code != STATUS_RESOURCE_EXHAUSTED && strncmp(st.text, "fuzz:", 5) != 0)) {
        abort();
    }
    arena_fini(&arena);
    return 0;
}
