/* The table of applications. */
#include <stdlib.h>

#include "core/admin/store_inside.h"
#include "core/base/clock.h"

#define APP_COLUMNS "id, name, description, flags, rate, burst, quota, created, updated"

static bool app_row(void *arg, const database_row *row)
{
    store_visiting *v = arg;
    store_app app = {.name = database_row_text(row, 1),
                     .description = database_row_text(row, 2),
                     .has_description = !database_row_null(row, 2),
                     .flags = (uint32_t)database_row_int(row, 3),
                     .limits = {database_row_int(row, 4), database_row_int(row, 5), database_row_int(row, 6)},
                     .created_s = database_row_int(row, 7),
                     .updated_s = database_row_int(row, 8)};
    store_copy_id(app.id, database_row_text(row, 0));
    memcpy(v->last, app.id, sizeof v->last);
    v->rows++;
    return !v->app || v->app(v->arg, &app);
}

#define INSERT_APP "INSERT INTO applications(" APP_COLUMNS ") VALUES($1,$2,$3,0,-1,-1,-1,$4,$4)"

/* id: empty = a new one */
static enum store_status make_app(store *s, ss_str id, ss_str name, const ss_str *description,
                                  store_app_visit visit, void *arg, ss_error *err)
{
    enum store_status status = store_check_texts(name, description, err);
    store_app app = {.name = name,
                     .description = description ? *description : ss_s("", 0),
                     .has_description = description != NULL,
                     .limits = {STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT},
                     .created_s = clock_now_us() / 1000000};
    app.updated_s = app.created_s;
    if (id.len)
        store_copy_id(app.id, id);
    else
        store_make_id(app.id);
    if (status == STORE_OK && s->remote)
        status = remote_put_app(s->remote, &app, err);
    if (status == STORE_OK)
        status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    database_value values[] = {database_text(ss_cstr(app.id)), database_text(name),
                               store_optional(description), database_int(app.created_s)};
    status = database_run(s->db, s->remote ? INSERT_APP " ON CONFLICT(id) DO NOTHING" : INSERT_APP, values, 4,
                          NULL, NULL, NULL, err);
    if (status == STORE_OK)
        status = database_note(s->db, "app", ss_cstr(app.id), ss_s("", 0), err);
    status = store_touch(s, status, ss_cstr(app.id), ss_s("", 0), err);
    if (status == STORE_CONFLICT)
        (void)ss_fail(err, 0, "there is an application %s already", app.id);
    status = store_finish(s, status, err);
    if (status == STORE_OK && visit)
        (void)visit(arg, &app);
    return status;
}

enum store_status store_app_create(store *s, ss_str name, const ss_str *description, store_app_visit visit,
                                   void *arg, ss_error *err)
{
    return make_app(s, ss_s("", 0), name, description, visit, arg, err);
}

enum store_status store_app_import(store *s, ss_str id, ss_str name, const ss_str *description,
                                   store_app_visit visit, void *arg, ss_error *err)
{
    if (!store_is_id(id))
        return store_invalid(err, "an application's id is a UUID in lower case");
    return make_app(s, id, name, description, visit, arg, err);
}

enum store_status store_app_get(store *s, ss_str id, store_app_visit visit, void *arg, ss_error *err)
{
    store_visiting v = {.app = visit, .arg = arg};
    database_value value = database_text(id);
    if (!store_is_id(id))
        return store_not_found(err, "application");
    enum store_status status = database_run(s->db, "SELECT " APP_COLUMNS " FROM applications WHERE id=$1",
                                            &value, 1, app_row, &v, NULL, err);
    return status != STORE_OK || v.rows ? status : store_not_found(err, "application");
}

static enum store_status app_page(store *s, ss_str after, size_t limit, store_visiting *v, ss_error *err)
{
    char from[STORE_ID_SIZE]; /* rows may overwrite the place where they began */
    store_copy_id(from, after);
    database_value values[] = {database_text(ss_cstr(from)),
                               database_int((int64_t)(limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX))};
    v->rows = 0;
    return database_run(s->db, "SELECT " APP_COLUMNS " FROM applications WHERE id>$1 ORDER BY id LIMIT $2",
                        values, 2, app_row, v, NULL, err);
}

enum store_status store_app_page(store *s, ss_str after, size_t limit, store_app_visit visit, void *arg,
                                 ss_error *err)
{
    store_visiting v = {.app = visit, .arg = arg};
    return app_page(s, after, limit, &v, err);
}
enum store_status store_app_each(store *s, store_app_visit visit, void *arg, ss_error *err)
{
    store_copies c = {.rows = calloc(STORE_EACH_ROWS, sizeof(store_app))};
    store_visiting v = {.app = store_keep_app, .arg = &c};
    enum store_status status = c.rows ? STORE_OK : store_no_memory(err);
    bool more = status == STORE_OK;
    while (more) {
        c.count = c.used = 0;
        status = app_page(s, ss_cstr(v.last), STORE_EACH_ROWS, &v, err);
        if (c.failed)
            status = store_no_memory(err);
        more = status == STORE_OK && c.count == STORE_EACH_ROWS;
        size_t at = 0;
        for (size_t i = 0; status == STORE_OK && i < c.count; i++) {
            store_app *app = (store_app *)c.rows + i;
            store_settle(&c, &at, &app->name);
            store_settle(&c, &at, &app->description);
            if (!visit(arg, app)) {
                more = false;
                break;
            }
        }
    }
    store_copies_free(&c);
    return status;
}

enum store_status store_app_count(store *s, int64_t *count, ss_error *err)
{
    *count = 0;
    return database_run(s->db, "SELECT count(*) FROM applications", NULL, 0, store_count_row, count, NULL,
                        err);
}

enum store_status store_app_delete(store *s, ss_str id, ss_error *err)
{
    if (!store_is_id(id))
        return store_not_found(err, "application");
    enum store_status far = s->remote ? remote_drop_app(s->remote, id, err) : STORE_OK;
    if (far != STORE_OK && far != STORE_NOT_FOUND)
        return far;
    enum store_status status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    int64_t gone = 0;
    database_value value = database_text(id);
    status =
        database_run(s->db, "DELETE FROM authorizations WHERE app_id=$1", &value, 1, NULL, NULL, NULL, err);
    if (status == STORE_OK)
        status =
            database_run(s->db, "DELETE FROM applications WHERE id=$1", &value, 1, NULL, NULL, &gone, err);
    if (status == STORE_OK && gone == 0)
        status = store_settled(s, far, store_not_found(err, "application"));
    if (status == STORE_OK)
        status = database_note(s->db, "app", id, ss_s("", 0), err);
    return store_finish(s, store_touch(s, status, id, ss_s("", 0), err), err);
}

enum store_status store_app_set(store *s, ss_str id, const store_app_change *change, store_app_visit visit,
                                void *arg, ss_error *err)
{
    if (!store_is_id(id))
        return store_not_found(err, "application");
    int64_t now_s = clock_now_us() / 1000000;
    enum store_status status = store_check_limits(change->rate, change->burst, change->quota, err);
    if (status == STORE_OK && s->remote)
        status = remote_set_app(s->remote, id, change, now_s, err);
    if (status == STORE_OK)
        status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    int64_t flags = change->flags ? (int64_t)*change->flags : 0, touched = 0;
    database_value values[] = {database_text(id),
                               change->flags ? database_int(flags) : database_null(),
                               store_or_keep(change->rate),
                               store_or_keep(change->burst),
                               store_or_keep(change->quota),
                               database_int(now_s)};
    status = database_run(s->db,
                          "UPDATE applications SET flags=coalesce($2,flags), rate=coalesce($3,rate),"
                          " burst=coalesce($4,burst), quota=coalesce($5,quota), updated=$6 WHERE id=$1",
                          values, 6, NULL, NULL, &touched, err);
    if (status == STORE_OK && touched == 0)
        status = store_not_found(err, "application");
    if (status == STORE_OK)
        status = database_note(s->db, "app", id, ss_s("", 0), err);
    status = store_finish(s, store_touch(s, status, id, ss_s("", 0), err), err);
    return status == STORE_OK && visit ? store_app_get(s, id, visit, arg, err) : status;
}
