/* What analysts find beside the tables: views over one receiver's table, made and kept up to date at each
 * start. */
#ifndef WAREHOUSE_VIEWS_H
#define WAREHOUSE_VIEWS_H

#include <stddef.h>

enum warehouse_view_kind {
    WAREHOUSE_VIEW = 0,      /* the texts are what follows CREATE VIEW name AS  */
    WAREHOUSE_STATEMENTS = 1 /* the texts are run as they are: functions of PostgreSQL; must be repeatable */
};

typedef struct warehouse_view {
    const char *name;
    /* "{table}" stands for the quoted name of the receiver's table. NULL: not in this database. */
    const char *sqlite, *postgres;
    const char
        *columns; /* "event_type event_timestamp": only where the table has all of them; NULL = always */
    enum warehouse_view_kind kind;
} warehouse_view;

/* In the order in which they are made. Ends with name == NULL. */
extern const warehouse_view warehouse_views[];

#endif
