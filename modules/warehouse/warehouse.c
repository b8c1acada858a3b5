/* The warehouse: events as rows of SQL tables. What is promised: every record is in its table exactly once,
   whatever happened in between, because the position that says how far the loading came is written in the
   same transaction as the rows. docs/warehouse.md is for those who use it. */
#include "modules/warehouse/warehouse.h"

#include <unistd.h>

#include "plugins/common/fault.h"

#define BATCH_RECORDS 10000u
#define BATCH_BYTES   (8u << 20)

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    warehouse *w = warehouse_new(host, cfg, err);
    if (!w)
        return SS_REJECT;
    warehouse_register(w);
    *inst = w;
    return SS_OK;
}

static void destroy(void *inst)
{
    warehouse_free(inst);
}

/* ---- start ---- */

static bool is_replay(const ss_host *host)
{
    static const char mark[] = "/replay-";
    ss_str dir = host->data_dir(host->self);
    size_t at = dir.len;
    while (at > 0 && dir.ptr[at - 1] != '/')
        at--;
    return at > 0 && dir.len - at + 1 >= sizeof mark - 1 &&
           memcmp(dir.ptr + at - 1, mark, sizeof mark - 1) == 0;
}

/* What the database had when the host last heard of it; 0: it never did. */
static uint64_t noted(ss_str state)
{
    static const char head[] = "warehouse1 through=";
    uint64_t through = 0;
    if (state.len < sizeof head - 1 || memcmp(state.ptr, head, sizeof head - 1) != 0)
        return 0;
    for (size_t i = sizeof head - 1; i < state.len && state.ptr[i] >= '0' && state.ptr[i] <= '9'; i++)
        through = through * 10 + (uint64_t)(state.ptr[i] - '0');
    return through;
}

/* The database has less than it had: what the journal still has comes again. */
static int32_t load_again(warehouse *w, uint64_t position, uint64_t had, ss_error *err)
{
    const ss_host *h = w->host;
    uint64_t from = position;
    int32_t rc = SS_HAS(ss_host, h, rewind) && h->rewind ? h->rewind(h->self, &from, err) : SS_DECLINE;
    if (rc != SS_OK) {
        ss_logf(
            h, SS_ERROR,
            "the database ends at record %llu, it had %llu: load the rest with `streamsteam journal replay`",
            (unsigned long long)position, (unsigned long long)had);
        h->alarm(h->self, "restored",
                 "the database lacks records that it had; `streamsteam journal replay` loads them");
        return SS_OK;
    }
    ss_logf(h, SS_WARNING,
            "the database ends at record %llu, it had %llu (it was deleted, restored or replaced): records "
            "%llu to %llu are "
            "loaded again",
            (unsigned long long)position, (unsigned long long)had, (unsigned long long)from + 1,
            (unsigned long long)had);
    if (from > position) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "records %llu to %llu are in the database no more, and the journal has let go of them",
                       (unsigned long long)position + 1, (unsigned long long)from);
        ss_logf(h, SS_ERROR, "%s", text);
        h->alarm(h->self, "restored", text);
    }
    return SS_OK;
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    warehouse *w = inst;
    uint64_t had = noted(resume->state);
    w->journal_id = resume->journal_id;
    w->replay = is_replay(w->host);
    w->opened = false;
    int32_t rc = warehouse_open(w, err);
    if (rc == SS_OK)
        rc = loads_position(&w->loads, &w->position, err);
    if (rc != SS_OK)
        return warehouse_failed(w, rc, err);
    warehouse_works(w);
    if (w->replay) {
        w->position = 0;
        return SS_OK;
    }
    warehouse_tidy_start(w);
    FAULT_POINT("warehouse.started");
    return w->position < had ? load_again(w, w->position, had, err) : SS_OK;
}

static int32_t flush(void *inst, int64_t deadline_us, ss_error *err)
{
    warehouse *w = inst;
    (void)deadline_us;
    return w->broken ? ss_fail(err, SS_FATAL, "%s", w->why) : warehouse_settle(w, err);
}

static int32_t health(void *inst, ss_error *err)
{
    const warehouse *w = inst;
    return w->broken ? ss_fail(err, SS_FATAL, "%s", w->why) : SS_OK;
}

/* ---- the verbs ---- */

/* check --connect: may this be written to? */
static int32_t check(void *inst, ss_error *err)
{
    warehouse *w = inst;
    bool postgres = w->db->ops == &db_postgres;
    uint64_t may = 0;
    if (!postgres && access(w->db->path, F_OK) != 0)
        return SS_OK; /* it is made at the first start */
    int32_t rc = w->db->ops->open(w->db, err);
    if (rc == SS_OK && postgres)
        rc = db_number(w->db, "SELECT has_schema_privilege(current_schema(), 'CREATE')::int", NULL, 0, &may,
                       NULL, err);
    else if (rc == SS_OK)
        rc = db_number(w->db, "SELECT count(*) >= 0 FROM sqlite_master", NULL, 0, &may, NULL, err);
    if (rc == SS_OK && !may)
        rc = ss_fail(err, SS_PAUSE,
                     "warehouse: the user of `connection` may not make tables: GRANT CREATE ON SCHEMA ... TO "
                     "...");
    w->db->ops->close(w->db);
    return rc;
}

static void say(const ss_sink *out, const char *text)
{
    (void)out->write(out->self, text, strlen(text));
}

static int32_t setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    warehouse *w = warehouse_new(host, cfg, err);
    if (!w)
        return SS_REJECT;
    int32_t rc = warehouse_open(w, err);
    if (rc == SS_OK) {
        for (const table *t = w->tables.first; t; t = t->next) {
            say(out, "table ");
            say(out, t->name);
            say(out, "\n");
        }
        say(out, "The warehouse is ready; tables of other receivers are made with their first event.\n");
    }
    warehouse_free(w);
    return rc;
}

static int32_t teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    warehouse *w = warehouse_new(host, cfg, err);
    if (!w)
        return SS_REJECT;
    int32_t rc = warehouse_open(w, err);
    if (rc == SS_OK)
        rc = tables_drop_views(&w->tables, err);
    if (rc == SS_OK)
        say(out, "The views are gone. The tables stay, with their rows: drop them (or delete the file) where "
                 "nobody needs "
                 "them any more.\n");
    warehouse_free(w);
    return rc;
}

static int32_t howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    (void)err;
    bool postgres = ss_eq(host->cfg_str(cfg, "database"), SS_LIT("postgres"));
    ss_str path = host->cfg_str(cfg, "path");
    say(out,
        "Each receiver has a table of its name, with a column for each field (`streamsteam catalog`).\n\n"
        "  streamsteam query 'SELECT count(*) FROM matomo'\n");
    if (postgres) {
        say(out, "  psql \"$CONNECTION\" -c 'SELECT count(*) FROM matomo'\n");
        return SS_OK;
    }
    say(out, "  sqlite3 -readonly ");
    (void)out->write(out->self, path.ptr, path.len);
    say(out, " 'SELECT count(*) FROM matomo'\n\nReaders do not disturb the loading; one that keeps a "
             "transaction open for hours "
             "does (see wal_max).\n");
    return SS_OK;
}

static const ss_module module = {
    .struct_size = sizeof module,
    .flags = SS_MODULE_COMMITS,
    .max_records = BATCH_RECORDS,
    .max_bytes = BATCH_BYTES,
    .deliver = warehouse_deliver,
    .flush = flush,
    .health = health,
};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "warehouse",
    .version = "1.0.0",
    .summary = "Events as rows of SQL tables: a SQLite file, or PostgreSQL.",
    .license = "MIT",
    .options = warehouse_options,
    .module = &module,
    .create = create,
    .check = check,
    .start = start,
    .destroy = destroy,
    .setup = setup,
    .teardown = teardown,
    .howto = howto,
};

SS_PLUGIN(plugin);
