/* Reading the store as a whole, and rows of it into the directory. */
#include <stdlib.h>

#include "core/admin/authorizer_inside.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "plugins/common/utf8.h"

#define PAGE 5000 /* rows of one statement */

void authorizer_copy_text(char *out, size_t size, ss_str text)
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

bool authorizer_read_app(void *arg, const database_row *row)
{
    authorizer_reading *r = arg;
    key16 id;
    ss_str text = database_row_text(row, 0), name = database_row_text(row, 1);
    store_limits limits = limits_of(row, 3);
    r->rows++;
    authorizer_copy_text(r->last_app, sizeof r->last_app, text);
    name.len = utf8_cut(name.ptr, name.len, STORE_NAME_MAX); /* others may write into this database, too */
    if (key16_parse(text, &id) &&
        !directory_put_app(r->directory, id, name, (uint32_t)database_row_int(row, 2), &limits))
        r->failed = true;
    return !r->failed;
}

bool authorizer_read_key(void *arg, const database_row *row)
{
    authorizer_reading *r = arg;
    key16 app, hash;
    store_limits limits = limits_of(row, 4);
    r->rows++;
    authorizer_copy_text(r->last_app, sizeof r->last_app, database_row_text(row, 0));
    authorizer_copy_text(r->last_key, sizeof r->last_key, database_row_text(row, 1));
    if (key16_parse(database_row_text(row, 0), &app) && key16_parse(database_row_text(row, 2), &hash) &&
        !directory_put_key(r->directory, hash, app, database_row_int(row, 3) != 0, &limits))
        r->failed = true;
    return !r->failed;
}

/* ---- all of it -------------------------------------------------------------------------------- */

bool authorizer_take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

enum store_status authorizer_no_memory(ss_error *err)
{
    (void)ss_fail(err, SS_LIMIT, "out of memory for the applications and keys: raise server.memory");
    return STORE_FAILED;
}

static enum store_status read_apps(database *db, authorizer_reading *r, ss_error *err)
{
    enum store_status status = STORE_OK;
    *r->last_app = '\0';
    do {
        char after[STORE_ID_SIZE]; /* rows overwrite the place where they began */
        memcpy(after, r->last_app, sizeof after);
        database_value values[] = {database_text(ss_cstr(after)), database_int(PAGE)};
        r->rows = 0;
        status = database_run(
            db, "SELECT " AUTHORIZER_APP_COLUMNS " FROM applications WHERE id>$1 ORDER BY id LIMIT $2",
            values, 2, authorizer_read_app, r, NULL, err);
    } while (status == STORE_OK && r->rows == PAGE && !r->failed);
    return status == STORE_OK && r->failed ? authorizer_no_memory(err) : status;
}

static enum store_status read_keys(database *db, authorizer_reading *r, ss_error *err)
{
    enum store_status status = STORE_OK;
    *r->last_app = *r->last_key = '\0';
    do {
        char app[STORE_ID_SIZE], key[STORE_ID_SIZE]; /* as above */
        memcpy(app, r->last_app, sizeof app);
        memcpy(key, r->last_key, sizeof key);
        database_value values[] = {database_text(ss_cstr(app)), database_text(ss_cstr(key)),
                                   database_int(PAGE)};
        r->rows = 0;
        status =
            database_run(db,
                         "SELECT " AUTHORIZER_KEY_COLUMNS " FROM authorizations WHERE (app_id, id) > ($1, $2)"
                         " ORDER BY app_id, id LIMIT $3",
                         values, 3, authorizer_read_key, r, NULL, err);
    } while (status == STORE_OK && r->rows == PAGE && !r->failed);
    return status == STORE_OK && r->failed ? authorizer_no_memory(err) : status;
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
        status = database_run(a->db, "SELECT count(*) FROM applications", NULL, 0, authorizer_take_number,
                              &apps, NULL, err);
    if (status == STORE_OK)
        status = database_run(a->db, "SELECT count(*) FROM authorizations", NULL, 0, authorizer_take_number,
                              &keys, NULL, err);
    if (status != STORE_OK)
        return status;
    v->directory = directory_new(&a->gate, (size_t)apps, (size_t)keys);
    if (!v->directory)
        return authorizer_no_memory(err);
    authorizer_reading r = {.directory = v->directory};
    status = read_apps(a->db, &r, err);
    return status == STORE_OK ? read_keys(a->db, &r, err) : status;
}

/* Readers go on with the old one until they have left. */
void authorizer_publish(authorizer *a, authorizer_view *v)
{
    authorizer_view *old = atomic_exchange(&a->view, v);
    (void)atomic_fetch_add(&a->generation, 1);
    if (!old)
        return;
    gate_wait(&a->gate);
    authorizer_view_free(old);
}

void authorizer_tell(authorizer *a, const database_change *change)
{
    if (a->changed)
        a->changed(a->changed_arg, change);
}

enum store_status authorizer_load(authorizer *a, int64_t newest, ss_error *err)
{
    uint64_t epoch = database_epoch(a->db); /* before reading: opened anew meanwhile is read anew */
    int64_t began = clock_mono_us();
    authorizer_view *v = calloc(1, sizeof *v);
    enum store_status status = v ? read_view(a, v, err) : authorizer_no_memory(err);
    if (status != STORE_OK) {
        authorizer_view_free(v);
        return status;
    }
    size_t apps = directory_apps(v->directory), keys = directory_keys(v->directory);
    if (atomic_fetch_add(&a->loads, 1) == 0)
        authorizer_read_usage(a);
    authorizer_publish(a, v);
    a->epoch = epoch;
    a->seen = newest;
    authorizer_tell(a, &(database_change){.seq = newest});
    log_debug("%s: %zu applications with %zu keys read in %lld ms", database_place(a->db), apps, keys,
              (long long)(clock_mono_us() - began) / 1000);
    return STORE_OK;
}
