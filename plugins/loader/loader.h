/* Plugins: found by name, opened, and let in only where they keep the contract. A refusal names the file,
   what is wrong and what to do. Nothing is ever unloaded. Call from one thread. */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include <limits.h>

#include "core/base/error.h"

#define LOADER_OPTIONS_MAX 512u /* in one table */
#define LOADER_FIELDS_MAX  1024u
#define LOADER_ROUTES_MAX  128u
#define LOADER_DEPTH_MAX   12u /* nested option tables */

/* kind: enum ss_kind; 0 = any. NULL with err. */
const ss_plugin *loader_open(const char *path, uint32_t kind, ss_error *err);
/* use: a name, found as <kind>-<use>.so in exactly one of the directories, or a path with a '/'.
   err.code is LOADER_UNKNOWN where no directory has it. */
bool loader_find(const char *const *dirs, size_t dir_count, uint32_t kind, const char *use,
                 char out[PATH_MAX], ss_error *err);
enum loader_code { LOADER_UNKNOWN = 1 };

/* What one directory offers: each <kind>-<name>.so, in order of the name. Returns -1 with errno. */
typedef void loader_visit(void *arg, const char *path, uint32_t kind, const char *name);
int loader_list(const char *dir, loader_visit *visit, void *arg);

/* A receiver that pulls: run() and no routes; it runs in a process of its own. */
bool loader_pulls(const ss_plugin *p);
/* A receiver that reads messages of others: it has parse(). */
bool loader_takes_messages(const ss_plugin *p);

/* Rows of the plugin's tables, whose rows may be shorter than ours; the end has name (path) == NULL. */
ss_field loader_field(const ss_plugin *p, size_t i);
ss_option loader_option(const ss_plugin *p, const ss_option *table, size_t i);
ss_route loader_route(const ss_plugin *p, size_t i);
ss_view loader_view(const ss_plugin *p, size_t i);

/* The fields of an instance: its own, else the plugin's. false with err: they break the contract. */
ss_field loader_field_of(const ss_plugin *p, const ss_field *fields, size_t i);
bool loader_instance_fields(const ss_plugin *p, void *inst, const ss_field **fields, ss_error *err);

#endif
