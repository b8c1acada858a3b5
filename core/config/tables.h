/* Core's own options: what `server:` takes, and what every receiver, enricher and module takes beside the
   plugin's own. Tables as a plugin's, so that checking, `explain` and the manual treat them alike. */
#ifndef CONFIG_TABLES_H
#define CONFIG_TABLES_H

#include "streamsteam/plugin.h"

#define TABLES_MODULES_MAX   64u /* one reader slot each in the shared board */
#define TABLES_RECEIVERS_MAX 64u
#define TABLES_ENRICHERS_MAX 64u
#define TABLES_LISTENERS_MAX 8u  /* with the admin one */
#define TABLES_NAME_MAX      40u /* an instance's name: it is a directory, a label and a process title */

#define TABLES_BATCH_RECORDS 500 /* where neither the plugin nor the file says otherwise */
#define TABLES_BATCH_BYTES   4194304

/* In the order of enum ss_field_type. */
#define TABLES_FIELD_TYPES "string|int|double|bool|timestamp|datetime|json"

extern const ss_option tables_server[];
extern const ss_option tables_api[];          /* server.applications.api */
extern const ss_option tables_applications[]; /* server.applications */
/* Host keys of an instance of that kind (enum ss_kind). */
const ss_option *tables_host(uint32_t kind);
/* "receiver"; "receivers" */
const char *tables_kind(uint32_t kind);
const char *tables_section(uint32_t kind);

#endif
