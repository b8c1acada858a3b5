/* A batch of records into _bulk: calls of many documents, several in flight, an answer for each document,
   only what failed sent again. Where the cluster asks for less calls shrink, and grow again with success. */
#ifndef OPENSEARCH_BULK_H
#define OPENSEARCH_BULK_H

#include "modules/opensearch/name.h"
#include "modules/opensearch/wire.h"

#define BULK_LOST_MAX    6u /* calls in a row without an answer: then the host pauses, and says why */
#define BULK_CALLS_MAX   16u
#define BULK_WAIT_MS     1000    /* a look at stopping() at least so often              */
#define BULK_MARGIN_US   1000000 /* calls end so long before the batch's deadline       */
#define BULK_PAUSE_MS    100     /* the first pause; it doubles                         */
#define BULK_PAUSE_MAX   10000
#define BULK_BYTES_LEAST (64u << 10) /* calls do not shrink below                       */
#define BULK_TEXT_MAX    504u

enum bulk_metric {
    BULK_CALLS,
    BULK_DOCS,
    BULK_BYTES,
    BULK_AGAIN,
    BULK_THERE,
    BULK_REFUSED,
    BULK_UNKNOWN,
    BULK_BUSY,
    BULK_METRICS
};

enum bulk_state { BULK_WAITING = 0, BULK_FLYING = 1, BULK_DONE = 2 };

typedef struct bulk_item {
    uint32_t record;
    uint32_t action_at, action_len;
    uint32_t most; /* documents of a call that it may be in: halved when a call is refused as a whole */
    uint32_t failures;
    int64_t due_ms;
    enum bulk_state state;
} bulk_item;

typedef struct bulk_call {
    wire_call wire;
    bool open;
    grow body;
    uint32_t *items;
    uint32_t count, size;
} bulk_call;

typedef struct bulk {
    const ss_host *host;
    wire *wire;
    names *names;
    bool timestamp; /* "@timestamp" is put before the document's members */
    uint32_t calls_max;
    size_t bytes_max, bytes_now; /* of one call: the option, and what it shrank to */
    const ss_batch *batch;
    ss_result *result;
    grow actions;
    bulk_item *items;
    uint32_t count, size, open_from, left;
    bulk_call calls[BULK_CALLS_MAX];
    int64_t all_due_ms;
    uint32_t slow; /* calls in a row that were told to slow down */
    uint32_t lost; /* calls in a row that brought nothing */
    uint32_t failures, refused;
    bool works; /* something was taken since the start: a refusal as a whole is then a document's fault */
    int32_t broken;
    char text[BULK_TEXT_MAX],
        refusal[BULK_TEXT_MAX]; /* why something comes again; the last that was refused */
    ss_metric *metrics[BULK_METRICS];
} bulk;

void bulk_init(bulk *b, const ss_host *host, wire *w, names *n);
void bulk_fini(bulk *b);
int32_t bulk_run(bulk *b, const ss_batch *batch, ss_result *result, ss_error *err);

/* bulk_judge.c: reads the answer of a call, which is done; marks records or sets them to wait. */
void bulk_judge(bulk *b, bulk_call *call, const wire_answer *answer, ss_error *err);

#endif
