/* The relations and saved queries of the Game Analytics Pipeline, written once: the warehouse makes its views
   from here, `streamsteam query --saved` its texts. Each is a template; a dialect says how it writes a member
   of event_data, a month, a time. Constant, for any thread. docs/queries.md tells what they mean. */
#ifndef COMMON_GAME_SQL_H
#define COMMON_GAME_SQL_H

#include "plugins/common/buf.h"

enum sql_dialect { SQL_SQLITE = 0, SQL_POSTGRES = 1, SQL_DIALECTS = 2 };

#define GAME_SQL_BYTES_MAX (64u * 1024) /* of one text */
#define GAME_VIEW_EVENTS   "event_data" /* the relation that all others read: the guidance's columns, no more \
                                         */

typedef struct game_query {
    const char *name; /* of the saved query                                        */
    const char *view; /* of the view with the same rows; NULL: none                */
    const char *columns, *doc;
    const char *query, *view_query; /* templates; query NULL: refused, doc says why */
} game_query;

extern const game_query game_queries[]; /* ends with name == NULL */

/* By its name or that of its view, in any case. NULL: not known. */
const game_query *game_query_find(const char *name);
/* Its text. false: no memory, or there is none. */
bool game_query_print(const game_query *q, enum sql_dialect dialect, buf *out);

/* The views over the tables of one or more game receivers, in an order in which they can be made: the name
   and what stands behind AS. false: no memory, or visit said false. */
bool game_views(enum sql_dialect dialect, const char *const *tables, size_t count,
                bool (*visit)(void *arg, const char *name, const char *select), void *arg);

/* A function that SQLite does not have and the saved queries use; who opens the file registers it:
   america_new_york(seconds) is new_york_put(). */
#define GAME_SQL_NEW_YORK "america_new_york"

#endif
