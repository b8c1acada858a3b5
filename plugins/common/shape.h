/* From one stored line to the cells of one row. A shape is the columns of a receiver's table and where their
   values stand in the line; a row is borrowed memory, used again for the next line. One thread. */
#ifndef COMMON_SHAPE_H
#define COMMON_SHAPE_H

#include "plugins/common/catalog.h"
#include "plugins/common/json.h"

#define SHAPE_NONE     0xFFFFu
#define SHAPE_PATH_MAX (CATALOG_FIELD_NAME_MAX + 2u) /* of an object of the catalog, with its dot */

enum shape_own { SHAPE_SEQ, SHAPE_LOAD, SHAPE_RECEIVED, SHAPE_EVENT, SHAPE_EXTRA, SHAPE_OWN };
extern const char *const shape_own_names[SHAPE_OWN + 1]; /* NULL at the end: the columns of every table */

typedef struct shape_node {
    ss_str name; /* one part of a dotted name */
    uint16_t first, next;
    uint16_t column; /* index, or SHAPE_NONE: an object */
} shape_node;

typedef struct shape {
    catalog *catalog;        /* owns nothing that columns need, but their texts */
    catalog_column *columns; /* owned */
    size_t count;
    bool *used;        /* by column: the table has it, in a type that can be written */
    shape_node *nodes; /* owned */
    uint16_t node_count, first;
    char *texts; /* owned: names and docs, copied */
    bool micros; /* times with finer fractions than microseconds do not fit */
} shape;

enum cell_kind { CELL_NULL = 0, CELL_INT, CELL_REAL, CELL_TEXT };

typedef struct cell {
    uint32_t kind, len;
    union {
        const char *ptr;
        int64_t i64;
        double f64;
    } as;
} cell;

typedef struct row {
    cell *cells; /* by column of the shape */
    size_t size;
    char *scratch; /* unescaped texts; never more than the line */
    size_t scratch_len, scratch_size;
    buf extra; /* an object, or empty: everything found its column */
} row;

/* Fields as host->catalog() tells them; none: a table of our own columns alone. format: as of
   catalog_columns(). false with err: no memory, or names that are no names. */
bool shape_begin(shape *s, ss_error *err);
bool shape_add(shape *s, const ss_field *field, const char *receiver, ss_error *err);
bool shape_end(shape *s, const char *format, ss_error *err);
void shape_free(shape *s);

void row_init(row *r);
void row_fini(row *r);
/* false: no memory. Whatever the line is, nothing of it is lost: what has no column, or does not fit its
   type, is in extra. */
bool row_read(row *r, const shape *s, ss_str line);
/* All cells null, the whole line in extra: for a row that the database does not take. */
bool row_bare(row *r, const shape *s, ss_str line);

#endif
