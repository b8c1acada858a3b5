/* What _bulk says of each document, and what follows from it. */
#ifndef OPENSEARCH_ANSWER_H
#define OPENSEARCH_ANSWER_H

#include "plugins/common/json.h"

#define ANSWER_TYPE_MAX   96u
#define ANSWER_REASON_MAX 320u

enum answer_verdict {
    ANSWER_OK = 0,
    ANSWER_THERE = 1,  /* it, or a newer version of it, is there already  */
    ANSWER_BUSY = 2,   /* the cluster asks for less                       */
    ANSWER_AGAIN = 3,  /* transient                                       */
    ANSWER_REFUSE = 4, /* the document is wrong                          */
    ANSWER_PAUSE = 5   /* rights, index or configuration are wrong        */
};

typedef struct answer_item {
    int64_t status;
    char type[ANSWER_TYPE_MAX], reason[ANSWER_REASON_MAX]; /* of its error; "" = none */
} answer_item;

/* Calls visit for each of items[] in order. false: it is not
   a whole answer to `count` documents; nothing was visited. */
bool answer_walk(ss_str body, uint32_t count, void (*visit)(void *arg, uint32_t i, const answer_item *item),
                 void *arg);
/* conflict_is_there: created, or with a version: then 409 means that it is there. */
enum answer_verdict answer_judge(const answer_item *item, bool conflict_is_there);
/* What to do about a refusal that is the configuration's fault, or "". */
const char *answer_remedy(const answer_item *item);

#endif
