/* Requests that somebody else answers, on his own threads (http_desk). His answers come to the loop through a
   list that any thread may push to; the lane's eventfd wakes the loop. */
#include <poll.h>
#include <stdlib.h>

#include "core/http/internal.h"

#define CLOSE_STEP_MS 10

void desk_error(const http_request *r, uint32_t status, const char *json, char text[HTTP_DRESS_BYTES],
                ss_response *response)
{
    const http_desk *desk = r->daemon->admin ? NULL : r->daemon->loop->server->options.desk;
    ss_str path = ss_s(r->target ? r->target : "", r->path_len);
    if (!desk || !desk->dress(desk->self, path, status, json, text, HTTP_DRESS_BYTES, response))
        pipeline_error(response, status, json);
}

bool desk_answer(http_request *r)
{
    http_loop *l = r->daemon->loop;
    const http_desk *desk = l->server->options.desk;
    ss_response response;
    if (!desk)
        return false;
    switch (desk->take(desk->self, l->lane, &r->p, (http_ticket *)(void *)r, &response)) {
    case HTTP_NOT_TAKEN:
        return false;
    case HTTP_ANSWERED:
        r->reply = replies_make(&l->replies, &response, l->draining);
        return true;
    case HTTP_TAKEN:
        break;
    }
    r->at_desk = true;
    l->at_desk++;
    request_wait(r);
    return true;
}

void http_give(http_ticket *ticket, http_answer *answer)
{
    http_loop *l = ((http_request *)(void *)ticket)->daemon->loop;
    pipeline_lane *lane = l->lane; /* outlives the loop, which may end as soon as it has the answer */
    answer->ticket = ticket;
    http_answer *first = atomic_load(&l->answers);
    do
        answer->next = first;
    while (!atomic_compare_exchange_weak(&l->answers, &first, answer));
    pipeline_lane_wake(lane);
}

static void take_answer(http_loop *l, http_answer *answer)
{
    http_request *r = (http_request *)(void *)answer->ticket;
    l->at_desk--;
    r->pending = false;
    if (r->gone) {
        request_free(r);
    } else if (r->state == HTTP_WAITING) { /* else it waited too long and was answered */
        r->reply = replies_own(&l->replies, answer, l->draining);
        request_ready(r);
    }
    free(answer->body);
    free(answer);
}

void desk_collect(http_loop *l)
{
    if (!atomic_load_explicit(&l->answers, memory_order_relaxed))
        return;
    http_answer *answer = atomic_exchange(&l->answers, NULL);
    while (answer) {
        http_answer *next = answer->next;
        take_answer(l, answer);
        answer = next;
    }
}

void desk_close(http_loop *l)
{
    desk_collect(l);
    while (l->at_desk > 0) {
        (void)poll(NULL, 0, CLOSE_STEP_MS);
        desk_collect(l);
    }
}
