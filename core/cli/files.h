/* A checked configuration, and where plugins are looked for, for the verbs that need both. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "core/config/config.h"

typedef struct cli_files {
    const char *path;
    config *config;
    config_place place;
} cli_files;

/* given: the value of -c, or NULL. 0, or an exit code after all errors were printed; cli_unload() in any
 * case. */
int cli_load(const char *verb, const char *given, cli_files *out);
void cli_unload(cli_files *files);

#endif
