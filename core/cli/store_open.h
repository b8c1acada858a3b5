/* What the verbs of the application store share: opening it, arguments, rows on paper. */
#ifndef CLI_STORE_OPEN_H
#define CLI_STORE_OPEN_H

#include <limits.h>

#include "core/admin/remote.h"
#include "core/admin/store.h"

typedef struct cli_store {
    database *db;
    store *store;
    remote *remote; /* store: dynamodb; else NULL */
    char data_dir[PATH_MAX];
} cli_store;

#define CLI_STORE_HELP                                                                                       \
    "  -c, --config FILE   the configuration, whose server.applications says where the store is\n"           \
    "  -d, --data-dir DIR  the data directory, with applications.db in it\n"                                 \
    "\n"                                                                                                     \
    "Works while the server runs and when it does not; a running server takes a change over within a "       \
    "second.\n"                                                                                              \
    "Exit code: 0 = done, 1 = failed or not there, 2 = wrong use.\n"

/* Takes -c and -d out of argv. 0, or an exit code after saying why; cli_store_close() in any case. */
int cli_store_open(int *argc, char **argv, cli_store *out);
/* The same for what each node has of its own (access keys): a remote store is not asked. */
int cli_store_open_own(int *argc, char **argv, cli_store *out);
void cli_store_close(cli_store *s);
/* Makes the tables of a remote store where they are missing, and prints what it did. An exit code. */
int cli_store_setup(int *argc, char **argv);
/* Can the store of this configuration be opened? A file that nobody has made yet is right, too. */
int cli_store_try(const char *verb, const char *file);

/* Says what went wrong; the exit code for it (0 for STORE_OK). */
int cli_store_result(const char *verb, enum store_status status, const ss_error *err);
/* "default" or a number into out. False: neither. */
bool cli_store_limit(const char *text, int64_t *out);
/* --rate, --burst, --quota out of argv: pointers into values, NULL where absent. An exit code. */
typedef struct cli_limits {
    int64_t values[3];
    const int64_t *rate, *burst, *quota;
} cli_limits;
int cli_store_limits(int *argc, char **argv, cli_limits *out);

/* As JSON objects with the names of the HTTP API; as text. */
void cli_print_app_json(const store_app *app);
void cli_print_key_json(const store_key *key);
void cli_print_app(const store_app *app);
void cli_print_key(const store_key *key);
/* One line of a list; the key's value cut to its first characters. */
void cli_print_app_line(const store_app *app);
void cli_print_key_line(const store_key *key);

#endif
