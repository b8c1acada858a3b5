/* The authorizer's other half: follows the store's changes. */
#include <stdlib.h>

#include "core/admin/authorizer_inside.h"
#include "core/base/clock.h"

#define CHANGE_ID_MAX 64u
#define DETAIL_MAX    96u

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
    authorizer_copy_text(to->kind, sizeof to->kind, change->kind);
    authorizer_copy_text(to->id, sizeof to->id, change->id);
    authorizer_copy_text(to->detail, sizeof to->detail, change->detail);
}

static enum store_status take_app(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    authorizer_reading r = {.directory = d};
    key16 id;
    database_value value = database_text(ss_cstr(change->id));
    if (!key16_parse(ss_cstr(change->id), &id))
        return STORE_OK;
    enum store_status status =
        database_run(a->db, "SELECT " AUTHORIZER_APP_COLUMNS " FROM applications WHERE id=$1", &value, 1,
                     authorizer_read_app, &r, NULL, err);
    if (status == STORE_OK && r.rows == 0)
        directory_drop_app(d, id);
    return status == STORE_OK && r.failed ? authorizer_no_memory(err) : status;
}

/* detail: APPLICATION HASH */
static enum store_status take_key(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    const char *space = strchr(change->detail, ' ');
    key16 app, hash;
    if (!space || !key16_parse(ss_s(change->detail, (size_t)(space - change->detail)), &app) ||
        !key16_parse(ss_cstr(space + 1), &hash))
        return STORE_OK;
    authorizer_reading r = {.directory = d};
    database_value values[] = {database_text(ss_s(change->detail, (size_t)(space - change->detail))),
                               database_text(ss_cstr(change->id))};
    enum store_status status =
        database_run(a->db, "SELECT " AUTHORIZER_KEY_COLUMNS " FROM authorizations WHERE app_id=$1 AND id=$2",
                     values, 2, authorizer_read_key, &r, NULL, err);
    if (status == STORE_OK && r.rows == 0)
        directory_drop_key(d, hash, app);
    return status == STORE_OK && r.failed ? authorizer_no_memory(err) : status;
}

static enum store_status take_change(authorizer *a, directory *d, const kept_change *change, ss_error *err)
{
    if (strcmp(change->kind, "app") == 0)
        return take_app(a, d, change, err);
    if (strcmp(change->kind, "key") == 0)
        return take_key(a, d, change, err);
    authorizer_tell(a, &(database_change){change->seq, ss_cstr(change->kind), ss_cstr(change->id),
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
    return status == STORE_NOT_FOUND ? authorizer_load(a, newest, err) : status;
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
        return authorizer_no_memory(err);
    }
    authorizer_publish(a, v);
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
        return authorizer_load(a, newest, err);
    return newest > a->seen ? take_changes(a, newest, err) : STORE_OK;
}

/* A remote store that is away is no reason to forget what was read. */
static void pull(authorizer *a)
{
    int64_t now = clock_mono_us();
    if (!a->options.pull || now < a->next_pull_us)
        return;
    ss_error err = error_init();
    bool good = a->options.pull(a->options.pull_arg, &err) == STORE_OK;
    (void)pthread_mutex_lock(&a->work);
    if (good)
        a->pull_err.text[0] = '\0';
    else if (!a->pull_err.text[0]) /* the first one tells it: the next ones differ in their request id */
        a->pull_err = err;
    (void)pthread_mutex_unlock(&a->work);
    a->next_pull_us = clock_mono_us() + a->options.pull_ms * 1000;
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
    if (status == STORE_OK && a->pull_err.text[0]) {
        status = STORE_AWAY;
        err = a->pull_err;
    }
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

void *authorizer_follow(void *arg)
{
    authorizer *a = arg;
    (void)pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        (void)pthread_mutex_unlock(&a->lock);
        pull(a);
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
