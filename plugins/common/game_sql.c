#include "plugins/common/game_sql.h"

#include <stddef.h>
#include <strings.h>

#include "plugins/common/game_sql_text.h"

#define EACH(text)                                                                                           \
    .texts = {[SQL_SQLITE] = text(SQLITE, "event_data"), [SQL_POSTGRES] = text(POSTGRES, "event_data")}
#define LEVEL(type, count)                                                                                   \
    .texts = {[SQL_SQLITE] = GAME_BY_LEVEL(SQLITE, "event_data", type, count),                               \
              [SQL_POSTGRES] = GAME_BY_LEVEL(POSTGRES, "event_data", type, count)}

const game_query game_queries[] = {
    {.name = "LatestEventsQuery",
     .view = "latest_events",
     .columns = GAME_SQL_COLUMNS ", event_timestamp_america_new_york",
     .doc = "the 10 newest events by event_timestamp, equal ones by event_id, with their time in New York "
            "(the view: parsed_date, in UTC)",
     EACH(GAME_LATEST_QUERY)},
    {.name = "TotalEventsQuery",
     .view = "total_events",
     .columns = "application_id, event_count",
     .doc = "distinct event ids of each application",
     EACH(GAME_TOTAL)},
    {.name = "TotalEventsMonthQuery",
     .view = "total_events_last_month",
     .columns = "month, application_id, event_count",
     .doc = "distinct event ids of each application and month; all months",
     EACH(GAME_TOTAL_MONTH)},
    {.name = "TotalIapTransactionsLastMonth",
     .view = "total_iap_transactions_last_month",
     .columns = "month, application_id, transaction_count",
     .doc = "distinct transaction_id of iap_transaction events, by month and application; all months",
     EACH(GAME_TRANSACTIONS)},
    {.name = "NewUsersLastMonth",
     .view = "new_users_last_month",
     .columns = "month, new_accounts",
     .doc = "user_registration events by month, repeated ones too; all months",
     EACH(GAME_NEW_USERS)},
    {.name = "TotalPlaysByLevel",
     .view = "total_plays_by_level",
     .columns = "level, number_of_plays",
     .doc = "level_started events by event_data.level_id; those without one are a row of null with 0",
     LEVEL("level_started", "number_of_plays")},
    {.name = "TotalFailuresByLevel",
     .view = "total_failures_by_level",
     .columns = "level, number_of_failures",
     .doc = "level_failed events, in the same way",
     LEVEL("level_failed", "number_of_failures")},
    {.name = "TotalCompletionsByLevel",
     .view = "total_completions_by_level",
     .columns = "level, number_of_completions",
     .doc = "level_completed events, in the same way",
     LEVEL("level_completed", "number_of_completions")},
    {.name = "LevelCompletionRate",
     .view = "level_completion_rate",
     .columns = "level, level_completion_rate",
     .doc = "completed / (completed + started) * 100 of each level that has both: 50 where every start was "
            "completed",
     EACH(GAME_RATE)},
    {.name = "AverageUserSentimentPerDay",
     .view = "average_sentiment_per_day",
     .columns = "average_user_rating, event_date",
     .doc = "mean of event_data.user_rating by day, of events of any type that have one",
     EACH(GAME_SENTIMENT)},
    {.name = "UserReportedReasonsCount",
     .view = "user_reported_reasons_count",
     .columns = "count_of_reports, report_reason",
     .doc = "events of any type by event_data.report_reason, descending by reason; all others are a row of "
            "null with 0",
     EACH(GAME_REASONS)},
    {.name = "CTASCreateIcebergTables",
     .columns = "",
     .doc = "not here: it writes a copy of the table as Apache Iceberg, which is a batch job over the lake"},
    {.name = NULL},
};

const game_query *game_query_find(const char *name)
{
    for (const game_query *q = game_queries; q->name; q++)
        if (strcasecmp(q->name, name) == 0 || (q->view && strcasecmp(q->view, name) == 0))
            return q;
    return NULL;
}
