/* The supervisor's children: which there are, and the slots that they hold. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/observe/metrics.h"
#include "core/server/inside.h"
#include "core/server/orphan.h"
#include "plugins/loader/remove_tree.h"

const char *family_name(const child *c)
{
    return family_process(c)->name;
}

void family_set_state(child *c, const char *text)
{
    board_process *p = family_process(c);
    size_t len = strnlen(text, sizeof p->state_text - 1);
    memcpy(p->state_text, text, len);
    p->state_text[len] = '\0';
}

static void child_init(supervisor *s, child *c, uint32_t process)
{
    *c = (child){.owner = s, .process = process, .control = {.fd = -1}};
}

void family_init(supervisor *s)
{
    child_init(s, &s->ingest, 1);
    for (uint32_t i = 0; i < JOURNAL_READERS_MAX; i++)
        child_init(s, &s->modules[i], 2 + i);
    for (uint32_t i = 0; i < BOARD_PULLERS_MAX; i++)
        child_init(s, &s->pullers[i], BOARD_PULLER_FIRST + i);
    (void)snprintf(s->board->processes[0].name, BOARD_NAME_BYTES, "supervisor");
    (void)snprintf(s->board->processes[1].name, BOARD_NAME_BYTES, "ingest");
    atomic_store(&s->board->processes[0].pid, (int32_t)getpid());
    atomic_store(&s->board->processes[0].started_us, clock_now_us());
    s->ingest.wanted = s->ingest.known = true;
}

void family_set_blob(child *c, const char *json)
{
    free(c->blob);
    c->blob = strdup(json);
}

/* ---- slots ---- */

child *family_module(supervisor *s, const char *name)
{
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        child *c = &s->modules[i];
        if (c->known && strcmp(family_name(c) + strlen("module "), name) == 0)
            return c;
    }
    return NULL;
}

static child *free_slot(supervisor *s)
{
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        if (!s->modules[i].known)
            return &s->modules[i];
    }
    return NULL;
}

/* A name keeps its slot: what a module gone from the file has not delivered stays pinned by it. */
static child *take_slot(supervisor *s, const char *name, ss_error *err)
{
    child *c = family_module(s, name);
    if (c)
        return c;
    c = free_slot(s);
    if (!c) {
        (void)ss_fail(
            err, -1,
            "module %s: all %u places are taken; take modules out of the configuration, and remove the "
            "directories of former ones from modules/ in the data directory",
            name, JOURNAL_READERS_MAX);
        return NULL;
    }
    journal_slot *slot = &s->board->journal.slots[c->process - 2];
    metrics_forget(s->board, c->process);
    (void)snprintf(family_process(c)->name, BOARD_NAME_BYTES, "module %.40s", name);
    atomic_store(&slot->synced_cursor, UINT64_MAX); /* pins everything until the module tells its position */
    atomic_store(&slot->used, 1u);
    c->known = true;
    return c;
}

/* Made before the module runs, so that the verbs know its name from the first moment on. What stands in the
 * way is for the module to report, which makes it too. */
static void make_directory(const supervisor *s, const char *name)
{
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/modules/%s", s->data_dir, name);
    if (n > 0 && (size_t)n < sizeof dir)
        (void)file_make_dirs(dir, 0700);
}

child *family_add_module(supervisor *s, const plan_module *m, ss_error *err)
{
    child *c = take_slot(s, m->name, err);
    if (!c)
        return NULL;
    make_directory(s, m->name);
    atomic_store(&s->board->journal.slots[c->process - 2].max_bytes, m->max_bytes);
    family_set_blob(c, m->blob);
    c->wanted = true;
    c->history = (restart){0};
    return c;
}

static void add_orphan(supervisor *s, const char *name)
{
    char dir[PATH_MAX];
    uint64_t cursor = 0, max_bytes = 0;
    ss_error err = error_init();
    if (family_module(s, name) ||
        (size_t)snprintf(dir, sizeof dir, "%s/modules/%s", s->data_dir, name) >= sizeof dir ||
        !orphan_read(dir, &cursor, &max_bytes))
        return;
    child *c = take_slot(s, name, &err);
    if (!c) {
        log_warn("%s", err.text);
        return;
    }
    journal_slot *slot = &s->board->journal.slots[c->process - 2];
    atomic_store(&slot->cursor, cursor);
    atomic_store(&slot->max_bytes, max_bytes);
    atomic_store(&slot->synced_cursor, cursor);
    family_set_state(
        c, "not in the configuration any more; the journal keeps what it has not delivered, up to its "
           "max_bytes");
    log_warn("module %s is not in the configuration any more: the journal keeps at most %llu bytes for it; "
             "to give "
             "that up, stop the server and remove %s",
             name, (unsigned long long)max_bytes, dir);
}

static void take_orphans(supervisor *s)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/modules", s->data_dir) >= sizeof path)
        return;
    DIR *dir = opendir(path);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= 40)
            add_orphan(s, entry->d_name);
    }
    (void)closedir(dir);
}

int family_take_modules(supervisor *s, ss_error *err)
{
    for (size_t i = 0; i < plan_module_count(s->plan); i++) {
        plan_module m = plan_module_at(s->plan, i);
        if (!family_add_module(s, &m, err))
            return -1;
    }
    take_orphans(s);
    return 0;
}

bool family_forget(supervisor *s, const char *name, ss_error *err)
{
    char dir[PATH_MAX];
    child *c = family_module(s, name);
    if (!c)
        return ss_fail(err, 0, "no module is named %.64s; `streamsteam status` lists them", name);
    if (c->wanted)
        return ss_fail(err, 0, "module %.64s is on; disable it first", name);
    if (c->pid != 0)
        return ss_fail(err, 0, "module %.64s is stopping still; try again in a moment", name);
    if ((size_t)snprintf(dir, sizeof dir, "%s/modules/%s", s->data_dir, name) >= sizeof dir)
        return ss_fail(err, 0, "the path of its directory is too long");
    remove_tree(dir); /* first: after a crash between, the directory would pin the journal again */
    if (access(dir, F_OK) == 0)
        return ss_fail(err, 0, "cannot remove %.256s: check its owner", dir);
    log_info("module %s is forgotten: the journal keeps nothing for it any more", name);
    family_process(c)->name[0] = '\0';
    atomic_store(&s->board->journal.slots[c->process - 2].used, 0u);
    c->known = false;
    return true;
}

void family_fini(supervisor *s)
{
    family_hang_up(&s->ingest);
    free(s->ingest.blob);
    for (size_t i = 0; i < FAMILY_OTHERS; i++) {
        family_hang_up(family_other(s, i));
        free(family_other(s, i)->blob);
    }
}
