/* The saved queries of the Game Analytics Pipeline, which `streamsteam query --saved` runs; the warehouse's
   views are made from the same texts (game_sql_text.h). Constant, for any thread. docs/queries.md tells what
   they mean. */
#ifndef COMMON_GAME_SQL_H
#define COMMON_GAME_SQL_H

enum sql_dialect { SQL_SQLITE = 0, SQL_POSTGRES = 1, SQL_DIALECTS = 2 };

/* The columns of the guidance's tables, in their order; the view event_data has them and no more. */
#define GAME_SQL_COLUMNS                                                                                     \
    "event_id, event_type, event_name, event_version, event_timestamp, app_version, application_id, "        \
    "application_name, event_data, metadata"

/* A function that SQLite does not have and the saved queries use; who opens the file registers it:
   america_new_york(seconds) is new_york_put(). */
#define GAME_SQL_NEW_YORK "america_new_york"

typedef struct game_query {
    const char *name;
    const char *view; /* with the same rows; NULL: none */
    const char *columns, *doc;
    const char *texts[SQL_DIALECTS]; /* NULL: refused, doc says why */
} game_query;

extern const game_query game_queries[]; /* ends with name == NULL */

/* By its name or that of its view, in any case. NULL: not known. */
const game_query *game_query_find(const char *name);

#endif
