/* The application store for the verbs: opened as the server of this configuration opens it. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include "core/admin/store.h"

typedef struct cli_store {
    database *db;
    store *store;
} cli_store;

int cli_store_open(const char *verb, const char *config_path,
                   cli_store *out); /* an exit code, after saying why */
void cli_store_close(cli_store *s);

#endif
