/* PostgreSQL: rows are gathered as COPY's text and sent at the end of their transaction. */
#include <stdlib.h>

#include "modules/warehouse/db.h"
#include "plugins/common/json.h"
#include "plugins/common/pg.h"

#define CONNECT_MS    10000
#define SECRET_MAX    4096u
#define PENDING_MAX   (256u << 20)
#define SQL_TEXT_MAX  (4u * CATALOG_BYTES_MAX) /* a statement that names all columns four times */
#define PENDING_FLUSH (4u << 20)               /* sent before it grows further */

/* One statement must end before the host's deadline does; a lock is not waited for longer. */
#define SESSION                                                                                              \
    "SET statement_timeout = '25s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = "    \
    "'60s';"                                                                                                 \
    "SET timezone = 'UTC'; SET standard_conforming_strings = on; SET DateStyle = 'ISO'"

typedef struct postgres_db {
    db base;
    pg pg;
} postgres_db;

static postgres_db *of(db *d)
{
    return (postgres_db *)(void *)d;
}

static void postgres_close(db *d)
{
    pg_close(&of(d)->pg);
    d->in_transaction = false;
}

static bool postgres_is_open(const db *d)
{
    return pg_is_open(&((const postgres_db *)(const void *)d)->pg);
}

static int32_t postgres_run(db *d, const char *sql, ss_error *err)
{
    return pg_run(&of(d)->pg, sql, err);
}

static int32_t postgres_open(db *d, ss_error *err)
{
    char conninfo[SECRET_MAX];
    int64_t len = d->host->secret(d->host->self, d->cfg, "connection", conninfo, sizeof conninfo - 1, err);
    if (len < 0)
        return SS_PAUSE;
    conninfo[len] = '\0';
    int32_t rc = pg_open(&of(d)->pg, conninfo, "streamsteam warehouse", CONNECT_MS, err);
    explicit_bzero(conninfo, sizeof conninfo);
    if (rc == SS_PAUSE) {
        size_t used = strlen(err->text);
        (void)snprintf(err->text + used, sizeof err->text - used,
                       "; mend `connection` of the warehouse: user, password, dbname");
    }
    if (rc == SS_OK)
        rc = postgres_run(d, SESSION, err);
    if (rc != SS_OK)
        postgres_close(d);
    return rc;
}

static int32_t postgres_ask(db *d, const char *sql, const char *const *values, int count, db_visit *visit,
                            void *arg, uint64_t *changed, ss_error *err)
{
    enum { CELLS_MAX = 8 };
    const char *cells[CELLS_MAX];
    pg_rows rows;
    int32_t rc = pg_ask(&of(d)->pg, sql, values, count, &rows, err);
    int n = rows.columns < CELLS_MAX ? rows.columns : CELLS_MAX;
    for (int i = 0; rc == SS_OK && visit && i < rows.rows; i++) {
        for (int k = 0; k < n; k++)
            cells[k] = pg_cell(&rows, i, k);
        visit(arg, cells, n);
    }
    if (changed)
        *changed = pg_changed(&rows);
    pg_rows_free(&rows);
    return rc;
}

/* ---- rows ---- */

/* Where COPY puts documents before the newest of them are taken over: a table of the session alone. */
static void put_beside(buf *sql, const table *t)
{
    buf_addf(sql, "pg_temp.ss_new_%08x", db_hash(ss_cstr(t->name)));
}

static int32_t make_beside(db *d, const table *t, ss_error *err)
{
    buf sql;
    buf_init(&sql, CATALOG_BYTES_MAX);
    buf_adds(&sql, "DROP TABLE IF EXISTS ");
    put_beside(&sql, t);
    buf_adds(&sql, "; CREATE TABLE ");
    put_beside(&sql, t);
    buf_adds(&sql, " (LIKE ");
    catalog_put_name(&sql, t->name);
    buf_adds(&sql, ")");
    int32_t rc = postgres_run(d, buf_text(&sql), err);
    buf_fini(&sql);
    return rc;
}

static int32_t postgres_prepare(db *d, table *t, ss_error *err)
{
    if (t->pending.max == 0)
        buf_init(&t->pending, PENDING_MAX);
    buf_reset(&t->pending);
    return t->id == SHAPE_NONE ? SS_OK : make_beside(d, t, err);
}

static void postgres_forget(db *d, table *t)
{
    (void)d;
    buf_fini(&t->pending);
}

static void put_number(buf *out, int64_t value)
{
    if (buf_reserve(out, JSON_I64_SIZE))
        out->len += json_put_i64(out->ptr + out->len, value);
}

static void put_cell(buf *out, const cell *c, uint32_t type)
{
    switch (c->kind) {
    case CELL_TEXT:
        pg_copy_value(out, ss_s(c->as.ptr, c->len));
        break;
    case CELL_INT:
        if (type == SS_FIELD_BOOL)
            buf_add(out, c->as.i64 ? "t" : "f", 1);
        else
            put_number(out, c->as.i64);
        break;
    case CELL_REAL:
        if (buf_reserve(out, JSON_DOUBLE_SIZE))
            out->len += json_put_double(out->ptr + out->len, c->as.f64);
        break;
    default:
        buf_add(out, "\\N", 2);
    }
}

/* All columns; set: each as "name = excluded.name". */
static void put_columns(buf *sql, const table *t, bool set)
{
    for (size_t i = 0; shape_own_names[i]; i++) {
        buf_addf(sql, "%s%s", i ? ", " : "", shape_own_names[i]);
        if (set)
            buf_addf(sql, " = excluded.%s", shape_own_names[i]);
    }
    for (size_t i = 0; i < t->shape.count; i++) {
        if (!t->shape.used[i])
            continue;
        buf_adds(sql, ", ");
        catalog_put_name(sql, t->shape.columns[i].name);
        if (set) {
            buf_adds(sql, " = excluded.");
            catalog_put_name(sql, t->shape.columns[i].name);
        }
    }
}

static void put_version(buf *sql, const table *t, const char *of)
{
    buf_addf(sql, "coalesce(%s", of);
    catalog_put_name(sql, t->shape.columns[t->version].name);
    buf_adds(sql, ", -1)");
}

/* The newest of each document that was copied, where none is there that is as new. Rows without a name stay
 * all. */
static int32_t take_newest(db *d, const table *t, ss_error *err)
{
    const char *id = t->shape.columns[t->id].name;
    buf sql;
    buf_init(&sql, SQL_TEXT_MAX);
    buf_adds(&sql, "INSERT INTO ");
    catalog_put_name(&sql, t->name);
    buf_adds(&sql, " AS t (");
    put_columns(&sql, t, false);
    buf_adds(&sql, ") SELECT DISTINCT ON (");
    catalog_put_name(&sql, id);
    buf_adds(&sql, ", CASE WHEN ");
    catalog_put_name(&sql, id);
    buf_adds(&sql, " IS NULL THEN ss_seq END) ");
    put_columns(&sql, t, false);
    buf_adds(&sql, " FROM ");
    put_beside(&sql, t);
    buf_adds(&sql, " ORDER BY ");
    catalog_put_name(&sql, id);
    buf_adds(&sql, ", CASE WHEN ");
    catalog_put_name(&sql, id);
    buf_adds(&sql, " IS NULL THEN ss_seq END, ");
    put_version(&sql, t, "");
    buf_adds(&sql, " DESC, ss_seq ON CONFLICT (");
    catalog_put_name(&sql, id);
    buf_adds(&sql, ") DO UPDATE SET ");
    put_columns(&sql, t, true);
    buf_adds(&sql, " WHERE ");
    put_version(&sql, t, "t.");
    buf_adds(&sql, " < ");
    put_version(&sql, t, "excluded.");
    buf_adds(&sql, "; TRUNCATE ");
    put_beside(&sql, t);
    int32_t rc = postgres_run(d, buf_text(&sql), err);
    buf_fini(&sql);
    return rc;
}

static int32_t postgres_flush(db *d, table *t, ss_error *err)
{
    if (t->pending.len == 0)
        return SS_OK;
    buf sql;
    buf_init(&sql, SQL_TEXT_MAX);
    buf_adds(&sql, "COPY ");
    if (t->id == SHAPE_NONE)
        catalog_put_name(&sql, t->name);
    else
        put_beside(&sql, t);
    buf_adds(&sql, " (");
    put_columns(&sql, t, false);
    buf_adds(&sql, ") FROM STDIN");
    pg *p = &of(d)->pg;
    int32_t rc = pg_copy_begin(p, buf_text(&sql), err);
    if (rc == SS_OK)
        rc = pg_copy_put(p, t->pending.ptr, t->pending.len, err);
    if (rc == SS_OK)
        rc = pg_copy_end(p, err);
    buf_fini(&sql);
    buf_reset(&t->pending);
    return rc == SS_OK && t->id != SHAPE_NONE ? take_newest(d, t, err) : rc;
}

static int32_t postgres_put(db *d, table *t, const row *r, const db_row *own, ss_error *err)
{
    buf *out = &t->pending;
    const int64_t numbers[] = {(int64_t)own->seq, (int64_t)own->load, own->receive_us, own->event_us};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(out, numbers[i]);
        buf_add(out, "\t", 1);
    }
    if (r->extra.len > 0)
        pg_copy_value(out, buf_str(&r->extra));
    else
        buf_add(out, "\\N", 2);
    for (size_t i = 0; i < t->shape.count; i++) {
        if (!t->shape.used[i])
            continue;
        buf_add(out, "\t", 1);
        put_cell(out, &r->cells[i], t->shape.columns[i].field_type);
    }
    buf_add(out, "\n", 1);
    if (out->failed)
        return ss_fail(err, SS_RETRY, "warehouse: no memory for rows");
    return out->len < PENDING_FLUSH ? SS_OK : postgres_flush(d, t, err);
}

/* ---- transactions ---- */

static int32_t postgres_begin(db *d, ss_error *err)
{
    int32_t rc = postgres_run(d, "BEGIN", err);
    d->in_transaction = rc == SS_OK;
    return rc;
}

static int32_t postgres_commit(db *d, ss_error *err)
{
    int32_t rc = postgres_run(d, "COMMIT", err);
    d->in_transaction = rc != SS_OK && postgres_is_open(d);
    return rc;
}

static void postgres_rollback(db *d)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    if (d->in_transaction && postgres_is_open(d) && postgres_run(d, "ROLLBACK", &ignored) != SS_OK)
        postgres_close(d);
    d->in_transaction = false;
}

static void postgres_rest(db *d)
{
    (void)d;
}

/* Its own autovacuum does that. */
static bool postgres_shrink(db *d, ss_error *err)
{
    (void)d;
    (void)err;
    return false;
}

static uint32_t postgres_type_of(const char *type)
{
    static const struct {
        const char *name;
        uint32_t type;
    } known[] = {{"text", SS_FIELD_STRING},
                 {"character varying", SS_FIELD_STRING},
                 {"bigint", SS_FIELD_INT},
                 {"double precision", SS_FIELD_DOUBLE},
                 {"boolean", SS_FIELD_BOOL},
                 {"timestamptz", SS_FIELD_TIMESTAMP},
                 {"timestamp with time zone", SS_FIELD_TIMESTAMP},
                 {"timestamp", SS_FIELD_DATETIME},
                 {"timestamp without time zone", SS_FIELD_DATETIME},
                 {"jsonb", SS_FIELD_JSON},
                 {"json", SS_FIELD_JSON}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, type) == 0)
            return known[i].type;
    return 0;
}

const db_ops db_postgres = {
    .format = "postgres",
    .bookkeeping = "CREATE TABLE IF NOT EXISTS load_position (journal text NOT NULL, module text NOT NULL, "
                   "through bigint NOT "
                   "NULL, PRIMARY KEY (journal, module));"
                   "CREATE TABLE IF NOT EXISTS load_log (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY "
                   "KEY, journal text NOT "
                   "NULL, module text NOT NULL, first bigint NOT NULL, through bigint NOT NULL, rows bigint "
                   "NOT NULL, loads "
                   "bigint NOT NULL, loaded_at timestamptz NOT NULL);"
                   "CREATE INDEX IF NOT EXISTS load_log_range ON load_log (journal, module, through);"
                   "CREATE TABLE IF NOT EXISTS load_single (journal text NOT NULL, module text NOT NULL, seq "
                   "bigint NOT NULL, "
                   "PRIMARY KEY (journal, module, seq));"
                   "CREATE TABLE IF NOT EXISTS load_meta (name text PRIMARY KEY, value text NOT NULL);",
    .own_columns =
        "ss_seq bigint NOT NULL, ss_load bigint NOT NULL, ss_received_us bigint NOT NULL, ss_event_us "
        "bigint NOT NULL, ss_extra json",
    .table_tail = ")",
    .lock = " FOR UPDATE",
    .row_name = "ctid",
    /* Any number that nobody else takes: two servers that begin at once wait for each other. */
    .schema_lock = "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7305804385369943405)",
    .columns_of = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = "
                  "current_schema() AND table_name = $1",
    .object_of = "SELECT table_type FROM information_schema.tables WHERE table_schema = current_schema() AND "
                 "table_name = $1",
    .delete_received =
        "DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE ss_received_us < $1::bigint "
        "LIMIT $2::bigint))",
    .delete_event =
        "DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE ss_event_us < $1::bigint LIMIT "
        "$2::bigint))",
    .close = postgres_close,
    .open = postgres_open,
    .is_open = postgres_is_open,
    .run = postgres_run,
    .ask = postgres_ask,
    .prepare = postgres_prepare,
    .forget = postgres_forget,
    .begin = postgres_begin,
    .put = postgres_put,
    .flush = postgres_flush,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .rest = postgres_rest,
    .shrink = postgres_shrink,
    .type_of = postgres_type_of,
};

db *db_new_postgres(void)
{
    postgres_db *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base.ops = &db_postgres;
    pg_init(&s->pg);
    return &s->base;
}
