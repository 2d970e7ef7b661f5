/* json_options: how messages are read from JSON and written as JSON by configuration, the same for
 * every protocol that speaks it. */
#pragma once
#include "gateway/config.h"
#include "gateway/transcode/transcode.h"

static inline struct transcode_options json_options(const struct config *config,
                                                    const struct schema *schema)
{
    return (struct transcode_options){
        .schema = schema,
        .ignore_unknown = config->json_ignore_unknown,
        .emit_defaults = config->json_emit_defaults,
        .enums_as_numbers = config->json_enums_as_numbers,
        .proto_names = config->json_proto_names,
        .int64_as_numbers = config->json_int64_as_numbers,
    };
}
