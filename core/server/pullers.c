/* The supervisor's children that are pull receivers: their places in the shared page. */
#include "core/observe/metrics.h"
#include "core/server/inside.h"

static board_process *process_of(const child *c)
{
    return &c->owner->board->processes[c->process];
}

child *family_puller(supervisor *s, const char *name)
{
    for (size_t i = 0; i < BOARD_PULLERS_MAX; i++) {
        child *c = &s->pullers[i];
        if (c->known && strcmp(family_name(c) + strlen("receiver "), name) == 0)
            return c;
    }
    return NULL;
}

child *family_add_puller(supervisor *s, const plan_puller *r, ss_error *err)
{
    child *c = family_puller(s, r->name);
    for (size_t i = 0; i < BOARD_PULLERS_MAX && !c; i++)
        if (!s->pullers[i].known)
            c = &s->pullers[i];
    if (!c) {
        (void)ss_fail(err, -1, "receiver %s: there may be at most %u receivers that pull", r->name,
                      BOARD_PULLERS_MAX);
        return NULL;
    }
    if (!c->known) {
        metrics_forget(s->board, c->process);
        (void)snprintf(process_of(c)->name, BOARD_NAME_BYTES, "receiver %.40s", r->name);
    }
    family_set_blob(c, r->blob);
    c->known = c->wanted = true;
    c->history = (restart){0};
    return c;
}

int family_take_pullers(supervisor *s, ss_error *err)
{
    for (size_t i = 0; i < plan_puller_count(s->plan); i++) {
        plan_puller r = plan_puller_at(s->plan, i);
        if (!family_add_puller(s, &r, err))
            return -1;
    }
    return 0;
}

bool family_pullers_run(const supervisor *s)
{
    for (size_t i = 0; i < BOARD_PULLERS_MAX; i++) {
        if (s->pullers[i].pid != 0)
            return true;
    }
    return false;
}

/* Its source keeps what it did not take: nothing here has to. */
void family_forget_puller(child *c)
{
    process_of(c)->name[0] = '\0';
    c->known = false;
}
