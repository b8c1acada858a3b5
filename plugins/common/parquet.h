/* Lines of JSON as a Parquet file, by DuckDB. The columns are those of the receivers whose events the lines
   are, as the catalog has them; what finds no column, or does not fit its type, is in `ss_extra` (shape.h),
   so that no line loses anything. One thread. */
#ifndef COMMON_PARQUET_H
#define COMMON_PARQUET_H

#include <limits.h>

#include "plugins/common/duckdb.h"
#include "plugins/common/line_reader.h"
#include "plugins/common/shape.h"

#define PARQUET_ROW_GROUP_MIN 2048u
#define PARQUET_ROW_GROUP_MAX 1048576u
#define PARQUET_MEMORY_BYTES  (160ull << 20) /* what DuckDB may have */

typedef struct parquet_settings {
    char compression[8]; /* "zstd", "snappy" */
    uint32_t row_group;  /* rows at the most; wide rows make it smaller */
} parquet_settings;

/* The members of a module's option `parquet`. */
#define PARQUET_OPTIONS                                                                                      \
    {.name = "compression",                                                                                  \
     .type = SS_T_ENUM,                                                                                      \
     .dflt = "zstd",                                                                                         \
     .choices = "zstd|snappy",                                                                               \
     .doc = "Of the pages: zstd is smaller, snappy is read by older readers, too."},                         \
        {.name = "row_group",                                                                                \
         .type = SS_T_INT,                                                                                   \
         .dflt = "61440",                                                                                    \
         .min = PARQUET_ROW_GROUP_MIN,                                                                       \
         .max = PARQUET_ROW_GROUP_MAX,                                                                       \
         .doc = "Rows of one row group at the most; wide rows make it smaller."},                            \
    {                                                                                                        \
        .name = "library", .type = SS_T_STRING, .dflt = DUCK_LIBRARY,                                        \
        .doc = "DuckDB's library: a name that the system's loader finds, or a file."                         \
    }
/* false: err, also where the library is asked for and cannot be loaded. */
bool parquet_options(const ss_host *h, const ss_config *cfg, bool wanted, parquet_settings *s,
                     char library[PATH_MAX], ss_error *err);

/* ---- columns ---- */

typedef struct parquet_columns parquet_columns;

/* The first of several receivers that declares a field says its type. An unknown receiver has no columns.
   NULL with err: no memory, or names that are none. */
parquet_columns *parquet_columns_new(const ss_host *host, const ss_str *receivers, size_t count,
                                     ss_error *err);
void parquet_columns_free(parquet_columns *c);

/* ---- writing ---- */

enum parquet_result {
    PARQUET_DONE,
    PARQUET_MORE,  /* it goes on with the next parquet_step() */
    PARQUET_FAILED /* err says why; the file is of no use     */
};

typedef struct parquet_write parquet_write;

/* The file is made or overwritten; syncing it is the caller's. NULL with err. Columns stay borrowed. */
parquet_write *parquet_begin(duck *d, parquet_columns *c, const line_source *source, const char *path,
                             const parquet_settings *s, ss_error *err);
/* Works until about then (0: until it is done), by clock_us. */
enum parquet_result parquet_step(parquet_write *w, int64_t until_us, int64_t (*clock_us)(void *arg),
                                 void *arg, ss_error *err);
uint64_t parquet_lines(const parquet_write *w);
uint64_t parquet_bytes(const parquet_write *w); /* of the lines, with their newlines */
void parquet_end(parquet_write *w);             /* also before it is done; NULL: nothing */

/* One Parquet file of many, columns by name; parquet_lines() then says how many rows it has. */
parquet_write *parquet_join(duck *d, const char *const *paths, size_t count, const char *to,
                            const parquet_settings *s, ss_error *err);

#endif
