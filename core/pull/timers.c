#include "core/pull/timers.h"

#include <errno.h>
#include <pthread.h>

#include "core/base/clock.h"

#define TIMERS_MAX   64u
#define TIMER_MIN_MS 10

struct ss_timer {
    int64_t due_us, period_us; /* monotonic; due 0 = free, period 0 = once */
    void (*callback)(void *arg);
    void *arg;
};

static struct ss_timer timers[TIMERS_MAX]; /* all under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_t thread;
static bool started, stopped;

static struct ss_timer *earliest(void)
{
    struct ss_timer *best = NULL;
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (timers[i].due_us && (!best || timers[i].due_us < best->due_us))
            best = &timers[i];
    return best;
}

static void run_due(struct ss_timer *t)
{
    struct ss_timer due = *t;
    t->due_us = due.period_us ? clock_mono_us() + due.period_us : 0;
    (void)pthread_mutex_unlock(&lock);
    due.callback(due.arg);
    (void)pthread_mutex_lock(&lock);
}

static void *run(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&lock);
    while (!stopped) {
        struct ss_timer *next = earliest();
        if (!next) {
            (void)pthread_cond_wait(&changed, &lock);
        } else if (next->due_us > clock_mono_us()) {
            struct timespec at = {.tv_sec = next->due_us / 1000000, .tv_nsec = next->due_us % 1000000 * 1000};
            (void)pthread_cond_timedwait(&changed, &lock, &at);
        } else {
            run_due(next);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

/* Under the lock. */
static bool have_thread(void)
{
    if (started)
        return true;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    started = pthread_create(&thread, NULL, run, NULL) == 0;
    return started;
}

ss_timer *pull_timers_add(int64_t delay_ms, int64_t period_ms, void (*callback)(void *arg), void *arg)
{
    ss_timer *found = NULL;
    if (!callback || delay_ms < 0 || period_ms < 0)
        return NULL;
    if (delay_ms < TIMER_MIN_MS)
        delay_ms = TIMER_MIN_MS;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < TIMERS_MAX && !found && !stopped; i++)
        if (timers[i].due_us == 0)
            found = &timers[i];
    if (found && have_thread()) {
        *found = (struct ss_timer){.due_us = clock_mono_us() + delay_ms * 1000,
                                   .period_us = period_ms * 1000,
                                   .callback = callback,
                                   .arg = arg};
        (void)pthread_cond_broadcast(&changed);
    } else {
        found = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}

void pull_timers_stop(void)
{
    (void)pthread_mutex_lock(&lock);
    stopped = true;
    bool join = started;
    if (started)
        (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    if (join)
        (void)pthread_join(thread, NULL);
}
