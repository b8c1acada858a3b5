/* What the files of a configuration share while it is checked and turned into a plan. */
#ifndef CONFIG_CONFIG_INSIDE_H
#define CONFIG_CONFIG_INSIDE_H

#include <jansson.h>

#include "core/config/config.h"
#include "core/config/merge.h"
#include "core/config/schema.h"
#include "core/config/tables.h"

#define CONFIG_ARENA_BYTES   (64u * 1024 * 1024)
#define CONFIG_INSTANCES_MAX (TABLES_RECEIVERS_MAX + TABLES_ENRICHERS_MAX + TABLES_MODULES_MAX)

typedef struct config_instance {
    uint32_t kind;
    const char *name, *use;
    const char *label; /* "receivers.matomo" */
    const char *path;  /* of its .so, absolute */
    const ss_plugin *plugin;
    const ss_field *fields; /* its own, once it was tried; NULL: those of the plugin */
    const tree *node;       /* what stands in the file; may be null */
    place at;
    json_t *host, *options;
    bool good; /* nothing wrong so far: its create() may be tried */
} config_instance;

struct config {
    arena arena;
    problems problems;
    merged files;
    const char *path;   /* as given */
    char dir[PATH_MAX]; /* the file's directory, absolute */
    char data_dir[PATH_MAX];
    json_t *server;
    size_t dir_count;
    const char *dirs[CONFIG_DIRS_MAX];
    size_t count;
    config_instance instances[CONFIG_INSTANCES_MAX];
};

/* server.c: the server section, its rules, data_dir and plugin_dirs. */
void config_check_server(config *c);
/* instance.c: plugin found and loaded, options checked, for all of one section. */
void config_check_section(config *c, enum merge_section section, uint32_t kind);
const config_instance *config_instance_find(const config *c, uint32_t kind, const char *name);
/* rules.c: what spans several keys or instances. */
void config_check_rules(config *c);
/* rules.c: do the fields of each receiver and of what enriches its events go together? After config_try:
   instances may have fields of their own. */
void config_check_fields(config *c);
/* trial.c: create() and destroy(), with check() between where connect; errors become problems. Notes
   the fields of the instances. */
void config_try(config *c, bool connect);

/* Place of item i of the list under key (or of the value that stands for a list of one). */
place config_item_place(const config_instance *i, const char *key, size_t item);
place config_key_place(const tree *map, const char *key, place otherwise);
/* enum ss_field_type by its name in TABLES_FIELD_TYPES. */
uint32_t config_field_type(const char *name);
/* field_names.c: options of an enricher that name fields (SS_OPT_FIELD) name some that there are. */
void config_check_field_names(config *c, const config_instance *i);
bool config_module_reads(const config_instance *module, const char *receiver);
/* Calls visit for each field that events of a receiver may have: its own, then what its enrichers add; the
   same name comes once. */
void config_each_field(const config *c, const config_instance *receiver,
                       void (*visit)(void *arg, const ss_field *field, const config_instance *from),
                       void *arg);

#endif
