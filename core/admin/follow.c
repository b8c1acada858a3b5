/* The authorizer's other half: reads the store once, then follows its changes. */
#include <stdlib.h>

#include "core/admin/authorizer_inside.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define PAGE          5000 /* rows of one statement while all are read */
#define FLUSH_US      10000000
#define USAGE_DAYS    7 /* counts of older days are deleted */
#define CHANGE_ID_MAX 64u
#define DETAIL_MAX    96u

/* ---- rows to the directory -------------------------------------------------------------------- */

typedef struct reading {
    directory *directory;
    char last_app[STORE_ID_SIZE], last_key[STORE_ID_SIZE];
    size_t rows;
    bool failed; /* out of memory */
} reading;

static void copy_text(char *out, size_t size, ss_str text)
{
    size_t len = text.len < size ? text.len : size - 1;
    memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static store_limits limits_of(const database_row *row, int column)
{
    return (store_limits){database_row_int(row, column), database_row_int(row, column + 1),
                          database_row_int(row, column + 2)};
}

/* id, name, flags, rate, burst, quota */
#define APP_COLUMNS "id, name, flags, rate, burst, quota"
static bool read_app(void *arg, const database_row *row)
{
    reading *r = arg;
    key16 id;
    ss_str text = database_row_text(row, 0);
    store_limits limits = limits_of(row, 3);
    r->rows++;
    copy_text(r->last_app, sizeof r->last_app, text);
    if (key16_parse(text, &id) && !directory_put_app(r->directory, id, database_row_text(row, 1),
                                                     (uint32_t)database_row_int(row, 2), &limits))
        r->failed = true;
    return !r->failed;
}

#define KEY_COLUMNS "app_id, id, hash, enabled, rate, burst, quota"
static bool read_key(void *arg, const database_row *row)
{
    reading *r = arg;
    key16 app, hash;
    store_limits limits = limits_of(row, 4);
    r->rows++;
    copy_text(r->last_app, sizeof r->last_app, database_row_text(row, 0));
    copy_text(r->last_key, sizeof r->last_key, database_row_text(row, 1));
    if (key16_parse(database_row_text(row, 0), &app) && key16_parse(database_row_text(row, 2), &hash) &&
        !directory_put_key(r->directory, hash, app, database_row_int(row, 3) != 0, &limits))
        r->failed = true;
    return !r->failed;
}

/* ---- all of it -------------------------------------------------------------------------------- */

static bool take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

static enum store_status no_memory(ss_error *err)
{
    (void)ss_fail(err, SS_LIMIT, "out of memory for the applications and keys: raise server.memory");
    return STORE_FAILED;
}

static enum store_status read_apps(database *db, reading *r, ss_error *err)
{
    enum store_status status;
    *r->last_app = '\0';
    do {
        database_value values[] = {database_text(ss_cstr(r->last_app)), database_int(PAGE)};
        r->rows = 0;
        status = database_run(db, "SELECT " APP_COLUMNS " FROM applications WHERE id>$1 ORDER BY id LIMIT $2",
                              values, 2, read_app, r, NULL, err);
    } while (status == STORE_OK && r->rows == PAGE && !r->failed);
    return status == STORE_OK && r->failed ? no_memory(err) : status;
}

static enum store_status read_keys(database *db, reading *r, ss_error *err)
{
    enum store_status status;
    *r->last_app = *r->last_key = '\0';
    do {
        char app[STORE_ID_SIZE], key[STORE_ID_SIZE]; /* rows overwrite the place where they began */
        memcpy(app, r->last_app, sizeof app);
        memcpy(key, r->last_key, sizeof key);
        database_value values[] = {database_text(ss_cstr(app)), database_text(ss_cstr(key)),
                                   database_int(PAGE)};
        r->rows = 0;
        status = database_run(db,
                              "SELECT " KEY_COLUMNS " FROM authorizations WHERE (app_id, id) > ($1, $2)"
                              " ORDER BY app_id, id LIMIT $3",
                              values, 3, read_key, r, NULL, err);
    } while (status == STORE_OK && r->rows == PAGE && !r->failed);
    return status == STORE_OK && r->failed ? no_memory(err) : status;
}

void authorizer_view_free(authorizer_view *v)
{
    if (!v)
        return;
    directory_free(v->directory);
    explicit_bzero(&v->salt, sizeof v->salt);
    free(v);
}

static enum store_status read_view(authorizer *a, authorizer_view *v, ss_error *err)
{
    int64_t apps = 0, keys = 0;
    enum store_status status = key_hash_salt(a->db, &v->salt, err);
    if (status == STORE_OK)
        status =
            database_run(a->db, "SELECT count(*) FROM applications", NULL, 0, take_number, &apps, NULL, err);
    if (status == STORE_OK)
        status = database_run(a->db, "SELECT count(*) FROM authorizations", NULL, 0, take_number, &keys, NULL,
                              err);
    if (status != STORE_OK)
        return status;
    v->directory = directory_new(&a->gate, (size_t)apps, (size_t)keys);
    if (!v->directory)
        return no_memory(err);
    reading r = {.directory = v->directory};
    status = read_apps(a->db, &r, err);
    return status == STORE_OK ? read_keys(a->db, &r, err) : status;
}

/* Readers go on with the old one until they have left. */
static void publish(authorizer *a, authorizer_view *v)
{
    authorizer_view *old = atomic_exchange(&a->view, v);
    (void)atomic_fetch_add(&a->generation, 1);
    if (!old)
        return;
    gate_wait(&a->gate);
    authorizer_view_free(old);
}

static bool read_count(void *arg, const database_row *row)
{
    authorizer *a = arg;
    limits_count total = {.kind = ss_eq(database_row_text(row, 0), SS_LIT("app")) ? LIMITS_APP : LIMITS_KEY,
                          .day = a->day,
                          .count = database_row_int(row, 2)};
    if (key16_parse(database_row_text(row, 1), &total.id))
        limits_know(a->limits, &total);
    return true;
}

static void read_usage(authorizer *a)
{
    ss_error ignored = error_init(); /* counts that cannot be read begin at nothing */
    a->day = limits_day(clock_now_us());
    database_value day = database_int(a->day);
    (void)database_run(a->db, "SELECT kind, id, count FROM usage WHERE day=$1", &day, 1, read_count, a, NULL,
                       &ignored);
}

static void tell(authorizer *a, const database_change *change)
{
    if (a->changed)
        a->changed(a->changed_arg, change);
}

static enum store_status load(authorizer *a, int64_t newest, ss_error *err)
{
    uint64_t epoch = database_epoch(a->db); /* before reading: opened anew meanwhile is read anew */
    int64_t began = clock_mono_us();
    authorizer_view *v = calloc(1, sizeof *v);
    enum store_status status = v ? read_view(a, v, err) : no_memory(err);
    if (status != STORE_OK) {
        authorizer_view_free(v);
        return status;
    }
    size_t apps = directory_apps(v->directory), keys = directory_keys(v->directory);
    if (atomic_fetch_add(&a->loads, 1) == 0)
        read_usage(a);
    publish(a, v);
    a->epoch = epoch;
    a->seen = newest;
    tell(a, &(database_change){.seq = newest});
    log_debug("%s: %zu applications with %zu keys read in %lld ms", database_place(a->db), apps, keys,
              (long long)(clock_mono_us() - began) / 1000);
    return STORE_OK;
}

/* ---- what changed ----------------------------------------------------------------------------- */

typedef struct kept_change {
    int64_t seq;
    char kind[8], id[CHANGE_ID_MAX], detail[DETAIL_MAX];
} kept_change;

typedef struct kept_changes {
    kept_change *all;
    size_t count, size;
} kept_changes;

static void keep_change(void *arg, const database_change *change)
{
    kept_changes *k = arg;
    if (k->count == k->size) {
        size_t size = k->size ? k->size * 2 : 16;
        kept_change *grown = realloc(k->all, size * sizeof *grown);
        if (!grown)
            return; /* the gap shows at the end: seq of the last one */
        k->all = grown;
        k->size = size;
    }
    kept_change *to = &k->all[k->count++];
    to->seq = change->seq;
    copy_text(to->kind, sizeof to->kind, change->kind);
    copy_text(to->id, sizeof to->id, change->id);
    copy_text(to->detail, sizeof to->detail, change->detail);
}

static enum store_status take_app(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    reading r = {.directory = d};
    key16 id;
    database_value value = database_text(ss_cstr(change->id));
    if (!key16_parse(ss_cstr(change->id), &id))
        return STORE_OK;
    enum store_status status = database_run(a->db, "SELECT " APP_COLUMNS " FROM applications WHERE id=$1",
                                            &value, 1, read_app, &r, NULL, err);
    if (status == STORE_OK && r.rows == 0)
        directory_drop_app(d, id);
    return status == STORE_OK && r.failed ? no_memory(err) : status;
}

/* detail: APPLICATION HASH */
static enum store_status take_key(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    const char *space = strchr(change->detail, ' ');
    key16 app, hash;
    if (!space || !key16_parse(ss_s(change->detail, (size_t)(space - change->detail)), &app) ||
        !key16_parse(ss_cstr(space + 1), &hash))
        return STORE_OK;
    reading r = {.directory = d};
    database_value values[] = {database_text(ss_s(change->detail, (size_t)(space - change->detail))),
                               database_text(ss_cstr(change->id))};
    enum store_status status =
        database_run(a->db, "SELECT " KEY_COLUMNS " FROM authorizations WHERE app_id=$1 AND id=$2", values, 2,
                     read_key, &r, NULL, err);
    if (status == STORE_OK && r.rows == 0)
        directory_drop_key(d, hash, app);
    return status == STORE_OK && r.failed ? no_memory(err) : status;
}

static enum store_status take_change(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    if (strcmp(change->kind, "app") == 0)
        return take_app(a, d, change, err);
    if (strcmp(change->kind, "key") == 0)
        return take_key(a, d, change, err);
    tell(a, &(database_change){change->seq, ss_cstr(change->kind), ss_cstr(change->id),
                               ss_cstr(change->detail)});
    return STORE_OK;
}

static enum store_status take_changes(authorizer *a, int64_t newest, ss_error *err)
{
    kept_changes kept = {NULL, 0, 0};
    directory *d = atomic_load(&a->view)->directory;
    enum store_status status = database_changes(a->db, a->seen, keep_change, &kept, err);
    for (size_t i = 0; status == STORE_OK && i < kept.count; i++)
        status = take_change(a, d, &kept.all[i], err);
    if (status == STORE_OK &&
        (kept.count == 0 || kept.all[kept.count - 1].seq < newest || directory_is_stale(d)))
        status = STORE_NOT_FOUND;
    if (status == STORE_OK) {
        a->seen = kept.all[kept.count - 1].seq;
        (void)atomic_fetch_add(&a->changes, kept.count);
    }
    (void)atomic_fetch_add(&a->generation, 1);
    free(kept.all);
    return status == STORE_NOT_FOUND ? load(a, newest, err) : status;
}

/* ---- following -------------------------------------------------------------------------------- */

static void set_alarm(authorizer *a, const char *text)
{
    char wanted[sizeof a->alarm];
    (void)snprintf(wanted, sizeof wanted, "%s", text ? text : "");
    if (strcmp(wanted, a->alarm) == 0)
        return;
    memcpy(a->alarm, wanted, sizeof wanted);
    if (a->options.alarm)
        a->options.alarm(a->options.alarm_arg, *wanted ? wanted : NULL);
}

static enum store_status nothing_yet(authorizer *a, ss_error *err)
{
    authorizer_view *v = calloc(1, sizeof *v);
    if (v)
        v->directory = directory_new(&a->gate, 0, 0);
    if (!v || !v->directory) {
        authorizer_view_free(v);
        return no_memory(err);
    }
    publish(a, v);
    return STORE_OK;
}

/* With `work`. */
static enum store_status catch_up(authorizer *a, ss_error *err)
{
    int64_t newest = 0;
    enum store_status status = database_newest(a->db, &newest, err);
    bool has_view = atomic_load(&a->view) != NULL;
    if (status == STORE_NOT_FOUND && a->epoch == 0) /* nobody has made an application so far */
        return has_view ? STORE_OK : nothing_yet(a, err);
    if (status != STORE_OK)
        return status;
    if (a->epoch != database_epoch(a->db) || newest < a->seen)
        return load(a, newest, err);
    return newest > a->seen ? take_changes(a, newest, err) : STORE_OK;
}

static void note_sizes(authorizer *a)
{
    const authorizer_view *v = atomic_load(&a->view);
    if (!v)
        return;
    atomic_store(&a->apps, directory_apps(v->directory));
    atomic_store(&a->keys, directory_keys(v->directory));
    atomic_store(&a->bytes, directory_bytes(v->directory));
}

void authorizer_refresh(void *arg)
{
    authorizer *a = arg;
    ss_error err = error_init();
    (void)pthread_mutex_lock(&a->work);
    enum store_status status = catch_up(a, &err);
    note_sizes(a);
    if (status == STORE_OK) {
        set_alarm(a, NULL);
    } else {
        char text[sizeof a->alarm];
        (void)snprintf(text, sizeof text, "%.300s%s", err.text,
                       atomic_load(&a->view) ? " (what was read before goes on to count)" : "");
        set_alarm(a, text);
    }
    (void)pthread_mutex_unlock(&a->work);
}

/* ---- quotas ----------------------------------------------------------------------------------- */

typedef struct flushing {
    authorizer *a;
    bool begun, failed;
    ss_error err;
} flushing;

static bool flush_one(void *arg, limits_count *grown)
{
    flushing *f = arg;
    char id[KEY_HASH_TEXT + 1];
    if (!f->begun && !f->failed) {
        f->failed = database_begin(f->a->db, &f->err) != STORE_OK;
        f->begun = !f->failed;
    }
    if (f->failed)
        return false;
    key16_put(grown->id, id);
    database_value values[] = {database_int(grown->day),
                               database_text(grown->kind == LIMITS_APP ? SS_LIT("app") : SS_LIT("key")),
                               database_text(ss_cstr(id)), database_int(grown->count)};
    f->failed = database_run(f->a->db,
                             "INSERT INTO usage VALUES($1,$2,$3,$4) ON CONFLICT(day, kind, id)"
                             " DO UPDATE SET count=usage.count+excluded.count RETURNING count",
                             values, 4, take_number, &grown->count, NULL, &f->err) != STORE_OK;
    return !f->failed;
}

void authorizer_flush(authorizer *a)
{
    flushing f = {.a = a, .err = error_init()};
    int64_t today = limits_day(clock_now_us());
    a->next_flush_us = clock_mono_us() + FLUSH_US;
    limits_each_grown(a->limits, flush_one, &f);
    database_value old = database_int(today - USAGE_DAYS);
    if (f.begun && !f.failed && a->day != today)
        f.failed = database_run(a->db, "DELETE FROM usage WHERE day<$1", &old, 1, NULL, NULL, NULL, &f.err) !=
                   STORE_OK;
    a->day = today;
    if (f.begun && database_end(a->db, !f.failed, &f.err) != STORE_OK)
        f.failed = true;
    if (f.failed)
        log_warn("counts of quotas could not be stored: %s", f.err.text);
}

void *authorizer_follow(void *arg)
{
    authorizer *a = arg;
    (void)pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        (void)pthread_mutex_unlock(&a->lock);
        authorizer_refresh(a);
        (void)pthread_mutex_lock(&a->work);
        if (clock_mono_us() >= a->next_flush_us)
            authorizer_flush(a);
        (void)pthread_mutex_unlock(&a->work);
        int64_t until = clock_mono_us() + a->options.poll_ms * 1000;
        struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
        (void)pthread_mutex_lock(&a->lock);
        a->tried = true;
        (void)pthread_cond_broadcast(&a->wake);
        while (!a->stop && pthread_cond_timedwait(&a->wake, &a->lock, &at) == 0)
            ;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}
