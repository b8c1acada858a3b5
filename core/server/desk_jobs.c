/* Requests as workers get them: whole copies, in bounded queues. */
#include <stdlib.h>

#include "core/server/desk_inside.h"

static ss_str copy(job *j, ss_str text)
{
    char *bytes = text.len ? arena_take(&j->memory, text.len) : NULL;
    j->failed |= text.len && !bytes;
    if (bytes)
        memcpy(bytes, text.ptr, text.len);
    return ss_s(bytes ? bytes : "", bytes ? text.len : 0);
}

static void copy_header(void *arg, ss_str name, ss_str value)
{
    job *j = arg;
    signed_request *w = &j->call.wire;
    if (w->header_count == DESK_HEADERS_MAX) {
        j->failed = true;
        return;
    }
    j->headers[w->header_count++] = (ss_pair){copy(j, name), copy(j, value)};
}

void job_free(job *j)
{
    free(j->answer);
    arena_fini(&j->memory);
    free(j);
}

job *job_new(const pipeline_request *r, http_ticket *ticket)
{
    const ss_request *q = &r->request;
    job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->ticket = ticket;
    j->answer = calloc(1, sizeof *j->answer);
    j->failed = !j->answer;
    arena_init(&j->memory, DESK_JOB_BYTES);
    j->call =
        (admin_call){.path = copy(j, q->path), .body = copy(j, q->body), .client = copy(j, q->client_ip)};
    j->call.now_us = q->received_us;
    j->call.authorization = copy(j, r->header(r, "Authorization"));
    j->call.wire = (signed_request){.method = copy(j, q->method),
                                    .path = copy(j, r->wire_path),
                                    .query = copy(j, q->raw_query),
                                    .headers = j->headers};
    j->call.wire.body = r->wire_body.ptr ? copy(j, r->wire_body) : j->call.body;
    r->each_header(r, copy_header, j);
    if (!j->failed)
        return j;
    job_free(j);
    return NULL;
}

/* ---- the queues ---- */

bool line_add(job_line *line, job *j)
{
    (void)pthread_mutex_lock(&line->lock);
    bool room = line->count < line->max;
    if (room) {
        *line->last = j;
        line->last = &j->next;
        line->count++;
        (void)pthread_cond_signal(&line->news);
    }
    (void)pthread_mutex_unlock(&line->lock);
    return room;
}

job *line_take(job_line *line)
{
    (void)pthread_mutex_lock(&line->lock);
    while (!line->first && !line->end)
        (void)pthread_cond_wait(&line->news, &line->lock);
    job *j = line->first;
    if (j) {
        line->first = j->next;
        line->count--;
        if (!line->first)
            line->last = &line->first;
    }
    (void)pthread_mutex_unlock(&line->lock);
    return j;
}

bool line_start(desk *d, job_line *line, uint32_t max, void *(*run)(void *line))
{
    line->desk = d;
    line->max = max;
    line->last = &line->first;
    (void)pthread_mutex_init(&line->lock, NULL);
    (void)pthread_cond_init(&line->news, NULL);
    line->started = pthread_create(&line->thread, NULL, run, line) == 0;
    return line->started;
}

void line_end(job_line *line)
{
    if (!line->desk)
        return;
    (void)pthread_mutex_lock(&line->lock);
    line->end = true;
    (void)pthread_cond_signal(&line->news);
    (void)pthread_mutex_unlock(&line->lock);
    if (line->started)
        (void)pthread_join(line->thread, NULL);
    (void)pthread_cond_destroy(&line->news);
    (void)pthread_mutex_destroy(&line->lock);
    line->desk = NULL;
}
