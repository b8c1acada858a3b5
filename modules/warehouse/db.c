#include "modules/warehouse/db.h"

#include <stdlib.h>

void db_free(db *d)
{
    if (d)
        d->ops->close(d);
    free(d);
}

typedef struct first_cell {
    uint64_t value;
    bool found;
} first_cell;

static void take_first(void *arg, const char *const *cells, int count)
{
    first_cell *f = arg;
    if (!f->found && count > 0 && cells[0]) {
        f->value = strtoull(cells[0], NULL, 10);
        f->found = true;
    }
}

int32_t db_number(db *d, const char *sql, const char *const *values, int count, uint64_t *out, bool *found,
                  ss_error *err)
{
    first_cell first = {0, false};
    int32_t rc = d->ops->ask(d, sql, values, count, take_first, &first, NULL, err);
    *out = first.value;
    if (found)
        *found = first.found;
    return rc;
}

int32_t db_do(db *d, const char *sql, const char *const *values, int count, ss_error *err)
{
    return d->ops->ask(d, sql, values, count, NULL, NULL, NULL, err);
}

uint32_t db_hash(ss_str name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
    return hash;
}
