#include "plugins/common/game_sql.h"

#include <strings.h>

/* The columns of the guidance's tables, in their order. */
#define COLUMNS                                                                                              \
    "event_id, event_type, event_name, event_version, event_timestamp, app_version, application_id, "        \
    "application_name, event_data, metadata"

/* Events whose year has not four digits have no date: PostgreSQL would fail on them. */
#define DATED "event_timestamp BETWEEN -62135510400 AND 253402300799"

/*
 * In templates:
 *   {events}        the relation of all events
 *   {text:MEMBER}   a member of event_data as text; null where it is absent, null, an object or a list
 *   {number:MEMBER} the same as a number; a text that holds one counts, anything else is null
 *   {time} {date} {month} {new_york}   of event_timestamp
 *   {bytes}         behind a text that is sorted: by its bytes, in no language
 */
#define BY_LEVEL(type, count)                                                                                \
    "SELECT level, count(level) AS " count "\n"                                                              \
    "FROM (SELECT {text:level_id} AS level FROM {events} WHERE event_type = '" type "') AS t\n"              \
    "GROUP BY level\n"                                                                                       \
    "ORDER BY level{bytes} NULLS LAST"

#define COUNT_BY_LEVEL(type)                                                                                 \
    "(SELECT level, count(level) AS n\n"                                                                     \
    "      FROM (SELECT {text:level_id} AS level FROM {events} WHERE event_type = '" type "') AS t\n"        \
    "      GROUP BY level)"

#define LATEST(time)                                                                                         \
    "SELECT " COLUMNS ", " time "\n"                                                                         \
    "FROM {events}\n"                                                                                        \
    "ORDER BY event_timestamp DESC NULLS LAST, event_id{bytes}\n"                                            \
    "LIMIT 10"

#define BOTH(text) .query = (text), .view_query = (text)

const game_query game_queries[] = {
    {.name = "LatestEventsQuery",
     .view = "latest_events",
     .columns = COLUMNS ", event_timestamp_america_new_york",
     .doc = "the 10 newest events by event_timestamp, equal ones by event_id, with their time in New York "
            "(the view: parsed_date, in UTC)",
     .query = LATEST("{new_york} AS event_timestamp_america_new_york"),
     .view_query = LATEST("{time} AS parsed_date")},
    {.name = "TotalEventsQuery",
     .view = "total_events",
     .columns = "application_id, event_count",
     .doc = "distinct event ids of each application",
     BOTH("SELECT application_id, count(DISTINCT event_id) AS event_count\n"
          "FROM {events}\n"
          "GROUP BY application_id\n"
          "ORDER BY application_id{bytes} NULLS LAST")},
    {.name = "TotalEventsMonthQuery",
     .view = "total_events_last_month",
     .columns = "month, application_id, event_count",
     .doc = "distinct event ids of each application and month; all months",
     BOTH("SELECT month, application_id, count(DISTINCT event_id) AS event_count\n"
          "FROM (SELECT {month} AS month, application_id, event_id FROM {events}) AS t\n"
          "GROUP BY month, application_id\n"
          "ORDER BY month NULLS LAST, application_id{bytes} NULLS LAST")},
    {.name = "TotalIapTransactionsLastMonth",
     .view = "total_iap_transactions_last_month",
     .columns = "month, application_id, transaction_count",
     .doc = "distinct transaction_id of iap_transaction events, by month and application; all months",
     BOTH("SELECT month, application_id, count(DISTINCT transaction_id) AS transaction_count\n"
          "FROM (SELECT {month} AS month, application_id, {text:transaction_id} AS transaction_id\n"
          "      FROM {events} WHERE event_type = 'iap_transaction') AS t\n"
          "WHERE transaction_id IS NOT NULL\n"
          "GROUP BY month, application_id\n"
          "ORDER BY month NULLS LAST, application_id{bytes} NULLS LAST")},
    {.name = "NewUsersLastMonth",
     .view = "new_users_last_month",
     .columns = "month, new_accounts",
     .doc = "user_registration events by month, repeated ones too; all months",
     BOTH("SELECT month, count(*) AS new_accounts\n"
          "FROM (SELECT {month} AS month FROM {events} WHERE event_type = 'user_registration') AS t\n"
          "GROUP BY month\n"
          "ORDER BY month NULLS LAST")},
    {.name = "TotalPlaysByLevel",
     .view = "total_plays_by_level",
     .columns = "level, number_of_plays",
     .doc = "level_started events by event_data.level_id; those without one are a row of null with 0",
     BOTH(BY_LEVEL("level_started", "number_of_plays"))},
    {.name = "TotalFailuresByLevel",
     .view = "total_failures_by_level",
     .columns = "level, number_of_failures",
     .doc = "level_failed events, in the same way",
     BOTH(BY_LEVEL("level_failed", "number_of_failures"))},
    {.name = "TotalCompletionsByLevel",
     .view = "total_completions_by_level",
     .columns = "level, number_of_completions",
     .doc = "level_completed events, in the same way",
     BOTH(BY_LEVEL("level_completed", "number_of_completions"))},
    {.name = "LevelCompletionRate",
     .view = "level_completion_rate",
     .columns = "level, level_completion_rate",
     .doc =
         "completed / (completed + started) * 100 of each level that has both; as the guidance computes it, "
         "so 50 where every start was completed",
     BOTH("SELECT completed.level, completed.n * 1.0e0 / (completed.n + started.n) * 100 AS "
          "level_completion_rate\n"
          "FROM " COUNT_BY_LEVEL(
              "level_started") " AS started\n"
                               "JOIN " COUNT_BY_LEVEL(
                                   "level_completed") " AS completed ON started.level = completed.level\n"
                                                      "ORDER BY completed.level{bytes}")},
    {.name = "AverageUserSentimentPerDay",
     .view = "average_sentiment_per_day",
     .columns = "average_user_rating, event_date",
     .doc = "mean of event_data.user_rating by day, of events of any type that have one",
     BOTH("SELECT avg(rating) AS average_user_rating, event_date\n"
          "FROM (SELECT {number:user_rating} AS rating, {date} AS event_date FROM {events}) AS t\n"
          "WHERE rating IS NOT NULL\n"
          "GROUP BY event_date\n"
          "ORDER BY event_date NULLS LAST")},
    {.name = "UserReportedReasonsCount",
     .view = "user_reported_reasons_count",
     .columns = "count_of_reports, report_reason",
     .doc =
         "events of any type by event_data.report_reason, descending by reason; all others are a row of null "
         "with 0",
     BOTH("SELECT count(report_reason) AS count_of_reports, report_reason\n"
          "FROM (SELECT {text:report_reason} AS report_reason FROM {events}) AS t\n"
          "GROUP BY report_reason\n"
          "ORDER BY report_reason{bytes} DESC NULLS LAST")},
    {.name = "CTASCreateIcebergTables",
     .columns = "",
     .doc = "refused: it writes a copy of the table as Apache Iceberg, which a batch job over the lake does; "
            "see "
            "docs/queries.md"},
    {.name = NULL},
};

/* ---- dialects ---- */

/* How each placeholder is written; % stands for the member. */
typedef struct dialect {
    const char *text, *number, *time, *date, *month, *new_york, *bytes;
} dialect;

/* -> keeps a number as it is written: 1 and "1" are the same level, as in Athena. */
#define SQLITE_MEMBER(cases)                                                                                 \
    "CASE WHEN json_valid(event_data) THEN CASE json_type(event_data, '$.%') " cases " END END"
#define SQLITE_SECONDS "CASE WHEN " DATED " THEN CAST(event_timestamp AS INTEGER) END, 'unixepoch'"
/* Beyond any rating: PostgreSQL would fail on what a double cannot hold. */
#define SQLITE_RATING(value) "CASE WHEN abs(" value ") < 1e15 THEN " value " END"

#define POSTGRES_TIME                                                                                        \
    "(to_timestamp(CASE WHEN " DATED " THEN trunc(event_timestamp::double precision) END) AT TIME ZONE '"
#define POSTGRES_RATING                                                                                      \
    "CASE WHEN abs((event_data ->> '%')::numeric) < 1e15 "                                                   \
    "THEN round((event_data ->> '%')::numeric, 30)::double precision END"

static const dialect dialects[SQL_DIALECTS] = {
    [SQL_SQLITE] =
        {
            .text =
                SQLITE_MEMBER("WHEN 'text' THEN event_data ->> '$.%' WHEN 'integer' THEN event_data -> '$.%' "
                              "WHEN 'real' THEN event_data -> '$.%' WHEN 'true' THEN 'true' WHEN 'false' "
                              "THEN 'false'"),
            .number = SQLITE_MEMBER("WHEN 'integer' THEN " SQLITE_RATING(
                "(event_data ->> '$.%') * 1.0") " "
                                                "WHEN 'real' THEN " SQLITE_RATING(
                                                    "event_data ->> '$.%'") " "
                                                                            "WHEN 'text' THEN CASE WHEN "
                                                                            "length(event_data ->> '$.%') <= "
                                                                            "40 "
                                                                            "AND json_valid(event_data ->> "
                                                                            "'$.%') THEN CASE WHEN "
                                                                            "json_type(event_data ->> '$.%') "
                                                                            "IN "
                                                                            "('integer', 'real') "
                                                                            "THEN " SQLITE_RATING(
                                                                                "CAST(event_data ->> '$.%' "
                                                                                "AS REAL)") " END END"),
            .time = "datetime(" SQLITE_SECONDS ")",
            .date = "date(" SQLITE_SECONDS ")",
            .month = "strftime('%Y-%m-01', " SQLITE_SECONDS ")",
            .new_york = GAME_SQL_NEW_YORK "(event_timestamp)",
            .bytes = "",
        },
    [SQL_POSTGRES] =
        {
            .text = "CASE WHEN jsonb_typeof(event_data -> '%') IN ('string', 'number', 'boolean') "
                    "THEN event_data ->> '%' END",
            .number =
                "CASE jsonb_typeof(event_data -> '%') WHEN 'number' THEN " POSTGRES_RATING " "
                "WHEN 'string' THEN CASE WHEN length(event_data ->> '%') <= 40 AND (event_data ->> '%') ~ "
                "'^[ \\t\\n\\r]*-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?[ \\t\\n\\r]*$' "
                "THEN " POSTGRES_RATING " END END",
            .time = POSTGRES_TIME "UTC')",
            .date = POSTGRES_TIME "UTC')::date",
            .month = "date_trunc('month', " POSTGRES_TIME "UTC'))::date",
            .new_york = "to_char(" POSTGRES_TIME "America/New_York'), 'YYYY-MM-DD HH24:MI:SS') || "
                        "'.000 America/New_York'",
            .bytes = " COLLATE \"C\"",
        },
};

static void put_member(buf *out, const char *text, ss_str member)
{
    for (const char *p = text; *p; p++) {
        if (*p == '%')
            buf_add(out, member.ptr, member.len);
        else
            buf_add(out, p, 1);
    }
}

static bool starts(ss_str name, const char *with, ss_str *rest)
{
    size_t len = strlen(with);
    if (name.len < len || memcmp(name.ptr, with, len) != 0)
        return false;
    *rest = ss_s(name.ptr + len, name.len - len);
    return true;
}

static void put_placeholder(buf *out, const dialect *d, const char *events, ss_str name)
{
    ss_str rest;
    if (starts(name, "text:", &rest))
        put_member(out, d->text, rest);
    else if (starts(name, "number:", &rest))
        put_member(out, d->number, rest);
    else if (starts(name, "events", &rest))
        buf_adds(out, events);
    else if (starts(name, "time", &rest))
        buf_adds(out, d->time);
    else if (starts(name, "date", &rest))
        buf_adds(out, d->date);
    else if (starts(name, "month", &rest))
        buf_adds(out, d->month);
    else if (starts(name, "new_york", &rest))
        buf_adds(out, d->new_york);
    else if (starts(name, "bytes", &rest))
        buf_adds(out, d->bytes);
    else
        out->failed = true; /* a mistake in a template: the tests find it */
}

static bool print_template(buf *out, const char *text, enum sql_dialect dialect, const char *events)
{
    for (const char *p = text; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            buf_add(out, p, 1);
            continue;
        }
        put_placeholder(out, &dialects[dialect], events, ss_s(p + 1, (size_t)(end - p - 1)));
        p = end;
    }
    return !out->failed;
}

/* ---- what others call ---- */

const game_query *game_query_find(const char *name)
{
    for (const game_query *q = game_queries; q->name; q++)
        if (strcasecmp(q->name, name) == 0 || (q->view && strcasecmp(q->view, name) == 0))
            return q;
    return NULL;
}

bool game_query_print(const game_query *q, enum sql_dialect dialect, buf *out)
{
    return q->query && print_template(out, q->query, dialect, GAME_VIEW_EVENTS);
}

static void put_name(buf *out, const char *name)
{
    buf_adds(out, "\"");
    for (const char *p = name; *p; p++)
        buf_adds(out, *p == '"' ? "\"\"" : (char[]){*p, '\0'});
    buf_adds(out, "\"");
}

static bool visit_events(const char *const *tables, size_t count, buf *out,
                         bool (*visit)(void *arg, const char *name, const char *select), void *arg)
{
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, i ? "\nUNION ALL SELECT " COLUMNS " FROM " : "SELECT " COLUMNS " FROM ");
        put_name(out, tables[i]);
    }
    const char *text = buf_text(out);
    return !out->failed && count > 0 && visit(arg, GAME_VIEW_EVENTS, text);
}

bool game_views(enum sql_dialect dialect, const char *const *tables, size_t count,
                bool (*visit)(void *arg, const char *name, const char *select), void *arg)
{
    buf out;
    buf_init(&out, GAME_SQL_BYTES_MAX);
    bool good = visit_events(tables, count, &out, visit, arg);
    for (const game_query *q = game_queries; good && q->name; q++) {
        if (!q->view)
            continue;
        buf_reset(&out);
        good = print_template(&out, q->view_query, dialect, GAME_VIEW_EVENTS);
        const char *text = buf_text(&out);
        good = good && !out.failed && visit(arg, q->view, text);
    }
    buf_fini(&out);
    return good;
}
