#include "core/server/setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/server/child.h"
#include "core/server/inside.h"
#include "plugins/loader/host_base.h"
#include "plugins/loader/loader.h"

enum { SETUP_DONE = 0, SETUP_FAILED = 1, SETUP_NONE = 4 };

#define BLOB_MAX_BYTES (64u * 1024 * 1024)

/* ---- the child ---- */

typedef struct setup_host {
    host_base base; /* first: table.self points here */
    const ss_config *blob;
} setup_host;

static int32_t host_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                            void *arg)
{
    const setup_host *h = self;
    const ss_config *catalog = node_get(h->blob, "catalog");
    for (size_t i = 0; i < node_len(catalog); i++) {
        if (!ss_eq(node_key(catalog, i), receiver))
            continue;
        const ss_config *fields = node_at(catalog, i);
        for (size_t k = 0; k < node_len(fields); k++) {
            const ss_config *f = node_at(fields, k);
            ss_str source = node_str(f, "source");
            const ss_field field = {.name = node_str(f, "name").ptr,
                                    .type = (uint32_t)node_int(f, "type"),
                                    .flags = (uint32_t)node_int(f, "flags"),
                                    .doc = node_str(f, "doc").ptr,
                                    .source = source.len ? source.ptr : NULL};
            visit(arg, &field);
        }
        return SS_OK;
    }
    return SS_REJECT;
}

static int32_t say(void *self, const char *bytes, size_t len)
{
    (void)self;
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t n = newline ? (size_t)(newline - bytes) : len;
        if (n > 0)
            log_info("%.*s", (int)(n < 1000 ? n : 1000), bytes);
        n += newline != NULL;
        bytes += n;
        len -= n;
    }
    return 0;
}

static ss_config *read_blob(ss_error *err)
{
    struct stat st;
    char *text = NULL;
    ss_config *blob = NULL;
    if (fstat(CHILD_FD_BLOB, &st) == 0 && st.st_size > 0 && st.st_size <= (off_t)BLOB_MAX_BYTES)
        text = malloc((size_t)st.st_size);
    if (text && file_pread_all(CHILD_FD_BLOB, text, (size_t)st.st_size, 0) == st.st_size)
        blob = node_parse(text, (size_t)st.st_size, err);
    else
        (void)ss_fail(err, SS_FATAL, "no configuration on descriptor %d", CHILD_FD_BLOB);
    free(text);
    return blob;
}

static int run(const ss_config *blob, ss_error *err)
{
    const char *name = node_str(blob, "name").ptr;
    const ss_plugin *p = loader_open(node_str(blob, "path").ptr, SS_MODULE, err);
    if (!p)
        return SETUP_FAILED;
    if (!p->setup) {
        (void)ss_fail(err, SS_DECLINE, "the plugin %s has no setup", p->name);
        return SETUP_NONE;
    }
    setup_host host = {.blob = blob};
    host_base_init_dry(&host.base, "module", name);
    host.base.table.catalog = host_catalog;
    const ss_sink out = {.struct_size = sizeof out, .write = say};
    int32_t status = p->setup(&host.base.table, node_get(blob, "options"), &out, err);
    err->text[sizeof err->text - 1] = '\0';
    host_base_fini(&host.base);
    if (status != SS_OK && !err->text[0])
        (void)ss_fail(err, status, "the plugin gave no reason");
    return status == SS_OK ? SETUP_DONE : SETUP_FAILED;
}

int setup_main(void)
{
    ss_error err = error_init();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(SETUP_DEADLINE_S); /* whoever started it may be gone */
    log_init("setup", SS_INFO);
    ss_config *blob = read_blob(&err);
    int code = blob ? run(blob, &err) : SETUP_FAILED;
    if (code != SETUP_DONE)
        log_error("setup of module %s: %s", blob ? node_str(blob, "name").ptr : "?", err.text);
    node_free(blob);
    return code;
}

/* ---- the supervisor's side: one at a time, answered when it has ended ---- */

static void answer(setup_run *run_, bool ok, const char *text)
{
    if (run_->client)
        control_answer(run_->client, ok, ss_cstr(text), -1);
    run_->client = NULL;
}

static pid_t spawn(const supervisor *s, const plan_module *m, ss_error *err)
{
    char title[128];
    (void)snprintf(title, sizeof title, "streamsteam: " SETUP_TITLE "%s", m->name);
    int blob = child_blob("streamsteam-config", m->blob, strlen(m->blob));
    if (blob < 0)
        return ss_fail(err, -1, "cannot start the setup: %s", strerror(errno));
    child_spec spec = {.binary_fd = s->binary_fd, .title = title, .fds = &blob, .fd_count = 1};
    pid_t pid = child_spawn(&spec, err);
    (void)close(blob);
    return pid;
}

void setup_begin(supervisor *s, control_client *client, const char *name)
{
    ss_error err = error_init();
    setup_run *r = &s->setup;
    if (r->pid != 0 || s->stop != STOP_NOT) {
        control_answer(client, false, ss_cstr("another setup runs, or the server stops; try again\n"), -1);
        return;
    }
    (void)ss_fail(&err, 0, "no module is named %.64s\n", name);
    for (size_t i = 0; i < plan_module_count(s->plan); i++) {
        plan_module m = plan_module_at(s->plan, i);
        if (strcmp(m.name, name) != 0)
            continue;
        pid_t pid = spawn(s, &m, &err);
        if (pid > 0)
            *r = (setup_run){pid, clock_mono_us() + SETUP_DEADLINE_S * 1000000LL, client};
    }
    if (r->pid == 0)
        control_answer(client, false, ss_cstr(err.text), -1);
}

bool setup_reaped(supervisor *s, pid_t pid, int wait_status)
{
    setup_run *r = &s->setup;
    char how[96], text[160];
    if (pid != r->pid || pid == 0)
        return false;
    bool done = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == SETUP_DONE;
    child_describe(wait_status, how);
    (void)snprintf(text, sizeof text, "it ended with %s; the log says why\n", how);
    r->pid = 0;
    answer(r, done, done ? "" : text);
    return true;
}

void setup_look(supervisor *s, int64_t now, int64_t *next)
{
    const setup_run *r = &s->setup;
    if (r->pid == 0)
        return;
    if (r->deadline_us <= now)
        (void)kill(r->pid, SIGKILL);
    else if (r->deadline_us < *next)
        *next = r->deadline_us;
}

void setup_cancel(supervisor *s)
{
    if (s->setup.pid > 0)
        (void)kill(s->setup.pid, SIGTERM);
    answer(&s->setup, false, "the server stops\n");
}
