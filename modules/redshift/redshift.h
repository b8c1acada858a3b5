/* What the files of the module share. docs/redshift.md tells what is promised, and how. */
#ifndef REDSHIFT_REDSHIFT_H
#define REDSHIFT_REDSHIFT_H

#include "modules/redshift/api.h"
#include "modules/redshift/stage.h"
#include "plugins/common/aws/options.h"
#include "plugins/common/pg.h"
#include "plugins/common/shape.h"

#define REDSHIFT_TEXT_MAX   65535u /* bytes of a VARCHAR */
#define REDSHIFT_NAME_SIZE  64u    /* of a schema or table, NUL included */
#define REDSHIFT_KEY_SIZE   160u   /* of a row of ss_load_position */
#define REDSHIFT_TABLES_MAX 256u
#define REDSHIFT_SQL_MAX    (8u << 20)
#define REDSHIFT_POSITION   "ss_load_position"

enum redshift_mode { MODE_COPY, MODE_INSERT, MODE_STREAMING };
enum redshift_own { OWN_SEQ, OWN_RECEIVED, OWN_EVENT, OWN_EXTRA, OWN_COUNT };
extern const char *const redshift_own_names[OWN_COUNT + 1], *const redshift_own_types[OWN_COUNT];

typedef struct table {
    struct table *next;
    char receiver[REDSHIFT_NAME_SIZE * 2], name[REDSHIFT_NAME_SIZE];
    shape shape;
    bool ready; /* it is in the database, with all columns */
    buf lines;  /* of the load under way: rows as JSON lines */
    uint32_t rows;
} table;

typedef struct plan { /* of a load that is under way, kept with the host's cursor */
    uint64_t a, b;
    uint32_t crc, tables, attempt, count;
    char id[API_ID_SIZE]; /* of the statement; "" = none is known */
    bool open;
} plan;

typedef struct redshift {
    const ss_host *host;
    const ss_config *cfg;
    enum redshift_mode mode;
    aws_origin origin;
    aws_client *aws;
    api api;
    pg pg;
    stage stage;
    char schema[REDSHIFT_NAME_SIZE];
    table *tables; /* owned */
    size_t table_count;
    row row;
    char journal[20], key[REDSHIFT_KEY_SIZE]; /* the row of ss_load_position */
    uint64_t position;                        /* what that row says, as far as known */
    bool known, ready;                        /* the position is; the bookkeeping is there */
    uint64_t cursor;                          /* the host's */
    uint64_t owed;                            /* it has to be moved to here; 0 = nowhere */
    plan plan;
    uint32_t piece_max;       /* records of one load while a bad row is looked for; 0 = all */
    uint64_t suspect_through; /* the bad row is not behind this one */
    bool replay, broken, alarmed;
    char why[sizeof((ss_error *)0)->text];
    int64_t retry_after_ms;
    struct {
        ss_metric *rows, *loads, *seconds, *staged, *lag, *unknown;
    } metrics;
} redshift;

typedef struct piece { /* the records [lo, hi) of a batch, as one load from position a to b */
    const ss_batch *batch;
    uint32_t lo, hi;
    uint64_t a, b;
    const char *key;
    uint64_t after; /* the position afterwards: b, or what somebody else had made of it */
    uint32_t rows;
    bool noted;          /* its plan is kept with the cursor */
    int64_t deadline_us; /* the call has to be back then */
} piece;

extern const ss_option redshift_options[];

/* redshift.c */
redshift *redshift_new(const ss_host *host, const ss_config *cfg, ss_error *err);
void redshift_free(redshift *r);
bool redshift_uses_pg(const redshift *r);

/* link.c: statements, through the Data API or a connection */
int32_t link_open(redshift *r, ss_error *err);
void link_close(redshift *r);
void link_rollback(redshift *r); /* of a connection; where that fails it is closed */
/* there: "already exists" is what was wanted. */
int32_t link_run(redshift *r, const char *sql, bool there, ss_error *err);
int32_t link_rows(redshift *r, const char *sql, void (*visit)(void *arg, ss_str text), void *arg,
                  ss_error *err);
void link_take_number(void *arg, ss_str text); /* a visitor; arg: uint64_t */
int32_t link_position(redshift *r, const char *key, uint64_t *position, ss_error *err);

/* tables.c */
int32_t tables_bookkeeping(redshift *r, ss_error *err);
int32_t tables_of(redshift *r, ss_str receiver, table **out, ss_error *err); /* made where it is not there */
int32_t tables_find(redshift *r, ss_str receiver, table **out, ss_error *err); /* in memory alone */
void tables_forget(redshift *r);                                               /* they are looked at anew */
void tables_free(redshift *r);
void put_qualified(const redshift *r, const char *name, buf *out); /* "schema"."name" */
/* The row of one record; why: what of it does not fit, where SS_REJECT. */
int32_t table_read(redshift *r, table *t, const ss_record *record, bool *fits, char *why, size_t why_size,
                   ss_error *err);
bool table_put_json(redshift *r, table *t, const ss_record *record);

/* copy.c, insert.c: SS_OK: p->after; SS_REJECT: Redshift does not take one of the rows, err says why. */
int32_t copy_load(redshift *r, piece *p, ss_error *err);
int32_t copy_settle(redshift *r, int64_t deadline_us,
                    ss_error *err); /* what a former call or life left open */
int32_t insert_load(redshift *r, piece *p, ss_error *err);

/* load.c */
int32_t redshift_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err);
int32_t redshift_settle(redshift *r, ss_error *err); /* moves the host's cursor where that is owed */
int32_t redshift_note(redshift *r, ss_error *err);   /* keeps the plan, synced */
void redshift_read_note(redshift *r, ss_str state, uint64_t *through);
int32_t redshift_failed(redshift *r, int32_t rc, ss_error *err);

/* setup.c */
int32_t redshift_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
int32_t redshift_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);

#endif
