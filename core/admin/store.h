/* Applications and their authorizations (API keys), as the guidance's two tables have them. Everything here
   blocks on the database: never from an event loop (the authorizer answers those, from memory).
   Any thread. Strings that a visit gets are borrowed for the visit; times are whole seconds since 1970. */
#ifndef ADMIN_STORE_H
#define ADMIN_STORE_H

#include "core/admin/database.h"

#define STORE_ID_SIZE         37u    /* UUID v4 in lower case, with NUL */
#define STORE_VALUE_BYTES     64u    /* random bytes of a key */
#define STORE_VALUE_LEN       88u    /* in base64, ends with == */
#define STORE_PREFIX_LEN      8u     /* what `keys: hashed` still shows of a key's value */
#define STORE_NAME_MAX        1024u  /* bytes of UTF-8 */
#define STORE_DESCRIPTION_MAX 16384u /* bytes of UTF-8 */
#define STORE_PAGE_MAX        500u   /* rows of one page: as the guidance reads */
#define STORE_LIMIT_DEFAULT   (-1)   /* a limit that the configuration decides */
#define STORE_LIMIT_MAX       1000000000000

/* -1: as server.applications says; 0: none. */
typedef struct store_limits {
    int64_t rate;  /* events a second, on average */
    int64_t burst; /* events at once; 0 with a rate: one second's worth */
    int64_t quota; /* events a UTC day */
} store_limits;

typedef struct store_app {
    char id[STORE_ID_SIZE];
    ss_str name, description;
    bool has_description; /* a missing one is absent from replies; an empty one is not */
    uint32_t flags;       /* SS_APP_TOLERANT */
    store_limits limits;
    int64_t created_s, updated_s;
} store_app;

typedef struct store_key {
    char id[STORE_ID_SIZE], app_id[STORE_ID_SIZE];
    ss_str value;     /* whole, or the first STORE_PREFIX_LEN characters */
    bool value_whole; /* keys: clear, or just created */
    ss_str name, description;
    bool has_description;
    bool enabled;
    store_limits limits;
    int64_t created_s, updated_s;
} store_key;

typedef bool (*store_app_visit)(void *arg, const store_app *app); /* false: enough */
typedef bool (*store_key_visit)(void *arg, const store_key *key);

typedef struct store store;

/* hashed: new keys are kept as a hash only. db: borrowed; may be shared with others' statements. */
store *store_new(database *db, bool hashed);
/* Applications and keys belong to a remote store, whose copy the database is: changes go there first. r:
   borrowed; before the first change. Keys are then kept whole. */
struct remote;
void store_set_remote(store *s, struct remote *r);
void store_free(store *s);
database *store_database(store *s);
/* Called after each change that is committed, on the changing thread, before the call returns: this node's
   authorizer takes the change over, so that it holds when the caller hears of it. One at a time; NULL: none.
 */
void store_on_change(store *s, void (*changed)(void *arg), void *arg);

/* ---- applications ---------------------------------------------------------------------------- */

/* name: 1 to STORE_NAME_MAX bytes; description: NULL = none. visit gets the new one, once. */
enum store_status store_app_create(store *s, ss_str name, const ss_str *description, store_app_visit visit,
                                   void *arg, ss_error *err);
/* The same under an id that clients know already: for who moves here. STORE_CONFLICT: it is taken. */
enum store_status store_app_import(store *s, ss_str id, ss_str name, const ss_str *description,
                                   store_app_visit visit, void *arg, ss_error *err);
/* STORE_NOT_FOUND: no such application (also where id is no UUID). */
enum store_status store_app_get(store *s, ss_str id, store_app_visit visit, void *arg, ss_error *err);
/* The next at most `limit` (up to STORE_PAGE_MAX) applications behind the id `after` ("" = from the start),
   in the order of ids: the last one's id is the next `after`. No rows: STORE_OK. */
enum store_status store_app_page(store *s, ss_str after, size_t limit, store_app_visit visit, void *arg,
                                 ss_error *err);
/* All, page by page: nothing is held while visit runs, so that a slow reader blocks nobody. */
enum store_status store_app_each(store *s, store_app_visit visit, void *arg, ss_error *err);
enum store_status store_app_count(store *s, int64_t *count, ss_error *err);
/* With all its keys. STORE_NOT_FOUND: there was none (the API answers as if there had been). */
enum store_status store_app_delete(store *s, ss_str id, ss_error *err);
/* What may be changed; NULL = leave it. updated_s is raised. visit gets the changed one. */
typedef struct store_app_change {
    const uint32_t *flags;
    const int64_t *rate, *burst, *quota;
} store_app_change;
enum store_status store_app_set(store *s, ss_str id, const store_app_change *change, store_app_visit visit,
                                void *arg, ss_error *err);

/* ---- authorizations: always named by application and key -------------------------------------- */

/* visit gets the new one with its whole value: the only time where keys are hashed.
   STORE_NOT_FOUND: no such application. */
enum store_status store_key_create(store *s, ss_str app_id, ss_str name, const ss_str *description,
                                   store_key_visit visit, void *arg, ss_error *err);
/* The same with a value that clients have already, and the id that it had (empty: a new one). STORE_CONFLICT:
   the id is taken. */
enum store_status store_key_import(store *s, ss_str app_id, ss_str id, ss_str value, ss_str name,
                                   const ss_str *description, store_key_visit visit, void *arg,
                                   ss_error *err);
enum store_status store_key_get(store *s, ss_str app_id, ss_str key_id, store_key_visit visit, void *arg,
                                ss_error *err);
/* As store_app_page(). An unknown application has no keys: STORE_OK. */
enum store_status store_key_page(store *s, ss_str app_id, ss_str after, size_t limit, store_key_visit visit,
                                 void *arg, ss_error *err);
enum store_status store_key_each(store *s, ss_str app_id, store_key_visit visit, void *arg, ss_error *err);
enum store_status store_key_count(store *s, ss_str app_id, int64_t *count, ss_error *err);
/* updated_s is raised also where nothing changes. visit gets the changed one; may be NULL. */
typedef struct store_key_change {
    const bool *enabled;
    const int64_t *rate, *burst, *quota;
} store_key_change;
enum store_status store_key_set(store *s, ss_str app_id, ss_str key_id, const store_key_change *change,
                                store_key_visit visit, void *arg, ss_error *err);
enum store_status store_key_delete(store *s, ss_str app_id, ss_str key_id, ss_error *err);

/* ---- for replies ----------------------------------------------------------------------------- */

#define STORE_TIME_SIZE 21u /* "2025-01-26T21:45:50Z" with NUL */
void store_put_time(int64_t seconds, char out[STORE_TIME_SIZE]);
bool store_is_id(ss_str text); /* a UUID in lower case */

#endif
