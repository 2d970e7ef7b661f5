/* version: `drawbridge --version`: our version and those of the libraries in use, as they say
 * themselves at run time, which is what a bug report needs. */
#include "gateway/cli/cli.h"

#include <ares.h>
#include <jansson.h>
#include <microhttpd.h>
#include <nghttp2/nghttp2.h>
#include <protobuf-c/protobuf-c.h>
#include <yaml.h>

static int run_version(const struct command *command, int argc, char **argv)
{
    int wrong = command_parse(command, NULL, argc, argv, NULL);
    if (wrong)
        return wrong;
    printf("drawbridge %s\n", DRAWBRIDGE_VERSION);
    printf("libmicrohttpd %s\n", MHD_get_version());
    printf("libnghttp2 %s\n", nghttp2_version(0)->version_str);
    printf("libprotobuf-c %s\n", protobuf_c_version());
    printf("libjansson %s\n", jansson_version_str());
    printf("libyaml %s\n", yaml_get_version_string());
    printf("libcares %s\n", ares_version(NULL));
    return 0;
}

const struct command command_version = {
    .name = "version",
    .summary = "print the versions of the program and its libraries",
    .operands = "",
    .usage_status = COMMAND_WRONG_USAGE,
    .run = run_version,
};
