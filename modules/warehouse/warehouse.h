/* What the files of the module share. */
#ifndef WAREHOUSE_WAREHOUSE_H
#define WAREHOUSE_WAREHOUSE_H

#include "modules/warehouse/loads.h"
#include "modules/warehouse/tables.h"

typedef struct warehouse_metrics {
    ss_metric *rows, *transactions, *seconds, *extras, *lag, *deleted;
} warehouse_metrics;

typedef struct warehouse {
    const ss_host *host;
    db *db;
    tables tables;
    loads loads;
    row row;
    uint64_t journal_id, position; /* of the database, as this instance knows it */
    uint64_t owed;                 /* the host's cursor has to be moved to here; 0 = nowhere */
    uint64_t refused_from;         /* of a batch of refused records alone, up to `owed` */
    bool replay, opened, broken;
    bool alarmed;
    int64_t retention_ms;
    bool by_event, vacuum;
    char why[sizeof((ss_error *)0)->text];
    warehouse_metrics metrics;
} warehouse;

extern const ss_option warehouse_options[];

/* open.c */
warehouse *warehouse_new(const ss_host *host, const ss_config *cfg, ss_error *err); /* NULL with err */
void warehouse_free(warehouse *w);
void warehouse_register(warehouse *w); /* its metrics */
/* The database is open, its schema is there. */
int32_t warehouse_open(warehouse *w, ss_error *err);
/* Says it, and what follows of it for the host: SS_FATAL (the schema is not what it was) becomes SS_RETRY. */
int32_t warehouse_failed(warehouse *w, int32_t rc, ss_error *err);
void warehouse_works(warehouse *w);

/* load.c */
int32_t warehouse_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err);
int32_t warehouse_settle(warehouse *w, ss_error *err); /* moves the host's cursor where that is still owed */

/* tidy.c */
void warehouse_tidy(void *arg); /* a timer's callback */
void warehouse_tidy_start(warehouse *w);

#endif
