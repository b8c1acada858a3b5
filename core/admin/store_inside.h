/* What the files of the store share. */
#ifndef ADMIN_STORE_INSIDE_H
#define ADMIN_STORE_INSIDE_H

#include "core/admin/mirror.h"
#include "core/admin/store.h"

#define STORE_EACH_ROWS 200u /* rows read at once where all are visited */

struct store {
    database *db;
    bool hashed;
    remote *remote; /* NULL: the database is all there is */
    void (*changed)(void *arg);
    void *changed_arg;
};

void store_random(uint8_t *out, size_t len);
void store_make_id(char out[STORE_ID_SIZE]);
void store_copy_id(char out[STORE_ID_SIZE], ss_str id);
enum store_status store_invalid(ss_error *err, const char *text);
enum store_status store_not_found(ss_error *err, const char *what);
enum store_status store_no_memory(ss_error *err);
enum store_status store_check_texts(ss_str name, const ss_str *description, ss_error *err);
enum store_status store_check_limits(const int64_t *rate, const int64_t *burst, const int64_t *quota,
                                     ss_error *err);
database_value store_optional(const ss_str *text);  /* NULL: null                             */
database_value store_or_keep(const int64_t *value); /* NULL: null, which coalesce() passes by */
/* Within the transaction of a change that a remote store has taken already; nothing where there is none. */
enum store_status store_touch(store *s, enum store_status status, ss_str app_id, ss_str key_id,
                              ss_error *err);
/* What a remote store had, the copy may not have had yet, or not any more. */
enum store_status store_settled(const store *s, enum store_status remote_status, enum store_status status);
/* Ends a transaction, well where status is STORE_OK, and lets this node take over what it changed. */
enum store_status store_finish(store *s, enum store_status status, ss_error *err);
bool store_count_row(void *arg, const database_row *row); /* arg: int64_t */

/* What a row goes to. */
typedef struct store_visiting {
    store_app_visit app;
    store_key_visit key;
    void *arg;
    size_t rows;
    char last[STORE_ID_SIZE];
} store_visiting;

/* A page of rows with their texts, so that nothing is held while a visitor runs. */
typedef struct store_copies {
    void *rows; /* STORE_EACH_ROWS of store_app or store_key */
    size_t count;
    char *texts;
    size_t used, size;
    bool failed;
} store_copies;
bool store_keep_app(void *copies, const store_app *app);
bool store_keep_key(void *copies, const store_key *key);
/* The texts stand one behind the other; at: where the next one is. */
void store_settle(const store_copies *c, size_t *at, ss_str *text);
void store_copies_free(store_copies *c);

#endif
