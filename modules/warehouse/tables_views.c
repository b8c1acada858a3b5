/* Views are made anew where their text has changed, and never in place of somebody else's. */
#include "modules/warehouse/tables.h"
#include "modules/warehouse/views.h"

static void with_table(const char *text, const char *name, buf *out)
{
    static const char mark[] = "{table}";
    for (const char *at; (at = strstr(text, mark)) != NULL; text = at + sizeof mark - 1) {
        buf_add(out, text, (size_t)(at - text));
        catalog_put_name(out, name);
    }
    buf_adds(out, text);
}

typedef struct found_text {
    buf *out;
    bool any;
} found_text;

static void take_text(void *arg, const char *const *cells, int count)
{
    found_text *f = arg;
    if (count > 0 && cells[0] && !f->any)
        buf_adds(f->out, cells[0]);
    f->any = true;
}

static int32_t meta_get(tables *s, const char *name, found_text *f, ss_error *err)
{
    const char *values[] = {name};
    return s->db->ops->ask(s->db, "SELECT value FROM load_meta WHERE name = $1", values, 1, take_text, f,
                           NULL, err);
}

static int32_t meta_put(tables *s, const char *name, const char *value, ss_error *err)
{
    const char *values[] = {name, value};
    return db_do(
        s->db,
        "INSERT INTO load_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = "
        "excluded.value",
        values, 2, err);
}

/* true: somebody else's table or view has that name. */
static int32_t is_foreign(tables *s, const char *name, bool ours, bool *foreign, ss_error *err)
{
    buf kind;
    const char *values[] = {name};
    buf_init(&kind, SQL_MAX);
    found_text f = {&kind, false};
    int32_t rc = s->db->ops->ask(s->db, s->db->ops->object_of, values, 1, take_text, &f, NULL, err);
    *foreign = f.any && !ours;
    buf_fini(&kind);
    return rc;
}

/* Made anew where the text has changed, or it is gone. */
static int32_t make_view(tables *s, const warehouse_view *v, const char *text, ss_error *err)
{
    char meta[DB_NAME_MAX + 8];
    bool foreign = false;
    buf old, sql;
    buf_init(&old, SQL_MAX);
    buf_init(&sql, SQL_MAX);
    found_text f = {&old, false};
    (void)snprintf(meta, sizeof meta, "view:%s", v->name);
    int32_t rc = meta_get(s, meta, &f, err);
    if (rc == SS_OK)
        rc = is_foreign(s, v->name, f.any, &foreign, err);
    if (rc == SS_OK && foreign) {
        ss_logf(s->host, SS_WARNING,
                "there is a table or view %s already, not made by the warehouse: it stays", v->name);
    } else if (rc == SS_OK && v->kind == WAREHOUSE_STATEMENTS) {
        rc = strcmp(buf_text(&old), text) == 0 ? SS_OK : s->db->ops->run(s->db, text, err);
    } else if (rc == SS_OK) {
        bool same = f.any && strcmp(buf_text(&old), text) == 0, there = false;
        rc = is_foreign(s, v->name, false, &there, err); /* "foreign" to nobody: is it there at all? */
        buf_adds(&sql, "DROP VIEW IF EXISTS ");
        catalog_put_name(&sql, v->name);
        buf_adds(&sql, "; CREATE VIEW ");
        catalog_put_name(&sql, v->name);
        buf_addf(&sql, " AS %s", text);
        if (rc == SS_OK && !(same && there))
            rc = s->db->ops->run(s->db, buf_text(&sql), err);
    }
    if (rc == SS_OK && !foreign)
        rc = meta_put(s, meta, text, err);
    buf_fini(&old);
    buf_fini(&sql);
    return rc;
}

static int32_t make_all(tables *s, table *t, ss_error *err)
{
    int32_t rc = tables_schema_begin(s, err);
    for (const warehouse_view *v = warehouse_views; rc == SS_OK && v->name; v++) {
        const char *text = s->db->ops == &db_sqlite ? v->sqlite : v->postgres;
        if (!text || (v->columns && !tables_has_columns(t, ss_cstr(v->columns))))
            continue;
        buf full;
        buf_init(&full, SQL_MAX);
        with_table(text, t->name, &full);
        rc = make_view(s, v, buf_text(&full), err);
        buf_fini(&full);
        if (rc == SS_FATAL) {
            char why[256];
            (void)snprintf(why, sizeof why, "%.200s", err->text);
            (void)ss_fail(err, rc, "the view %s: %s", v->name, why);
        }
    }
    return tables_schema_end(s, rc, err);
}

/* Loading goes on without them: an analyst's view that depends on one of ours must not stop it. */
int32_t tables_make_views(tables *s, table *t, ss_error *err)
{
    int32_t rc = make_all(s, t, err);
    if (rc == SS_OK)
        s->host->alarm(s->host->self, "views", NULL);
    if (rc != SS_FATAL)
        return rc;
    ss_logf(s->host, SS_ERROR, "views could not be made: %s", err->text);
    s->host->alarm(s->host->self, "views", err->text);
    return SS_OK;
}

int32_t tables_drop_views(tables *s, ss_error *err)
{
    int32_t rc = tables_schema_begin(s, err);
    for (const warehouse_view *v = warehouse_views; rc == SS_OK && v->name; v++) {
        char meta[DB_NAME_MAX + 8];
        buf text;
        buf_init(&text, SQL_MAX);
        found_text f = {&text, false};
        (void)snprintf(meta, sizeof meta, "view:%s", v->name);
        rc = meta_get(s, meta, &f, err);
        const char *values[] = {meta};
        buf_reset(&text);
        buf_adds(&text, "DROP VIEW IF EXISTS ");
        catalog_put_name(&text, v->name);
        if (rc == SS_OK && f.any && v->kind == WAREHOUSE_VIEW)
            rc = s->db->ops->run(s->db, buf_text(&text), err);
        if (rc == SS_OK && f.any)
            rc = db_do(s->db, "DELETE FROM load_meta WHERE name = $1", values, 1, err);
        buf_fini(&text);
    }
    return tables_schema_end(s, rc, err);
}
