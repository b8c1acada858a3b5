/* The section server.applications of the checked configuration, for the server and for the verbs. */
#ifndef ADMIN_OPTIONS_H
#define ADMIN_OPTIONS_H

#include <limits.h>

#include "core/admin/authorizer.h"
#include "core/admin/remote.h"
#include "core/config/node.h"

#define STORE_CONNECTION_MAX 2048u
#define STORE_POLL_MS        200 /* SQLite: asking whether the file changed costs a microsecond */

typedef struct store_options {
    bool none; /* no store is configured */
    bool hashed;
    database_options database; /* its texts point to the two below */
    char path[PATH_MAX], connection[STORE_CONNECTION_MAX];
    bool has_remote; /* the database is a copy of it */
    remote_options remote;
    int64_t pull_ms;               /* how often the copy is brought up to date */
    authorizer_options authorizer; /* without the alarm */
} store_options;

/* section: NULL = all defaults. false with err. Forget what it holds with explicit_bzero(). */
bool store_options_read(store_options *out, const ss_config *section, const char *data_dir, ss_error *err);

#endif
