/* What the two halves of the authorizer share: answering (authorizer.c) and following the store (follow.c).
 */
#ifndef ADMIN_AUTHORIZER_INSIDE_H
#define ADMIN_AUTHORIZER_INSIDE_H

#include <pthread.h>

#include "core/admin/authorizer.h"
#include "core/admin/directory.h"
#include "core/admin/limits.h"
#include "core/admin/verdicts.h"

typedef struct authorizer_view { /* the store, as it was read; its directory is kept up to date in place */
    directory *directory;
    keyed_hash salt;
} authorizer_view;

typedef struct authorizer_count {
    alignas(64) _Atomic uint64_t hits, misses;
} authorizer_count;

struct authorizer {
    database *db;
    authorizer_options options;
    authorizer_signature signature;
    void (*changed)(void *arg, const database_change *change);
    void *changed_arg;
    gate gate;
    _Atomic uint64_t apps, keys, bytes, loads, changes; /* for authorizer_read_stats() */
    authorizer_view *_Atomic view;                      /* NULL: not read yet */
    _Atomic uint64_t generation;                        /* of what cached answers were made from */
    verdicts *verdicts;
    limit_table *limits;
    authorizer_count counts[GATE_PLACES];

    pthread_t thread;
    pthread_mutex_t work; /* reading the store; everything below */
    uint64_t epoch;       /* of the database that was read */
    int64_t seen;         /* the newest change that is in the view */
    int64_t day, next_flush_us, next_pull_us;
    ss_error pull_err; /* why the last pull failed, "" = it did not */
    char alarm[400];

    pthread_mutex_t lock; /* the thread's sleep */
    pthread_cond_t wake;
    bool stop, tried;
};

/* follow.c: the background thread. */
void *authorizer_follow(void *arg);

/* load.c, with `work`: all of it into a new view, which takes the place of the present one. */
enum store_status authorizer_load(authorizer *a, int64_t newest, ss_error *err);
void authorizer_publish(authorizer *a, authorizer_view *v);
void authorizer_view_free(authorizer_view *v);
void authorizer_tell(authorizer *a, const database_change *change); /* who asked to hear of other kinds */
enum store_status authorizer_no_memory(ss_error *err);
bool authorizer_take_number(void *arg, const database_row *row); /* arg: int64_t */
void authorizer_copy_text(char *out, size_t size, ss_str text);
/* Rows of these columns into a directory. */
typedef struct authorizer_reading {
    directory *directory;
    char last_app[STORE_ID_SIZE], last_key[STORE_ID_SIZE];
    size_t rows;
    bool failed; /* out of memory */
} authorizer_reading;
#define AUTHORIZER_APP_COLUMNS "id, name, flags, rate, burst, quota"
#define AUTHORIZER_KEY_COLUMNS "app_id, id, hash, enabled, rate, burst, quota"
bool authorizer_read_app(void *reading, const database_row *row);
bool authorizer_read_key(void *reading, const database_row *row);

/* quota.c, with `work`. */
void authorizer_read_usage(authorizer *a);
void authorizer_flush(authorizer *a);

#endif
