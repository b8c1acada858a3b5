/* The configuration as a whole: files read, plugins loaded, every option checked, every name resolved.
   Not thread-safe. Loading opens plugins, which stay open: do it in a process that may. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <limits.h>

#include "core/base/buf.h"
#include "core/base/error.h"

#define CONFIG_ERRORS_MAX (256u * 1024) /* bytes: enough for problems.h's limit; for the caller's buf */
#define CONFIG_DIRS_MAX   16u

typedef struct config config;

/* All that is wrong goes to errors, one per line: "FILE:LINE:COL: path: sentence". NULL if there was any.
   Each plugin's create() and destroy() are called once, so that its own rules are checked too. */
config *config_load(const char *path, buf *errors);
void config_free(config *c);

size_t config_count(const config *c, uint32_t kind);    /* instances of enum ss_kind */
const char *config_receiver(const config *c, size_t i); /* name of receiver i; NULL behind the last one */
/* Each field that events of a receiver may carry: its own, then what its enrichers add. from: where the
   plugin stands in the file, "enrichers.geoip". false: no such receiver. Borrowed while the configuration
   lives. */
bool config_fields(const config *c, const char *receiver,
                   void (*visit)(void *arg, const ss_field *field, const char *from), void *arg);
/* The effective configuration as YAML: defaults filled in, secrets as "***". */
void config_print(const config *c, buf *out);
/* Calls each plugin's check(), which may use the network. The number of instances that failed. */
size_t config_connect(config *c, buf *errors);

/* Where plugins are looked for and where the state is, from the server: section alone: for verbs that must
   work though the rest of the file is broken. path NULL: the defaults. false with err. */
typedef struct config_place {
    char data_dir[PATH_MAX];
    size_t dir_count;
    char *dirs[CONFIG_DIRS_MAX]; /* owned */
} config_place;
bool config_find_place(const char *path, config_place *out, ss_error *err);
void config_place_fini(config_place *found);

#endif
