/* Tables of documents that are said again, with a higher version, where they were corrected: one row each,
   the newest. Those are the receivers' whose catalog has both of these columns. */
#include "modules/warehouse/tables.h"

#define ID         "METRIC_ID"
#define VERSION    "METRIC_VERSION"
#define INDEX_SIZE 64u

void tables_find_id(table *t)
{
    t->id = t->version = SHAPE_NONE;
    uint16_t id = SHAPE_NONE, version = SHAPE_NONE;
    for (size_t i = 0; i < t->shape.count; i++) {
        const catalog_column *c = &t->shape.columns[i];
        if (!t->shape.used[i])
            continue;
        if (strcmp(c->name, ID) == 0 && c->field_type == SS_FIELD_STRING)
            id = (uint16_t)i;
        if (strcmp(c->name, VERSION) == 0 && c->field_type == SS_FIELD_INT)
            version = (uint16_t)i;
    }
    if (id != SHAPE_NONE && version != SHAPE_NONE) {
        t->id = id;
        t->version = version;
    }
}

static void put_index(buf *sql, const table *t, const char *head, const char *kind)
{
    char name[INDEX_SIZE];
    (void)snprintf(name, sizeof name, "ss_%s_%08x", kind, db_hash(ss_cstr(t->name)));
    buf_adds(sql, head);
    catalog_put_name(sql, name);
}

static int32_t create_unique(tables *s, const table *t, ss_error *err)
{
    buf sql;
    buf_init(&sql, SQL_MAX);
    put_index(&sql, t, "CREATE UNIQUE INDEX IF NOT EXISTS ", "latest");
    buf_adds(&sql, " ON ");
    catalog_put_name(&sql, t->name);
    buf_adds(&sql, " (\"" ID "\")");
    int32_t rc = s->db->ops->run(s->db, buf_text(&sql), err);
    buf_fini(&sql);
    return rc;
}

/* Of a table that was made when each version had a row of its own. The index beside it is for this alone. */
static int32_t delete_older(tables *s, const table *t, ss_error *err)
{
    const char *name = s->db->ops->row_name;
    buf sql;
    buf_init(&sql, SQL_MAX);
    put_index(&sql, t, "CREATE INDEX ", "older");
    buf_adds(&sql, " ON ");
    catalog_put_name(&sql, t->name);
    buf_adds(&sql, " (\"" ID "\"); DELETE FROM ");
    catalog_put_name(&sql, t->name);
    buf_addf(&sql, " WHERE %s IN (SELECT o.%s FROM ", name, name);
    catalog_put_name(&sql, t->name);
    buf_adds(&sql, " AS o JOIN ");
    catalog_put_name(&sql, t->name);
    buf_addf(&sql,
             " AS n ON n.\"" ID "\" = o.\"" ID "\" AND (coalesce(n.\"" VERSION
             "\", -1), n.%s) > (coalesce(o.\"" VERSION "\", -1), o.%s)); ",
             name, name);
    put_index(&sql, t, "DROP INDEX ", "older");
    int32_t rc = s->db->ops->run(s->db, buf_text(&sql), err);
    buf_fini(&sql);
    if (rc == SS_OK)
        ss_logf(s->host, SS_INFO,
                "table %.64s: older versions of documents were deleted; each has one row from now on",
                t->name);
    return rc;
}

int32_t tables_make_unique(tables *s, table *t, ss_error *err)
{
    const db_ops *ops = s->db->ops;
    int32_t rc = ops->run(s->db, "SAVEPOINT ss_unique", err);
    if (rc == SS_OK)
        rc = create_unique(s, t, err);
    if (rc == SS_REJECT) {
        rc = ops->run(s->db, "ROLLBACK TO SAVEPOINT ss_unique", err);
        if (rc == SS_OK)
            rc = delete_older(s, t, err);
        if (rc == SS_OK)
            rc = create_unique(s, t, err);
    }
    return rc == SS_OK ? ops->run(s->db, "RELEASE SAVEPOINT ss_unique", err) : rc;
}
