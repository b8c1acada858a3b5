/* Timers of receivers and enrichers: one thread for all of them, so that no two callbacks run side by side.
 */
#include "core/pipeline/internal.h"

#include <errno.h>
#include <stdlib.h>

#define TIMERS_MAX   256u
#define TIMER_MIN_MS 10 /* a shorter period would keep the thread busy for nothing */

struct ss_timer {
    struct ss_timer *next;
    pipeline_instance *owner;
    int64_t due_us, period_us;
    void (*callback)(void *);
    void *arg;
};

struct pipeline_timers {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ss_timer *list; /* under lock, unsorted: there are few */
    uint32_t count;
    const pipeline_instance *running; /* whose callback is running */
    bool stop;
    bool started;
};

static struct ss_timer **earliest(pipeline_timers *t)
{
    struct ss_timer **best = NULL;
    for (struct ss_timer **link = &t->list; *link; link = &(*link)->next)
        if (!best || (*link)->due_us < (*best)->due_us)
            best = link;
    return best;
}

/* Under lock; the lock is open while the callback runs. */
static void run_one(pipeline_timers *t, struct ss_timer **link)
{
    struct ss_timer *timer = *link;
    pipeline_instance *owner = timer->owner;
    void (*callback)(void *) = timer->callback;
    void *arg = timer->arg;
    if (timer->period_us) {
        timer->due_us = clock_mono_us() + timer->period_us;
    } else {
        *link = timer->next;
        t->count--;
        free(timer);
    }
    t->running = owner;
    (void)pthread_mutex_unlock(&t->lock);
    crumb_tick(clock_mono_us());
    crumb_enter(&owner->crumb, "timer\0\0\0\0\0\0\0\0\0\0");
    callback(arg);
    crumb_leave();
    (void)pthread_mutex_lock(&t->lock);
    t->running = NULL;
    (void)pthread_cond_broadcast(&t->changed);
}

static void wait_until(pipeline_timers *t, int64_t due_us)
{
    struct timespec at = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(&t->changed, &t->lock, &at);
}

static void *run(void *arg)
{
    pipeline_timers *t = arg;
    (void)pthread_mutex_lock(&t->lock);
    board *b = t->list ? t->list->owner->pipeline->board : NULL;
    if (b)
        crumb_bind(b, false); /* a timer may take long: it holds up nobody */
    while (!t->stop) {
        struct ss_timer **next = earliest(t);
        if (!next)
            (void)pthread_cond_wait(&t->changed, &t->lock);
        else if ((*next)->due_us > clock_mono_us())
            wait_until(t, (*next)->due_us);
        else
            run_one(t, next);
    }
    (void)pthread_mutex_unlock(&t->lock);
    crumb_unbind();
    return NULL;
}

pipeline_timers *timers_new(ss_error *err)
{
    pipeline_timers *t = calloc(1, sizeof *t);
    if (!t) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for timers");
        return NULL;
    }
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    return t;
}

ss_timer *timers_add(pipeline_timers *t, pipeline_instance *owner, int64_t delay_ms, int64_t period_ms,
                     void (*callback)(void *), void *arg)
{
    if (delay_ms < TIMER_MIN_MS)
        delay_ms = TIMER_MIN_MS;
    struct ss_timer *timer = malloc(sizeof *timer);
    if (!timer)
        return NULL;
    *timer = (struct ss_timer){.owner = owner,
                               .due_us = clock_mono_us() + delay_ms * 1000,
                               .callback = callback,
                               .period_us = period_ms ? delay_ms * 1000 : 0,
                               .arg = arg};
    (void)pthread_mutex_lock(&t->lock);
    bool room = t->count < TIMERS_MAX;
    if (room) {
        timer->next = t->list;
        t->list = timer;
        t->count++;
        if (!t->started) /* the thread exists only where a plugin has timers */
            t->started = pthread_create(&t->thread, NULL, run, t) == 0;
        (void)pthread_cond_broadcast(&t->changed);
    }
    (void)pthread_mutex_unlock(&t->lock);
    if (!room) {
        free(timer);
        return NULL;
    }
    return timer;
}

void timers_drop(pipeline_timers *t, const pipeline_instance *owner)
{
    (void)pthread_mutex_lock(&t->lock);
    for (struct ss_timer **link = &t->list; *link;) {
        struct ss_timer *timer = *link;
        if (timer->owner != owner) {
            link = &timer->next;
            continue;
        }
        *link = timer->next;
        t->count--;
        free(timer);
    }
    while (t->running == owner)
        (void)pthread_cond_wait(&t->changed, &t->lock);
    (void)pthread_mutex_unlock(&t->lock);
}

void timers_free(pipeline_timers *t)
{
    if (!t)
        return;
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    if (t->started)
        (void)pthread_join(t->thread, NULL);
    while (t->list) {
        struct ss_timer *next = t->list->next;
        free(t->list);
        t->list = next;
    }
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_cond_destroy(&t->changed);
    free(t);
}
