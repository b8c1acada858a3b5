#include "core/cli/files.h"

#include <stdio.h>

#include "core/cli/common.h"

int cli_load(const char *verb, const char *given, cli_files *out)
{
    *out = (cli_files){.path = cli_config_path(given)};
    ss_error err = error_init();
    if (!config_find_place(out->path, &out->place, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    buf errors;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    out->config = config_load(out->path, &errors);
    if (!out->config)
        (void)fputs(buf_text(&errors), stderr);
    buf_fini(&errors);
    return out->config ? CLI_OK : CLI_FAILED;
}

void cli_unload(cli_files *files)
{
    config_free(files->config);
    config_place_fini(&files->place);
    *files = (cli_files){.path = NULL};
}
