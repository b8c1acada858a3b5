/* The tables: one for each receiver, columns as the catalog has them, and the rows that go in. */
#include <stdlib.h>

#include "modules/redshift/redshift.h"

#define LINES_MAX (256u << 20)

const char *const redshift_own_names[OWN_COUNT + 1] = {"ss_seq", "ss_received_us", "ss_event_us", "ss_extra",
                                                       NULL};
const char *const redshift_own_types[OWN_COUNT] = {"BIGINT", "BIGINT", "BIGINT", "VARCHAR(65535)"};

void put_qualified(const redshift *r, const char *name, buf *out)
{
    catalog_put_name(out, r->schema);
    buf_adds(out, ".");
    catalog_put_name(out, name);
}

/* ---- in memory ---- */

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

static ss_str name_for(const redshift *r, ss_str receiver)
{
    const ss_config *map = r->host->cfg_get(r->cfg, "tables");
    for (size_t i = 0; map && i < r->host->cfg_len(map); i++)
        if (ss_eq(r->host->cfg_key(map, i), receiver))
            return r->host->cfg_str(r->host->cfg_at(map, i), "");
    return receiver;
}

static void table_free(table *t)
{
    shape_free(&t->shape);
    buf_fini(&t->lines);
    free(t);
}

static int32_t table_new(redshift *r, ss_str receiver, table **out, ss_error *err)
{
    ss_str name = name_for(r, receiver);
    bool good = name.len > 0 && name.len < REDSHIFT_NAME_SIZE && receiver.len < sizeof(*out)->receiver &&
                !memchr(name.ptr, '"', name.len) && (name.len < 3 || memcmp(name.ptr, "ss_", 3) != 0);
    if (!good || r->table_count >= REDSHIFT_TABLES_MAX)
        return ss_fail(
            err, SS_PAUSE,
            "redshift: \"%.*s\" cannot be the name of a table: name another one with tables: {...}",
            (int)(name.len < 64 ? name.len : 64), name.ptr);
    table *t = calloc(1, sizeof *t);
    if (!t)
        return ss_fail(err, SS_RETRY, "redshift: no memory");
    buf_init(&t->lines, LINES_MAX);
    (void)snprintf(t->receiver, sizeof t->receiver, "%.*s", (int)receiver.len, receiver.ptr);
    (void)snprintf(t->name, sizeof t->name, "%.*s", (int)name.len, name.ptr);
    filling f = {&t->shape, t->receiver, err, shape_begin(&t->shape, err)};
    if (f.good) /* a receiver that is gone has no columns: all of it goes into ss_extra */
        (void)r->host->catalog(r->host->self, receiver, add_field, &f);
    if (!f.good || !shape_end(&t->shape, "redshift_flat", err)) {
        table_free(t);
        return SS_RETRY;
    }
    for (size_t i = 0; i < t->shape.count; i++)
        t->shape.used[i] = true;
    t->next = r->tables;
    r->tables = t;
    r->table_count++;
    *out = t;
    return SS_OK;
}

int32_t tables_find(redshift *r, ss_str receiver, table **out, ss_error *err)
{
    for (table *t = r->tables; t; t = t->next)
        if (ss_eq(ss_cstr(t->receiver), receiver)) {
            *out = t;
            return SS_OK;
        }
    return table_new(r, receiver, out, err);
}

void tables_forget(redshift *r)
{
    for (table *t = r->tables; t; t = t->next)
        t->ready = false;
    r->ready = false;
}

void tables_free(redshift *r)
{
    while (r->tables) {
        table *t = r->tables;
        r->tables = t->next;
        table_free(t);
    }
}

/* ---- in the database ---- */

int32_t tables_bookkeeping(redshift *r, ss_error *err)
{
    buf sql;
    if (r->ready)
        return SS_OK;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "CREATE TABLE IF NOT EXISTS ");
    put_qualified(r, REDSHIFT_POSITION, &sql);
    buf_adds(&sql, " (journal VARCHAR(32) NOT NULL, module VARCHAR(256) NOT NULL, through BIGINT NOT NULL)");
    int32_t rc = link_run(r, buf_text(&sql), true, err);
    r->ready = rc == SS_OK;
    buf_fini(&sql);
    return rc;
}

typedef struct seeing {
    table *table;
    bool any, *columns; /* by column of the shape: it is there */
} seeing;

static void see_column(void *arg, ss_str text)
{
    seeing *s = arg;
    s->any = true;
    for (size_t i = 0; i < s->table->shape.count; i++)
        if (ss_eq(ss_cstr(s->table->shape.columns[i].name), text))
            s->columns[i] = true;
}

static int32_t create_table(redshift *r, const table *t, ss_error *err)
{
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "CREATE TABLE IF NOT EXISTS ");
    put_qualified(r, t->name, &sql);
    for (size_t i = 0; i < OWN_COUNT; i++)
        buf_addf(&sql, "%s%s %s", i ? ", " : " (", redshift_own_names[i], redshift_own_types[i]);
    for (size_t i = 0; i < t->shape.count; i++) {
        buf_adds(&sql, ", ");
        catalog_put_name(&sql, t->shape.columns[i].name);
        buf_addf(&sql, " %s", t->shape.columns[i].type);
    }
    buf_adds(&sql, ")");
    int32_t rc = link_run(r, buf_text(&sql), true, err);
    buf_fini(&sql);
    return rc;
}

/* Redshift adds one column a statement. */
static int32_t add_columns(redshift *r, const table *t, const bool *there, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < t->shape.count; i++) {
        if (there[i])
            continue;
        buf sql;
        buf_init(&sql, REDSHIFT_SQL_MAX);
        buf_adds(&sql, "ALTER TABLE ");
        put_qualified(r, t->name, &sql);
        buf_adds(&sql, " ADD COLUMN ");
        catalog_put_name(&sql, t->shape.columns[i].name);
        buf_addf(&sql, " %s", t->shape.columns[i].type);
        rc = link_run(r, buf_text(&sql), true, err);
        buf_fini(&sql);
    }
    return rc;
}

int32_t tables_of(redshift *r, ss_str receiver, table **out, ss_error *err)
{
    int32_t rc = tables_find(r, receiver, out, err);
    if (rc != SS_OK || (*out)->ready)
        return rc;
    table *t = *out;
    seeing s = {.table = t, .columns = calloc(t->shape.count + 1, sizeof *s.columns)};
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "SELECT column_name FROM information_schema.columns WHERE table_schema = ");
    catalog_put_text(&sql, r->schema);
    buf_adds(&sql, " AND table_name = ");
    catalog_put_text(&sql, t->name);
    rc = s.columns ? link_rows(r, buf_text(&sql), see_column, &s, err)
                   : ss_fail(err, SS_RETRY, "redshift: no memory");
    if (rc == SS_OK)
        rc = s.any ? add_columns(r, t, s.columns, err) : create_table(r, t, err);
    t->ready = rc == SS_OK;
    buf_fini(&sql);
    free(s.columns);
    return rc;
}

/* ---- rows ---- */

int32_t table_read(redshift *r, table *t, const ss_record *record, bool *fits, char *why, size_t why_size,
                   ss_error *err)
{
    *fits = true;
    if (!row_read(&r->row, &t->shape, record->json))
        return ss_fail(err, SS_RETRY, "redshift: no memory for a row");
    for (size_t i = 0; i < t->shape.count; i++) {
        const cell *c = &r->row.cells[i];
        if (c->kind != CELL_TEXT || c->len <= REDSHIFT_TEXT_MAX)
            continue;
        (void)snprintf(why, why_size, "%.128s has %u bytes, a VARCHAR of Redshift takes %u",
                       t->shape.columns[i].name, c->len, REDSHIFT_TEXT_MAX);
        *fits = false;
        return SS_OK;
    }
    if (r->row.extra.len > REDSHIFT_TEXT_MAX) {
        (void)snprintf(why, why_size, "what has no column has %zu bytes, ss_extra takes %u", r->row.extra.len,
                       REDSHIFT_TEXT_MAX);
        *fits = false;
    }
    return SS_OK;
}

static void put_text_json(buf *out, ss_str text)
{
    if (buf_reserve(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->ptr + out->len, text);
}

static void put_cell_json(buf *out, const cell *c, uint32_t type)
{
    if (c->kind == CELL_TEXT)
        put_text_json(out, ss_s(c->as.ptr, c->len));
    else if (c->kind == CELL_INT && type == SS_FIELD_BOOL)
        buf_adds(out, c->as.i64 ? "true" : "false");
    else if (c->kind == CELL_INT)
        buf_addf(out, "%lld", (long long)c->as.i64);
    else if (buf_reserve(out, JSON_DOUBLE_SIZE))
        out->len += json_put_double(out->ptr + out->len, c->as.f64);
}

/* The row that table_read() left: a JSON line whose members are the columns. */
bool table_put_json(redshift *r, table *t, const ss_record *record)
{
    buf *out = &t->lines;
    buf_addf(out, "{\"ss_seq\":%llu,\"ss_received_us\":%lld,\"ss_event_us\":%lld",
             (unsigned long long)record->seq, (long long)record->receive_us, (long long)record->event_us);
    if (r->row.extra.len > 0) {
        buf_adds(out, ",\"ss_extra\":");
        put_text_json(out, buf_str(&r->row.extra));
    }
    for (size_t i = 0; i < t->shape.count; i++) {
        const cell *c = &r->row.cells[i];
        if (c->kind == CELL_NULL)
            continue;
        buf_adds(out, ",");
        put_text_json(out, ss_cstr(t->shape.columns[i].name));
        buf_adds(out, ":");
        put_cell_json(out, c, t->shape.columns[i].field_type);
    }
    buf_adds(out, "}\n");
    t->rows++;
    return !out->failed;
}
