/* One Parquet file out of many: of lines, with the columns of the receivers that the folder or the YAML
   names, or of small Parquet files. Lines are compared with their manifest on the way, as copy.h does;
   Parquet files by their bytes and rows. */
#ifndef COMPACT_CONVERT_H
#define COMPACT_CONVERT_H

#include "modules/compact/copy.h"
#include "plugins/common/parquet.h"

#define CONVERT_RECEIVERS_MAX 16u

typedef struct convert_rules {
    parquet_settings settings;
    char library[PATH_MAX];
    ss_str receivers[CONVERT_RECEIVERS_MAX]; /* the YAML's; borrowed */
    size_t receiver_count;
} convert_rules;

typedef struct converter { /* does not move while it is in use; all zero to begin with */
    copier *copier;
    const ss_host *host;
    const convert_rules *rules;
    duck duck;
    bool open;
} converter;

void converter_set(converter *c, copier *files, const ss_host *host, const convert_rules *rules);
void converter_free(converter *c); /* DuckDB's memory goes back */
/* As copy_files(). */
enum copy_result convert_files(converter *c, const lake_index *x, const size_t *files, size_t count,
                               const char *to, lake_object *sum, size_t *bad, ss_error *err);

#endif
