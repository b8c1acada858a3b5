/* What was loaded, written in the same transaction as the rows: the position (which is the cursor), the log,
   and the records that came singly out of the quarantine. */
#ifndef WAREHOUSE_LOADS_H
#define WAREHOUSE_LOADS_H

#include "modules/warehouse/db.h"

#define LOADS_MERGE_US 60000000 /* loads that follow each other so closely are one row of load_log */

typedef struct loads {
    db *db;
    char journal[20]; /* 16 hex digits */
    char module[DB_NAME_MAX];
    /* The row of load_log that is being added to: 0 = none. */
    uint64_t id, through;
    int64_t began_us;
    /* As the present transaction would leave them. */
    uint64_t next_id;
    int64_t next_began_us;
} loads;

void loads_init(loads *l, db *d, uint64_t journal_id, ss_str module);
/* Outside a transaction: the position; 0 where this journal was never loaded. */
int32_t loads_position(loads *l, uint64_t *position, ss_error *err);
/* In a transaction: the position, locked until its end. */
int32_t loads_lock(loads *l, uint64_t *position, ss_error *err);
/* The load that rows of (after, ...] belong to. */
int32_t loads_begin(loads *l, uint64_t after, int64_t now_us, ss_error *err);
/* Ends it in the log: after < seq <= through, so many rows. move: the position, too. */
int32_t loads_end(loads *l, uint64_t after, uint64_t through, uint64_t rows, int64_t now_us, bool move,
                  ss_error *err);
void loads_committed(loads *l, uint64_t through);
void loads_rolled_back(loads *l);
/* Was it loaded, by whichever instance of this name? For replays. */
int32_t loads_covers(loads *l, uint64_t seq, bool *yes, ss_error *err);
/* Notes a single record; known: it was noted before. */
int32_t loads_single(loads *l, uint64_t seq, bool *known, ss_error *err);

#endif
