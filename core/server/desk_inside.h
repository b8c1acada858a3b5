/* What the files of the desk share: requests that wait for a worker, and what the workers need. */
#ifndef SERVER_DESK_INSIDE_H
#define SERVER_DESK_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/admin/api.h"
#include "core/admin/keyring.h"
#include "core/base/arena.h"
#include "core/server/desk.h"

#define DESK_CALLS_MAX   64u /* that wait; one more is 503 */
#define DESK_SETUPS_MAX  4u
#define DESK_JOB_BYTES   (2u * ADMIN_BODY_MAX + 512u * 1024) /* head and body of one request, copied */
#define DESK_HEADERS_MAX SIGV4_HEADERS_MAX
#define DESK_STAGE_MAX   66u

typedef struct job {
    struct job *next;
    http_ticket *ticket;
    http_answer *answer; /* made first: a ticket must be given back, memory or not */
    arena memory;
    admin_call call;
    ss_pair headers[DESK_HEADERS_MAX];
    bool failed; /* no memory, or more headers than can be signed */
} job;

typedef struct job_line { /* a queue and its thread */
    desk *desk;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    job *first, **last;
    uint32_t count, max;
    bool started, end;
} job_line;

enum { LINE_CALLS = 0, LINE_SETUPS = 1, LINES = 2 };

struct desk {
    ss_config *blob; /* owned */
    admin_api *api;
    store *store;
    keyring *keys;
    http_desk http;
    char stage[DESK_STAGE_MAX]; /* "/live" */
    ss_str stage_str;
    job_line lines[LINES];
    _Atomic bool stopping, looked;
};

/* desk_jobs.c */
job *job_new(const pipeline_request *r, http_ticket *ticket); /* NULL: no memory */
void job_free(job *j);
bool line_start(desk *d, job_line *line, uint32_t max, void *(*run)(void *line));
bool line_add(job_line *line, job *j); /* false: it is full */
job *line_take(job_line *line);        /* waits; NULL: the end */
void line_end(job_line *line);         /* waits for its thread */

/* desk_events.c */
void desk_read_keys(desk *d);

#endif
