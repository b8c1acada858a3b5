/* The configuration, and the database from closed to ready. */
#include <stdlib.h>

#include "modules/warehouse/warehouse.h"
#include "plugins/common/pg.h"

#define ALARM      "warehouse"
#define SECRET_MAX 4096u

static const ss_option name_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "The table's name, not beginning with load_, ss_, pg_ or sqlite_."},
    {.name = NULL},
};
static const ss_option index_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "Columns of one index, with blanks between them: \"event_type ss_event_us\"."},
    {.name = NULL},
};
static const ss_option index_list[] = {
    {.name = "*",
     .type = SS_T_LIST,
     .min = 0,
     .max = 32,
     .children = index_item,
     .doc = "The indexes of that receiver's table; [] = none."},
    {.name = NULL},
};

const ss_option warehouse_options[] = {
    {.name = "database",
     .type = SS_T_ENUM,
     .dflt = "sqlite",
     .choices = "sqlite|postgres",
     .doc = "Where the tables are: one SQLite file, or a PostgreSQL database."},
    {.name = "path",
     .type = SS_T_PATH,
     .dflt = "warehouse.db",
     .doc = "SQLite: the file; it is made where it is not there."},
    {.name = "connection",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "PostgreSQL: \"host=... dbname=... user=... password=...\" or a postgresql:// URI."},
    {.name = "tables",
     .type = SS_T_MAP,
     .dflt = "{}",
     .min = 0,
     .max = TABLES_MAX,
     .children = name_item,
     .doc = "Receivers whose table is not called like them: {game: raw_events}."},
    {.name = "indexes",
     .type = SS_T_MAP,
     .dflt = "{}",
     .min = 0,
     .max = TABLES_MAX,
     .children = index_list,
     .doc = "Indexes by receiver, in place of the usual ones (event_type and event_timestamp, "
            "event_timestamp: where the table has these columns)."},
    {.name = "views",
     .type = SS_T_STRING,
     .dflt = "game",
     .doc = "The receiver whose table the game's views look at; \"\" = no views."},
    {.name = "retention",
     .type = SS_T_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 3660LL * 86400000,
     .doc = "Rows older than this are deleted, a few at a time; 0s = they stay."},
    {.name = "retention_by",
     .type = SS_T_ENUM,
     .dflt = "received",
     .choices = "received|event",
     .doc = "What counts as a row's age: since it was received, or since it happened."},
    {.name = "vacuum",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "SQLite: give space that deleted rows leave back to the disk, as far as more than a quarter of "
            "the file is free."},
    {.name = "wal_max",
     .type = SS_T_SIZE,
     .dflt = "1GiB",
     .min = 1 << 20,
     .max = 1LL << 40,
     .doc = "SQLite: loading waits where a reader's open transaction keeps the -wal file larger than this."},
    {.name = NULL},
};

/* ---- the configuration ---- */

static db *make_db(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    bool postgres = ss_eq(host->cfg_str(cfg, "database"), SS_LIT("postgres"));
    ss_str path = host->cfg_str(cfg, "path");
    db *d = postgres ? db_new_postgres() : db_new_sqlite();
    if (!d) {
        (void)ss_fail(err, 0, "warehouse: out of memory");
        return NULL;
    }
    d->host = host;
    d->cfg = cfg;
    d->wal_max = (uint64_t)host->cfg_int(cfg, "wal_max");
    (void)snprintf(d->path, sizeof d->path, "%.*s", (int)path.len, path.ptr);
    if (!postgres && (path.len == 0 || path.len >= sizeof d->path - 8)) {
        (void)ss_fail(err, 0, "warehouse: path must have 1 to %d bytes", PATH_MAX - 9);
        db_free(d);
        return NULL;
    }
    return d;
}

static bool connection_good(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    char text[SECRET_MAX];
    if (!ss_eq(host->cfg_str(cfg, "database"), SS_LIT("postgres")))
        return true;
    int64_t len = host->secret(host->self, cfg, "connection", text, sizeof text - 1, err);
    if (len < 0)
        return false;
    if (len == 0)
        return ss_fail(err, 0,
                       "warehouse: database: postgres needs `connection`: \"host=... dbname=... user=... "
                       "password=...\"");
    text[len] = '\0';
    bool good = pg_conninfo_valid(text, err);
    explicit_bzero(text, sizeof text);
    return good;
}

/* Two receivers in one table would mix their columns. */
static bool tables_good(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const ss_config *map = host->cfg_get(cfg, "tables");
    size_t count = map ? host->cfg_len(map) : 0;
    for (size_t i = 0; i < count; i++) {
        ss_str name = host->cfg_str(host->cfg_at(map, i), "");
        if (!tables_name_valid(name))
            return ss_fail(
                err, 0,
                "warehouse: tables: \"%.*s\" cannot be the name of a table: 1 to 63 bytes, not beginning "
                "with load_, ss_, pg_ or sqlite_",
                (int)(name.len < 64 ? name.len : 64), name.ptr);
        for (size_t k = 0; k < i; k++)
            if (ss_eq(name, host->cfg_str(host->cfg_at(map, k), "")))
                return ss_fail(err, 0, "warehouse: tables: two receivers have the table \"%.*s\"",
                               (int)name.len, name.ptr);
    }
    return true;
}

void warehouse_register(warehouse *w)
{
    const ss_host *h = w->host;
    warehouse_metrics *m = &w->metrics;
    m->rows = h->counter(h->self, "warehouse_rows_total", "Rows that were loaded.", "");
    m->transactions =
        h->counter(h->self, "warehouse_transactions_total", "Transactions that loaded rows.", "");
    m->seconds = h->counter(h->self, "warehouse_seconds_total", "Time that loading took.", "");
    m->extras = h->counter(h->self, "warehouse_extra_total", "Rows with something in ss_extra.", "");
    m->deleted = h->counter(h->self, "warehouse_deleted_total", "Rows that retention deleted.", "");
    m->lag = h->gauge(h->self, "warehouse_lag_seconds", "Age of the newest row when it was committed.", "");
}

warehouse *warehouse_new(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    if (!tables_good(host, cfg, err) || !connection_good(host, cfg, err))
        return NULL;
    warehouse *w = calloc(1, sizeof *w);
    db *d = w ? make_db(host, cfg, err) : NULL;
    if (!d) {
        if (!w)
            (void)ss_fail(err, 0, "warehouse: out of memory");
        free(w);
        return NULL;
    }
    w->host = host;
    w->db = d;
    w->retention_ms = host->cfg_int(cfg, "retention");
    w->by_event = ss_eq(host->cfg_str(cfg, "retention_by"), SS_LIT("event"));
    w->vacuum = host->cfg_int(cfg, "vacuum") != 0;
    row_init(&w->row);
    tables_init(&w->tables, d, host, cfg);
    w->tables.age_index = w->retention_ms == 0     ? NULL
                          : w->by_event            ? "ss_event_us"
                          : d->ops == &db_postgres ? "ss_received_us"
                                                   : NULL;
    loads_init(&w->loads, d, 0, host->instance);
    return w;
}

void warehouse_free(warehouse *w)
{
    tables_free(&w->tables);
    db_free(w->db);
    row_fini(&w->row);
    free(w);
}

/* ---- what is said ---- */

int32_t warehouse_failed(warehouse *w, int32_t rc, ss_error *err)
{
    w->host->alarm(w->host->self, ALARM, err->text);
    w->alarmed = true;
    if (rc != SS_FATAL && rc != SS_REJECT)
        return rc;
    w->db->ops->close(w->db); /* somebody changed the schema: it is looked at anew */
    return SS_RETRY;
}

void warehouse_works(warehouse *w)
{
    if (w->alarmed)
        w->host->alarm(w->host->self, ALARM, NULL);
    w->alarmed = false;
}

/* ---- opening ---- */

int32_t warehouse_open(warehouse *w, ss_error *err)
{
    if (w->db->ops->is_open(w->db) && w->opened)
        return SS_OK;
    w->opened = false;
    tables_forget(&w->tables);
    loads_init(&w->loads, w->db, w->journal_id, w->host->instance);
    int32_t rc = w->db->ops->is_open(w->db) ? SS_OK : w->db->ops->open(w->db, err);
    if (rc == SS_OK)
        rc = tables_make(&w->tables, err);
    w->opened = rc == SS_OK;
    return rc;
}
