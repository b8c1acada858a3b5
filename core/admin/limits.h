/* Rates and quotas: a token bucket and a day's count for each key and application that sent lately. Fixed
   memory (4 MiB where there are limits at all); where more send at once than it holds, those that were quiet
   longest are forgotten. Any thread; locks are for a few thousandths of the table each. */
#ifndef ADMIN_LIMITS_H
#define ADMIN_LIMITS_H

#include "core/admin/key_hash.h"

typedef struct limit_table limit_table;

enum limits_kind { LIMITS_APP = 1, LIMITS_KEY = 2 };

limit_table *limits_new(void);
void limits_free(limit_table *l);
size_t limits_bytes(void);
/* Takes so many events out, or says in retry_after_ms when to come again. A batch that is larger than the
   burst passes where the bucket is full, and the next ones wait for it. */
bool limits_take(limit_table *l, enum limits_kind kind, key16 id, const store_limits *limits, uint32_t events,
                 int64_t now_us, int64_t *retry_after_ms);
void limits_give_back(limit_table *l, enum limits_kind kind, key16 id, uint32_t events, int64_t now_us);

/* For keeping the day's counts over a restart: what was not told yet, then what the store says in return. */
int64_t limits_day(int64_t now_us);
typedef struct limits_count {
    enum limits_kind kind;
    key16 id;
    int64_t day, count;
} limits_count;
/* Visits each count of a quota that has grown since it was told; count is by how much. The visitor puts the
   store's total, which other nodes count into as well, in its place; false: the store cannot be asked now. */
void limits_each_grown(limit_table *l, bool (*visit)(void *arg, limits_count *grown), void *arg);
/* At the start: what the store says of today. */
void limits_know(limit_table *l, const limits_count *total);

#endif
