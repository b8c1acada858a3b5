#include "modules/redshift/views.h"

#include <stddef.h>

#include "plugins/common/game_sql_text.h"

#define VIEW(called, relation)                                                                               \
    {                                                                                                        \
        .name = called, .text = relation(REDSHIFT, "{table}")                                                \
    }
#define VIEW_BY_LEVEL(called, type, count)                                                                   \
    {                                                                                                        \
        .name = called, .text = GAME_BY_LEVEL(REDSHIFT, "{table}", type, count)                              \
    }

const redshift_view redshift_views[] = {
    VIEW("latest_events", GAME_LATEST_VIEW),
    VIEW("total_events", GAME_TOTAL),
    VIEW("total_events_last_month", GAME_TOTAL_MONTH),
    VIEW("total_iap_transactions_last_month", GAME_TRANSACTIONS),
    VIEW("new_users_last_month", GAME_NEW_USERS),
    VIEW_BY_LEVEL("total_plays_by_level", "level_started", "number_of_plays"),
    VIEW_BY_LEVEL("total_failures_by_level", "level_failed", "number_of_failures"),
    VIEW_BY_LEVEL("total_completions_by_level", "level_completed", "number_of_completions"),
    VIEW("level_completion_rate", GAME_RATE),
    VIEW("average_sentiment_per_day", GAME_SENTIMENT),
    VIEW("user_reported_reasons_count", GAME_REASONS),
    {.name = NULL},
};

const redshift_view redshift_events = VIEW("event_data", GAME_EVENTS);

const char redshift_view_columns[] =
    "event_id event_type event_name event_version event_timestamp app_version application_id "
    "application_name event_data metadata";
