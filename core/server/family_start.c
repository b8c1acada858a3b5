/* Children are started, told things and heard. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/observe/health.h"
#include "core/server/child.h"
#include "core/server/inside.h"
#include "core/server/pass_fd.h"

#define MESSAGE_MAX    1024u
#define MESSAGES_MAX   64 /* taken from one child at a time */
#define BLOB_MAX_BYTES (64u * 1024 * 1024)

/* ---- parked plugins ---- */

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

/* ---- messages ---- */

static void child_says(child *c, const char *text)
{
    supervisor *s = c->owner;
    if (strcmp(text, "ready") == 0) {
        atomic_store(&family_process(c)->ready, 1u);
        family_set_state(c, "");
        log_info("%s is ready", family_name(c));
        if (family_is_ingest(c))
            supervisor_opened(s);
    } else if (strncmp(text, "state ", 6) == 0) {
        family_set_state(c, text + 6);
    } else if (family_is_ingest(c) && strcmp(text, "reloaded") == 0) {
        reload_answered(s, true, "");
    } else if (family_is_ingest(c) && strncmp(text, "refused", 7) == 0) {
        reload_answered(s, false, text[7] == ' ' ? text + 8 : "");
    }
}

void family_hang_up(child *c)
{
    if (c->control.fd < 0)
        return;
    watch_remove(c->owner->loop, &c->control);
    (void)close(c->control.fd);
    c->control.fd = -1;
}

void family_hear(child *c)
{
    char text[MESSAGE_MAX];
    for (int i = 0; i < MESSAGES_MAX && c->control.fd >= 0; i++) {
        ssize_t n = recv(c->control.fd, text, sizeof text - 1, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            family_hang_up(c); /* it is ending: SIGCHLD follows */
            return;
        }
        text[n] = '\0';
        child_says(c, text);
    }
}

static void control_ready(void *arg, uint32_t events)
{
    (void)events;
    family_hear(arg);
}

bool family_send(child *c, const char *text, int fd)
{
    if (c->pid == 0 || c->control.fd < 0)
        return false;
    return pass_fd(c->control.fd, text, strlen(text), fd) >= 0;
}

void family_tell(child *c, int signal_number)
{
    if (c->pid > 0)
        (void)kill(c->pid, signal_number);
}

/* ---- starting ---- */

static int blob_of(child *c)
{
    char *text = family_is_ingest(c) ? family_ingest_blob(c->owner, c->blob) : strdup(c->blob);
    int fd = text ? child_blob("streamsteam-config", text, strlen(text)) : -1;
    free(text);
    return fd;
}

static pid_t spawn_with(child *c, int blob_fd, int control_fd, ss_error *err)
{
    supervisor *s = c->owner;
    size_t listeners = family_is_ingest(c) ? s->listener_count * s->loops : 0;
    size_t count = 3 + listeners + (family_is_ingest(c) ? 1 : 0);
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
    if (family_is_ingest(c))
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
    board_process *p = family_process(c);
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
    if (family_is_ingest(c) && !c->owner->open)
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
        int64_t until = c->pid ? atomic_load(&family_process(c)->deliver_until_mono_us) : 0;
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
                                   family_name(c), family_leftovers(c));
    }
}
