/* For the tests of delivery and its modules: a data directory with a journal that the test writes, a board,
   and module processes that are forked off. */
#ifndef TESTS_UNIT_DELIVERY_FIXTURE_H
#define TESTS_UNIT_DELIVERY_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/delivery/delivery.h"
#include "core/delivery/ledger.h"
#include "core/delivery/state.h"
#include "core/journal/reader.h"
#include "core/journal/writer.h"
#include "core/observe/board.h"
#include "core/observe/metrics.h"
#include "tests/unit/check.h"

#define FIXTURE_WAIT_US 30000000

typedef struct fixture {
    char dir[128], build[PATH_MAX];
    board *board;
    int board_fd;
    journal_writer *writer;
    ledger *ledger;
    uint64_t journal_bytes; /* of a segment */
    uint64_t last_seq;
    pid_t pid;
    char plugin[PATH_MAX], host[512], options[1024], views[PATH_MAX];
} fixture;

typedef struct fixture_submit {
    journal_batch batch;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    enum journal_event result;
} fixture_submit;

static inline void fixture_notify(journal_batch *b, enum journal_event what)
{
    fixture_submit *s = b->owner;
    if (what == JOURNAL_WRITTEN)
        return;
    pthread_mutex_lock(&s->lock);
    s->result = what;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static inline void fixture_journal(fixture *f)
{
    char dir[160];
    ss_error err = error_init();
    (void)snprintf(dir, sizeof dir, "%s/journal", f->dir);
    f->ledger = ledger_open(f->dir, &err);
    journal_options options = {.dir = dir,
                               .segment_bytes = f->journal_bytes ? f->journal_bytes : 4u << 20,
                               .queue_bytes = 256u << 20,
                               .window_us = 0,
                               .retire = ledger_retire,
                               .retire_arg = f->ledger};
    f->writer = journal_open(&options, &f->board->journal, &err);
    if (!f->writer)
        printf("# journal: %s\n", err.text);
}

static inline void fixture_init(fixture *f)
{
    *f = (fixture){.pid = 0};
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(f->dir, sizeof f->dir, "%s/ss-delivery-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(f->dir))
        abort();
    ssize_t n = readlink("/proc/self/exe", f->build, sizeof f->build - 1);
    f->build[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 2; i++)
        *strrchr(f->build, '/') = '\0';
    f->board_fd = board_create();
    f->board = board_map(f->board_fd);
    (void)snprintf(f->board->processes[2].name, BOARD_NAME_BYTES, "module m");
    atomic_store(&f->board->journal.slots[0].used, 1);
    atomic_store(&f->board->journal.slots[0].synced_cursor, UINT64_MAX);
    (void)snprintf(
        f->host, sizeof f->host,
        "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},\"retry\":{\"base_ms\":1,\"max_ms\":5},"
        "\"deadline_ms\":1000,\"drain_ms\":5000");
    (void)snprintf(f->views, sizeof f->views, "[]");
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void fixture_close_journal(fixture *f)
{
    if (f->writer)
        journal_close(f->writer);
    f->writer = NULL;
    ledger_close(f->ledger);
    f->ledger = NULL;
}

static inline void fixture_fini(fixture *f)
{
    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    fixture_close_journal(f);
    (void)munmap(f->board, sizeof(board));
    (void)close(f->board_fd);
    (void)nftw(f->dir, fixture_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* One record per call item, all in one batch. */
typedef struct fixture_record {
    const char *receiver, *app, *type, *json;
    int64_t event_us; /* 0 = now */
    bool failed;      /* an input that could not become an event */
} fixture_record;

static inline void fixture_put(fixture *f, const fixture_record *records, uint32_t count)
{
    fixture_submit s = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += JOURNAL_ALIGN(sizeof(journal_record_head) + strlen(records[i].app) +
                               strlen(records[i].type) + 16 + strlen(records[i].json));
    s.batch.records = aligned_alloc(16, (bytes + 15) & ~(size_t)15);
    for (uint32_t i = 0; i < count; i++) {
        const fixture_record *r = &records[i];
        journal_source source = {.name = ss_cstr(r->receiver), .version = SS_LIT("1"), .schema_rev = 1};
        journal_record_head head = {.receive_us = clock_now_us()};
        head.event_us = r->event_us ? r->event_us : head.receive_us;
        head.source = (uint16_t)journal_source_id(f->writer, &source);
        head.app_len = (uint16_t)strlen(r->app);
        head.type_len = (uint16_t)strlen(r->type);
        head.json_len = (uint32_t)strlen(r->json);
        head.flags = i + 1 == count ? JOURNAL_REQUEST_END : 0;
        head.flags |= r->failed ? JOURNAL_RECORD_FAILED : 0u;
        head.length = (uint32_t)sizeof head + head.app_len + head.type_len + head.json_len;
        char *at = s.batch.records + s.batch.bytes;
        memset(at, 0, JOURNAL_ALIGN(head.length));
        memcpy(at, &head, sizeof head);
        memcpy(at + sizeof head, r->app, head.app_len);
        memcpy(at + sizeof head + head.app_len, r->type, head.type_len);
        memcpy(at + sizeof head + head.app_len + head.type_len, r->json, head.json_len);
        s.batch.bytes += JOURNAL_ALIGN(head.length);
    }
    s.batch.count = count;
    s.batch.notify = fixture_notify;
    s.batch.owner = &s;
    journal_submit(f->writer, &s.batch);
    pthread_mutex_lock(&s.lock);
    while (!s.result)
        pthread_cond_wait(&s.cond, &s.lock);
    pthread_mutex_unlock(&s.lock);
    CHECK(s.result == JOURNAL_SYNCED);
    f->last_seq = s.batch.first_seq + count - 1;
    free(s.batch.records);
}

/* "matomo 1 TYPE {"n":N}" for each of the types, a list like "ok ok retry". */
static inline void fixture_put_types(fixture *f, const char *types)
{
    fixture_record records[512];
    char copy[4096], json[512][32];
    uint32_t n = 0;
    (void)snprintf(copy, sizeof copy, "%s", types);
    for (char *save = NULL, *t = strtok_r(copy, " ", &save); t && n < 512;
         t = strtok_r(NULL, " ", &save), n++) {
        (void)snprintf(json[n], sizeof json[n], "{\"n\":%llu}", (unsigned long long)f->last_seq + n + 1);
        records[n] = (fixture_record){.receiver = "matomo", .app = "1", .type = t, .json = json[n]};
    }
    fixture_put(f, records, n);
}

static inline void fixture_blob(const fixture *f, buf *out)
{
    buf_addf(out,
             "{\"role\":\"module\",\"name\":\"m\",\"use\":\"x\",\"path\":\"%s\",\"data_dir\":\"%s\","
             "\"journal_dir\":\"%s/journal\","
             "\"options\":{%s},\"host\":{%s},\"views\":%s,\"catalog\":{}}",
             f->plugin, f->dir, f->dir, f->options, f->host, f->views);
}

static inline void fixture_on_stop(int signal_number)
{
    (void)signal_number;
    delivery_ask_stop();
}

static inline void fixture_on_look(int signal_number)
{
    (void)signal_number;
    delivery_ask_look();
}

static inline uint32_t fixture_look(void *arg)
{
    (void)arg;
    return DELIVERY_ASK_QUARANTINE;
}

static inline void fixture_say(void *arg, const char *message)
{
    board *b = arg;
    if (strcmp(message, "ready") == 0)
        atomic_store(&b->processes[2].ready, 1);
}

enum { FIXTURE_BLOB_FD = 3, FIXTURE_BOARD_FD = 4 };
#define FIXTURE_MARK "DELIVERY_FIXTURE_MODULE"

/* The module's process is this binary again, as the server's children are: a mere fork would inherit locks
   that the journal's threads held. */
__attribute__((constructor)) static void fixture_module(void)
{
    if (!getenv(FIXTURE_MARK))
        return;
    (void)unsetenv(FIXTURE_MARK);
    (void)prctl(PR_SET_NAME, "module m");
    struct sigaction stop = {.sa_handler = fixture_on_stop}, look = {.sa_handler = fixture_on_look};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGUSR1, &look, NULL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    struct stat st;
    board *b = board_map(FIXTURE_BOARD_FD);
    if (!b || fstat(FIXTURE_BLOB_FD, &st) != 0)
        exit(99);
    char *blob = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, FIXTURE_BLOB_FD, 0);
    log_init("module m", getenv("TEST_VERBOSE") ? SS_DEBUG : SS_ERROR + 1);
    metrics_init(b, 2);
    delivery_setup setup = {.blob = ss_s(blob, (size_t)st.st_size), .board = b, .process_index = 2};
    setup.look = fixture_look;
    setup.say = fixture_say;
    setup.arg = b;
    exit(delivery_run(&setup));
}

static inline int fixture_blob_fd(const fixture *f)
{
    buf blob;
    buf_init(&blob, 1 << 20);
    fixture_blob(f, &blob);
    int fd = memfd_create("blob", MFD_CLOEXEC);
    if (fd < 0 || write(fd, blob.ptr, blob.len) != (ssize_t)blob.len)
        abort();
    buf_fini(&blob);
    return fd;
}

/* Starts the module in a child. What is sent to it before it has handlers waits. */
static inline void fixture_start(fixture *f)
{
    char *argv[] = {(char[]){"module"}, NULL};
    sigset_t both, before;
    (void)fflush(stdout);
    atomic_store(&f->board->processes[2].ready, 0);
    (void)setenv(FIXTURE_MARK, "1", 1);
    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGTERM);
    (void)sigaddset(&both, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &both, &before);
    int fd = fixture_blob_fd(f);
    f->pid = fork();
    if (f->pid == 0) {
        (void)dup2(fd, 60); /* out of the way of 3 and 4 */
        (void)dup2(f->board_fd, 61);
        (void)dup2(60, FIXTURE_BLOB_FD);
        (void)dup2(61, FIXTURE_BOARD_FD);
        (void)execv("/proc/self/exe", argv);
        _exit(98);
    }
    (void)close(fd);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)unsetenv(FIXTURE_MARK);
}

static inline int fixture_wait(fixture *f)
{
    int status = 0;
    (void)waitpid(f->pid, &status, 0);
    f->pid = 0;
    return status;
}

/* As the supervisor does: after a death that is not the module's own fault nobody suspects its batch. */
static inline int fixture_reap(fixture *f)
{
    int status = fixture_wait(f);
    bool own = (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM) ||
               (WIFEXITED(status) && WEXITSTATUS(status) == DELIVERY_DEADLINE);
    if (!own)
        atomic_store(&f->board->processes[2].deliver_through, 0);
    return status;
}

/* Waits until it is ready (or dead), asks it to stop. Returns its wait status. */
static inline int fixture_stop(fixture *f)
{
    siginfo_t info = {0};
    for (int64_t until = clock_mono_us() + FIXTURE_WAIT_US; clock_mono_us() < until; usleep(1000))
        if (atomic_load(&f->board->processes[2].ready) ||
            (waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0))
            break;
    (void)kill(f->pid, SIGTERM);
    return fixture_reap(f);
}

static inline uint64_t fixture_cursor(const fixture *f)
{
    return atomic_load(&f->board->journal.slots[0].cursor);
}

/* Polls: the module is another process, with nothing to wait on. */
static inline bool fixture_until_cursor(fixture *f, uint64_t seq)
{
    for (int64_t until = clock_mono_us() + FIXTURE_WAIT_US; clock_mono_us() < until; usleep(1000))
        if (fixture_cursor(f) >= seq)
            return true;
    return false;
}

/* Runs the module, starting it again when it dies, until everything is delivered; then stops it. Returns the
   number of deaths, -1 when it takes too long. */
static inline int fixture_run(fixture *f)
{
    int deaths = 0;
    fixture_start(f);
    for (int64_t until = clock_mono_us() + FIXTURE_WAIT_US; clock_mono_us() < until; usleep(1000)) {
        int status;
        if (fixture_cursor(f) >= f->last_seq && waitpid(f->pid, &status, WNOHANG) == 0)
            break;
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            continue;
        (void)fixture_reap(f);
        deaths++;
        fixture_start(f);
    }
    bool done = fixture_cursor(f) >= f->last_seq;
    int status = fixture_stop(f);
    if (WIFSIGNALED(status) && getenv("STREAMSTEAM_FAULT")) { /* it died while it stopped: once more */
        fixture_start(f);
        status = fixture_stop(f);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return done ? deaths : -1;
}

static inline state *fixture_state(const fixture *f)
{
    char path[256];
    ss_error err = error_init();
    (void)snprintf(path, sizeof path, "%s/modules/m/" STATE_FILE, f->dir);
    state *s = state_open_existing(path, &err);
    if (!s)
        printf("# %s\n", err.text);
    return s;
}

typedef struct fixture_balance {
    int modules;
    int64_t counts[OUTCOME_COUNT];
    bool all;
} fixture_balance;

static inline void fixture_balance_one(void *arg, const ledger_module *m)
{
    fixture_balance *b = arg;
    b->modules++;
    b->all &= m->balances;
    for (int k = 0; k < OUTCOME_COUNT; k++)
        b->counts[k] += m->counts[k];
    if (!m->balances)
        printf("# ledger of %s: %s\n", m->name, m->why);
}

static inline fixture_balance fixture_ledger(const fixture *f)
{
    fixture_balance b = {.all = true};
    ss_error err = error_init();
    if (ledger_modules(f->dir, true, fixture_balance_one, &b, &err) != 0) {
        printf("# ledger: %s\n", err.text);
        b.all = false;
    }
    return b;
}

#endif
