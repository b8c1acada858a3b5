/* What is made in Redash, and taken away again. Each step looks first, changes what differs, makes what is
   missing; after an answer that was lost it looks again, so that nothing is there twice. One thread. */
#ifndef REDASH_MAKE_H
#define REDASH_MAKE_H

#include "modules/redash/api.h"
#include "modules/redash/texts.h"

#define MAKE_QUERIES_MAX 16u
#define MAKE_TABLE_MAX   300u

typedef struct maker {
    api api;
    const ss_sink *out;
    int64_t source, dashboard; /* their ids */
    char source_name[API_NAME_MAX], dashboard_name[API_NAME_MAX],
        source_type[16];        /* type: as Redash calls it */
    char table[MAKE_TABLE_MAX]; /* Athena's */
    const redash_query *queries[MAKE_QUERIES_MAX];
    int64_t visuals[MAKE_QUERIES_MAX]; /* of each query: what the dashboard shows */
    size_t query_count;
    int64_t refresh_s; /* 0: nobody runs them unasked */
} maker;

bool maker_open(maker *m, const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
void maker_close(maker *m);
void maker_say(const maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef int32_t maker_step(maker *m, size_t i, ss_error *err);
/* Again and again for a while, where it says SS_RETRY. */
int32_t maker_try(maker *m, maker_step *step, size_t i, ss_error *err);

maker_step make_source;                             /* and takes its id and type; i means nothing   */
maker_step make_query;                              /* of queries[i], with its chart                */
maker_step make_dashboard;                          /* i means nothing                              */
maker_step make_widget;                             /* of queries[i] on the dashboard               */
int32_t make_nothing_left(maker *m, ss_error *err); /* teardown */

/* What carries our tag, or any that matches; ids in ascending order. Owned by the caller. */
typedef struct id_list {
    int64_t *at;
    size_t count, size;
    bool failed;
} id_list;
void id_list_add(id_list *l, int64_t id);

#endif
