#include "modules/warehouse/tables.h"

#include <stdlib.h>

#define INDEX_NAME_MAX 300u

/* ---- names ---- */

/* What the module and SQLite call their own is nobody's table. */
bool tables_name_valid(ss_str name)
{
    static const char *const taken[] = {"load_", "sqlite_", "pg_", "ss_"};
    if (name.len == 0 || name.len > 63)
        return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (name.len >= strlen(taken[i]) && strncasecmp(name.ptr, taken[i], strlen(taken[i])) == 0)
            return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || (unsigned char)name.ptr[i] == 127)
            return false;
    return true;
}

static ss_str name_for(const tables *s, ss_str receiver)
{
    const ss_config *map = s->host->cfg_get(s->cfg, "tables");
    size_t count = map ? s->host->cfg_len(map) : 0;
    for (size_t i = 0; i < count; i++)
        if (ss_eq(s->host->cfg_key(map, i), receiver))
            return s->host->cfg_str(s->host->cfg_at(map, i), "");
    return receiver;
}

/* ---- one table in memory ---- */

static void table_free(tables *s, table *t)
{
    s->db->ops->forget(s->db, t);
    shape_free(&t->shape);
    free((char *)(uintptr_t)t->receiver.ptr);
    free(t);
}

typedef struct filling {
    shape *shape;
    const char *receiver;
    ss_error *err;
    bool good;
} filling;

static void add_field(void *arg, const ss_field *field)
{
    filling *f = arg;
    f->good = f->good && shape_add(f->shape, field, f->receiver, f->err);
}

static int32_t table_new(tables *s, ss_str receiver, table **out, ss_error *err)
{
    ss_str name = name_for(s, receiver);
    if (!tables_name_valid(name))
        return ss_fail(err, SS_PAUSE,
                       "warehouse: \"%.*s\" cannot be the name of a table: name another one with "
                       "tables: {%.*s: ...}",
                       (int)(name.len < 64 ? name.len : 64), name.ptr,
                       (int)(receiver.len < 64 ? receiver.len : 64), receiver.ptr);
    table *t = calloc(1, sizeof *t);
    char *copy = malloc(receiver.len + 1);
    if (!t || !copy) {
        free(t);
        free(copy);
        return ss_fail(err, SS_RETRY, "warehouse: out of memory");
    }
    memcpy(copy, receiver.ptr, receiver.len);
    copy[receiver.len] = '\0';
    t->receiver = ss_s(copy, receiver.len);
    (void)snprintf(t->name, sizeof t->name, "%.*s", (int)name.len, name.ptr);
    filling f = {&t->shape, copy, err, shape_begin(&t->shape, err)};
    if (f.good) /* an unknown receiver (gone from the configuration) has no columns: all of it goes into
                   ss_extra */
        (void)s->host->catalog(s->host->self, receiver, add_field, &f);
    if (!f.good || !shape_end(&t->shape, s->db->ops->format, err)) {
        table_free(s, t);
        return SS_RETRY;
    }
    *out = t;
    return SS_OK;
}

/* ---- the table in the database ---- */

typedef struct existing {
    tables *s;
    table *t;
    bool any;
} existing;

static bool same_name(const tables *s, const char *a, const char *b)
{
    return (s->db->ops == &db_sqlite ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

/* A column that is there in another type keeps it: the values are read for that type, what does not fit goes
   into ss_extra. */
static void see_column(void *arg, const char *const *cells, int count)
{
    existing *e = arg;
    shape *sh = &e->t->shape;
    e->any = true;
    for (size_t i = 0; count > 1 && cells[0] && cells[1] && i < sh->count; i++) {
        catalog_column *c = &sh->columns[i];
        if (!same_name(e->s, c->name, cells[0]))
            continue;
        uint32_t wanted = e->s->db->ops->type_of(c->type), have = e->s->db->ops->type_of(cells[1]);
        sh->used[i] = have != 0;
        if (wanted != have) {
            ss_logf(e->s->host, SS_WARNING,
                    "table %.64s: the column %.64s is %.32s, the catalog wants %s: it stays, and what does "
                    "not fit goes "
                    "into ss_extra",
                    e->t->name, c->name, cells[1], c->type);
            c->field_type = have;
        }
        c->type = NULL; /* it is there */
        return;
    }
}

static void create_text(const tables *s, const table *t, buf *sql)
{
    buf_adds(sql, "CREATE TABLE IF NOT EXISTS ");
    catalog_put_name(sql, t->name);
    buf_addf(sql, " (%s", s->db->ops->own_columns);
    for (size_t i = 0; i < t->shape.count; i++) {
        buf_adds(sql, ", ");
        catalog_put_name(sql, t->shape.columns[i].name);
        buf_addf(sql, " %s", t->shape.columns[i].type);
    }
    buf_adds(sql, s->db->ops->table_tail);
}

static int32_t add_columns(tables *s, table *t, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < t->shape.count; i++) {
        catalog_column *c = &t->shape.columns[i];
        if (!c->type)
            continue;
        buf sql;
        buf_init(&sql, SQL_MAX);
        buf_adds(&sql, "ALTER TABLE ");
        catalog_put_name(&sql, t->name);
        buf_adds(&sql, " ADD COLUMN ");
        catalog_put_name(&sql, c->name);
        buf_addf(&sql, " %s", c->type);
        rc = s->db->ops->run(s->db, buf_text(&sql), err);
        buf_fini(&sql);
        if (rc == SS_OK)
            ss_logf(s->host, SS_INFO, "table %.64s: new column %.64s %s", t->name, c->name, c->type);
        t->shape.used[i] = true;
    }
    return rc;
}

static const char *has_column(const table *t, ss_str name)
{
    for (size_t i = 0; i < t->shape.count; i++)
        if (t->shape.used[i] && ss_eq(ss_cstr(t->shape.columns[i].name), name))
            return t->shape.columns[i].name;
    for (size_t i = 0; shape_own_names[i]; i++)
        if (ss_eq(ss_cstr(shape_own_names[i]), name))
            return shape_own_names[i];
    return NULL;
}

/* ---- indexes ---- */

static size_t next_word(ss_str text, size_t at, ss_str *word)
{
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == ','))
        at++;
    size_t from = at;
    while (at < text.len && text.ptr[at] != ' ' && text.ptr[at] != ',')
        at++;
    *word = ss_s(text.ptr + from, at - from);
    return at;
}

bool tables_has_columns(const table *t, ss_str names)
{
    ss_str word;
    for (size_t at = next_word(names, 0, &word); word.len > 0; at = next_word(names, at, &word))
        if (!has_column(t, word))
            return false;
    return true;
}

static int32_t make_index(tables *s, table *t, ss_str columns, ss_error *err)
{
    if (!tables_has_columns(t, columns)) {
        ss_logf(s->host, SS_WARNING,
                "table %.64s has not all the columns of the index \"%.*s\": it is not made", t->name,
                (int)(columns.len < 200 ? columns.len : 200), columns.ptr);
        return SS_OK;
    }
    buf sql;
    char name[INDEX_NAME_MAX];
    ss_str word;
    size_t at = next_word(columns, 0, &word);
    (void)snprintf(name, sizeof name, "ss_%.32s_%08x", t->name, db_hash(columns));
    buf_init(&sql, SQL_MAX);
    buf_adds(&sql, "CREATE INDEX IF NOT EXISTS ");
    catalog_put_name(&sql, name);
    buf_adds(&sql, " ON ");
    catalog_put_name(&sql, t->name);
    for (size_t n = 0; word.len > 0; n++, at = next_word(columns, at, &word)) {
        buf_adds(&sql, n ? ", " : " (");
        catalog_put_name(&sql, has_column(t, word));
    }
    buf_adds(&sql, ")");
    int32_t rc = s->db->ops->run(s->db, buf_text(&sql), err);
    buf_fini(&sql);
    return rc;
}

/* What the game's views and queries look for; other tables get what the configuration says. */
static const char *const usual_indexes[] = {"event_type event_timestamp", "event_timestamp", NULL};

static int32_t make_indexes(tables *s, table *t, ss_error *err)
{
    const ss_config *map = s->host->cfg_get(s->cfg, "indexes");
    size_t count = map ? s->host->cfg_len(map) : 0;
    int32_t rc = s->age_index ? make_index(s, t, ss_cstr(s->age_index), err) : SS_OK;
    for (size_t i = 0; rc == SS_OK && i < count; i++) {
        const ss_config *list = s->host->cfg_at(map, i);
        if (!ss_eq(s->host->cfg_key(map, i), t->receiver))
            continue;
        for (size_t k = 0; rc == SS_OK && k < s->host->cfg_len(list); k++)
            rc = make_index(s, t, s->host->cfg_str(s->host->cfg_at(list, k), ""), err);
        return rc;
    }
    for (size_t i = 0; rc == SS_OK && usual_indexes[i]; i++)
        if (tables_has_columns(t, ss_cstr(usual_indexes[i])))
            rc = make_index(s, t, ss_cstr(usual_indexes[i]), err);
    return rc;
}

/* ---- the whole ---- */

int32_t tables_schema_begin(tables *s, ss_error *err)
{
    int32_t rc = s->db->ops->begin(s->db, err);
    if (rc == SS_OK && s->db->ops->schema_lock)
        rc = s->db->ops->run(s->db, s->db->ops->schema_lock, err);
    return rc;
}

int32_t tables_schema_end(tables *s, int32_t rc, ss_error *err)
{
    if (rc == SS_OK)
        rc = s->db->ops->commit(s->db, err);
    if (rc != SS_OK)
        s->db->ops->rollback(s->db);
    return rc;
}

static int32_t table_make(tables *s, table *t, ss_error *err)
{
    existing e = {s, t, false};
    const char *name[] = {t->name};
    buf sql;
    buf_init(&sql, SQL_MAX);
    create_text(s, t, &sql);
    int32_t rc = tables_schema_begin(s, err);
    if (rc == SS_OK)
        rc = s->db->ops->run(s->db, buf_text(&sql), err);
    if (rc == SS_OK)
        rc = s->db->ops->ask(s->db, s->db->ops->columns_of, name, 1, see_column, &e, NULL, err);
    if (rc == SS_OK)
        rc = add_columns(s, t, err);
    if (rc == SS_OK)
        rc = make_indexes(s, t, err);
    tables_find_id(t);
    if (rc == SS_OK && t->id != SHAPE_NONE)
        rc = tables_make_unique(s, t, err);
    buf_fini(&sql);
    return tables_schema_end(s, rc, err);
}

static table *table_find(tables *s, ss_str receiver)
{
    if (s->last_used && ss_eq(s->last_used->receiver, receiver))
        return s->last_used;
    for (table *t = s->first; t; t = t->next)
        if (ss_eq(t->receiver, receiver))
            return s->last_used = t;
    return NULL;
}

int32_t tables_of(tables *s, ss_str receiver, table **out, ss_error *err)
{
    table *t = table_find(s, receiver);
    if (t && t->ready) {
        *out = t;
        return SS_OK;
    }
    if (s->count >= TABLES_MAX)
        return ss_fail(err, SS_PAUSE,
                       "warehouse: more than %u receivers: use a second instance with `receivers:`",
                       TABLES_MAX);
    int32_t rc = table_new(s, receiver, &t, err);
    if (rc != SS_OK)
        return rc;
    rc = table_make(s, t, err);
    if (rc == SS_OK)
        rc = s->db->ops->prepare(s->db, t, err);
    if (rc == SS_OK && ss_eq(receiver, s->host->cfg_str(s->cfg, "views")))
        rc = tables_make_views(s, t, err);
    if (rc != SS_OK) {
        table_free(s, t);
        return rc;
    }
    t->ready = true;
    t->next = s->first;
    s->first = s->last_used = t;
    s->count++;
    *out = t;
    return SS_OK;
}

/* ---- all ---- */

void tables_init(tables *s, db *d, const ss_host *host, const ss_config *cfg)
{
    *s = (tables){.db = d, .host = host, .cfg = cfg};
}

void tables_forget(tables *s)
{
    for (table *t = s->first, *next; t; t = next) {
        next = t->next;
        table_free(s, t);
    }
    s->first = s->last_used = NULL;
    s->count = 0;
}

void tables_free(tables *s)
{
    tables_forget(s);
}

static void no_field(void *arg, const ss_field *field)
{
    (void)arg;
    (void)field;
}

static int32_t make_known(tables *s, ss_str receiver, ss_error *err)
{
    table *t;
    if (receiver.len == 0 || s->host->catalog(s->host->self, receiver, no_field, NULL) != SS_OK)
        return SS_OK; /* not configured here */
    return tables_of(s, receiver, &t, err);
}

int32_t tables_make(tables *s, ss_error *err)
{
    const ss_config *map = s->host->cfg_get(s->cfg, "tables");
    int32_t rc = tables_schema_begin(s, err);
    if (rc == SS_OK)
        rc = s->db->ops->run(s->db, s->db->ops->bookkeeping, err);
    rc = tables_schema_end(s, rc, err);
    if (rc == SS_OK)
        rc = make_known(s, s->host->cfg_str(s->cfg, "views"), err);
    for (size_t i = 0; rc == SS_OK && map && i < s->host->cfg_len(map); i++)
        rc = make_known(s, s->host->cfg_key(map, i), err);
    return rc;
}
