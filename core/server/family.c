/* The supervisor's children: which there are, starting them, what their deaths mean. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/observe/health.h"
#include "core/observe/metrics.h"
#include "core/server/child.h"
#include "core/server/inside.h"
#include "core/server/orphan.h"
#include "plugins/loader/remove_tree.h"

#define MESSAGE_MAX    1024u
#define MESSAGES_MAX   64 /* taken from one child at a time */
#define BLOB_MAX_BYTES (64u * 1024 * 1024)

/* What a child that ended had not done yet. */
static const char *leftovers(const child *c)
{
    return c->process >= BOARD_PULLER_FIRST
               ? "what it did not hand over stays in its source for the next start"
               : "what it did not pass on stays in the journal for the next start";
}

static board_process *process_of(const child *c)
{
    return &c->owner->board->processes[c->process];
}

const char *family_name(const child *c)
{
    return process_of(c)->name;
}

static bool is_puller(const child *c)
{
    return c->process >= BOARD_PULLER_FIRST;
}

static bool is_ingest(const child *c)
{
    return c == &c->owner->ingest;
}

void family_set_state(child *c, const char *text)
{
    board_process *p = process_of(c);
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

/* ---- slots ---------------------------------------------------------------------------------------- */

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
    (void)snprintf(process_of(c)->name, BOARD_NAME_BYTES, "module %.40s", name);
    atomic_store(&slot->synced_cursor, UINT64_MAX); /* pins everything until the module tells its position */
    atomic_store(&slot->used, 1u);
    c->known = true;
    return c;
}

child *family_add_module(supervisor *s, const plan_module *m, ss_error *err)
{
    child *c = take_slot(s, m->name, err);
    if (!c)
        return NULL;
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
    process_of(c)->name[0] = '\0';
    atomic_store(&s->board->journal.slots[c->process - 2].used, 0u);
    c->known = false;
    return true;
}

/* ---- parked plugins ------------------------------------------------------------------------------- */

static bool name_is_parked(const supervisor *s, const char *kind, ss_str name)
{
    char full[RESTART_NAME_BYTES];
    (void)snprintf(full, sizeof full, "%s %.*s", kind, (int)name.len, name.ptr);
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++) {
        if (restart_is_parked(&s->parks, i) && strcmp(s->parks.entries[i].name, full) == 0)
            return true;
    }
    return false;
}

/* A receiver rests too when one of its enrichers is the plugin that crashes. */
static bool receiver_is_parked(const supervisor *s, const ss_config *receiver)
{
    if (name_is_parked(s, "receiver", node_str(receiver, "name")))
        return true;
    const ss_config *enrich = node_get(receiver, "enrich");
    for (size_t i = 0; i < node_len(enrich); i++) {
        if (name_is_parked(s, "enricher", node_str(node_at(enrich, i), "")))
            return true;
    }
    return false;
}

char *family_ingest_blob(supervisor *s, const char *json)
{
    bool any = false;
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++)
        any |= restart_is_parked(&s->parks, i);
    ss_error err = error_init();
    ss_config *blob = any ? node_parse(json, strlen(json), &err) : NULL;
    if (!blob)
        return strdup(json);
    const ss_config *receivers = node_get(blob, "receivers");
    buf out;
    buf_init(&out, BLOB_MAX_BYTES);
    buf_adds(&out, "{\"parked\":[");
    bool first = true;
    for (size_t i = 0; i < node_len(receivers); i++) {
        const ss_config *receiver = node_at(receivers, i);
        if (!receiver_is_parked(s, receiver))
            continue;
        buf_adds(&out, first ? "\"receiver " : ",\"receiver ");
        health_put_json(&out, node_str(receiver, "name"));
        buf_adds(&out, "\"");
        first = false;
    }
    buf_adds(&out, "],");
    buf_adds(&out, strchr(json, '{') + 1);
    char *text = out.failed ? strdup(json) : strdup(buf_text(&out));
    buf_fini(&out);
    node_free(blob);
    return text;
}

/* ---- messages ------------------------------------------------------------------------------------- */

static void child_says(child *c, const char *text)
{
    supervisor *s = c->owner;
    if (strcmp(text, "ready") == 0) {
        atomic_store(&process_of(c)->ready, 1u);
        family_set_state(c, "");
        log_info("%s is ready", family_name(c));
        if (is_ingest(c))
            supervisor_opened(s);
    } else if (strncmp(text, "state ", 6) == 0) {
        family_set_state(c, text + 6);
    } else if (is_ingest(c) && strcmp(text, "reloaded") == 0) {
        reload_answered(s, true, "");
    } else if (is_ingest(c) && strncmp(text, "refused", 7) == 0) {
        reload_answered(s, false, text[7] == ' ' ? text + 8 : "");
    }
}

static void close_control(child *c)
{
    if (c->control.fd < 0)
        return;
    watch_remove(c->owner->loop, &c->control);
    (void)close(c->control.fd);
    c->control.fd = -1;
}

static void hear(child *c)
{
    char text[MESSAGE_MAX];
    for (int i = 0; i < MESSAGES_MAX && c->control.fd >= 0; i++) {
        ssize_t n = recv(c->control.fd, text, sizeof text - 1, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close_control(c); /* it is ending: SIGCHLD follows */
            return;
        }
        text[n] = '\0';
        child_says(c, text);
    }
}

static void control_ready(void *arg, uint32_t events)
{
    (void)events;
    hear(arg);
}

bool family_send(child *c, const char *text, int fd)
{
    if (c->pid == 0 || c->control.fd < 0)
        return false;
    struct iovec part = {(char *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } extra;
    if (fd >= 0) {
        memset(&extra, 0, sizeof extra);
        message.msg_control = extra.space;
        message.msg_controllen = sizeof extra.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(c->control.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void family_tell(child *c, int signal_number)
{
    if (c->pid > 0)
        (void)kill(c->pid, signal_number);
}

/* ---- starting ------------------------------------------------------------------------------------- */

static int blob_of(child *c)
{
    char *text = is_ingest(c) ? family_ingest_blob(c->owner, c->blob) : strdup(c->blob);
    int fd = text ? child_blob("streamsteam-config", text, strlen(text)) : -1;
    free(text);
    return fd;
}

static pid_t spawn_with(child *c, int blob_fd, int control_fd, ss_error *err)
{
    supervisor *s = c->owner;
    size_t listeners = is_ingest(c) ? s->listener_count * s->loops : 0;
    size_t count = 3 + listeners + (is_ingest(c) ? 1 : 0);
    char title[BOARD_NAME_BYTES + 16];
    (void)snprintf(title, sizeof title, "streamsteam: %s", family_name(c));
    int *fds = calloc(count, sizeof *fds);
    if (!fds)
        return ss_fail(err, -1, "cannot start \"%s\": out of memory", title);
    fds[0] = blob_fd;
    fds[1] = s->board_fd;
    fds[2] = control_fd;
    for (size_t i = 0; i < listeners; i++)
        fds[3 + i] = s->listen_fds[i];
    if (is_ingest(c))
        fds[count - 1] = s->inlet_fd;
    child_spec spec = {.binary_fd = s->binary_fd, .title = title, .fds = fds, .fd_count = count};
    pid_t pid = child_spawn(&spec, err);
    free(fds);
    return pid;
}

static bool try_start(child *c, ss_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)ss_fail(err, -1, "cannot start %s: socketpair: %s", family_name(c), strerror(errno));
        return false;
    }
    int blob_fd = blob_of(c);
    if (blob_fd < 0)
        (void)ss_fail(err, -1, "cannot start %s: its configuration: %s", family_name(c), strerror(errno));
    board_process *p = process_of(c);
    atomic_store(&p->ready, 0u);
    pid_t pid = blob_fd >= 0 ? spawn_with(c, blob_fd, pair[1], err) : -1;
    (void)close(pair[1]);
    if (blob_fd >= 0)
        (void)close(blob_fd);
    if (pid < 0) {
        (void)close(pair[0]);
        return false;
    }
    c->pid = pid;
    c->started_us = clock_mono_us();
    c->control = (watch){pair[0], control_ready, c};
    (void)watch_add(c->owner->loop, &c->control, EPOLLIN);
    atomic_store(&p->pid, (int32_t)pid);
    atomic_store(&p->started_us, clock_now_us());
    return true;
}

void family_start(child *c)
{
    ss_error err = error_init();
    c->start_at_us = 0;
    c->refresh = false;
    if (c->pid != 0 || !c->wanted || c->owner->stop != STOP_NOT)
        return;
    if (try_start(c, &err))
        return;
    log_error("%s", err.text);
    family_set_state(c, err.text);
    if (is_ingest(c) && !c->owner->open)
        supervisor_begin_stop(c->owner, 1);
    else
        c->start_at_us = clock_mono_us() + restart_ingest_delay(&c->history, 0) * 1000 + 1;
}

void family_start_modules(supervisor *s)
{
    for (size_t i = 0; i < FAMILY_OTHERS; i++) {
        child *c = family_other(s, i);
        if (c->wanted && c->pid == 0 && c->start_at_us == 0)
            family_start(c);
    }
}

static void start_if_due(child *c, int64_t now, int64_t *next)
{
    if (c->start_at_us == 0)
        return;
    if (c->start_at_us <= now)
        family_start(c);
    if (c->start_at_us != 0 && c->start_at_us < *next)
        *next = c->start_at_us;
}

void family_start_due(supervisor *s, int64_t now, int64_t *next)
{
    start_if_due(&s->ingest, now, next);
    for (size_t i = 0; i < FAMILY_OTHERS; i++)
        start_if_due(family_other(s, i), now, next);
}

void family_end_overdue(supervisor *s, int64_t now)
{
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        child *c = &s->modules[i];
        int64_t until = c->pid ? atomic_load(&process_of(c)->deliver_until_mono_us) : 0;
        if (until == 0 || now < until + FAMILY_OVERDUE_US || c->overdue)
            continue;
        log_error("%s is inside deliver() long after its deadline and does not end itself: killed",
                  family_name(c));
        c->overdue = true;
        family_tell(c, SIGKILL);
    }
}

bool family_modules_run(const supervisor *s)
{
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        if (s->modules[i].pid != 0)
            return true;
    }
    return false;
}

void family_cannot_drain(supervisor *s)
{
    if (s->ingest.start_at_us != 0)
        supervisor_stop_failed(s, "ingest was waiting for its restart when the stop was asked for: modules "
                                  "get what it wrote last after the next start");
    for (size_t i = 0; i < FAMILY_OTHERS; i++) {
        child *c = family_other(s, i);
        if (c->wanted && c->pid == 0 && c->start_at_us != 0)
            supervisor_stop_failed(s, "%s was waiting for its restart when the stop was asked for: %s",
                                   family_name(c), leftovers(c));
    }
}

/* ---- deaths --------------------------------------------------------------------------------------- */

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
        log_error("ingest cannot start (%s): %s", how, process_of(c)->state_text);
        supervisor_begin_stop(s, 1);
        return;
    }
    reload_answered(s, false, "ingest ended while it took over the new configuration");
    int64_t wait_ms = restart_ingest_delay(&c->history, clock_mono_us() - c->started_us);
    atomic_fetch_add(&process_of(c)->restarts, 1u);
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
    board_process *p = process_of(c);
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
                                   inside ? " inside deliver()" : "", leftovers(c));
        else if (!clean)
            log_error("%s ended with %s while stopping", p->name, how);
        else
            log_info("%s stopped", p->name);
        if (is_puller(c) && !c->wanted)
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
    hear(c); /* its last words */
    close_control(c);
    c->pid = 0;
    atomic_store(&process_of(c)->pid, 0);
    atomic_store(&process_of(c)->ready, 0u);
    if (is_ingest(c))
        ingest_died(c, wait_status);
    else
        module_died(c, wait_status);
    supervisor_child_gone(s);
}

void family_fini(supervisor *s)
{
    close_control(&s->ingest);
    free(s->ingest.blob);
    for (size_t i = 0; i < FAMILY_OTHERS; i++) {
        close_control(family_other(s, i));
        free(family_other(s, i)->blob);
    }
}
