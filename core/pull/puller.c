#include "core/pull/puller.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/config/node.h"
#include "core/observe/metrics.h"
#include "core/pull/link.h"
#include "core/pull/timers.h"
#include "plugins/loader/host_base.h"
#include "plugins/loader/loader.h"

enum { FD_BLOB = 3, FD_BOARD = 4, FD_CONTROL = 5 };
enum { PULL_CLEAN = 0, PULL_FAILED = 1, PULL_REFUSED = 2 };

#define PULL_STOP_S         5       /* a stop waits so long for run(); then the process ends itself      */
#define PULL_COMMIT_STOP_US 3000000 /* of these, for a group that is under way                           */
#define PULL_PAUSE_MS       30000   /* after SS_PAUSE: credentials and targets are mended by people      */
#define PULL_RETRY_MIN_MS   200     /* after SS_RETRY, doubled up to the next                            */
#define PULL_RETRY_MAX_MS   30000
#define PULL_STEP_MS        50
#define PULL_CALM_US        60000000 /* run() lived so long: the next failure is a first one again        */
#define PULL_MESSAGE_MAX    480

typedef struct puller {
    host_base base; /* first: table.self points here */
    board *board;
    board_process *process;
    uint32_t process_index;
    ss_config *blob;
    const ss_plugin *plugin;
    void *inst;
    pull_link *link;
    ss_metric *groups, *refused;
    bool refusing; /* ingest did not take the last group */
} puller;

/* ---- signals ---------------------------------------------------------------------------------- */

static _Atomic int stop_asked;
static _Atomic int64_t stop_since_us;

static void on_stop(int signal_number)
{
    (void)signal_number;
    if (atomic_exchange(&stop_asked, 1) == 0) {
        atomic_store(&stop_since_us, clock_mono_us());
        (void)alarm(PULL_STOP_S); /* its default action: a run() that does not come back is ended */
    }
}

static void take_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &ignore, NULL); /* Ctrl-C goes to the whole group: the supervisor decides */
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

static bool stopping(void)
{
    return atomic_load(&stop_asked) != 0;
}

/* Waits, or less: until the stop. */
static void rest(int64_t ms)
{
    for (int64_t until = clock_mono_us() + ms * 1000; !stopping() && clock_mono_us() < until;)
        (void)poll(NULL, 0, PULL_STEP_MS);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char text[PULL_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        (void)send(FD_CONTROL, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- the host table --------------------------------------------------------------------------- */

/* run() waits as long as it takes, until the stop. */
static int64_t commit_until(void *arg)
{
    (void)arg;
    int64_t since = atomic_load(&stop_since_us);
    return stopping() && since ? since + PULL_COMMIT_STOP_US : INT64_MAX;
}

static ss_call *host_call_begin(void *self)
{
    puller *p = self;
    if (memory_is_short()) { /* nothing of this process is under way on this thread */
        log_error(
            "%s uses three quarters of server.memory and is started anew: it leaks, or the limit is too low",
            p->process->name);
        _exit(PULL_FAILED);
    }
    return pull_link_begin(p->link);
}

static int32_t host_pass(ss_call *call, const ss_message *message)
{
    return pull_link_pass(call, message);
}

static int32_t host_call_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    puller *p = self;
    ss_error local = error_init(), *e = err ? err : &local;
    int32_t status = pull_link_commit(p->link, call, position, e);
    if (status != SS_OK)
        say("state waits: %s", e->text);
    else if (p->refusing)
        say("state ");
    p->refusing = status != SS_OK;
    metrics_add(status == SS_OK ? p->groups : p->refused, 1);
    return status;
}

static void *host_mem(ss_call *call, size_t len)
{
    return pull_link_memory(call, len);
}

static bool host_stopping(void *self)
{
    (void)self;
    return stopping();
}

static ss_timer *host_every(void *self, int64_t period_ms, void (*callback)(void *), void *arg)
{
    (void)self;
    return period_ms > 0 ? pull_timers_add(period_ms, period_ms, callback, arg) : NULL;
}

static ss_timer *host_once(void *self, int64_t delay_ms, void (*callback)(void *), void *arg)
{
    (void)self;
    return pull_timers_add(delay_ms, 0, callback, arg);
}

static void fill_host(puller *p)
{
    ss_host *t = &p->base.table;
    t->call_begin = host_call_begin;
    t->pass = host_pass;
    t->call_commit = host_call_commit;
    t->mem = host_mem;
    t->stopping = host_stopping;
    t->every = host_every;
    t->once = host_once;
}

/* ---- start ------------------------------------------------------------------------------------ */

static ss_config *read_blob(ss_error *err)
{
    struct stat st;
    void *text = MAP_FAILED;
    if (fstat(FD_BLOB, &st) == 0 && st.st_size > 0)
        text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, FD_BLOB, 0);
    if (text == MAP_FAILED) {
        (void)ss_fail(err, SS_REJECT,
                      "no configuration on descriptor %d: it is started by `streamsteam serve`", FD_BLOB);
        return NULL;
    }
    ss_config *blob = node_parse(text, (size_t)st.st_size, err);
    (void)munmap(text, (size_t)st.st_size);
    return blob;
}

static bool find_process(puller *p, const char *name)
{
    char wanted[BOARD_NAME_BYTES];
    (void)snprintf(wanted, sizeof wanted, "receiver %.40s", name);
    for (uint32_t i = BOARD_PULLER_FIRST; i < BOARD_PROCESSES_MAX; i++) {
        if (strncmp(p->board->processes[i].name, wanted, BOARD_NAME_BYTES) != 0)
            continue;
        p->process_index = i;
        p->process = &p->board->processes[i];
        return true;
    }
    return false;
}

static int prepare(puller *p, ss_error *err)
{
    p->blob = read_blob(err);
    p->board = board_map(FD_BOARD);
    if (!p->blob || !p->board)
        return p->blob ? ss_fail(err, PULL_REFUSED, "descriptor %d is not the shared page of this build",
                                 FD_BOARD)
                       : PULL_REFUSED;
    const char *name = node_str(p->blob, "name").ptr, *data_dir = node_str(p->blob, "data_dir").ptr;
    char title[BOARD_NAME_BYTES];
    (void)snprintf(title, sizeof title, "receiver %.40s", name);
    log_init(title, log_level_named(node_str(p->blob, "log_level")));
    if (!find_process(p, name))
        return ss_fail(err, PULL_REFUSED, "no place in the shared page is named %s", title);
    metrics_init(p->board, p->process_index);
    memory_limit((uint64_t)node_int(p->blob, "memory"));
    p->plugin = loader_open(node_str(p->blob, "path").ptr, SS_RECEIVER, err);
    if (!p->plugin)
        return PULL_REFUSED;
    if (host_base_init(&p->base, "receiver", name, data_dir, err) != 0)
        return PULL_FAILED;
    fill_host(p);
    p->groups = metrics_counter("receiver_groups_total", "Groups of messages handed over and durable.", "");
    p->refused = metrics_counter("receiver_groups_refused_total", "Groups that come again.", "");
    pull_link_setup setup = {.board = p->board,
                             .process_index = p->process_index,
                             .data_dir = data_dir,
                             .source = name,
                             .parser = node_str(p->blob, "options.parser").ptr,
                             .until_us = commit_until};
    p->link = pull_link_new(&setup, err);
    if (!p->link)
        return PULL_FAILED;
    int32_t rc = p->plugin->create(&p->base.table, node_get(p->blob, "options"), &p->inst, err);
    if (rc == SS_OK)
        return PULL_CLEAN;
    p->inst = NULL;
    return rc == SS_REJECT ? PULL_REFUSED : PULL_FAILED;
}

static int64_t backoff_ms(uint32_t attempt)
{
    int64_t ms = PULL_RETRY_MIN_MS;
    for (uint32_t i = 0; i < attempt && ms < PULL_RETRY_MAX_MS; i++)
        ms *= 2;
    return ms < PULL_RETRY_MAX_MS ? ms : PULL_RETRY_MAX_MS;
}

/* Until ingest says where this source stands. False: the stop came first. */
static bool await_ingest(puller *p)
{
    ss_error err = error_init();
    bool said = false;
    while (!stopping()) {
        if (pull_link_connect(p->link, &err) == SS_OK) {
            if (said)
                say("state ");
            return true;
        }
        if (!said)
            say("state waits for ingest: %s", err.text);
        said = true;
        (void)poll(NULL, 0, PULL_STEP_MS);
    }
    return false;
}

static void tell_trouble(puller *p, int32_t status, const char *what, const char *text, int64_t wait_ms)
{
    atomic_store(&p->process->paused, status == SS_PAUSE ? 1u : 0u);
    p->base.table.alarm(&p->base, "run", text[0] ? text : "it gave no reason");
    say("state %s: %s", what, text);
    log_warn("%s: %s: %s; again in %lld ms", p->process->name, what, text, (long long)wait_ms);
}

static void clear_trouble(puller *p)
{
    atomic_store(&p->process->paused, 0u);
    p->base.table.alarm(&p->base, "run", NULL);
    say("state ");
}

static bool may_come_again(int32_t status)
{
    return status == SS_RETRY || status == SS_PAUSE || status == SS_THROTTLE;
}

static int start_instance(puller *p, ss_error *err)
{
    for (uint32_t attempt = 0;; attempt++) {
        if (!await_ingest(p))
            return PULL_CLEAN;
        ss_resume resume = {.struct_size = sizeof resume,
                            .position = pull_link_position(p->link),
                            .journal_id = pull_link_journal(p->link)};
        int32_t status = p->plugin->start ? p->plugin->start(p->inst, &resume, err) : SS_OK;
        if (status == SS_OK) {
            if (attempt)
                clear_trouble(p);
            return PULL_CLEAN;
        }
        if (!may_come_again(status))
            return status == SS_REJECT ? PULL_REFUSED : PULL_FAILED;
        int64_t ms = status == SS_PAUSE ? PULL_PAUSE_MS : backoff_ms(attempt);
        tell_trouble(p, status, "cannot start", err->text, ms);
        rest(ms);
        if (stopping())
            return PULL_CLEAN;
    }
}

/* ---- run -------------------------------------------------------------------------------------- */

static int run_instance(puller *p, ss_error *err)
{
    uint32_t failures = 0;
    while (!stopping()) {
        int64_t began = clock_mono_us();
        *err = error_init();
        int32_t status = p->plugin->receiver->run(p->inst, err);
        if (stopping())
            return status == SS_FATAL || status == SS_LIMIT ? PULL_FAILED : PULL_CLEAN;
        if (!may_come_again(status)) {
            if (status == SS_OK)
                return ss_fail(err, PULL_FAILED, "run() came back although nobody asked it to stop");
            return PULL_FAILED;
        }
        if (clock_mono_us() - began > PULL_CALM_US)
            failures = 0;
        int64_t ms = status == SS_PAUSE ? PULL_PAUSE_MS : backoff_ms(failures++);
        tell_trouble(p, status, status == SS_PAUSE ? "paused" : "waits", err->text, ms);
        rest(ms);
        clear_trouble(p);
    }
    return PULL_CLEAN;
}

static void release(puller *p)
{
    pull_timers_stop();
    if (p->inst)
        p->plugin->destroy(p->inst);
    pull_link_free(p->link);
    if (p->base.table.self)
        host_base_fini(&p->base);
    node_free(p->blob);
    if (p->board)
        (void)munmap(p->board, sizeof *p->board);
}

int puller_main(void)
{
    static puller p;
    ss_error err = error_init();
    log_init("receiver", SS_INFO);
    take_signals();
    for (int fd = FD_BLOB; fd <= FD_CONTROL; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    int code = prepare(&p, &err);
    if (code == PULL_CLEAN)
        code = start_instance(&p, &err);
    if (code == PULL_CLEAN && !stopping()) {
        say("ready");
        code = run_instance(&p, &err);
    }
    if (code != PULL_CLEAN) {
        log_error("%s: %s", p.process ? p.process->name : "receiver", err.text);
        say("state %s", err.text);
    } else {
        log_info("stopping");
        if (p.plugin && p.plugin->drain)
            (void)p.plugin->drain(p.inst, clock_now_us() + PULL_COMMIT_STOP_US, &err);
    }
    release(&p);
    return code;
}
