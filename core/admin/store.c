#include "core/admin/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/admin/key_hash.h"
#include "core/base/clock.h"
#include "plugins/common/base64.h"
#include "plugins/common/utf8.h"

#define APP_COLUMNS "id, name, description, flags, rate, burst, quota, created, updated"
#define KEY_COLUMNS                                                                                          \
    "app_id, id, value, whole, name, description, enabled, rate, burst, quota, created, updated"
#define PAGE 200u /* rows read at once where all are visited */

struct store {
    database *db;
    bool hashed;
    void (*changed)(void *arg);
    void *changed_arg;
};

store *store_new(database *db, bool hashed)
{
    store *s = calloc(1, sizeof *s);
    if (s)
        *s = (store){.db = db, .hashed = hashed};
    return s;
}

void store_free(store *s)
{
    free(s);
}

database *store_database(store *s)
{
    return s->db;
}

void store_on_change(store *s, void (*changed)(void *arg), void *arg)
{
    s->changed = changed;
    s->changed_arg = arg;
}

/* ---- small parts ------------------------------------------------------------------------------ */

void store_put_time(int64_t seconds, char out[STORE_TIME_SIZE])
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    (void)gmtime_r(&t, &tm);
    (void)strftime(out, STORE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool store_is_id(ss_str text)
{
    if (text.len != STORE_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static void random_bytes(uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = getrandom(out + at, len - at, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* cannot happen on a kernel that has it; a guessable key would be worse */
        at += n > 0 ? (size_t)n : 0;
    }
}

static void make_id(char out[STORE_ID_SIZE])
{
    uint8_t b[16];
    random_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, STORE_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

static enum store_status invalid(ss_error *err, const char *text)
{
    (void)ss_fail(err, 0, "%s", text);
    err->code = STORE_INVALID;
    return STORE_INVALID;
}

static enum store_status not_found(ss_error *err, const char *what)
{
    (void)ss_fail(err, 0, "there is no such %s", what);
    err->code = STORE_NOT_FOUND;
    return STORE_NOT_FOUND;
}

/* UTF-8 without NUL, which PostgreSQL's text does not hold. */
static bool good_text(ss_str text, size_t max)
{
    if (text.len > max)
        return false;
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_sequence(text.ptr + i, text.len - i);
        if (len == 0 || text.ptr[i] == '\0')
            return false;
        i += len;
    }
    return true;
}

static enum store_status check_texts(ss_str name, const ss_str *description, ss_error *err)
{
    if (name.len == 0 || !good_text(name, STORE_NAME_MAX))
        return invalid(err, "the name must be 1 to 1024 bytes of UTF-8");
    if (description && !good_text(*description, STORE_DESCRIPTION_MAX))
        return invalid(err, "the description must be at most 16384 bytes of UTF-8");
    return STORE_OK;
}

static bool good_limit(const int64_t *limit)
{
    return !limit || (*limit >= STORE_LIMIT_DEFAULT && *limit <= STORE_LIMIT_MAX);
}

static database_value optional(const ss_str *text)
{
    return text ? database_text(*text) : database_null();
}

/* Ends a transaction and lets this node take over what it changed. */
static enum store_status finish(store *s, enum store_status status, ss_error *err)
{
    ss_error ignored = error_init();
    enum store_status ended = database_end(s->db, status == STORE_OK, status == STORE_OK ? err : &ignored);
    if (status != STORE_OK)
        return status;
    if (ended == STORE_OK && s->changed)
        s->changed(s->changed_arg);
    return ended;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static void copy_id(char out[STORE_ID_SIZE], ss_str id)
{
    size_t len = id.len < STORE_ID_SIZE ? id.len : STORE_ID_SIZE - 1;
    memcpy(out, id.ptr, len);
    out[len] = '\0';
}

typedef struct visiting {
    store_app_visit app;
    store_key_visit key;
    void *arg;
    size_t rows;
    bool enough;
    char last[STORE_ID_SIZE];
} visiting;

static bool app_row(void *arg, const database_row *row)
{
    visiting *v = arg;
    store_app app = {.name = database_row_text(row, 1),
                     .description = database_row_text(row, 2),
                     .has_description = !database_row_null(row, 2),
                     .flags = (uint32_t)database_row_int(row, 3),
                     .limits = {database_row_int(row, 4), database_row_int(row, 5), database_row_int(row, 6)},
                     .created_s = database_row_int(row, 7),
                     .updated_s = database_row_int(row, 8)};
    copy_id(app.id, database_row_text(row, 0));
    memcpy(v->last, app.id, sizeof v->last);
    v->rows++;
    v->enough = v->app && !v->app(v->arg, &app);
    return !v->enough;
}

static bool key_row(void *arg, const database_row *row)
{
    visiting *v = arg;
    store_key key = {.value = database_row_text(row, 2),
                     .value_whole = database_row_int(row, 3) != 0,
                     .name = database_row_text(row, 4),
                     .description = database_row_text(row, 5),
                     .has_description = !database_row_null(row, 5),
                     .enabled = database_row_int(row, 6) != 0,
                     .limits = {database_row_int(row, 7), database_row_int(row, 8), database_row_int(row, 9)},
                     .created_s = database_row_int(row, 10),
                     .updated_s = database_row_int(row, 11)};
    copy_id(key.app_id, database_row_text(row, 0));
    copy_id(key.id, database_row_text(row, 1));
    memcpy(v->last, key.id, sizeof v->last);
    v->rows++;
    v->enough = v->key && !v->key(v->arg, &key);
    return !v->enough;
}

static bool count_row(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

/* ---- applications ----------------------------------------------------------------------------- */

enum store_status store_app_create(store *s, ss_str name, const ss_str *description, store_app_visit visit,
                                   void *arg, ss_error *err)
{
    enum store_status status = check_texts(name, description, err);
    if (status == STORE_OK)
        status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    store_app app = {.name = name,
                     .description = description ? *description : ss_s("", 0),
                     .has_description = description != NULL,
                     .limits = {STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT},
                     .created_s = clock_now_us() / 1000000};
    app.updated_s = app.created_s;
    make_id(app.id);
    database_value values[] = {database_text(ss_cstr(app.id)), database_text(name), optional(description),
                               database_int(app.created_s)};
    status =
        database_run(s->db, "INSERT INTO applications(" APP_COLUMNS ") VALUES($1,$2,$3,0,-1,-1,-1,$4,$4)",
                     values, 4, NULL, NULL, NULL, err);
    if (status == STORE_OK)
        status = database_note(s->db, "app", ss_cstr(app.id), ss_s("", 0), err);
    status = finish(s, status, err);
    if (status == STORE_OK && visit)
        (void)visit(arg, &app);
    return status;
}

enum store_status store_app_get(store *s, ss_str id, store_app_visit visit, void *arg, ss_error *err)
{
    visiting v = {.app = visit, .arg = arg};
    database_value value = database_text(id);
    if (!store_is_id(id))
        return not_found(err, "application");
    enum store_status status = database_run(s->db, "SELECT " APP_COLUMNS " FROM applications WHERE id=$1",
                                            &value, 1, app_row, &v, NULL, err);
    return status != STORE_OK || v.rows ? status : not_found(err, "application");
}

static enum store_status app_page(store *s, ss_str after, size_t limit, visiting *v, ss_error *err)
{
    database_value values[] = {database_text(after),
                               database_int((int64_t)(limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX))};
    v->rows = 0;
    return database_run(s->db, "SELECT " APP_COLUMNS " FROM applications WHERE id>$1 ORDER BY id LIMIT $2",
                        values, 2, app_row, v, NULL, err);
}

enum store_status store_app_page(store *s, ss_str after, size_t limit, store_app_visit visit, void *arg,
                                 ss_error *err)
{
    visiting v = {.app = visit, .arg = arg};
    return app_page(s, after, limit, &v, err);
}

/* ---- all, page by page: rows are copied, so that nothing is held while the visitor runs ---- */

typedef struct copies {
    void *rows; /* of store_app or store_key */
    size_t count;
    char *texts;
    size_t used, size;
    bool failed;
} copies;

static ss_str copy_text(copies *c, ss_str text)
{
    if (c->used + text.len > c->size) {
        size_t size = (c->used + text.len) * 2;
        char *grown = realloc(c->texts, size);
        if (!grown) {
            c->failed = true;
            return ss_s("", 0);
        }
        c->texts = grown;
        c->size = size;
    }
    memcpy(c->texts + c->used, text.ptr, text.len);
    c->used += text.len;
    return ss_s(NULL, text.len); /* where it is, is known once the texts do not move any more */
}

static void settle(const copies *c, size_t *at, ss_str *text)
{
    text->ptr = c->texts ? c->texts + *at : "";
    *at += text->len;
}

static bool keep_app(void *arg, const store_app *app)
{
    copies *c = arg;
    store_app *copy = (store_app *)c->rows + c->count++;
    *copy = *app;
    copy->name = copy_text(c, app->name);
    copy->description = copy_text(c, app->description);
    return !c->failed;
}

static bool keep_key(void *arg, const store_key *key)
{
    copies *c = arg;
    store_key *copy = (store_key *)c->rows + c->count++;
    *copy = *key;
    copy->value = copy_text(c, key->value);
    copy->name = copy_text(c, key->name);
    copy->description = copy_text(c, key->description);
    return !c->failed;
}

static enum store_status no_memory(ss_error *err)
{
    (void)ss_fail(err, 0, "out of memory");
    return STORE_FAILED;
}

enum store_status store_app_each(store *s, store_app_visit visit, void *arg, ss_error *err)
{
    copies c = {.rows = calloc(PAGE, sizeof(store_app))};
    visiting v = {.app = keep_app, .arg = &c};
    enum store_status status = c.rows ? STORE_OK : no_memory(err);
    bool more = status == STORE_OK;
    while (more) {
        c.count = c.used = 0;
        status = app_page(s, ss_cstr(v.last), PAGE, &v, err);
        if (c.failed)
            status = no_memory(err);
        more = status == STORE_OK && c.count == PAGE;
        size_t at = 0;
        for (size_t i = 0; status == STORE_OK && i < c.count; i++) {
            store_app *app = (store_app *)c.rows + i;
            settle(&c, &at, &app->name);
            settle(&c, &at, &app->description);
            if (!visit(arg, app)) {
                more = false;
                break;
            }
        }
    }
    free(c.rows);
    free(c.texts);
    return status;
}

enum store_status store_app_count(store *s, int64_t *count, ss_error *err)
{
    *count = 0;
    return database_run(s->db, "SELECT count(*) FROM applications", NULL, 0, count_row, count, NULL, err);
}

enum store_status store_app_delete(store *s, ss_str id, ss_error *err)
{
    if (!store_is_id(id))
        return not_found(err, "application");
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
        status = not_found(err, "application");
    if (status == STORE_OK)
        status = database_note(s->db, "app", id, ss_s("", 0), err);
    return finish(s, status, err);
}

static database_value or_keep(const int64_t *value)
{
    return value ? database_int(*value) : database_null();
}

enum store_status store_app_set(store *s, ss_str id, const store_app_change *change, store_app_visit visit,
                                void *arg, ss_error *err)
{
    if (!store_is_id(id))
        return not_found(err, "application");
    if (!good_limit(change->rate) || !good_limit(change->burst) || !good_limit(change->quota))
        return invalid(
            err, "rates, bursts and quotas are numbers from 0 to 1000000000000; default = as configured");
    enum store_status status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    int64_t flags = change->flags ? (int64_t)*change->flags : 0, touched = 0;
    database_value values[] = {database_text(id),      change->flags ? database_int(flags) : database_null(),
                               or_keep(change->rate),  or_keep(change->burst),
                               or_keep(change->quota), database_int(clock_now_us() / 1000000)};
    status = database_run(s->db,
                          "UPDATE applications SET flags=coalesce($2,flags), rate=coalesce($3,rate),"
                          " burst=coalesce($4,burst), quota=coalesce($5,quota), updated=$6 WHERE id=$1",
                          values, 6, NULL, NULL, &touched, err);
    if (status == STORE_OK && touched == 0)
        status = not_found(err, "application");
    if (status == STORE_OK)
        status = database_note(s->db, "app", id, ss_s("", 0), err);
    status = finish(s, status, err);
    return status == STORE_OK && visit ? store_app_get(s, id, visit, arg, err) : status;
}

/* ---- keys ------------------------------------------------------------------------------------- */

static void make_value(char out[STORE_VALUE_LEN])
{
    uint8_t secret[STORE_VALUE_BYTES];
    random_bytes(secret, sizeof secret);
    (void)base64_put(out, ss_s((const char *)secret, sizeof secret));
    explicit_bzero(secret, sizeof secret);
}

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
                               optional(description),
                               database_int(key->created_s)};
    if (status == STORE_OK)
        status = database_run(
            s->db,
            "INSERT INTO authorizations(app_id, id, hash, value, whole, name, description, enabled,"
            " rate, burst, quota, created, updated)"
            " VALUES($1,$2,$3,$4,$5,$6,$7,1,-1,-1,-1,$8,$8)",
            values, 8, NULL, NULL, NULL, err);
    if (status == STORE_CONFLICT)
        return not_found(err, "application"); /* the foreign key: a UUID and 64 bytes do not come twice */
    return status == STORE_OK ? key_hash_note(s->db, key->app_id, key->id, hash, err) : status;
}

enum store_status store_key_create(store *s, ss_str app_id, ss_str name, const ss_str *description,
                                   store_key_visit visit, void *arg, ss_error *err)
{
    enum store_status status = check_texts(name, description, err);
    if (status == STORE_OK && !store_is_id(app_id))
        status = not_found(err, "application");
    if (status == STORE_OK)
        status = database_begin(s->db, err);
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
    make_id(key.id);
    make_value(value);
    copy_id(key.app_id, app_id);
    status = finish(s, insert_key(s, &key, description, err), err);
    if (status == STORE_OK && visit)
        (void)visit(arg, &key);
    explicit_bzero(value, sizeof value);
    return status;
}

enum store_status store_key_get(store *s, ss_str app_id, ss_str key_id, store_key_visit visit, void *arg,
                                ss_error *err)
{
    visiting v = {.key = visit, .arg = arg};
    database_value values[] = {database_text(app_id), database_text(key_id)};
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return not_found(err, "key");
    enum store_status status =
        database_run(s->db, "SELECT " KEY_COLUMNS " FROM authorizations WHERE app_id=$1 AND id=$2", values, 2,
                     key_row, &v, NULL, err);
    return status != STORE_OK || v.rows ? status : not_found(err, "key");
}

static enum store_status key_page(store *s, ss_str app_id, ss_str after, size_t limit, visiting *v,
                                  ss_error *err)
{
    database_value values[] = {database_text(app_id), database_text(after),
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
    visiting v = {.key = visit, .arg = arg};
    return key_page(s, app_id, after, limit, &v, err);
}

enum store_status store_key_each(store *s, ss_str app_id, store_key_visit visit, void *arg, ss_error *err)
{
    copies c = {.rows = calloc(PAGE, sizeof(store_key))};
    visiting v = {.key = keep_key, .arg = &c};
    enum store_status status = c.rows ? STORE_OK : no_memory(err);
    bool more = status == STORE_OK;
    while (more) {
        c.count = c.used = 0;
        status = key_page(s, app_id, ss_cstr(v.last), PAGE, &v, err);
        if (c.failed)
            status = no_memory(err);
        more = status == STORE_OK && c.count == PAGE;
        size_t at = 0;
        for (size_t i = 0; status == STORE_OK && i < c.count; i++) {
            store_key *key = (store_key *)c.rows + i;
            settle(&c, &at, &key->value);
            settle(&c, &at, &key->name);
            settle(&c, &at, &key->description);
            if (!visit(arg, key)) {
                more = false;
                break;
            }
        }
    }
    free(c.rows);
    if (c.texts)
        explicit_bzero(c.texts, c.size);
    free(c.texts);
    return status;
}

enum store_status store_key_count(store *s, ss_str app_id, int64_t *count, ss_error *err)
{
    database_value value = database_text(app_id);
    *count = 0;
    return database_run(s->db, "SELECT count(*) FROM authorizations WHERE app_id=$1", &value, 1, count_row,
                        count, NULL, err);
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

/* Within a transaction; the key's hash is what RETURNING gave, "" where there was none. */
static enum store_status note_key(store *s, enum store_status status, ss_str app_id, ss_str key_id,
                                  const char *hash, ss_error *err)
{
    char app[STORE_ID_SIZE], key[STORE_ID_SIZE];
    copy_id(app, app_id);
    copy_id(key, key_id);
    if (status == STORE_OK && !*hash)
        status = not_found(err, "key");
    if (status == STORE_OK)
        status = key_hash_note(s->db, app, key, hash, err);
    return finish(s, status, err);
}

enum store_status store_key_set(store *s, ss_str app_id, ss_str key_id, const store_key_change *change,
                                store_key_visit visit, void *arg, ss_error *err)
{
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return not_found(err, "key");
    if (!good_limit(change->rate) || !good_limit(change->burst) || !good_limit(change->quota))
        return invalid(
            err, "rates, bursts and quotas are numbers from 0 to 1000000000000; default = as configured");
    enum store_status status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    char hash[KEY_HASH_TEXT + 1] = "";
    database_value values[] = {database_text(app_id),
                               database_text(key_id),
                               change->enabled ? database_int(*change->enabled) : database_null(),
                               or_keep(change->rate),
                               or_keep(change->burst),
                               or_keep(change->quota),
                               database_int(clock_now_us() / 1000000)};
    status = database_run(s->db,
                          "UPDATE authorizations SET enabled=coalesce($3,enabled), rate=coalesce($4,rate),"
                          " burst=coalesce($5,burst), quota=coalesce($6,quota), updated=$7"
                          " WHERE app_id=$1 AND id=$2 RETURNING hash",
                          values, 7, take_hash, hash, NULL, err);
    status = note_key(s, status, app_id, key_id, hash, err);
    return status == STORE_OK && visit ? store_key_get(s, app_id, key_id, visit, arg, err) : status;
}

enum store_status store_key_delete(store *s, ss_str app_id, ss_str key_id, ss_error *err)
{
    if (!store_is_id(app_id) || !store_is_id(key_id))
        return not_found(err, "key");
    enum store_status status = database_begin(s->db, err);
    if (status != STORE_OK)
        return status;
    char hash[KEY_HASH_TEXT + 1] = "";
    database_value values[] = {database_text(app_id), database_text(key_id)};
    status = database_run(s->db, "DELETE FROM authorizations WHERE app_id=$1 AND id=$2 RETURNING hash",
                          values, 2, take_hash, hash, NULL, err);
    return note_key(s, status, app_id, key_id, hash, err);
}
