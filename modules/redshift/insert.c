/* One load as INSERTs with bound values, in one transaction with the position. What Redshift's libpq side
   lacks (ON CONFLICT, RETURNING, COPY FROM STDIN, savepoints) is not used, so PostgreSQL takes it, too. */
#include <stdlib.h>

#include "modules/redshift/redshift.h"
#include "plugins/common/fault.h"

#define VALUES_MAX      16000u /* bound to one statement; Redshift takes 32767 */
#define ROWS_MAX        1000u
#define STATEMENT_BYTES (4u << 20)

typedef struct inserting {
    redshift *r;
    piece *p;
    buf sql, texts;  /* texts: the values, each with its NUL */
    size_t *offsets; /* of the values in texts; SIZE_MAX = null */
    const char **values;
    size_t value_count, row_count;
    table *table;
} inserting;

static void put_value(inserting *s, const cell *c, uint32_t type)
{
    buf *out = &s->texts;
    if (c->kind == CELL_NULL) {
        s->offsets[s->value_count++] = SIZE_MAX;
        return;
    }
    s->offsets[s->value_count++] = out->len;
    if (c->kind == CELL_TEXT)
        buf_add(out, c->as.ptr, c->len);
    else if (c->kind == CELL_INT && type == SS_FIELD_BOOL)
        buf_adds(out, c->as.i64 ? "true" : "false");
    else if (c->kind == CELL_INT)
        buf_addf(out, "%lld", (long long)c->as.i64);
    else if (buf_reserve(out, JSON_DOUBLE_SIZE))
        out->len += json_put_double(out->ptr + out->len, c->as.f64);
    buf_add(out, "", 1);
}

/* ($1::BIGINT, ...): without the type a null would be a text. */
static void put_places(inserting *s, size_t first)
{
    const shape *sh = &s->table->shape;
    buf_adds(&s->sql, s->row_count ? ", (" : " VALUES (");
    for (size_t i = 0; i < OWN_COUNT + sh->count; i++)
        buf_addf(&s->sql, "%s$%zu::%s", i ? ", " : "", first + i + 1,
                 i < OWN_COUNT ? redshift_own_types[i] : sh->columns[i - OWN_COUNT].type);
    buf_adds(&s->sql, ")");
    s->row_count++;
}

static void begin_statement(inserting *s, table *t)
{
    s->table = t;
    s->value_count = s->row_count = 0;
    buf_reset(&s->sql);
    buf_reset(&s->texts);
    buf_adds(&s->sql, "INSERT INTO ");
    put_qualified(s->r, t->name, &s->sql);
    for (size_t i = 0; i < OWN_COUNT; i++)
        buf_addf(&s->sql, "%s%s", i ? ", " : " (", redshift_own_names[i]);
    for (size_t i = 0; i < t->shape.count; i++) {
        buf_adds(&s->sql, ", ");
        catalog_put_name(&s->sql, t->shape.columns[i].name);
    }
    buf_adds(&s->sql, ")");
}

static int32_t send_statement(inserting *s, ss_error *err)
{
    if (s->row_count == 0)
        return SS_OK;
    if (s->sql.failed || s->texts.failed)
        return ss_fail(err, SS_RETRY, "redshift: no memory for rows");
    for (size_t i = 0; i < s->value_count; i++)
        s->values[i] = s->offsets[i] == SIZE_MAX ? NULL : s->texts.ptr + s->offsets[i];
    s->row_count = 0;
    return pg_ask(&s->r->pg, buf_text(&s->sql), s->values, (int)s->value_count, NULL, err);
}

static void put_record(inserting *s, const ss_record *record)
{
    const cell own[] = {{.kind = CELL_INT, .as.i64 = (int64_t)record->seq},
                        {.kind = CELL_INT, .as.i64 = record->receive_us},
                        {.kind = CELL_INT, .as.i64 = record->event_us},
                        {.kind = s->r->row.extra.len ? CELL_TEXT : CELL_NULL,
                         .len = (uint32_t)s->r->row.extra.len,
                         .as.ptr = s->r->row.extra.ptr}};
    put_places(s, s->value_count);
    for (size_t i = 0; i < OWN_COUNT; i++)
        put_value(s, &own[i], SS_FIELD_INT);
    for (size_t i = 0; i < s->table->shape.count; i++)
        put_value(s, &s->r->row.cells[i], s->table->shape.columns[i].field_type);
}

/* The rows of one table: the records of others are passed over. */
static int32_t put_table(inserting *s, table *t, ss_error *err)
{
    piece *p = s->p;
    size_t width = OWN_COUNT + t->shape.count;
    int32_t rc = SS_OK;
    begin_statement(s, t);
    for (uint32_t i = p->lo; rc == SS_OK && i < p->hi; i++) {
        const ss_record *record = ss_record_at(p->batch, i);
        char why[200];
        bool fits;
        if (record->seq <= p->a || !ss_eq(record->receiver, ss_cstr(t->receiver)))
            continue;
        if (s->value_count + width > VALUES_MAX || s->row_count == ROWS_MAX ||
            s->texts.len > STATEMENT_BYTES) {
            rc = send_statement(s, err);
            begin_statement(s, t);
        }
        if (rc == SS_OK)
            rc = table_read(s->r, t, record, &fits, why, sizeof why, err);
        if (rc == SS_OK && !fits)
            rc = ss_fail(err, SS_REJECT, "%s", why);
        if (rc == SS_OK)
            put_record(s, record);
        p->rows += rc == SS_OK;
    }
    return rc == SS_OK ? send_statement(s, err) : rc;
}

/* ---- the transaction ---- */

static int32_t run(redshift *r, const char *before, const char *behind, ss_error *err)
{
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, before);
    put_qualified(r, REDSHIFT_POSITION, &sql);
    buf_adds(&sql, behind);
    int32_t rc = pg_run(&r->pg, buf_text(&sql), err);
    buf_fini(&sql);
    return rc;
}

static int32_t with_key(redshift *r, const piece *p, const char *before, const char *behind, uint64_t number,
                        ss_error *err)
{
    char text[24];
    const char *values[] = {r->journal, p->key, text};
    buf sql;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, before);
    put_qualified(r, REDSHIFT_POSITION, &sql);
    buf_adds(&sql, behind);
    int32_t rc = pg_ask(&r->pg, buf_text(&sql), values, 3, NULL, err);
    buf_fini(&sql);
    return rc;
}

/* Locked, so that nobody else moves it. */
static int32_t lock_position(inserting *s, ss_error *err)
{
    redshift *r = s->r;
    uint64_t position = 0;
    int32_t rc = pg_run(&r->pg, "BEGIN", err);
    if (rc == SS_OK)
        rc = run(r, "LOCK ", "", err);
    if (rc == SS_OK)
        rc = link_position(r, s->p->key, &position, err);
    if (rc == SS_OK && position == 0)
        rc = with_key(r, s->p, "DELETE FROM ",
                      " WHERE journal = $1::varchar AND module = $2::varchar AND through = $3::bigint", 0,
                      err);
    if (rc == SS_OK && position == 0)
        rc = with_key(r, s->p, "INSERT INTO ", " VALUES ($1::varchar, $2::varchar, $3::bigint)", 0, err);
    s->p->after = position;
    return rc;
}

static int32_t put_tables(inserting *s, ss_error *err)
{
    piece *p = s->p;
    int32_t rc = SS_OK;
    for (table *t = s->r->tables; rc == SS_OK && t; t = t->next)
        rc = put_table(s, t, err);
    if (rc == SS_OK)
        rc = with_key(s->r, p, "UPDATE ",
                      " SET through = $3::bigint WHERE journal = $1::varchar AND module = $2::varchar", p->b,
                      err);
    FAULT_POINT("redshift.inserted");
    if (rc == SS_OK)
        rc = pg_run(&s->r->pg, "COMMIT", err);
    FAULT_POINT("redshift.insert_committed");
    if (rc == SS_OK)
        p->after = p->b;
    return rc;
}

static int32_t want_tables(redshift *r, const piece *p, ss_error *err)
{
    int32_t rc = SS_OK;
    table *t;
    for (uint32_t i = p->lo; rc == SS_OK && i < p->hi; i++)
        rc = tables_of(r, ss_record_at(p->batch, i)->receiver, &t, err);
    return rc;
}

int32_t insert_load(redshift *r, piece *p, ss_error *err)
{
    inserting s = {.r = r, .p = p};
    bool begun = false;
    p->after = p->a;
    p->rows = 0;
    buf_init(&s.sql, REDSHIFT_SQL_MAX);
    buf_init(&s.texts, 256u << 20);
    s.offsets = calloc(VALUES_MAX, sizeof *s.offsets);
    s.values = calloc(VALUES_MAX, sizeof *s.values);
    int32_t rc = s.offsets && s.values ? SS_OK : ss_fail(err, SS_RETRY, "redshift: no memory");
    if (rc == SS_OK)
        rc = link_open(r, err);
    if (rc == SS_OK)
        rc = want_tables(r, p, err);
    if (rc == SS_OK) {
        begun = true;
        rc = lock_position(&s, err);
    }
    bool mine = rc == SS_OK && p->after == p->a;
    if (mine)
        rc = put_tables(&s, err);
    if (begun && !(mine && rc == SS_OK))
        link_rollback(r);
    buf_fini(&s.sql);
    buf_fini(&s.texts);
    free(s.offsets);
    free(s.values);
    return rc;
}
