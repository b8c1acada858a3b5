#include "modules/lake/query_scan.h"

#include <stdlib.h>

#include "plugins/common/parquet_inside.h"

#define CHUNK_BYTES (4u << 20) /* of lines in one chunk: a few thousand huge ones must fit into memory */

typedef struct scan {
    const scan_set *set;
    lake_lines lines;
    ss_error why;
} scan;

static const duck_api *functions; /* of the one library that this process has loaded */

static void scan_free(void *data)
{
    scan *s = data;
    lake_lines_end(&s->lines);
    free(s);
}

/* ---- the table function ---- */

static void on_bind(void *info)
{
    const scan_set *set = functions->bind_get_extra_info(info);
    if (!parquet_columns_bind(set->columns, functions, info))
        functions->bind_set_error(info, "out of memory for columns");
}

static void on_init(void *info)
{
    scan *s = calloc(1, sizeof *s);
    if (!s) {
        functions->init_set_error(info, "out of memory");
        return;
    }
    s->set = functions->init_get_extra_info(info);
    s->lines = (lake_lines){.lake = s->set->lake, .files = s->set->files, .count = s->set->count};
    functions->init_set_init_data(info, s, scan_free);
}

static void on_fill(void *info, void *chunk)
{
    scan *s = functions->function_get_init_data(info);
    parquet_columns *columns = s->set->columns;
    uint64_t rows = 0, most = functions->vector_size();
    size_t bytes = 0;
    ss_str line;
    int got = 1;
    parquet_columns_begin(columns, functions, chunk);
    while (rows < most && bytes < CHUNK_BYTES && (got = lake_lines_next(&s->lines, &line, &s->why)) > 0) {
        if (!parquet_columns_put(columns, functions, rows, line)) {
            (void)ss_fail(&s->why, SS_RETRY, "out of memory for a line");
            got = -1;
            break;
        }
        bytes += line.len;
        rows++;
    }
    if (got < 0)
        functions->function_set_error(info, s->why.text);
    parquet_columns_finish(columns, functions, chunk, rows);
}

bool scan_register(duck *d, const char *name, scan_set *set, ss_error *err)
{
    functions = d->api;
    void *f = functions->create_table_function();
    functions->table_function_set_name(f, name);
    functions->table_function_set_extra_info(f, set, NULL);
    functions->table_function_set_bind(f, on_bind);
    functions->table_function_set_init(f, on_init);
    functions->table_function_set_function(f, on_fill);
    bool good = functions->register_table_function(d->connection, f) == 0;
    functions->destroy_table_function(&f);
    if (!good)
        duck_fail(err, "take a table function", NULL);
    return good;
}

void scan_set_free(scan_set *set)
{
    parquet_columns_free(set->columns);
    free(set->files);
    *set = (scan_set){.lake = NULL};
}
