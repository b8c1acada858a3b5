/* The guidance's eleven views, in Redshift's words. */
#ifndef REDSHIFT_VIEWS_H
#define REDSHIFT_VIEWS_H

typedef struct redshift_view {
    const char *name, *text; /* {table}: what they read, with its schema */
} redshift_view;

extern const redshift_view redshift_views[]; /* ends with name == NULL */
/* In front of them, where the table has another name than event_data. */
extern const redshift_view redshift_events;

/* The columns that a table must have for them, separated by blanks. */
extern const char redshift_view_columns[];

#endif
