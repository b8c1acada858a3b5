/* One load by COPY: objects on S3, then one transaction that takes them in only where the position is still
   the one that they begin behind. That alone makes a repeat harmless; the plan beside the host's cursor is
   there so that a statement that may still run is asked about before anything is done again. */
#include <stdlib.h>

#include "modules/redshift/redshift.h"
#include "plugins/common/fault.h"

#define COPY_TABLES_MAX 8u /* four statements each, of the 40 that one transaction takes */
#define COPY_BYTES_MAX  (128u << 20)
#define STATEMENTS_MAX  (COPY_TABLES_MAX * 4 + 4)
#define BACK_US         3000000 /* the call is back so long before its deadline */
#define AGAIN_MS        1000
#define MANIFEST_MAX    4096u

typedef struct copying {
    redshift *r;
    piece *p;
    plan *plan;
    table *used[COPY_TABLES_MAX];
    uint32_t used_count;
    buf sqls[STATEMENTS_MAX];
    size_t sql_count;
} copying;

/* ---- names ---- */

static void object_key(const redshift *r, const plan *p, uint32_t k, const char *extension,
                       char out[STAGE_KEY_SIZE])
{
    (void)snprintf(out, STAGE_KEY_SIZE, "%s%s-%.*s-%llu-%llu-%08x-%u%s", r->stage.prefix, r->journal,
                   (int)r->host->instance.len, r->host->instance.ptr, (unsigned long long)p->a,
                   (unsigned long long)p->b, p->crc, k, extension);
}

/* What is left behind is named in the log, and harmless: nobody reads it. */
static void delete_objects(redshift *r, plan *p)
{
    static const char *const extensions[] = {".manifest", ".json.gz"};
    char key[STAGE_KEY_SIZE];
    ss_error err = {.struct_size = sizeof err};
    for (uint32_t k = 0; k < p->tables; k++)
        for (size_t e = 0; e < 2; e++) {
            object_key(r, p, k, extensions[e], key);
            if (stage_delete(&r->stage, key, 0, &err) != SS_OK)
                ss_logf(r->host, SS_WARNING, "a staging object stays behind: s3://%s/%s (%s)",
                        r->stage.bucket, key, err.text);
        }
    p->tables = 0;
}

/* The same load has the same token, so that the Data API gives the id that it gave before. */
static void make_token(const copying *c, char out[API_TOKEN_SIZE])
{
    uint64_t hash = 14695981039346656037u;
    for (const char *k = c->p->key; *k; k++)
        hash = (hash ^ (unsigned char)*k) * 1099511628211u;
    hash = (hash ^ c->plan->a) * 1099511628211u;
    hash = (hash ^ c->plan->b) * 1099511628211u;
    (void)snprintf(out, API_TOKEN_SIZE, "%s-%016llx-%08x-%u", c->r->journal, (unsigned long long)hash,
                   c->plan->crc, c->plan->attempt);
}

/* ---- rows ---- */

static int32_t use(copying *c, table *t, bool *full)
{
    for (uint32_t i = 0; i < c->used_count; i++)
        if (c->used[i] == t)
            return SS_OK;
    if (c->used_count == COPY_TABLES_MAX) {
        *full = true;
        return SS_OK;
    }
    buf_reset(&t->lines);
    t->rows = 0;
    c->used[c->used_count++] = t;
    return SS_OK;
}

static int32_t gather(copying *c, ss_error *err)
{
    piece *p = c->p;
    size_t bytes = 0;
    p->rows = 0;
    for (uint32_t i = p->lo; i < p->hi; i++) {
        const ss_record *record = ss_record_at(p->batch, i);
        char why[200];
        bool fits, full = bytes > COPY_BYTES_MAX;
        table *t = NULL;
        if (record->seq <= p->a)
            continue;
        int32_t rc = tables_of(c->r, record->receiver, &t, err);
        if (rc == SS_OK)
            rc = use(c, t, &full);
        if (rc == SS_OK && full) { /* the rest in a load of its own */
            p->hi = i;
            p->b = ss_record_at(p->batch, i - 1)->seq;
            break;
        }
        if (rc == SS_OK)
            rc = table_read(c->r, t, record, &fits, why, sizeof why, err);
        if (rc != SS_OK)
            return rc;
        if (!fits)
            return ss_fail(err, SS_REJECT, "%s", why);
        size_t before = t->lines.len;
        if (!table_put_json(c->r, t, record))
            return ss_fail(err, SS_RETRY, "redshift: no memory for %u records; lower batch.bytes",
                           p->hi - p->lo);
        bytes += t->lines.len - before;
        p->rows++;
    }
    return SS_OK;
}

static void make_plan(copying *c)
{
    const piece *p = c->p;
    plan wanted = {.a = p->a, .b = p->b, .tables = c->used_count, .count = p->rows, .open = true};
    for (uint32_t i = 0; i < c->used_count; i++)
        wanted.crc = stage_crc(wanted.crc, buf_str(&c->used[i]->lines));
    plan *had = c->plan;
    bool same =
        had->a == wanted.a && had->b == wanted.b && had->crc == wanted.crc && had->count == wanted.count;
    if (same)
        wanted.attempt = had->attempt;
    else if (had->tables > 0)
        delete_objects(c->r, had);
    *had = wanted;
}

static int32_t put_objects(copying *c, ss_error *err)
{
    redshift *r = c->r;
    char key[STAGE_KEY_SIZE];
    buf gz, manifest;
    int32_t rc = SS_OK;
    buf_init(&gz, 2 * COPY_BYTES_MAX);
    buf_init(&manifest, MANIFEST_MAX);
    for (uint32_t k = 0; rc == SS_OK && k < c->used_count; k++) {
        buf_reset(&gz);
        buf_reset(&manifest);
        if (!stage_gzip(buf_str(&c->used[k]->lines), &gz)) {
            rc = ss_fail(err, SS_RETRY, "redshift: no memory to compress a load");
            break;
        }
        object_key(r, c->plan, k, ".json.gz", key);
        rc = stage_put(&r->stage, key, buf_str(&gz), "application/gzip", c->p->deadline_us, err);
        r->host->metric_add(r->metrics.staged, (double)gz.len);
        buf_addf(&manifest, "{\"entries\":[{\"url\":\"s3://%s/%s\",\"mandatory\":true}]}", r->stage.bucket,
                 key);
        object_key(r, c->plan, k, ".manifest", key);
        FAULT_POINT("redshift.half_staged");
        if (rc == SS_OK)
            rc = stage_put(&r->stage, key, buf_str(&manifest), "application/json", c->p->deadline_us, err);
    }
    if (rc != SS_OK)
        r->retry_after_ms = r->stage.retry_after_ms;
    buf_fini(&gz);
    buf_fini(&manifest);
    return rc;
}

/* ---- the transaction ---- */

static buf *statement(copying *c)
{
    buf *sql = &c->sqls[c->sql_count++];
    buf_init(sql, API_SQL_MAX);
    return sql;
}

static void put_row(const copying *c, buf *sql)
{
    buf_addf(sql, " WHERE journal = '%s' AND module = ", c->r->journal);
    catalog_put_text(sql, c->p->key);
}

static void put_gate(const copying *c, buf *sql)
{
    put_row(c, sql);
    buf_addf(sql, " AND through = %llu", (unsigned long long)c->plan->a);
}

/* The lock comes first: under snapshot isolation what is read later is then what is there. */
static void position_statements(copying *c)
{
    buf *sql = statement(c);
    buf_adds(sql, "LOCK ");
    put_qualified(c->r, REDSHIFT_POSITION, sql);
    sql = statement(c);
    buf_adds(sql, "INSERT INTO ");
    put_qualified(c->r, REDSHIFT_POSITION, sql);
    buf_addf(sql, " SELECT '%s', ", c->r->journal);
    catalog_put_text(sql, c->p->key);
    buf_adds(sql, ", 0 WHERE NOT EXISTS (SELECT 1 FROM ");
    put_qualified(c->r, REDSHIFT_POSITION, sql);
    put_row(c, sql);
    buf_adds(sql, ")");
}

static void put_role(const redshift *r, buf *sql)
{
    ss_str role = r->host->cfg_str(r->cfg, "iam_role"), region = r->host->cfg_str(r->cfg, "staging_region");
    if (ss_eq(role, SS_LIT("default")))
        buf_adds(sql, " IAM_ROLE default");
    else
        buf_addf(sql, " IAM_ROLE '%.*s'", (int)role.len, role.ptr);
    if (region.len)
        buf_addf(sql, " REGION '%.*s'", (int)region.len, region.ptr);
}

static void table_statements(copying *c, uint32_t k)
{
    char key[STAGE_KEY_SIZE];
    const redshift *r = c->r;
    buf *sql = statement(c);
    buf_addf(sql, "CREATE TEMP TABLE ss_stage_%u (LIKE ", k);
    put_qualified(r, c->used[k]->name, sql);
    buf_adds(sql, ")");
    sql = statement(c);
    object_key(r, c->plan, k, ".manifest", key);
    buf_addf(sql, "COPY ss_stage_%u FROM 's3://%s/%s'", k, r->stage.bucket, key);
    put_role(r, sql);
    buf_adds(sql, " MANIFEST FORMAT AS JSON 'auto' GZIP TIMEFORMAT 'auto'");
    sql = statement(c);
    buf_adds(sql, "INSERT INTO ");
    put_qualified(r, c->used[k]->name, sql);
    buf_addf(sql, " SELECT s.* FROM ss_stage_%u s WHERE EXISTS (SELECT 1 FROM ", k);
    put_qualified(r, REDSHIFT_POSITION, sql);
    put_gate(c, sql);
    buf_adds(sql, ")");
    sql = statement(c);
    buf_addf(sql, "DROP TABLE ss_stage_%u", k);
}

static int32_t make_statements(copying *c, ss_error *err)
{
    position_statements(c);
    for (uint32_t k = 0; k < c->used_count; k++)
        table_statements(c, k);
    buf *sql = statement(c);
    buf_adds(sql, "UPDATE ");
    put_qualified(c->r, REDSHIFT_POSITION, sql);
    buf_addf(sql, " SET through = %llu", (unsigned long long)c->plan->b);
    put_gate(c, sql);
    sql = statement(c);
    buf_adds(sql, "SELECT through FROM ");
    put_qualified(c->r, REDSHIFT_POSITION, sql);
    put_row(c, sql);
    for (size_t i = 0; i < c->sql_count; i++)
        if (c->sqls[i].failed)
            return ss_fail(err, SS_RETRY, "redshift: no memory for a statement");
    return SS_OK;
}

static int32_t submit(copying *c, ss_error *err)
{
    const char *texts[STATEMENTS_MAX];
    char token[API_TOKEN_SIZE];
    redshift *r = c->r;
    for (size_t i = 0; i < c->sql_count; i++)
        texts[i] = buf_text(&c->sqls[i]);
    make_token(c, token);
    int32_t rc =
        api_submit(&r->api, texts, c->sql_count, token, c->plan->id, c->p->deadline_us - BACK_US, err);
    if (rc != SS_OK)
        c->plan->id[0] = '\0';
    if (r->api.unknown)
        r->host->metric_add(r->metrics.unknown, 1);
    r->retry_after_ms = r->api.retry_after_ms;
    return rc;
}

/* ---- through a connection ---- */

static int32_t run_statements(copying *c, ss_error *err)
{
    pg *p = &c->r->pg;
    char begin[80];
    int64_t left_ms = (c->p->deadline_us - BACK_US - c->r->host->now_us(c->r->host->self)) / 1000;
    (void)snprintf(begin, sizeof begin, "BEGIN; SET LOCAL statement_timeout TO %lld",
                   (long long)(left_ms > 1 ? left_ms : 1));
    int32_t rc = pg_run(p, begin, err);
    for (size_t i = 0; rc == SS_OK && i + 1 < c->sql_count; i++)
        rc = pg_run(p, buf_text(&c->sqls[i]), err);
    if (rc == SS_OK)
        rc = link_rows(c->r, buf_text(&c->sqls[c->sql_count - 1]), link_take_number, &c->p->after, err);
    FAULT_POINT("redshift.copied");
    return rc;
}

/* Where the connection is lost the outcome is not known: the plan stays open, and the position decides. */
static int32_t run_connected(copying *c, enum api_state *state, ss_error *err)
{
    redshift *r = c->r;
    int32_t rc = link_open(r, err);
    if (rc != SS_OK)
        return rc;
    rc = run_statements(c, err);
    if (rc == SS_OK)
        rc = pg_run(&r->pg, "COMMIT", err);
    FAULT_POINT("redshift.copy_committed");
    if (rc == SS_OK) {
        *state = API_FINISHED;
        return SS_OK;
    }
    if (!pg_is_open(&r->pg)) {
        r->host->metric_add(r->metrics.unknown, 1);
        return SS_RETRY;
    }
    link_rollback(r);
    c->plan->attempt++;
    *state = API_FAILED;
    return rc == SS_FATAL || rc == SS_RETRY ? api_meaning(err->text) : rc; /* Redshift's are XX000, mostly */
}

/* How it ended. */
static int32_t outcome(copying *c, enum api_state state, const char *why, ss_error *err)
{
    redshift *r = c->r;
    plan *pl = c->plan;
    int32_t rc;
    switch (state) {
    case API_FINISHED:
        FAULT_POINT("redshift.finished");
        rc = api_rows(&r->api, pl->id, (unsigned)c->sql_count, link_take_number, &c->p->after,
                      c->p->deadline_us, err);
        return rc == SS_OK ? rc : link_position(r, c->p->key, &c->p->after, err);
    case API_FAILED:
        pl->attempt++;
        pl->id[0] = '\0';
        rc = api_meaning(why);
        return ss_fail(err, rc, "Redshift: %s", why);
    case API_GONE:
        pl->attempt++;
        pl->id[0] = '\0';
        return link_position(r, c->p->key, &c->p->after, err);
    default:
        r->retry_after_ms = AGAIN_MS;
        return ss_fail(err, SS_RETRY, "redshift: the load %s still runs", pl->id);
    }
}

/* Redshift's view of what was wrong with a file: its last line in the system's table, where we may read it.
 */
static void take_reason(void *arg, ss_str text)
{
    ss_error *err = arg;
    (void)snprintf(err->text, sizeof err->text, "Redshift: %.*s", (int)text.len, text.ptr);
}

static void ask_reason(copying *c, ss_error *err)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    char key[STAGE_KEY_SIZE];
    buf sql;
    if (c->p->rows != 1)
        return;
    buf_init(&sql, API_SQL_MAX);
    object_key(c->r, c->plan, 0, ".json.gz", key);
    buf_addf(&sql,
             "SELECT TRIM(column_name) || ': ' || TRIM(error_message) FROM sys_load_error_detail WHERE "
             "TRIM(file_name) = "
             "'s3://%s/%s' LIMIT 1",
             c->r->stage.bucket, key);
    (void)link_rows(c->r, buf_text(&sql), take_reason, err, &ignored);
    buf_fini(&sql);
}

static int32_t ended(copying *c, int32_t rc, const enum api_state *state, ss_error *err)
{
    if (*state == API_FAILED && rc == SS_REJECT)
        ask_reason(c, err);
    if (*state != API_RUNNING && (*state != API_FINISHED || rc == SS_OK)) {
        delete_objects(c->r, c->plan);
        c->plan->open = false;
        FAULT_POINT("redshift.deleted");
    }
    return rc;
}

static int32_t run_plan(copying *c, ss_error *err)
{
    enum api_state state = API_RUNNING;
    char why[API_TEXT_SIZE];
    redshift *r = c->r;
    int32_t rc = make_statements(c, err);
    if (rc == SS_OK && c->p->noted)
        rc = redshift_note(r, err);
    FAULT_POINT("redshift.planned");
    if (rc == SS_OK)
        rc = put_objects(c, err);
    FAULT_POINT("redshift.staged");
    if (rc == SS_OK && redshift_uses_pg(r))
        return ended(c, run_connected(c, &state, err), &state, err);
    if (rc == SS_OK)
        rc = submit(c, err);
    FAULT_POINT("redshift.submitted");
    if (rc == SS_OK && c->p->noted)
        rc = redshift_note(r, err);
    FAULT_POINT("redshift.noted");
    if (rc == SS_OK)
        rc = api_wait(&r->api, c->plan->id, c->p->deadline_us - BACK_US, &state, why, err);
    if (rc == SS_OK)
        rc = outcome(c, state, why, err);
    return ended(c, rc, &state, err);
}

int32_t copy_load(redshift *r, piece *p, ss_error *err)
{
    plan own = {.a = 0};
    copying c = {.r = r, .p = p, .plan = p->noted ? &r->plan : &own};
    p->after = p->a;
    int32_t rc = gather(&c, err);
    if (rc == SS_OK) {
        make_plan(&c);
        rc = run_plan(&c, err);
    }
    for (size_t i = 0; i < c.sql_count; i++)
        buf_fini(&c.sqls[i]);
    return rc;
}

/* ---- what is open ---- */

int32_t copy_settle(redshift *r, int64_t deadline_us, ss_error *err)
{
    enum api_state state = API_GONE;
    char why[API_TEXT_SIZE] = "";
    plan *pl = &r->plan;
    int32_t rc = SS_OK;
    if (!pl->open)
        return SS_OK;
    if (pl->id[0])
        rc = api_wait(&r->api, pl->id, deadline_us - BACK_US, &state, why, err);
    if (rc != SS_OK)
        return rc;
    if (state == API_RUNNING) {
        r->retry_after_ms = AGAIN_MS;
        return ss_fail(err, SS_RETRY, "redshift: the load %s still runs", pl->id);
    }
    rc = link_position(r, r->key, &r->position, err);
    if (rc != SS_OK)
        return rc;
    r->known = true;
    if (state == API_FAILED && api_meaning(why) == SS_REJECT && pl->count > 1) {
        r->piece_max = pl->count / 2;
        r->suspect_through = pl->b;
    }
    /* Without an id it may be that nothing was handed in, or that the answer was lost: the same load again
       has the same token. Its objects go where the position is behind them. */
    if (pl->id[0]) {
        pl->attempt++;
        delete_objects(r, pl);
    } else if (r->position >= pl->b) {
        delete_objects(r, pl);
    }
    pl->id[0] = '\0';
    pl->open = false;
    return SS_OK;
}
