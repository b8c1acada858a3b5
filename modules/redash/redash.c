/* Tells a Redash about the warehouse: a data source, the saved queries of the game part, a dashboard. It does
   its work in setup and teardown; records only pass by. */
#include <stdarg.h>
#include <time.h>

#include "modules/redash/make.h"

#define TRIES      5
#define FIRST_MS   200
#define QUERY_NAME 64u

static const ss_option query_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "The name of a saved query, as `streamsteam query --list` shows it."},
    {.name = NULL}};
static const ss_option source_options[] = {
    {.name = "name",
     .type = SS_T_STRING,
     .dflt = "StreamSteam",
     .doc = "Its name in Redash, by which it is found again."},
    {.name = "type",
     .type = SS_T_ENUM,
     .flags = SS_OPT_REQUIRED,
     .choices = "postgres|sqlite|athena|existing",
     .doc = "What it is; existing: one that is in Redash already and is left as it is."},
    {.name = NULL}};
static const ss_option postgres_options[] = {
    {.name = "host", .type = SS_T_STRING, .dflt = "localhost", .doc = "The server, as Redash sees it."},
    {.name = "port", .type = SS_T_INT, .dflt = "5432", .min = 1, .max = 65535, .doc = "Its port."},
    {.name = "database",
     .type = SS_T_STRING,
     .dflt = "streamsteam",
     .doc = "The database that the warehouse writes."},
    {.name = "user",
     .type = SS_T_STRING,
     .dflt = "redash",
     .doc = "A user that may read it, and nothing else."},
    {.name = "password",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "The user's password; without it Redash keeps the one that it has."},
    {.name = "sslmode",
     .type = SS_T_ENUM,
     .dflt = "prefer",
     .choices = "disable|allow|prefer|require|verify-ca|verify-full",
     .doc = "TLS between Redash and PostgreSQL."},
    {.name = NULL}};
static const ss_option sqlite_options[] = {
    {.name = "file",
     .type = SS_T_STRING,
     .dflt = "/data/warehouse.db",
     .doc = "The warehouse's file, as Redash sees it: mount its folder into Redash's workers."},
    {.name = NULL}};
static const ss_option athena_options[] = {
    {.name = "region", .type = SS_T_STRING, .dflt = "us-east-1", .doc = "The AWS region."},
    {.name = "staging",
     .type = SS_T_STRING,
     .doc = "Where Athena writes results, as s3://bucket/tmp/redash/; required for type athena."},
    {.name = "workgroup", .type = SS_T_STRING, .dflt = "primary", .doc = "Athena's workgroup."},
    {.name = "database",
     .type = SS_T_STRING,
     .dflt = "streamsteam",
     .doc = "The database of the Glue catalog."},
    {.name = "table",
     .type = SS_T_STRING,
     .dflt = "raw_events",
     .doc = "The table with the raw events, which the module glue keeps."},
    {.name = "access_key",
     .type = SS_T_STRING,
     .doc = "An AWS access key for Redash; without it Redash uses its machine's role."},
    {.name = "secret_key", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "What belongs to access_key."},
    {.name = NULL}};

static const ss_option redash_options[] = {
    {.name = "url",
     .type = SS_T_URL,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where Redash is, as http://redash:5000."},
    {.name = "api_key",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET | SS_OPT_REQUIRED,
     .doc = "The API key of an administrator (Redash: Edit Profile)."},
    {.name = "source",
     .type = SS_T_OBJECT,
     .flags = SS_OPT_REQUIRED,
     .children = source_options,
     .doc = "The data source that the queries ask."},
    {.name = "postgres",
     .type = SS_T_OBJECT,
     .children = postgres_options,
     .doc = "Settings of the type postgres."},
    {.name = "sqlite",
     .type = SS_T_OBJECT,
     .children = sqlite_options,
     .doc = "Settings of the type sqlite."},
    {.name = "athena",
     .type = SS_T_OBJECT,
     .children = athena_options,
     .doc = "Settings of the type athena."},
    {.name = "queries",
     .type = SS_T_LIST,
     .min = 0,
     .max = MAKE_QUERIES_MAX,
     .children = query_item,
     .doc = "The saved queries that Redash gets; without it all that can be written in its language."},
    {.name = "dashboard",
     .type = SS_T_STRING,
     .dflt = "Games",
     .doc = "The dashboard's name; \"\": none is made."},
    {.name = "refresh",
     .type = SS_T_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 30LL * 86400000,
     .doc = "How often Redash runs the queries by itself; 0: when somebody looks. Athena bills each run."},
    {.name = NULL}};

/* ---- the maker ---- */

void maker_say(const maker *m, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (m->out && n > 0)
        (void)m->out->write(m->out->self, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static bool add_query(maker *m, ss_str name, ss_error *err)
{
    for (const redash_query *q = redash_queries; q->name; q++)
        if (name.len == 0 || ss_eq(name, ss_cstr(q->name))) {
            if (m->query_count == MAKE_QUERIES_MAX)
                return ss_fail(err, SS_REJECT, "redash: queries: up to %u", MAKE_QUERIES_MAX), false;
            m->queries[m->query_count++] = q;
            if (name.len)
                return true;
        }
    return name.len == 0 ||
           (ss_fail(err, SS_REJECT,
                    "redash: queries: '%.*s' is not known; `streamsteam query --list` shows them",
                    (int)(name.len < QUERY_NAME ? name.len : QUERY_NAME), name.ptr),
            false);
}

static bool take_name(const ss_host *h, const ss_config *cfg, const char *option, char *out, size_t size,
                      ss_error *err)
{
    ss_str text = h->cfg_str(cfg, option);
    if (text.len >= size)
        return ss_fail(err, SS_REJECT, "redash: %s: up to %zu bytes", option, size - 1), false;
    (void)snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    return true;
}

/* "database"."table": in a text of Athena nothing else may stand there. */
static bool take_table(maker *m, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    ss_str database = h->cfg_str(cfg, "athena.database"), table = h->cfg_str(cfg, "athena.table");
    int n = snprintf(m->table, sizeof m->table, "\"%.*s\".\"%.*s\"", (int)database.len,
                     database.ptr ? database.ptr : "", (int)table.len, table.ptr ? table.ptr : "");
    if (n < 0 || (size_t)n >= sizeof m->table ||
        memchr(database.ptr ? database.ptr : "", '"', database.len) ||
        memchr(table.ptr ? table.ptr : "", '"', table.len))
        return ss_fail(err, SS_REJECT,
                       "redash: athena.database and athena.table: names without quotes, please"),
               false;
    return true;
}

static bool take_type(maker *m, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    ss_str type = h->cfg_str(cfg, "source.type");
    bool athena = ss_eq(type, SS_LIT("athena"));
    const char *name = ss_eq(type, SS_LIT("postgres")) ? "pg"
                       : ss_eq(type, SS_LIT("sqlite")) ? "sqlite"
                       : athena                        ? "athena"
                                                       : "";
    (void)snprintf(m->source_type, sizeof m->source_type, "%s", name);
    if (athena && h->cfg_str(cfg, "athena.staging").len == 0)
        return ss_fail(err, SS_REJECT,
                       "redash: athena.staging: say where Athena writes results, as s3://bucket/tmp/redash/"),
               false;
    return true;
}

bool maker_open(maker *m, const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    const ss_config *list = host->cfg_get(cfg, "queries");
    size_t count = list ? host->cfg_len(list) : 0;
    *m = (maker){.out = out, .refresh_s = host->cfg_int(cfg, "refresh") / 1000};
    bool good = take_name(host, cfg, "source.name", m->source_name, sizeof m->source_name, err) &&
                take_name(host, cfg, "dashboard", m->dashboard_name, sizeof m->dashboard_name, err) &&
                take_type(m, host, cfg, err) && take_table(m, host, cfg, err);
    for (size_t i = 0; good && i < count; i++)
        good = add_query(m, host->cfg_str(host->cfg_at(list, i), ""), err);
    if (good && !list)
        good = add_query(m, ss_s("", 0), err);
    return good && api_open(&m->api, host, cfg, err);
}

void maker_close(maker *m)
{
    api_close(&m->api);
}

int32_t maker_try(maker *m, maker_step *step, size_t i, ss_error *err)
{
    int32_t rc = SS_RETRY;
    for (int tries = 0; tries < TRIES && rc == SS_RETRY; tries++) {
        struct timespec nap = {.tv_nsec = (long)(FIRST_MS << (tries > 0 ? tries - 1 : 0)) * 1000000};
        nap.tv_sec = nap.tv_nsec / 1000000000;
        nap.tv_nsec %= 1000000000;
        if (tries > 0)
            (void)nanosleep(&nap, NULL);
        rc = step(m, i, err);
    }
    return rc == SS_DECLINE ? SS_REJECT : rc; /* 404 */
}

/* ---- the plugin ---- */

static int32_t redash_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    maker m;
    int32_t rc = maker_open(&m, host, cfg, out, err) ? SS_OK : SS_REJECT;
    if (rc == SS_OK)
        rc = maker_try(&m, make_source, 0, err);
    for (size_t i = 0; rc == SS_OK && i < m.query_count; i++)
        rc = maker_try(&m, make_query, i, err);
    if (rc == SS_OK && m.dashboard_name[0])
        rc = maker_try(&m, make_dashboard, 0, err);
    for (size_t i = 0; rc == SS_OK && m.dashboard_name[0] && i < m.query_count; i++)
        rc = maker_try(&m, make_widget, i, err);
    maker_close(&m);
    return rc;
}

static int32_t redash_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    maker m;
    int32_t rc = maker_open(&m, host, cfg, out, err) ? make_nothing_left(&m, err) : SS_REJECT;
    maker_close(&m);
    return rc;
}

static int32_t redash_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    maker m;
    int32_t rc = maker_open(&m, host, cfg, out, err) ? SS_OK : SS_REJECT;
    if (rc == SS_OK) {
        maker_say(&m, "%s\n  queries:    %s/queries?tags=%s\n  dashboard:  %s/dashboards (%s)\n", m.api.url,
                  m.api.url, m.api.tag, m.api.url, m.dashboard_name[0] ? m.dashboard_name : "none");
        maker_say(&m, "  setup may be run again at any time; what was changed in Redash becomes as it was.\n"
                      "  Queries of your own: clone one of these (Fork), the clone is yours.\n");
    }
    maker_close(&m);
    return rc;
}

typedef struct redash {
    const ss_host *host;
    const ss_config *cfg;
} redash;

static int32_t redash_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    maker m;
    bool good = maker_open(&m, host, cfg, NULL, err);
    maker_close(&m);
    redash *r = good ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return good ? ss_fail(err, SS_RETRY, "redash: no memory") : SS_REJECT;
    *r = (redash){host, cfg};
    *inst = r;
    return SS_OK;
}

static int32_t redash_check(void *inst, ss_error *err)
{
    const redash *r = inst;
    maker m;
    int32_t rc = maker_open(&m, r->host, r->cfg, NULL, err)
                     ? api_ask(&m.api, "GET", "/api/data_sources", NULL, err)
                     : SS_REJECT;
    maker_close(&m);
    return rc;
}

static int32_t redash_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst;
    (void)batch;
    (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static void redash_destroy(void *inst)
{
    free(inst);
}

static const ss_module redash_ops = {.struct_size = sizeof redash_ops, .deliver = redash_deliver};

static const ss_plugin redash_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "redash",
    .version = "1.0.0",
    .summary = "A data source, the saved queries and a dashboard in Redash, made by setup.",
    .license = "MIT",
    .options = redash_options,
    .module = &redash_ops,
    .create = redash_create,
    .check = redash_check,
    .destroy = redash_destroy,
    .setup = redash_setup,
    .teardown = redash_teardown,
    .howto = redash_howto,
    .warning = "With type athena each run of a query costs money; the queries' rows go to Redash.",
};

SS_PLUGIN(redash_plugin);
