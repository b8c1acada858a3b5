/* The table of authorizations. */
#include <stdlib.h>

#include "core/admin/key_hash.h"
#include "core/admin/store_inside.h"
#include "core/base/clock.h"
#include "plugins/common/base64.h"

#define KEY_COLUMNS                                                                                          \
    "app_id, id, value, whole, name, description, enabled, rate, burst, quota, created, updated"

static bool key_row(void *arg, const database_row *row)
{
    store_visiting *v = arg;
    store_key key = {.value = database_row_text(row, 2),
                     .value_whole = database_row_int(row, 3) != 0,
                     .name = database_row_text(row, 4),
                     .description = database_row_text(row, 5),
                     .has_description = !database_row_null(row, 5),
                     .enabled = database_row_int(row, 6) != 0,
                     .limits = {database_row_int(row, 7), database_row_int(row, 8), database_row_int(row, 9)},
                     .created_s = database_row_int(row, 10),
                     .updated_s = database_row_int(row, 11)};
    store_copy_id(key.app_id, database_row_text(row, 0));
    store_copy_id(key.id, database_row_text(row, 1));
    memcpy(v->last, key.id, sizeof v->last);
    v->rows++;
    return !v->key || v->key(v->arg, &key);
}

static void make_value(char out[STORE_VALUE_LEN])
{
    uint8_t secret[STORE_VALUE_BYTES];
    store_random(secret, sizeof secret);
    (void)base64_put(out, ss_s((const char *)secret, sizeof secret));
    explicit_bzero(secret, sizeof secret);
}

#define INSERT_KEY                                                                                           \
    "INSERT INTO authorizations(app_id, id, hash, value, whole, name, description, enabled,"                 \
    " rate, burst, quota, created, updated) VALUES($1,$2,$3,$4,$5,$6,$7,1,-1,-1,-1,$8,$8)"

static enum store_status insert_key(store *s, const store_key *key, const ss_str *description, ss_error *err)
{
    char hash[KEY_HASH_TEXT + 1];
    ss_str kept = s->hashed ? ss_s(key->value.ptr, STORE_PREFIX_LEN) : key->value;
    enum store_status status = key_hash_of(s->db, key->value, hash, err);
    database_value values[] = {database_text(ss_cstr(key->app_id)),
                               database_text(ss_cstr(key->id)),
                               database_text(ss_s(hash, KEY_HASH_TEXT)),
                               database_text(kept),
                               database_int(!s->hashed),
                               database_text(key->name),
                               store_optional(description),
                               database_int(key->created_s)};
    if (status == STORE_OK)
        status =
            database_run(s->db, s->remote ? INSERT_KEY " ON CONFLICT(app_id, id) DO NOTHING" : INSERT_KEY,
                         values, 8, NULL, NULL, NULL, err);
    if (status == STORE_OK)
        status = key_hash_note(s->db, key->app_id, key->id, hash, err);
    return store_touch(s, status, ss_cstr(key->app_id), ss_cstr(key->id), err);
}

/* A conflict is the foreign key's, or the id's where it was given. */
static enum store_status explain_conflict(store *s, const store_key *key, ss_error *err)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    enum store_status status = store_app_get(s, ss_cstr(key->app_id), NULL, NULL, &ignored);
    if (status == STORE_NOT_FOUND)
        return store_not_found(err, "application");
    (void)ss_fail(err, 0, "there is a key %s already", key->id);
    return STORE_CONFLICT;
}

/* id, value: empty = new ones */
static enum store_status make_key(store *s, ss_str app_id, ss_str id, ss_str given, ss_str name,
                                  const ss_str *description, store_key_visit visit, void *arg, ss_error *err)
{
    enum store_status status = store_check_texts(name, description, err);
    if (status == STORE_OK && !store_is_id(app_id))
        status = store_not_found(err, "application");
    if (status != STORE_OK)
        return status;
    char value[STORE_VALUE_LEN];
    store_key key = {.value = ss_s(value, sizeof value),
                     .value_whole = true,
                     .name = name,
                     .description = description ? *description : ss_s("", 0),
                     .has_description = description != NULL,
                     .enabled = true,
                     .limits = {STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT},
                     .created_s = clock_now_us() / 1000000};
    key.updated_s = key.created_s;
    if (id.len)
        store_copy_id(key.id, id);
    else
        store_make_id(key.id);
    if (given.len)
        memcpy(value, given.ptr, sizeof value);
    else
        make_value(value);
    store_copy_id(key.app_id, app_id);
    if (s->remote)
        status = remote_put_key(s->remote, &key, err);
    if (status == STORE_OK)
        status = database_begin(s->db, err);
    if (status == STORE_OK)
        status = store_finish(s, insert_key(s, &key, description, err), err);
    if (status == STORE_CONFLICT && !s->remote)
        status = explain_conflict(s, &key, err);
    if (status == STORE_OK && visit)
        (void)visit(arg, &key);
    explicit_bzero(value, sizeof value);
    return status;
}

enum store_status store_key_create(store *s, ss_str app_id, ss_str name, const ss_str *description,
                                   store_key_visit visit, void *arg, ss_error *err)
{
    return make_key(s, app_id, ss_s("", 0), ss_s("", 0), name, description, visit, arg, err);
}

enum store_status store_key_import(store *s, ss_str app_id, ss_str id, ss_str value, ss_str name,
                                   const ss_str *description, store_key_visit visit, void *arg, ss_error *err)
{
    char bytes[STORE_VALUE_LEN];
    size_t len = 0;
    if (id.len && !store_is_id(id))
        return store_invalid(err, "a key's id is a UUID in lower case");
    bool good = value.len == STORE_VALUE_LEN && base64_read(value, bytes, &len) && len == STORE_VALUE_BYTES;
    explicit_bzero(bytes, sizeof bytes);
    if (!good)
        return store_invalid(err, "a key's value is 64 bytes in base64: 88 characters, the last two ==");
    return make_key(s, app_id, id, value, name, description, visit, arg, err);
}

enum store_status store_key_get(store *s, ss_str app_id, ss_str key_id, store_key_visit visit, void *arg,
                                ss_error *err)
{
    store_visiting v = {.key = visit, .arg = arg};
    database_value values[] = {database_text(app_id), database_text(key_id)};
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return store_not_found(err, "key");
    enum store_status status =
        database_run(s->db, "SELECT " KEY_COLUMNS " FROM authorizations WHERE app_id=$1 AND id=$2", values, 2,
                     key_row, &v, NULL, err);
    return status != STORE_OK || v.rows ? status : store_not_found(err, "key");
}

static enum store_status key_page(store *s, ss_str app_id, ss_str after, size_t limit, store_visiting *v,
                                  ss_error *err)
{
    char from[STORE_ID_SIZE]; /* rows may overwrite the place where they began */
    store_copy_id(from, after);
    database_value values[] = {database_text(app_id), database_text(ss_cstr(from)),
                               database_int((int64_t)(limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX))};
    v->rows = 0;
    if (!store_is_id(app_id))
        return STORE_OK;
    return database_run(
        s->db, "SELECT " KEY_COLUMNS " FROM authorizations WHERE app_id=$1 AND id>$2 ORDER BY id LIMIT $3",
        values, 3, key_row, v, NULL, err);
}

enum store_status store_key_page(store *s, ss_str app_id, ss_str after, size_t limit, store_key_visit visit,
                                 void *arg, ss_error *err)
{
    store_visiting v = {.key = visit, .arg = arg};
    return key_page(s, app_id, after, limit, &v, err);
}
enum store_status store_key_each(store *s, ss_str app_id, store_key_visit visit, void *arg, ss_error *err)
{
    store_copies c = {.rows = calloc(STORE_EACH_ROWS, sizeof(store_key))};
    store_visiting v = {.key = store_keep_key, .arg = &c};
    enum store_status status = c.rows ? STORE_OK : store_no_memory(err);
    bool more = status == STORE_OK;
    while (more) {
        c.count = c.used = 0;
        status = key_page(s, app_id, ss_cstr(v.last), STORE_EACH_ROWS, &v, err);
        if (c.failed)
            status = store_no_memory(err);
        more = status == STORE_OK && c.count == STORE_EACH_ROWS;
        size_t at = 0;
        for (size_t i = 0; status == STORE_OK && i < c.count; i++) {
            store_key *key = (store_key *)c.rows + i;
            store_settle(&c, &at, &key->value);
            store_settle(&c, &at, &key->name);
            store_settle(&c, &at, &key->description);
            if (!visit(arg, key)) {
                more = false;
                break;
            }
        }
    }
    store_copies_free(&c);
    return status;
}

enum store_status store_key_count(store *s, ss_str app_id, int64_t *count, ss_error *err)
{
    database_value value = database_text(app_id);
    *count = 0;
    return database_run(s->db, "SELECT count(*) FROM authorizations WHERE app_id=$1", &value, 1,
                        store_count_row, count, NULL, err);
}

static bool take_hash(void *arg, const database_row *row)
{
    ss_str hash = database_row_text(row, 0);
    char *out = arg;
    if (hash.len == KEY_HASH_TEXT)
        memcpy(out, hash.ptr, hash.len);
    out[KEY_HASH_TEXT] = '\0';
    return false;
}

/* Within a transaction; far: what the remote store said of it; the key's hash is what RETURNING gave, ""
 * where there was none. */
static enum store_status note_key(store *s, enum store_status far, enum store_status status, ss_str app_id,
                                  ss_str key_id, const char *hash, ss_error *err)
{
    char app[STORE_ID_SIZE], key[STORE_ID_SIZE];
    store_copy_id(app, app_id);
    store_copy_id(key, key_id);
    if (status == STORE_OK && !*hash)
        status = store_settled(s, far, store_not_found(err, "key"));
    if (status == STORE_OK && *hash)
        status = key_hash_note(s->db, app, key, hash, err);
    return store_finish(s, store_touch(s, status, app_id, key_id, err), err);
}

enum store_status store_key_set(store *s, ss_str app_id, ss_str key_id, const store_key_change *change,
                                store_key_visit visit, void *arg, ss_error *err)
{
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return store_not_found(err, "key");
    int64_t now_s = clock_now_us() / 1000000;
    enum store_status status = store_check_limits(change->rate, change->burst, change->quota, err);
    if (status == STORE_OK && s->remote)
        status = remote_set_key(s->remote, app_id, key_id, change, now_s, err);
    if (status == STORE_OK)
        status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    char hash[KEY_HASH_TEXT + 1] = "";
    database_value values[] = {database_text(app_id),
                               database_text(key_id),
                               change->enabled ? database_int(*change->enabled) : database_null(),
                               store_or_keep(change->rate),
                               store_or_keep(change->burst),
                               store_or_keep(change->quota),
                               database_int(now_s)};
    status = database_run(s->db,
                          "UPDATE authorizations SET enabled=coalesce($3,enabled), rate=coalesce($4,rate),"
                          " burst=coalesce($5,burst), quota=coalesce($6,quota), updated=$7"
                          " WHERE app_id=$1 AND id=$2 RETURNING hash",
                          values, 7, take_hash, hash, NULL, err);
    status = note_key(s, STORE_NOT_FOUND, status, app_id, key_id, hash, err);
    return status == STORE_OK && visit ? store_key_get(s, app_id, key_id, visit, arg, err) : status;
}

enum store_status store_key_delete(store *s, ss_str app_id, ss_str key_id, ss_error *err)
{
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return store_not_found(err, "key");
    enum store_status far = s->remote ? remote_drop_key(s->remote, app_id, key_id, err) : STORE_OK;
    if (far != STORE_OK && far != STORE_NOT_FOUND)
        return far;
    enum store_status status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    char hash[KEY_HASH_TEXT + 1] = "";
    database_value values[] = {database_text(app_id), database_text(key_id)};
    status = database_run(s->db, "DELETE FROM authorizations WHERE app_id=$1 AND id=$2 RETURNING hash",
                          values, 2, take_hash, hash, NULL, err);
    return note_key(s, far, status, app_id, key_id, hash, err);
}
