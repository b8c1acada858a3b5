/* What the files of parquet.h share; nobody else. */
#ifndef COMMON_PARQUET_INSIDE_H
#define COMMON_PARQUET_INSIDE_H

#include "plugins/common/parquet.h"

#define PARQUET_EXTRA "ss_extra"

typedef struct parquet_leaf { /* of the chunk that is being filled */
    void *vector, *data;
    uint64_t *valid;
    uint32_t type; /* enum ss_field_type */
} parquet_leaf;

struct parquet_columns {
    shape shape;
    parquet_leaf *leaves; /* by column of the shape, then ss_extra */
    row row;
};

/* Tells bind what there is. false: err. */
bool parquet_columns_bind(parquet_columns *c, const duck_api *api, void *info);
/* A new chunk, all null. */
void parquet_columns_begin(parquet_columns *c, const duck_api *api, void *chunk);
/* One line as that row. false: no memory. */
bool parquet_columns_put(parquet_columns *c, const duck_api *api, uint64_t at, ss_str line);
void parquet_columns_finish(parquet_columns *c, const duck_api *api, void *chunk, uint64_t rows);

#endif
