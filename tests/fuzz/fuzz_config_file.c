/* A configuration file may hold anything: what is accepted keeps the bounds of the options, what is
 * refused names its place, in YAML and in JSON. */
#include "gateway/config_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_INPUT = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct option *row, const char *text)
{
    char reason[OPTION_ERROR_LEN];
    if ((row->judge && row->judge(text)) || (row->check && row->check(text, reason) < 0))
        abort();
}

static void check_row(const struct option *row, const void *settings)
{
    const char *at = (const char *)settings + row->offset;
    if (row->kind == OPTION_NUMBER || row->kind == OPTION_DURATION) {
        uint64_t value = *(const uint64_t *)at;
        if (value < row->min || (row->max > 0 && value > row->max))
            abort();
    } else if (row->kind == OPTION_LIST) {
        const struct option_list *list = (const struct option_list *)at;
        for (size_t i = 0; i < list->count; i++)
            check_text(row, list->items[i]);
    } else if (row->kind == OPTION_TEXT && *(const char *const *)at) {
        check_text(row, *(const char *const *)at);
    }
}

static void check_upstreams(const struct config_flags *flags)
{
    if (flags->upstreams_count > 0 && flags->upstream.count > 0)
        abort();
    for (size_t i = 0; i < flags->upstreams_count; i++) {
        for (const struct option *row = upstream_flags_options; row->name; row++)
            check_row(row, &flags->upstreams[i]);
        if (!flags->upstreams[i].target)
            abort();
    }
}

static void check_errors(const struct yaml_tree *file)
{
    if (file->error_count == 0)
        abort();
    for (size_t i = 0; i < file->error_count && i < YAML_MAX_ERRORS; i++) {
        unsigned line, column;
        if (sscanf(file->errors[i], "fuzz/d.yaml:%u:%u: ", &line, &column) != 2 || line == 0 ||
            column == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct yaml_tree file;
    static struct config_flags flags;
    if (size > MAX_INPUT)
        return 0;
    yaml_tree_init(&file, "fuzz/d.yaml");
    config_flags_init(&flags);
    if (config_file_parse(&file, slice_from(data, size), &flags)) {
        for (const struct option *row = config_flags_options; row->name; row++)
            check_row(row, &flags);
        check_upstreams(&flags);
    } else {
        check_errors(&file);
    }
    config_flags_fini(&flags);
    yaml_tree_fini(&file);
    return 0;
}
