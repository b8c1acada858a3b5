/* What a person makes once: tables, views, and what Redshift needs to read a stream itself. All of it may be
   said again. */
#include "modules/redshift/redshift.h"
#include "modules/redshift/views.h"

#define VIEW_TABLE "{table}"
#define EVENT_VIEW "event_data"

static void say(const ss_sink *out, const char *format, const char *name)
{
    char text[512];
    int n = snprintf(text, sizeof text, format, name);
    if (n > 0)
        (void)out->write(out->self, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static bool with_views(const redshift *r)
{
    return !ss_eq(r->host->cfg_str(r->cfg, "views"), SS_LIT("none"));
}

/* ---- views ---- */

static void put_view(const redshift *r, const redshift_view *v, const char *table_name, buf *sql)
{
    buf_adds(sql, "CREATE OR REPLACE VIEW ");
    put_qualified(r, v->name, sql);
    buf_adds(sql, " AS ");
    for (const char *at = v->text; *at;) {
        const char *next = strstr(at, VIEW_TABLE);
        buf_add(sql, at, next ? (size_t)(next - at) : strlen(at));
        if (!next)
            break;
        put_qualified(r, table_name, sql);
        at = next + sizeof VIEW_TABLE - 1;
    }
    if (ss_eq(r->host->cfg_str(r->cfg, "views"), SS_LIT("late")))
        buf_adds(sql, " WITH NO SCHEMA BINDING");
}

static int32_t make_view(redshift *r, const redshift_view *v, const char *table_name, const ss_sink *out,
                         ss_error *err)
{
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    put_view(r, v, table_name, &sql);
    int32_t rc = link_run(r, buf_text(&sql), true, err);
    if (rc == SS_OK)
        say(out, "view %s\n", v->name);
    buf_fini(&sql);
    return rc;
}

static int32_t make_views(redshift *r, const char *table_name, const ss_sink *out, ss_error *err)
{
    int32_t rc = SS_OK;
    if (strcmp(table_name, EVENT_VIEW) != 0)
        rc = make_view(r, &redshift_events, table_name, out, err);
    for (const redshift_view *v = redshift_views; rc == SS_OK && v->name; v++)
        rc = make_view(r, v, table_name, out, err);
    return rc;
}

/* The table of a game receiver: the first that has all columns. */
static bool has_columns(const table *t)
{
    for (const char *at = redshift_view_columns; *at;) {
        size_t len = strcspn(at, " ");
        bool there = false;
        for (size_t i = 0; i < t->shape.count; i++)
            there = there || ss_eq(ss_cstr(t->shape.columns[i].name), ss_s(at, len));
        if (!there)
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

/* ---- tables ---- */

/* The receivers that the configuration names, else that of game events under its usual name. */
static int32_t make_tables(redshift *r, const ss_sink *out, const table **game, ss_error *err)
{
    const ss_config *map = r->host->cfg_get(r->cfg, "tables");
    size_t count = map ? r->host->cfg_len(map) : 0;
    int32_t rc = tables_bookkeeping(r, err);
    *game = NULL;
    for (size_t i = 0; rc == SS_OK && i < (count ? count : 1); i++) {
        table *t;
        ss_str receiver = count ? r->host->cfg_key(map, i) : SS_LIT("game");
        rc = tables_find(r, receiver, &t, err);
        if (rc != SS_OK || (count == 0 && t->shape.count == 0))
            continue;
        rc = tables_of(r, receiver, &t, err);
        if (rc == SS_OK)
            say(out, "table %s\n", t->name);
        if (rc == SS_OK && !*game && has_columns(t))
            *game = t;
    }
    return rc;
}

/* ---- streaming ---- */

static void put_literal_of(const redshift *r, const char *option, buf *sql)
{
    char text[512];
    ss_str value = r->host->cfg_str(r->cfg, option);
    (void)snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
    catalog_put_text(sql, text);
}

static void put_name_of(const redshift *r, const char *option, buf *sql)
{
    char text[300];
    ss_str value = r->host->cfg_str(r->cfg, option);
    (void)snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
    catalog_put_name(sql, text);
}

static bool is_msk(const redshift *r)
{
    return ss_eq(r->host->cfg_str(r->cfg, "source"), SS_LIT("msk"));
}

static int32_t make_external_schema(redshift *r, ss_error *err)
{
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "CREATE EXTERNAL SCHEMA ");
    put_name_of(r, "external_schema", &sql);
    buf_adds(&sql, is_msk(r) ? " FROM MSK IAM_ROLE " : " FROM KINESIS IAM_ROLE ");
    if (ss_eq(r->host->cfg_str(r->cfg, "iam_role"), SS_LIT("default")))
        buf_adds(&sql, "default");
    else
        put_literal_of(r, "iam_role", &sql);
    if (is_msk(r)) {
        ss_str how = r->host->cfg_str(r->cfg, "msk_authentication");
        buf_addf(&sql, " AUTHENTICATION %.*s CLUSTER_ARN ", (int)how.len, how.ptr);
        put_literal_of(r, "msk_cluster_arn", &sql);
    }
    int32_t rc = link_run(r, buf_text(&sql), true, err);
    buf_fini(&sql);
    return rc;
}

/* The members as the stream has them: {"event": {...}, "application_id": "..."}. */
static void put_members(const char *data, buf *sql)
{
    static const struct {
        const char *name, *path, *type;
    } members[] = {{"event_id", "'event', 'event_id'", "TEXT"},
                   {"event_type", "'event', 'event_type'", "TEXT"},
                   {"event_name", "'event', 'event_name'", "TEXT"},
                   {"event_version", "'event', 'event_version'", "TEXT"},
                   {"event_timestamp", "'event', 'event_timestamp'", "BIGINT"},
                   {"app_version", "'event', 'app_version'", "TEXT"},
                   {"application_id", "'application_id'", "TEXT"},
                   {"application_name", "'event', 'application_name'", "TEXT"},
                   {"event_data", "'event', 'event_data'", "TEXT"},
                   {"metadata", "'event', 'metadata'", "TEXT"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        buf_addf(sql, ", JSON_EXTRACT_PATH_TEXT(FROM_VARBYTE(%s, 'utf-8'), %s)::%s AS %s", data,
                 members[i].path, members[i].type, members[i].name);
}

static int32_t make_stream_view(redshift *r, ss_error *err)
{
    bool msk = is_msk(r);
    const char *data = msk ? "kafka_value" : "kinesis_data";
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "CREATE MATERIALIZED VIEW ");
    put_qualified(r, EVENT_VIEW, &sql);
    buf_adds(&sql, " AUTO REFRESH YES AS SELECT refresh_time, ");
    buf_adds(&sql, msk ? "kafka_timestamp, kafka_key, kafka_partition, kafka_offset"
                       : "approximate_arrival_timestamp, partition_key, shard_id, sequence_number");
    put_members(data, &sql);
    buf_adds(&sql, " FROM ");
    put_name_of(r, "external_schema", &sql);
    buf_adds(&sql, ".");
    put_name_of(r, "stream", &sql);
    buf_addf(&sql, " WHERE CAN_JSON_PARSE(%s)", data);
    int32_t rc = link_run(r, buf_text(&sql), true, err);
    buf_fini(&sql);
    return rc;
}

/* ---- the verbs ---- */

int32_t redshift_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    redshift *r = redshift_new(host, cfg, err);
    const char *events = NULL;
    int32_t rc = SS_OK;
    if (!r)
        return SS_REJECT;
    if (r->mode == MODE_STREAMING) {
        rc = make_external_schema(r, err);
        if (rc == SS_OK)
            rc = make_stream_view(r, err);
        if (rc == SS_OK)
            say(out, "materialized view %s\n", EVENT_VIEW);
        events = EVENT_VIEW;
    } else {
        const table *game = NULL;
        rc = make_tables(r, out, &game, err);
        events = game ? game->name : NULL;
    }
    if (rc == SS_OK && events && with_views(r))
        rc = make_views(r, events, out, err);
    if (rc == SS_OK)
        say(out, "%s", "Redshift is ready; tables of other receivers are made with their first event.\n");
    redshift_free(r);
    return rc;
}

static int32_t drop(redshift *r, const char *what, const char *name, ss_error *err)
{
    buf sql;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_addf(&sql, "DROP %s IF EXISTS ", what);
    put_qualified(r, name, &sql);
    int32_t rc = link_run(r, buf_text(&sql), false, err);
    buf_fini(&sql);
    return rc;
}

/* Of nobody else: without CASCADE what others built on it stays, and is named. */
static int32_t drop_stream(redshift *r, ss_error *err)
{
    buf sql;
    int32_t rc = drop(r, "MATERIALIZED VIEW", EVENT_VIEW, err);
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "DROP SCHEMA IF EXISTS ");
    put_name_of(r, "external_schema", &sql);
    if (rc == SS_OK)
        rc = link_run(r, buf_text(&sql), false, err);
    buf_fini(&sql);
    return rc;
}

static bool events_is_table(const redshift *r)
{
    const ss_config *map = r->host->cfg_get(r->cfg, "tables");
    for (size_t i = 0; map && i < r->host->cfg_len(map); i++)
        if (ss_eq(r->host->cfg_str(r->host->cfg_at(map, i), ""), SS_LIT(EVENT_VIEW)))
            return true;
    return false;
}

int32_t redshift_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    redshift *r = redshift_new(host, cfg, err);
    int32_t rc = SS_OK;
    if (!r)
        return SS_REJECT;
    if (with_views(r))
        for (const redshift_view *v = redshift_views; rc == SS_OK && v->name; v++)
            rc = drop(r, "VIEW", v->name, err);
    if (rc == SS_OK && r->mode == MODE_STREAMING)
        rc = drop_stream(r, err);
    else if (rc == SS_OK && with_views(r) && !events_is_table(r))
        rc = drop(r, "VIEW", EVENT_VIEW, err);
    if (rc == SS_OK)
        say(out, "%s",
            r->mode == MODE_STREAMING
                ? "The views, the materialized view and the external schema are gone; the stream stays.\n"
                : "The views are gone. The tables stay, with their rows: drop them where nobody needs "
                  "them.\n");
    redshift_free(r);
    return rc;
}
