#include "core/server/ingest.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/config/node.h"
#include "core/delivery/ledger.h"
#include "core/http/http.h"
#include "core/observe/metrics.h"
#include "core/pipeline/crumb.h"
#include "core/pipeline/pipeline.h"
#include "core/server/applications.h"
#include "core/server/inlet.h"

enum { FD_BLOB = 3, FD_BOARD = 4, FD_CONTROL = 5, FD_LISTEN = 6 };
enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_REFUSED = 2 };

#define INGEST_PROCESS   1u /* index in the board */
#define BLOB_MAX_BYTES   (64u * 1024 * 1024)
#define LISTENERS_MAX    8u
#define WATCH_MS         250 /* the watchdog looks this often */
#define STATS_US         1000000
#define STOP_MS          5000     /* most that a stop waits for clients */
#define RENEW_US         10000000 /* new instances after SS_FATAL at most this often */
#define SWAP_STEP_MS     2
#define CONTROL_TEXT_MAX 512u

typedef struct journal_metrics {
    ss_metric *commits, *records, *bytes, *syncs, *sync_seconds, *refused, *damaged, *cut_bytes,
        *failed_syncs, *segments, *queue;
} journal_metrics;

typedef struct ingest {
    board *board;
    ss_config *blob; /* of the present set */
    pipeline *pipeline;
    pipeline_set *set;
    ledger *ledger;
    journal_writer *journal;
    http_server *http;
    inlet *inlet;
    applications *apps; /* NULL: none is configured */
    int signals;
    int fds[LISTENERS_MAX * PIPELINE_LANES_MAX];
    journal_metrics metrics;
    journal_stats seen;
    int64_t next_stats_us, next_renewal_us;
} ingest;

/* ---- small parts ----------------------------------------------------------------------------- */

static ss_config *read_blob(int fd, ss_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > (off_t)BLOB_MAX_BYTES) {
        (void)ss_fail(err, SS_REJECT,
                      "no configuration on descriptor %d: ingest is started by `streamsteam serve`", fd);
        return NULL;
    }
    char *text = malloc((size_t)st.st_size);
    ssize_t n = text ? file_pread_all(fd, text, (size_t)st.st_size, 0) : -1;
    ss_config *blob = NULL;
    if (n == st.st_size)
        blob = node_parse(text, (size_t)n, err);
    else
        (void)ss_fail(err, SS_REJECT, "reading the configuration: %s", strerror(errno));
    free(text);
    return blob;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char text[CONTROL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (send(FD_CONTROL, text, len, MSG_NOSIGNAL) < 0)
        log_debug("the supervisor does not listen: %s", strerror(errno));
}

/* As many descriptors as the system lets us have: connections are descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Before any thread is made, so that all of them leave these signals to us. */
static int take_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigdelset(&set, SIGHUP); /* the supervisor's affair; ignored here */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- journal --------------------------------------------------------------------------------- */

static bool open_journal(ingest *in, ss_error *err)
{
    const char *data_dir = node_str(in->blob, "data_dir").ptr;
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/journal", data_dir);
    if (n < 0 || (size_t)n >= sizeof dir || file_make_dirs(dir, 0750) != 0) {
        (void)ss_fail(err, SS_FATAL, "%s: %s", dir, strerror(errno));
        return false;
    }
    in->ledger = ledger_open(data_dir, err);
    if (!in->ledger)
        return false;
    const ss_config *j = node_get(in->blob, "server.journal");
    journal_options options = {.dir = dir,
                               .segment_bytes = (uint64_t)node_int(j, "segment_bytes"),
                               .max_bytes = (uint64_t)node_int(j, "max_bytes"),
                               .retain_ms = node_int(j, "retain_ms"),
                               .queue_bytes = (uint64_t)node_int(j, "queue_bytes"),
                               .sync_delay_us = node_int(j, "sync_delay_us"),
                               .window_us = node_int(j, "window_us"),
                               .retire = ledger_retire,
                               .retire_arg = in->ledger};
    in->journal = journal_open(&options, &in->board->journal, err);
    return in->journal != NULL;
}

static void register_journal_metrics(journal_metrics *m)
{
    m->commits = metrics_counter("journal_commits_total", "Group commits.", "");
    m->records = metrics_counter("journal_records_total", "Records made durable.", "");
    m->bytes = metrics_counter("journal_written_bytes_total", "Bytes written.", "");
    m->syncs = metrics_counter("journal_syncs_total", "Calls of fdatasync.", "");
    m->sync_seconds = metrics_counter("journal_sync_seconds_total", "Time spent in them.", "");
    m->refused = metrics_counter("journal_refused_records_total",
                                 "Records that could not be stored (answered 503).", "");
    m->damaged = metrics_counter("journal_damaged_records_total", "Records that recovery found damaged.", "");
    m->cut_bytes =
        metrics_counter("journal_cut_bytes_total", "Bytes of torn tails that recovery cut off.", "");
    m->failed_syncs =
        metrics_counter("journal_failed_syncs_total", "Syncs that failed: each began a new segment.", "");
    m->segments = metrics_gauge("journal_segments", "Segment files.", "");
    m->queue = metrics_gauge("journal_queue_bytes", "Submitted and not yet durable.", "");
}

static void add_rise(ss_metric *metric, uint64_t now, uint64_t before, double scale)
{
    if (now > before)
        metrics_add(metric, (double)(now - before) * scale);
}

static void publish_stats(ingest *in)
{
    const journal_metrics *m = &in->metrics;
    journal_stats now, *seen = &in->seen;
    journal_read_stats(in->journal, &now);
    add_rise(m->commits, now.commits, seen->commits, 1);
    add_rise(m->records, now.records, seen->records, 1);
    add_rise(m->bytes, now.bytes, seen->bytes, 1);
    add_rise(m->syncs, now.syncs, seen->syncs, 1);
    add_rise(m->sync_seconds, now.sync_us_total, seen->sync_us_total, 1e-6);
    add_rise(m->refused, now.refused_records, seen->refused_records, 1);
    add_rise(m->damaged, now.damaged_records, seen->damaged_records, 1);
    add_rise(m->cut_bytes, now.cut_bytes, seen->cut_bytes, 1);
    add_rise(m->failed_syncs, now.failed_syncs, seen->failed_syncs, 1);
    metrics_set(m->segments, (double)now.segments);
    metrics_set(m->queue, (double)now.queue_bytes);
    *seen = now;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void log_listening(const char *name, int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[NI_MAXHOST], port[NI_MAXSERV], extra[NI_MAXHOST + 96];
    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(extra, sizeof extra, "\"listener\":\"%s\",\"address\":\"%s%s%s:%s\"", name, v6 ? "[" : "",
                   host, v6 ? "]" : "", port);
    log_with(SS_INFO, extra, "listening");
}

static bool start_http(ingest *in, ss_error *err)
{
    const ss_config *list = node_get(in->blob, "listeners");
    http_listener listeners[LISTENERS_MAX];
    http_options options;
    http_read_options(node_get(in->blob, "server"), &options);
    size_t count = node_len(list), loops = options.loops;
    if (count == 0 || count > LISTENERS_MAX) {
        (void)ss_fail(err, SS_REJECT, "%zu listeners: there must be 1 to %u", count, LISTENERS_MAX);
        return false;
    }
    for (size_t i = 0; i < count * loops; i++)
        in->fds[i] = FD_LISTEN + (int)i;
    for (size_t i = 0; i < count; i++) {
        const ss_config *node = node_at(list, i);
        listeners[i] =
            (http_listener){node_str(node, "name").ptr, node_int(node, "admin") != 0, in->fds + i * loops};
    }
    in->http = http_start(in->pipeline, &options, listeners, count, err);
    for (size_t i = 0; in->http && i < count; i++)
        log_listening(listeners[i].name, listeners[i].fds[0]);
    return in->http != NULL;
}

/* Behind the listeners; not there where ingest runs without a supervisor of ours. */
static bool start_inlet(ingest *in, ss_error *err)
{
    int fd = FD_LISTEN +
             (int)(node_len(node_get(in->blob, "listeners")) * (size_t)node_int(in->blob, "server.loops"));
    int listens = 0;
    socklen_t len = sizeof listens;
    int domain = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX)
        return true;
    in->inlet = inlet_start(in->pipeline, in->board, fd, err);
    return in->inlet != NULL;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* EXIT_CLEAN, or the exit code. */
static int start(ingest *in, ss_error *err)
{
    in->blob = read_blob(FD_BLOB, err);
    if (!in->blob)
        return EXIT_REFUSED;
    log_init("ingest", log_level_named(node_str(in->blob, "server.log_level")));
    in->board = board_map(FD_BOARD);
    if (!in->board) {
        (void)ss_fail(err, SS_FATAL, "the shared page on descriptor %d is of another build", FD_BOARD);
        return EXIT_FAILED;
    }
    raise_descriptor_limit();
    memory_limit((uint64_t)node_int(in->blob, "server.memory"));
    metrics_init(in->board, INGEST_PROCESS);
    crumb_install(in->board);
    crumb_bind(in->board, false); /* this thread runs create() and start(); they may take their time */
    register_journal_metrics(&in->metrics);
    in->pipeline = pipeline_new(in->board, node_str(in->blob, "data_dir").ptr,
                                (size_t)node_int(in->blob, "server.max_event_bytes"), err);
    if (!in->pipeline)
        return EXIT_FAILED;
    in->apps = applications_open(in->blob, err);
    if (!in->apps && err->text[0])
        return EXIT_FAILED;
    if (in->apps)
        applications_lend(in->apps, in->pipeline);
    in->set = pipeline_set_new(in->pipeline, in->blob, NULL, err);
    if (!in->set)
        return EXIT_REFUSED;
    if (!open_journal(in, err) || !pipeline_attach(in->pipeline, in->journal, in->set, err))
        return EXIT_FAILED;
    if (!pipeline_set_start(in->set, err))
        return EXIT_REFUSED;
    (void)pipeline_swap(in->pipeline, in->set);
    crumb_unbind(); /* the event loops need it more */
    if (in->apps)
        applications_await(in->apps);
    return start_http(in, err) && start_inlet(in, err) ? EXIT_CLEAN : EXIT_FAILED;
}

/* ---- reload ---------------------------------------------------------------------------------- */

/* New instances for the old ones. The old are destroyed after the last loop has left them: loops are woken,
   so that is a matter of one pass; one that hangs in a plugin is ended by the watchdog. */
static bool renew(ingest *in, ss_config *blob, ss_error *err)
{
    pipeline_set *set = pipeline_set_new(in->pipeline, blob, in->set, err);
    if (!set)
        return false;
    if (!pipeline_set_start(set, err)) {
        pipeline_set_free(set);
        return false;
    }
    pipeline_set *old = pipeline_swap(in->pipeline, set);
    in->set = set;
    while (!pipeline_swapped(in->pipeline)) {
        crumb_watch(in->board);
        (void)poll(NULL, 0, SWAP_STEP_MS);
    }
    pipeline_set_drain(old, clock_now_us() + STOP_MS * 1000);
    pipeline_set_free(old);
    return true;
}

static void reload(ingest *in, int fd)
{
    ss_error err = error_init();
    ss_config *blob = read_blob(fd, &err);
    if (blob && renew(in, blob, &err)) {
        node_free(in->blob);
        in->blob = blob;
        log_info("reloaded");
        say("reloaded");
        return;
    }
    node_free(blob);
    log_error("reload refused: %s", err.text);
    say("refused %s", err.text);
}

/* A receiver said SS_FATAL. */
static void renew_broken(ingest *in)
{
    int64_t now = clock_mono_us();
    if (now < in->next_renewal_us || !pipeline_wants_renewal(in->pipeline))
        return;
    in->next_renewal_us = now + RENEW_US;
    ss_error err = error_init();
    if (!renew(in, in->blob, &err))
        log_error("new instances could not be made, the old ones go on: %s", err.text);
}

/* ---- the main loop --------------------------------------------------------------------------- */

/* False: the supervisor is gone. */
static bool on_control(ingest *in)
{
    char text[CONTROL_TEXT_MAX];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(FD_CONTROL, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    text[n] = '\0';
    int fd = -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (strcmp(text, "reload") == 0)
        reload(in, fd);
    else
        log_warn("the supervisor sent \"%.64s\", which this version does not know", text);
    if (fd >= 0)
        (void)close(fd);
    return true;
}

/* EXIT_CLEAN: asked to stop. */
static int serve(ingest *in)
{
    bool go_on = true;
    while (go_on) {
        struct pollfd fds[2] = {{.fd = FD_CONTROL, .events = POLLIN}, {.fd = in->signals, .events = POLLIN}};
        int n = poll(fds, 2, WATCH_MS);
        if (n > 0 && fds[0].revents)
            go_on = on_control(in);
        if (n > 0 && fds[1].revents)
            go_on = false;
        crumb_watch(in->board);
        renew_broken(in);
        int64_t now = clock_mono_us();
        if (now >= in->next_stats_us) {
            in->next_stats_us = now + STATS_US;
            publish_stats(in);
            if (in->apps)
                applications_publish(in->apps);
            if (memory_is_short()) {
                log_error(
                    "ingest uses three quarters of server.memory and is started anew: a plugin leaks, or "
                    "the limit is too low");
                return EXIT_FAILED;
            }
        }
    }
    return EXIT_CLEAN;
}

/* Takes down whatever start() put up. */
static void stop(ingest *in)
{
    if (in->board)
        atomic_store(&in->board->processes[INGEST_PROCESS].ready, 0u);
    int64_t drain_ms = node_int(in->blob, "server.drain_ms");
    if (in->pipeline)
        pipeline_stopping(in->pipeline);
    inlet_stop(in->inlet);
    http_stop(in->http, drain_ms > 0 && drain_ms < STOP_MS ? drain_ms : STOP_MS);
    if (in->set)
        pipeline_set_drain(in->set, clock_now_us() + STOP_MS * 1000);
    if (in->pipeline)
        (void)pipeline_swap(in->pipeline, NULL);
    pipeline_set_free(in->set); /* before the journal goes: threads of plugins may still be writing */
    applications_close(in->apps);
    if (in->journal) {
        publish_stats(in);
        journal_close(in->journal);
    }
    if (in->ledger)
        ledger_close(in->ledger);
    pipeline_free(in->pipeline);
    node_free(in->blob);
    if (in->signals >= 0)
        (void)close(in->signals);
}

int ingest_main(void)
{
    static ingest in;
    in = (ingest){.signals = -1};
    ss_error err = error_init();
    (void)prctl(PR_SET_NAME, "ingest");
    log_init("ingest", SS_INFO);
    in.signals = take_signals();
    int code = in.signals < 0 ? EXIT_FAILED : start(&in, &err);
    if (code == EXIT_CLEAN) {
        atomic_store(&in.board->processes[INGEST_PROCESS].ready, 1u);
        say("ready");
        code = serve(&in);
        log_info("stopping");
    } else {
        log_error("%s", err.text[0] ? err.text : strerror(errno));
        say("state %s", err.text);
    }
    stop(&in);
    return code;
}
