/* SQL of the Game Analytics Pipeline's relations and saved queries. Each is written once, as a macro over a
   dialect D: SQLITE, POSTGRES or REDSHIFT, whose macros D_TEXT, D_NUMBER, ... say how that database writes
   it. A further dialect is one more set of them. Only for game_sql.c and the views of the modules warehouse
   and redshift. */
#ifndef COMMON_GAME_SQL_TEXT_H
#define COMMON_GAME_SQL_TEXT_H

#include "plugins/common/game_sql.h"

/* Laid out by hand: SQL is easier to read line by line. */
/* clang-format off */

/* ---- what dialects write in their own way ----
 * D_TEXT(m)    member m of event_data as text; null where it is absent, null, an object or a list
 * D_NUMBER(m)  as a number; a text that holds one counts, anything else is null
 * D_TIME D_DATE D_MONTH D_NEW_YORK   of event_timestamp
 * D_BYTES      behind a text that is sorted: by its bytes, in no language
 * D_NEWEST(T)  what has at least the ten newest events of T */

/* Events whose year has not four digits have no date: PostgreSQL would fail on them. */
#define GAME_DATED "event_timestamp BETWEEN -62135510400 AND 253402300799"
/* Beyond any rating: PostgreSQL would fail on what a double cannot hold. */
#define GAME_BELOW "1e15"

#define SQLITE_VALUE(m) "event_data ->> '$." m "'"
#define SQLITE_JSON(m)  "event_data -> '$." m "'"
#define SQLITE_CASES(m, cases) \
    "CASE WHEN json_valid(event_data) THEN CASE json_type(event_data, '$." m "') " cases " END END"
/* -> gives a number as it is written: 1 and "1" are the same level, as in Athena. */
#define SQLITE_TEXT(m) SQLITE_CASES(m, \
    "WHEN 'text' THEN " SQLITE_VALUE(m) " WHEN 'integer' THEN " SQLITE_JSON(m) " WHEN 'real' THEN " SQLITE_JSON(m) \
    " WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'")
#define SQLITE_REAL(m) \
    "CASE WHEN abs(CAST(" SQLITE_VALUE(m) " AS REAL)) < " GAME_BELOW " THEN CAST(" SQLITE_VALUE(m) " AS REAL) END"
#define SQLITE_NUMBER(m) SQLITE_CASES(m, \
    "WHEN 'integer' THEN " SQLITE_REAL(m) " WHEN 'real' THEN " SQLITE_REAL(m) " WHEN 'text' THEN " \
    "CASE WHEN length(" SQLITE_VALUE(m) ") <= 40 AND json_valid(" SQLITE_VALUE(m) ") THEN " \
    "CASE WHEN json_type(" SQLITE_VALUE(m) ") IN ('integer', 'real') THEN " SQLITE_REAL(m) " END END")
#define SQLITE_SECONDS  "CASE WHEN " GAME_DATED " THEN CAST(event_timestamp AS INTEGER) END, 'unixepoch'"
#define SQLITE_TIME     "datetime(" SQLITE_SECONDS ")"
#define SQLITE_DATE     "date(" SQLITE_SECONDS ")"
#define SQLITE_MONTH    "strftime('%Y-%m-01', " SQLITE_SECONDS ")"
#define SQLITE_NEW_YORK GAME_SQL_NEW_YORK "(event_timestamp)"
#define SQLITE_BYTES    ""
#define SQLITE_NEWEST(T) T

#define POSTGRES_VALUE(m) "(event_data ->> '" m "')"
#define POSTGRES_TYPE(m)  "jsonb_typeof(event_data -> '" m "')"
#define POSTGRES_TEXT(m) \
    "CASE WHEN " POSTGRES_TYPE(m) " IN ('string', 'number', 'boolean') THEN " POSTGRES_VALUE(m) " END"
#define POSTGRES_DOUBLE(m) \
    "CASE WHEN abs(" POSTGRES_VALUE(m) "::numeric) < " GAME_BELOW \
    " THEN round(" POSTGRES_VALUE(m) "::numeric, 30)::double precision END"
#define POSTGRES_NUMBER_LIKE "'^[ \\t\\n\\r]*-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?[ \\t\\n\\r]*$'"
#define POSTGRES_NUMBER(m) \
    "CASE " POSTGRES_TYPE(m) " WHEN 'number' THEN " POSTGRES_DOUBLE(m) " WHEN 'string' THEN " \
    "CASE WHEN length(" POSTGRES_VALUE(m) ") <= 40 AND " POSTGRES_VALUE(m) " ~ " POSTGRES_NUMBER_LIKE \
    " THEN " POSTGRES_DOUBLE(m) " END END"
#define POSTGRES_AT(zone) \
    "(to_timestamp(CASE WHEN " GAME_DATED " THEN trunc(event_timestamp::double precision) END) AT TIME ZONE '" zone "')"
#define POSTGRES_TIME     POSTGRES_AT("UTC")
#define POSTGRES_DATE     POSTGRES_AT("UTC") "::date"
#define POSTGRES_MONTH    "date_trunc('month', " POSTGRES_AT("UTC") ")::date"
#define POSTGRES_NEW_YORK \
    "to_char(" POSTGRES_AT("America/New_York") ", 'YYYY-MM-DD HH24:MI:SS') || '.000 America/New_York'"
#define POSTGRES_BYTES    " COLLATE \"C\""
/* No index has NULLS LAST: without the two parts the whole table would be sorted for ten rows. */
#define POSTGRES_NEWEST(T) \
    "((SELECT " GAME_SQL_COLUMNS " FROM " T " WHERE event_timestamp IS NOT NULL\n" \
    "       ORDER BY event_timestamp DESC, event_id COLLATE \"C\", application_id COLLATE \"C\" LIMIT 10)\n" \
    "      UNION ALL\n" \
    "      (SELECT " GAME_SQL_COLUMNS " FROM " T " WHERE event_timestamp IS NULL\n" \
    "       ORDER BY event_id COLLATE \"C\", application_id COLLATE \"C\" LIMIT 10)) AS t"

/* Redshift: event_data is a text. What is no JSON is null, not an error (the third argument); a missing member is null
   or, in older clusters, empty. It sorts by bytes. The expression of a number has no more digits than a double holds. */
#define REDSHIFT_TEXT(m)   "NULLIF(JSON_EXTRACT_PATH_TEXT(event_data, '" m "', true), '')"
#define REDSHIFT_NUMBER(m) \
    "CASE WHEN " REDSHIFT_TEXT(m) " ~ '^-?[0-9]{1,15}([.][0-9]{1,15})?$' THEN CAST(" REDSHIFT_TEXT(m) " AS double precision) END"
#define REDSHIFT_TIME \
    "(TIMESTAMP 'epoch' + CASE WHEN " GAME_DATED " THEN event_timestamp END * INTERVAL '1 second')"
#define REDSHIFT_DATE      "CAST(" REDSHIFT_TIME " AS date)"
#define REDSHIFT_MONTH     "CAST(DATE_TRUNC('month', " REDSHIFT_TIME ") AS date)"
#define REDSHIFT_BYTES     ""
#define REDSHIFT_NEWEST(T) T

/* ---- the relations; T is what they read: "event_data", or "{table}" for the table of the game's receiver. Views read
   the table, so that none depends on another ---- */

#define GAME_EVENTS(D, T) "SELECT " GAME_SQL_COLUMNS " FROM " T

#define GAME_LATEST(D, T, time) \
    "SELECT " GAME_SQL_COLUMNS ", " time "\n" \
    "FROM " D##_NEWEST(T) "\n" \
    "ORDER BY event_timestamp DESC NULLS LAST, event_id" D##_BYTES ", application_id" D##_BYTES "\n" \
    "LIMIT 10"
#define GAME_LATEST_QUERY(D, T) GAME_LATEST(D, T, D##_NEW_YORK " AS event_timestamp_america_new_york")
#define GAME_LATEST_VIEW(D, T)  GAME_LATEST(D, T, D##_TIME " AS parsed_date")

#define GAME_TOTAL(D, T) \
    "SELECT application_id, count(DISTINCT event_id) AS event_count\n" \
    "FROM " T "\n" \
    "GROUP BY application_id\n" \
    "ORDER BY application_id" D##_BYTES " NULLS LAST"

#define GAME_TOTAL_MONTH(D, T) \
    "SELECT month, application_id, count(DISTINCT event_id) AS event_count\n" \
    "FROM (SELECT " D##_MONTH " AS month, application_id, event_id FROM " T ") AS t\n" \
    "GROUP BY month, application_id\n" \
    "ORDER BY month NULLS LAST, application_id" D##_BYTES " NULLS LAST"

#define GAME_TRANSACTIONS(D, T) \
    "SELECT month, application_id, count(DISTINCT transaction_id) AS transaction_count\n" \
    "FROM (SELECT " D##_MONTH " AS month, application_id, " D##_TEXT("transaction_id") " AS transaction_id\n" \
    "      FROM " T " WHERE event_type = 'iap_transaction') AS t\n" \
    "WHERE transaction_id IS NOT NULL\n" \
    "GROUP BY month, application_id\n" \
    "ORDER BY month NULLS LAST, application_id" D##_BYTES " NULLS LAST"

#define GAME_NEW_USERS(D, T) \
    "SELECT month, count(*) AS new_accounts\n" \
    "FROM (SELECT " D##_MONTH " AS month FROM " T " WHERE event_type = 'user_registration') AS t\n" \
    "GROUP BY month\n" \
    "ORDER BY month NULLS LAST"

#define GAME_LEVELS(D, T, type, count) \
    "SELECT level, count(level) AS " count "\n" \
    "FROM (SELECT " D##_TEXT("level_id") " AS level FROM " T " WHERE event_type = '" type "') AS t\n" \
    "GROUP BY level"
#define GAME_BY_LEVEL(D, T, type, count) \
    GAME_LEVELS(D, T, type, count) "\n" \
    "ORDER BY level" D##_BYTES " NULLS LAST"

#define GAME_RATE(D, T) \
    "SELECT completed.level, CAST(completed.n AS double precision) / (completed.n + started.n) * 100 AS level_completion_rate\n" \
    "FROM (" GAME_LEVELS(D, T, "level_started", "n") ") AS started\n" \
    "JOIN (" GAME_LEVELS(D, T, "level_completed", "n") ") AS completed ON started.level = completed.level\n" \
    "ORDER BY completed.level" D##_BYTES

#define GAME_SENTIMENT(D, T) \
    "SELECT avg(rating) AS average_user_rating, event_date\n" \
    "FROM (SELECT " D##_NUMBER("user_rating") " AS rating, " D##_DATE " AS event_date FROM " T ") AS t\n" \
    "WHERE rating IS NOT NULL\n" \
    "GROUP BY event_date\n" \
    "ORDER BY event_date NULLS LAST"

#define GAME_REASONS(D, T) \
    "SELECT count(report_reason) AS count_of_reports, report_reason\n" \
    "FROM (SELECT " D##_TEXT("report_reason") " AS report_reason FROM " T ") AS t\n" \
    "GROUP BY report_reason\n" \
    "ORDER BY report_reason" D##_BYTES " DESC NULLS LAST"

#endif
