/* What the death of a child means. */
#include <sys/random.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/server/child.h"
#include "core/server/inside.h"

const char *family_leftovers(const child *c)
{
    return c->process >= BOARD_PULLER_FIRST
               ? "what it did not hand over stays in its source for the next start"
               : "what it did not pass on stays in the journal for the next start";
}

/* Nobody could write it down (signals blocked, _exit()): it is plain all the same where one thread alone was
   inside a callback. */
static void find_culprit(board *b)
{
    const board_crumb *only = NULL;
    for (size_t i = 0; i < BOARD_CRUMBS_MAX; i++) {
        if (atomic_load(&b->crumbs[i].since_mono_us) == 0)
            continue;
        if (only)
            return;
        only = &b->crumbs[i];
    }
    if (!only)
        return;
    memcpy(b->culprit.instance, only->instance, sizeof only->instance);
    memcpy(b->culprit.callback, only->callback, sizeof only->callback);
    atomic_store(&b->culprit.since_mono_us, atomic_load(&only->since_mono_us));
}

/* Whose callback ended ingest, from the page that ingest's signal handler or watchdog wrote. */
static void judge_culprit(supervisor *s, int wait_status, char text[128])
{
    board_crumb *culprit = &s->board->culprit;
    if (atomic_load(&culprit->since_mono_us) == 0)
        find_culprit(s->board);
    char name[BOARD_NAME_BYTES], callback[sizeof culprit->callback];
    memcpy(name, culprit->instance, sizeof name);
    memcpy(callback, culprit->callback, sizeof callback);
    name[sizeof name - 1] = callback[sizeof callback - 1] = '\0';
    text[0] = '\0';
    bool own_doing = child_crashed(wait_status) || WIFEXITED(wait_status);
    if (own_doing && atomic_load(&culprit->since_mono_us) != 0 && name[0]) {
        (void)snprintf(text, 128, " in %s of %s", callback, name);
        if (restart_note_crash(&s->parks, name, clock_mono_us()))
            log_error(
                "%s crashed %u times within 5 minutes: its routes answer 503 for 5 minutes, then it is tried "
                "again; the rest goes on",
                name, RESTART_PARK_CRASHES);
    }
    memset(culprit->instance, 0, sizeof culprit->instance);
    atomic_store(&culprit->since_mono_us, 0);
    for (size_t i = 0; i < BOARD_CRUMBS_MAX; i++)
        atomic_store(&s->board->crumbs[i].since_mono_us, 0);
}

static void ingest_died(child *c, int wait_status)
{
    supervisor *s = c->owner;
    char how[96], where[128];
    child_describe(wait_status, how);
    judge_culprit(s, wait_status, where);
    atomic_store(&s->board->journal.state, (uint32_t)JOURNAL_CLOSED);
    bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_CLEAN;
    if (s->stop != STOP_NOT) {
        if (!clean)
            supervisor_stop_failed(s,
                                   "ingest ended with %s%s while stopping: what it acknowledged as synced is "
                                   "in the journal",
                                   how, where);
        return;
    }
    if (!s->open && WIFEXITED(wait_status) && !child_crashed(wait_status)) {
        log_error("ingest cannot start (%s): %s", how, family_process(c)->state_text);
        supervisor_begin_stop(s, 1);
        return;
    }
    reload_answered(s, false, "ingest ended while it took over the new configuration");
    int64_t wait_ms = restart_ingest_delay(&c->history, clock_mono_us() - c->started_us);
    atomic_fetch_add(&family_process(c)->restarts, 1u);
    log_error("ingest ended with %s%s; started again %s", how, where,
              wait_ms ? "after a short wait" : "at once");
    c->start_at_us = clock_mono_us() + wait_ms * 1000;
    if (wait_ms == 0)
        family_start(c);
}

static int64_t module_delay(child *c, int wait_status, bool inside_deliver)
{
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_REFUSED)
        return RESTART_MODULE_MAX_MS;
    uint32_t chance = 0;
    ssize_t ignored = getrandom(&chance, sizeof chance, GRND_NONBLOCK);
    (void)ignored; /* without chance the wait is the full one */
    return restart_module_delay(&c->history, clock_mono_us() - c->started_us, inside_deliver, chance);
}

static void module_died(child *c, int wait_status)
{
    supervisor *s = c->owner;
    board_process *p = family_process(c);
    char how[96];
    child_describe(wait_status, how);
    /* Whatever ends it inside deliver() is the batch's doing, exit() too, unless it was killed from outside.
     */
    bool inside = atomic_load(&p->deliver_through) != 0;
    bool crashed = child_crashed(wait_status) || (inside && (WIFEXITED(wait_status) || c->overdue));
    inside &= crashed;
    if (!crashed) { /* killed from outside: the batch is not to blame */
        atomic_store(&p->deliver_from, 0u);
        atomic_store(&p->deliver_through, 0u);
        atomic_store(&p->deliver_since_mono_us, 0);
    }
    c->overdue = false;
    atomic_store(&p->deliver_until_mono_us, 0);
    atomic_store(&p->paused, 0u);
    bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_CLEAN;
    if (s->stop != STOP_NOT || !c->wanted) {
        if (!clean && s->stop != STOP_NOT)
            supervisor_stop_failed(s, "%s ended with %s%s while stopping: %s", p->name, how,
                                   inside ? " inside deliver()" : "", family_leftovers(c));
        else if (!clean)
            log_error("%s ended with %s while stopping", p->name, how);
        else
            log_info("%s stopped", p->name);
        if (family_is_puller(c) && !c->wanted)
            family_forget_puller(c);
        return;
    }
    if (c->refresh) {
        family_start(c);
        return;
    }
    int64_t wait_ms = module_delay(c, wait_status, inside);
    atomic_fetch_add(&p->restarts, 1u);
    log_error("%s ended with %s%s; started again in %lld ms%s%s", p->name, how,
              inside ? " inside deliver()" : "", (long long)wait_ms, p->state_text[0] ? ": " : "",
              p->state_text);
    c->start_at_us = clock_mono_us() + wait_ms * 1000;
}

void family_reap(supervisor *s, pid_t pid, int wait_status)
{
    child *c = s->ingest.pid == pid ? &s->ingest : NULL;
    for (size_t i = 0; i < FAMILY_OTHERS && !c; i++) {
        if (family_other(s, i)->pid == pid)
            c = family_other(s, i);
    }
    if (!c)
        return;
    family_hear(c); /* its last words */
    family_hang_up(c);
    c->pid = 0;
    atomic_store(&family_process(c)->pid, 0);
    atomic_store(&family_process(c)->ready, 0u);
    if (family_is_ingest(c))
        ingest_died(c, wait_status);
    else
        module_died(c, wait_status);
    supervisor_child_gone(s);
}
