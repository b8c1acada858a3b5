/* Taking over a changed configuration: all of it or nothing, and an answer that says why. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/server/child.h"
#include "core/server/inside.h"

#define RELOAD_INGEST_US 10000000
#define RELOAD_TEXT_MAX  (256u * 1024)

/* Ends the reload with an answer for whoever asked. */
static void finish(supervisor *s, bool ok, const char *text)
{
    reload *r = &s->reload;
    plan_free(r->next);
    r->next = NULL;
    if (ok)
        log_info("configuration reloaded: %s", text);
    else
        log_error("configuration not reloaded, nothing was changed: %s", text);
    if (r->client)
        control_answer(r->client, ok, ss_cstr(text), -1);
    r->client = NULL;
    buf_fini(&r->notes);
    if (r->again) {
        r->again = false;
        reload_begin(s, NULL);
    }
}

void reload_begin(supervisor *s, control_client *client)
{
    static const char busy[] = "a reload is under way already; try again in a moment";
    reload *r = &s->reload;
    ss_error err = error_init();
    if (r->checker.pid != 0 || r->next || s->stop != STOP_NOT || !s->open) {
        if (client)
            control_answer(client, false, ss_cstr(busy), -1);
        else
            r->again = true;
        return;
    }
    r->client = client;
    buf_init(&r->notes, RELOAD_TEXT_MAX);
    if (checker_start(&r->checker, s->config_path, &err) != 0)
        finish(s, false, err.text);
}

/* ---- what a running server cannot take over ------------------------------------------------------ */

static bool same_node(const ss_config *a, const ss_config *b)
{
    size_t len = node_len(a);
    if (len != node_len(b) || !a != !b)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!ss_eq(node_key(a, i), node_key(b, i)) || !same_node(node_at(a, i), node_at(b, i)))
            return false;
    }
    return len > 0 || (ss_eq(node_str(a, ""), node_str(b, "")) && node_int(a, "") == node_int(b, ""));
}

static void note_changed(buf *notes, const char *prefix, const ss_config *old, const ss_config *new)
{
    for (size_t i = 0; i < node_len(new); i++) {
        ss_str key = node_key(new, i);
        char name[128];
        (void)snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
        if (strcmp(name, "drain_ms") != 0 && !same_node(node_get(old, name), node_at(new, i)))
            buf_addf(notes, "%s%s changed: restart needed\n", prefix, name);
    }
}

static void note_paths(buf *notes, const char *kind, const ss_config *old, const ss_config *new)
{
    for (size_t i = 0; i < node_len(new); i++) {
        const ss_config *now = node_at(new, i);
        for (size_t j = 0; j < node_len(old); j++) {
            const ss_config *was = node_at(old, j);
            if (ss_eq(node_str(was, "name"), node_str(now, "name")) &&
                !ss_eq(node_str(was, "path"), node_str(now, "path")))
                buf_addf(notes, "%s.%s: another plugin file: restart needed\n", kind,
                         node_str(now, "name").ptr);
        }
    }
}

static bool same_listeners(const supervisor *s, const plan *next)
{
    bool same = plan_listener_count(next) == s->listener_count;
    for (size_t i = 0; same && i < s->listener_count; i++) {
        plan_listener l = plan_listener_at(next, i);
        same = strcmp(l.address, s->listeners[i].configured) == 0 && l.admin == s->listeners[i].admin;
    }
    return same;
}

/* notes: everything that waits for a restart. False: so much changed that nothing can be taken over. */
static bool can_take_over(supervisor *s, const plan *next, buf *notes)
{
    bool possible = true;
    if (strcmp(plan_data_dir(next), s->data_dir) != 0) {
        buf_adds(notes, "server.data_dir changed: restart needed\n");
        possible = false;
    }
    if (!same_listeners(s, next) || plan_loops(next) != s->loops) {
        buf_adds(notes, plan_loops(next) != s->loops ? "server.loops changed: restart needed\n"
                                                     : "server.listen changed: restart needed\n");
        return false; /* ingest would count its descriptors wrongly when it has to be started again */
    }
    ss_error err = error_init();
    const char *a = plan_ingest_blob(s->plan), *b = plan_ingest_blob(next);
    ss_config *old = node_parse(a, strlen(a), &err), *new = node_parse(b, strlen(b), &err);
    size_t before = notes->len;
    note_paths(notes, "receivers", node_get(old, "receivers"), node_get(new, "receivers"));
    note_paths(notes, "enrichers", node_get(old, "enrichers"), node_get(new, "enrichers"));
    possible = possible && notes->len == before;
    note_changed(notes, "server.", node_get(old, "server"), node_get(new, "server"));
    node_free(old);
    node_free(new);
    return possible;
}

/* ---- the steps ----------------------------------------------------------------------------------- */

static void retire_module(child *c)
{
    c->wanted = false;
    c->start_at_us = 0;
    family_set_state(
        c, "not in the configuration any more; the journal keeps what it has not delivered, up to its "
           "max_bytes");
    family_tell(c, SIGTERM);
}

static bool names_module(const plan *p, const child *c)
{
    for (size_t i = 0; i < plan_module_count(p); i++) {
        if (strcmp(family_name(c) + strlen("module "), plan_module_at(p, i).name) == 0)
            return true;
    }
    return false;
}

/* A child whose section is new or changed starts with it, or again. added: what family_add_... gave. */
static unsigned start_changed(supervisor *s, child *added, const ss_error *err)
{
    if (!added) {
        log_error("%s", err->text);
        buf_addf(&s->reload.notes, "%s\n", err->text);
        return 0;
    }
    if (added->pid != 0) {
        added->refresh = true;
        family_tell(added, SIGTERM);
    } else {
        family_start(added);
    }
    return 1;
}

static bool runs_as_said(const child *c, const char *blob)
{
    return c && c->wanted && c->blob && strcmp(c->blob, blob) == 0;
}

static unsigned take_module(supervisor *s, const plan_module *m)
{
    ss_error err = error_init();
    if (runs_as_said(family_module(s, m->name), m->blob))
        return 0;
    return start_changed(s, family_add_module(s, m, &err), &err);
}

static unsigned retire_pullers(supervisor *s, const plan *next)
{
    unsigned gone = 0;
    for (size_t i = 0; i < BOARD_PULLERS_MAX; i++) {
        child *c = &s->pullers[i];
        bool named = false;
        for (size_t k = 0; k < plan_puller_count(next) && c->known; k++)
            named |= strcmp(family_name(c) + strlen("receiver "), plan_puller_at(next, k).name) == 0;
        if (!c->known || !c->wanted || named)
            continue;
        c->start_at_us = 0;
        c->wanted = false;
        if (c->pid != 0)
            family_tell(c, SIGTERM);
        else
            family_forget_puller(c);
        gone++;
    }
    return gone;
}

static unsigned take_puller(supervisor *s, const plan_puller *r)
{
    ss_error err = error_init();
    if (runs_as_said(family_puller(s, r->name), r->blob))
        return 0;
    return start_changed(s, family_add_puller(s, r, &err), &err);
}

static void apply(supervisor *s)
{
    reload *r = &s->reload;
    unsigned gone = 0, changed = 0;
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        child *c = &s->modules[i];
        if (c->known && c->wanted && !names_module(r->next, c)) {
            retire_module(c);
            gone++;
        }
    }
    gone += retire_pullers(s, r->next);
    for (size_t i = 0; i < plan_puller_count(r->next); i++) {
        plan_puller p = plan_puller_at(r->next, i);
        changed += take_puller(s, &p);
    }
    bool ingest_changed = strcmp(plan_ingest_blob(s->plan), plan_ingest_blob(r->next)) != 0;
    for (size_t i = 0; i < plan_module_count(r->next); i++) {
        plan_module m = plan_module_at(r->next, i);
        changed += take_module(s, &m);
    }
    family_set_blob(&s->ingest, plan_ingest_blob(r->next));
    plan_free(s->plan);
    s->plan = r->next;
    r->next = NULL;
    buf text;
    buf_init(&text, RELOAD_TEXT_MAX + 256);
    buf_addf(&text,
             "receivers and enrichers %s, %u modules and pull receivers started or restarted, %u stopped\n",
             ingest_changed ? "renewed" : "unchanged", changed, gone);
    buf_add(&text, r->notes.ptr, r->notes.len);
    finish(s, true, buf_text(&text));
    buf_fini(&text);
}

static bool ask_ingest(supervisor *s, const char *json)
{
    char *text = family_ingest_blob(s, json);
    int fd = text ? child_blob("streamsteam-config", text, strlen(text)) : -1;
    bool sent = fd >= 0 && family_send(&s->ingest, "reload", fd);
    if (fd >= 0)
        (void)close(fd);
    free(text);
    return sent;
}

void reload_checked(supervisor *s, int wait_status)
{
    reload *r = &s->reload;
    buf errors;
    buf_init(&errors, RELOAD_TEXT_MAX);
    r->next = checker_finish(&r->checker, wait_status, &errors);
    if (!r->next) {
        finish(s, false, buf_text(&errors));
    } else if (!can_take_over(s, r->next, &r->notes)) {
        buf_add(&errors, r->notes.ptr, r->notes.len);
        finish(s, false, buf_text(&errors));
    } else if (s->ingest.pid != 0 && strcmp(plan_ingest_blob(s->plan), plan_ingest_blob(r->next)) != 0) {
        r->answer_by_us = clock_mono_us() + RELOAD_INGEST_US;
        if (!ask_ingest(s, plan_ingest_blob(r->next)))
            finish(s, false, "ingest does not listen just now; try again");
    } else {
        apply(s);
    }
    buf_fini(&errors);
}

void reload_answered(supervisor *s, bool taken, const char *text)
{
    reload *r = &s->reload;
    if (r->unparking > 0) {
        r->unparking--;
        return;
    }
    if (!r->next) {
        if (taken && s->stop == STOP_NOT)
            reload_begin(s, NULL); /* an answer that came too late: ingest is ahead of us */
        return;
    }
    if (taken) {
        apply(s);
        return;
    }
    char why[1200];
    (void)snprintf(why, sizeof why, "%s\n", text);
    finish(s, false, why);
}

void reload_unpark(supervisor *s)
{
    if (s->ingest.pid != 0 && !s->reload.next && ask_ingest(s, s->ingest.blob))
        s->reload.unparking++;
}

void reload_look(supervisor *s, int64_t now, int64_t *next)
{
    reload *r = &s->reload;
    if (r->checker.pid != 0) {
        if (r->checker.deadline_us <= now) {
            (void)kill(r->checker.pid, SIGKILL);
            r->checker.deadline_us = now + CHECKER_TIMEOUT_US;
        }
        if (r->checker.deadline_us < *next)
            *next = r->checker.deadline_us;
    }
    if (!r->next)
        return;
    if (r->answer_by_us <= now)
        finish(s, false, "ingest did not answer within 10 s: a plugin takes long in create(); see the log\n");
    else if (r->answer_by_us < *next)
        *next = r->answer_by_us;
}

void reload_fini(supervisor *s)
{
    reload *r = &s->reload;
    if (r->checker.pid != 0)
        (void)kill(r->checker.pid, SIGKILL);
    plan_free(r->next);
    r->next = NULL;
    buf_fini(&r->notes);
}
