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
/* The same without calling create(), with dir searched for plugins first, and with another data_dir than the
 * file's. */
config *config_load_untried(const char *path, const char *dir, const char *data_dir, buf *errors);
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

/* One instance, as the files have it. Borrowed for the configuration's life. */
typedef struct config_entry {
    uint32_t kind;
    const char *name, *use;
    const char *plugin_path;
    const ss_plugin *plugin;
    const char *file; /* where it stands */
    uint32_t line;
} config_entry;
size_t config_entries(const config *c);
config_entry config_entry_at(const config *c, size_t i);
bool config_entry_find(const config *c, uint32_t kind, const char *name, config_entry *out);

/* What a module takes: visits each name that it lists under `receivers`, `types` or `apps`. */
void config_entry_names(const config *c, const config_entry *entry, const char *key,
                        void (*visit)(void *arg, const char *name), void *arg);

/* Its options as JSON with defaults filled in and secrets as plain text, and those secrets, one a line: for
   the checker of plugins alone. Both to be freed; false: out of memory, or a secret's file cannot be read. */
bool config_entry_options(const config *c, const config_entry *entry, char **options, char **secrets);

/* The lifecycle verbs of an instance, without a server: see ss_plugin. What they say goes to out. SS_DECLINE:
   the plugin has no such verb. */
enum config_verb { CONFIG_SETUP, CONFIG_TEARDOWN, CONFIG_HOWTO };
int32_t config_run(const config *c, const config_entry *entry, enum config_verb verb, const ss_sink *out,
                   ss_error *err);

/* Where plugins are looked for and where the state is, from the server: section alone: for verbs that must
   work though the rest of the file is broken. path NULL: the defaults. false with err. */
typedef struct config_place {
    char data_dir[PATH_MAX];
    char *applications; /* server.applications as JSON, for node_parse(); owned, may be NULL */
    size_t dir_count;
    char *dirs[CONFIG_DIRS_MAX]; /* owned */
} config_place;
bool config_find_place(const char *path, config_place *out, ss_error *err);
void config_place_fini(config_place *found);

#endif
