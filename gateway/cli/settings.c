#include "gateway/cli/settings.h"

#include <errno.h>
#include <stdlib.h>

/* What is given outside of the file, over what is there. */
static int read_outside(struct config_flags *flags, int argc, char **argv,
                        char error[static OPTION_ERROR_LEN])
{
    int result = config_flags_environment(flags, getenv, error);
    return result < 0 ? result : config_flags_parse(flags, argc, argv, error);
}

static int fail_file(const struct settings *s)
{
    config_file_print_errors(&s->file, stderr);
    return COMMAND_FAILED;
}

int settings_read(struct settings *s, const struct command *command, int argc, char **argv)
{
    char error[OPTION_ERROR_LEN];
    *s = (struct settings){0};
    config_flags_init(&s->flags);
    int result = read_outside(&s->flags, argc, argv, error);
    if (result == 0 && s->flags.config) {
        /* Now that the file is known, again from the start: it gives way to what is outside. */
        yaml_tree_init(&s->file, s->flags.config);
        config_flags_fini(&s->flags);
        config_flags_init(&s->flags);
        if (!config_file_load(&s->file, &s->flags))
            return fail_file(s);
        result = read_outside(&s->flags, argc, argv, error);
    }
    if (result == 0)
        result = config_flags_apply(&s->flags, &s->config, error);
    if (result < 0 && config_file_blame(&s->file, error))
        return fail_file(s);
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0)
        fprintf(stderr, "drawbridge %s: %s\n", command->name, error);
    return result < 0 ? COMMAND_FAILED : 0;
}

void settings_fini(struct settings *s)
{
    config_flags_fini(&s->flags);
    yaml_tree_fini(&s->file);
}
