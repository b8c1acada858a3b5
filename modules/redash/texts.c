#include "modules/redash/texts.h"

#include "plugins/common/game_sql.h"
#include "plugins/common/game_sql_text.h"
#include "plugins/common/json.h"

/* ---- Athena: event_data is a text, times are seconds; it sorts by bytes ---- */

#define ATHENA_TEXT(m)   "json_extract_scalar(event_data, '$." m "')"
#define ATHENA_NUMBER(m) "TRY_CAST(" ATHENA_TEXT(m) " AS double)"
#define ATHENA_SECONDS   "CASE WHEN " GAME_DATED " THEN event_timestamp END"
#define ATHENA_DATE      "CAST(from_unixtime(" ATHENA_SECONDS ") AS date)"
#define ATHENA_MONTH     "CAST(date_trunc('month', from_unixtime(" ATHENA_SECONDS ")) AS date)"
#define ATHENA_NEW_YORK  "from_unixtime(" ATHENA_SECONDS ", 'America/New_York')"
#define ATHENA_BYTES     ""
#define ATHENA_NEWEST(T) T

#define TABLE "{table}"

static const struct {
    const char *name, *text;
} athena[] = {
    {"LatestEventsQuery", GAME_LATEST_QUERY(ATHENA, TABLE)},
    {"TotalEventsQuery", GAME_TOTAL(ATHENA, TABLE)},
    {"TotalEventsMonthQuery", GAME_TOTAL_MONTH(ATHENA, TABLE)},
    {"TotalIapTransactionsLastMonth", GAME_TRANSACTIONS(ATHENA, TABLE)},
    {"NewUsersLastMonth", GAME_NEW_USERS(ATHENA, TABLE)},
    {"TotalPlaysByLevel", GAME_BY_LEVEL(ATHENA, TABLE, "level_started", "number_of_plays")},
    {"TotalFailuresByLevel", GAME_BY_LEVEL(ATHENA, TABLE, "level_failed", "number_of_failures")},
    {"TotalCompletionsByLevel", GAME_BY_LEVEL(ATHENA, TABLE, "level_completed", "number_of_completions")},
    {"LevelCompletionRate", GAME_RATE(ATHENA, TABLE)},
    {"AverageUserSentimentPerDay", GAME_SENTIMENT(ATHENA, TABLE)},
    {"UserReportedReasonsCount", GAME_REASONS(ATHENA, TABLE)},
};

const redash_query redash_queries[] = {
    {.name = "LatestEventsQuery", .doc = "The 10 newest events by their own time."},
    {"TotalEventsQuery", "Distinct event ids of each application.", "column", "application_id", "event_count",
     NULL},
    {"TotalEventsMonthQuery", "Distinct event ids of each application and month.", "column", "month",
     "event_count", "application_id"},
    {"TotalIapTransactionsLastMonth", "Distinct in-app purchases by month and application.", "column",
     "month", "transaction_count", "application_id"},
    {"NewUsersLastMonth", "Registrations by month.", "line", "month", "new_accounts", NULL},
    {"TotalPlaysByLevel", "How often each level was started.", "column", "level", "number_of_plays", NULL},
    {"TotalFailuresByLevel", "How often each level was failed.", "column", "level", "number_of_failures",
     NULL},
    {"TotalCompletionsByLevel", "How often each level was completed.", "column", "level",
     "number_of_completions", NULL},
    {"LevelCompletionRate", "Completed / (completed + started) * 100 of each level.", "column", "level",
     "level_completion_rate", NULL},
    {"AverageUserSentimentPerDay", "Mean of the ratings by day.", "line", "event_date", "average_user_rating",
     NULL},
    {"UserReportedReasonsCount", "Reports by reason.", "column", "report_reason", "count_of_reports", NULL},
    {.name = NULL},
};

/* Redash's SQLite has no america_new_york(): there the view, whose time is in UTC. */
static const char *text_of(const redash_query *q, enum text_dialect dialect)
{
    const game_query *g = game_query_find(q->name);
    for (size_t i = 0; dialect == TEXT_ATHENA && i < sizeof athena / sizeof *athena; i++)
        if (strcmp(athena[i].name, q->name) == 0)
            return athena[i].text;
    if (!g || dialect == TEXT_ATHENA)
        return NULL;
    const char *text = g->texts[dialect == TEXT_SQLITE ? SQL_SQLITE : SQL_POSTGRES];
    return dialect == TEXT_SQLITE && strstr(text, GAME_SQL_NEW_YORK) ? "SELECT * FROM latest_events" : text;
}

bool redash_sql(const redash_query *q, enum text_dialect dialect, ss_str table, grow *out)
{
    const char *at = text_of(q, dialect), *place;
    while (at && (place = strstr(at, TABLE)) != NULL) {
        (void)grow_put(out, ss_s(at, (size_t)(place - at)));
        (void)grow_put(out, table);
        at = place + sizeof TABLE - 1;
    }
    return at && grow_puts(out, at);
}

static void map_column(grow *out, const char *before, const char *column, const char *role)
{
    (void)grow_puts(out, before);
    (void)grow_puts(out, "\"");
    (void)grow_puts(out, column);
    (void)grow_puts(out, "\":\"");
    (void)grow_puts(out, role);
    (void)grow_puts(out, "\"");
}

void redash_chart(const redash_query *q, grow *out)
{
    bool dates = strcmp(q->x, "month") == 0 || strcmp(q->x, "event_date") == 0;
    map_column(out, "{", "globalSeriesType", q->kind);
    map_column(out, ",\"columnMapping\":{", q->x, "x");
    map_column(out, ",", q->y, "y");
    if (q->series)
        map_column(out, ",", q->series, "series");
    (void)grow_puts(out, dates ? "},\"xAxis\":{\"type\":\"datetime\"" : "},\"xAxis\":{\"type\":\"category\"");
    (void)grow_puts(
        out, ",\"labels\":{\"enabled\":true}},\"yAxis\":[{\"type\":\"linear\"},{\"type\":\"linear\","
             "\"opposite\":true}],\"sortX\":true,\"legend\":{\"enabled\":true},\"series\":{\"stacking\":");
    (void)grow_puts(out, q->series ? "\"stack\"" : "null");
    (void)grow_puts(
        out, ",\"error_y\":{\"type\":\"data\",\"visible\":true}},\"seriesOptions\":{},\"valuesOptions\":{}}");
}
