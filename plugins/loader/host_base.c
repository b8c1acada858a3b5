#include "plugins/loader/host_base.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/observe/metrics.h"
#include "plugins/loader/host_state.h"
#include "plugins/loader/remove_tree.h"

#define LABELS_MAX 192u

/* ---- log ---- */

/* true: this line may be printed. suppressed: how many were not, before it. */
static bool log_allowed(host_base *b, uint32_t *suppressed)
{
    int64_t now = clock_mono_us();
    *suppressed = 0;
    pthread_mutex_lock(&b->lock);
    if (now - b->log_window_us >= 1000000) {
        b->log_window_us = now;
        b->log_lines = 0;
        *suppressed = b->log_suppressed;
        b->log_suppressed = 0;
    }
    bool allowed = b->log_lines < HOST_LOG_LINES_PER_SECOND;
    if (allowed)
        b->log_lines++;
    else
        b->log_suppressed++;
    pthread_mutex_unlock(&b->lock);
    return allowed;
}

static void host_log(void *self, int32_t level, const char *text)
{
    host_base *b = self;
    uint32_t suppressed;
    level = level < SS_DEBUG ? SS_DEBUG : level > SS_ERROR ? SS_ERROR : level;
    if ((b->dry && level < SS_ERROR) || !log_allowed(b, &suppressed))
        return;
    char extra[128];
    (void)snprintf(extra, sizeof extra, "\"instance\":\"%s %s\"", b->kind, b->name);
    if (suppressed > 0)
        log_with(SS_WARNING, extra, "%u lines were left out: more than %u in a second", suppressed,
                 HOST_LOG_LINES_PER_SECOND);
    log_with(level, extra, "%s", text ? text : "");
}

/* ---- clock, random, configuration ---- */

static int64_t host_now_us(void *self)
{
    (void)self;
    return clock_now_us();
}

static bool host_stopping(void *self)
{
    (void)self;
    return false;
}

static void host_random(void *self, void *out, size_t len)
{
    (void)self;
    for (size_t at = 0; at < len;) {
        ssize_t n = getrandom((char *)out + at, len - at, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* cannot happen on a kernel that has it; going on with zeros would be worse */
        at += n > 0 ? (size_t)n : 0;
    }
}

static int64_t host_secret(void *self, const ss_config *node, const char *path, char *out, size_t size,
                           ss_error *err)
{
    (void)self;
    return node_secret(node, path, out, size, err);
}

/* ---- metrics ---- */

/* receiver="matomo", then the plugin's own. NULL: too long. */
static const char *instance_labels(const host_base *b, const char *labels, char out[LABELS_MAX])
{
    int n = snprintf(out, LABELS_MAX, "%s=\"%s\"%s%s", b->kind, b->name, labels && *labels ? "," : "",
                     labels ? labels : "");
    return n > 0 && (size_t)n < LABELS_MAX ? out : NULL;
}

static ss_metric *host_counter(void *self, const char *name, const char *help, const char *labels)
{
    char all[LABELS_MAX];
    const char *text = instance_labels(self, labels, all);
    return text ? metrics_counter(name, help, text) : NULL;
}

static ss_metric *host_gauge(void *self, const char *name, const char *help, const char *labels)
{
    char all[LABELS_MAX];
    const char *text = instance_labels(self, labels, all);
    return text ? metrics_gauge(name, help, text) : NULL;
}

static void host_metric_add(ss_metric *metric, double value)
{
    metrics_add(metric, value);
}

static void host_metric_set(ss_metric *metric, double value)
{
    metrics_set(metric, value);
}

/* ---- directories ---- */

/* The temporary directory of a dry run, made at the first question. Called with the lock held. */
static bool dir_ready(host_base *b)
{
    if (b->dir[0] || !b->dry)
        return true;
    const char *tmp = getenv("TMPDIR");
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/streamsteam-check-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof dir || !mkdtemp(dir))
        return false;
    memcpy(b->dir, dir, sizeof dir);
    return true;
}

static ss_str host_data_dir(void *self)
{
    host_base *b = self;
    pthread_mutex_lock(&b->lock);
    (void)dir_ready(b);
    pthread_mutex_unlock(&b->lock);
    return ss_cstr(b->dir);
}

static void *host_state_file(void *self, const char *name, size_t size, ss_error *err)
{
    host_base *b = self;
    void *content = NULL;
    pthread_mutex_lock(&b->lock);
    if (dir_ready(b))
        content = host_state_map(b, name, size, err);
    else
        (void)ss_fail(err, 0, "no temporary directory: %s", strerror(errno));
    pthread_mutex_unlock(&b->lock);
    return content;
}

/* ---- alarms ---- */

static host_alarm *find_alarm(host_base *b, const char *name)
{
    for (size_t i = 0; i < b->alarm_count; i++)
        if (strcmp(b->alarms[i].name, name) == 0)
            return &b->alarms[i];
    if (b->alarm_count == HOST_ALARMS_MAX)
        return NULL;
    host_alarm *alarm = &b->alarms[b->alarm_count++];
    *alarm = (host_alarm){0};
    (void)snprintf(alarm->name, sizeof alarm->name, "%s", name);
    char labels[96], all[LABELS_MAX];
    (void)snprintf(labels, sizeof labels, "alarm=\"%.47s\"", name);
    const char *text = instance_labels(b, labels, all);
    alarm->gauge = text ? metrics_gauge("alarm", "1 while the alarm is raised.", text) : NULL;
    return alarm;
}

static void host_alarm_set(void *self, const char *name, const char *text)
{
    host_base *b = self;
    char wanted[sizeof b->alarms[0].text];
    (void)snprintf(wanted, sizeof wanted, "%s", text ? text : "");
    pthread_mutex_lock(&b->lock);
    host_alarm *alarm = find_alarm(b, name);
    bool changed = alarm && strcmp(alarm->text, wanted) != 0;
    if (changed) {
        memcpy(alarm->text, wanted, sizeof wanted);
        metrics_set(alarm->gauge, *wanted ? 1 : 0);
    }
    pthread_mutex_unlock(&b->lock);
    if (!changed || b->dry)
        return;
    char extra[128];
    (void)snprintf(extra, sizeof extra, "\"instance\":\"%s %s\"", b->kind, b->name);
    if (*wanted)
        log_with(SS_ERROR, extra, "alarm %s: %s", name, wanted);
    else
        log_with(SS_INFO, extra, "alarm %s is over", name);
}

size_t host_base_alarms(host_base *b, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->alarm_count; i++) {
        if (!b->alarms[i].text[0] || at + 1 >= size)
            continue;
        int n =
            snprintf(out + at, size - at, "%s%s: %s", at ? "; " : "", b->alarms[i].name, b->alarms[i].text);
        at = n > 0 && at + (size_t)n < size ? at + (size_t)n : size - 1;
    }
    pthread_mutex_unlock(&b->lock);
    return at;
}

/* ---- what only a real host has ---- */

static void *no_mem(ss_call *call, size_t len)
{
    (void)call, (void)len;
    return NULL;
}

static ss_event *no_event(ss_call *call)
{
    (void)call;
    return NULL;
}

static int32_t no_emit(ss_call *call, ss_event *event)
{
    (void)call, (void)event;
    return SS_DECLINE;
}

static uint32_t no_field_ref(void *self, const char *name)
{
    (void)self, (void)name;
    return SS_NO_FIELD;
}

static const ss_pair *no_query(const ss_request *request, uint32_t *count)
{
    (void)request;
    *count = 0;
    return NULL;
}

static ss_str no_header(const ss_request *request, const char *name)
{
    (void)request, (void)name;
    return ss_s("", 0);
}

static void no_rejected(ss_call *call, const char *code, ss_str text)
{
    (void)call, (void)code, (void)text;
}

static ss_call *no_call(void *self)
{
    (void)self;
    return NULL;
}

static int32_t no_call_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    (void)self, (void)call, (void)position;
    return ss_fail(err, SS_DECLINE, "events cannot be emitted here");
}

static int32_t no_commit(void *self, uint64_t through_seq, const void *state, size_t len, uint32_t flags,
                         ss_error *err)
{
    (void)self, (void)through_seq, (void)state, (void)len, (void)flags;
    return ss_fail(err, SS_DECLINE, "only a module can commit, and only while it runs");
}

static void no_result(void *self, ss_result *result, uint32_t i, uint32_t status, uint32_t code, ss_str text)
{
    (void)self, (void)result, (void)i, (void)status, (void)code, (void)text;
}

static ss_timer *no_timer(void *self, int64_t ms, void (*callback)(void *arg), void *arg)
{
    (void)self, (void)ms, (void)callback, (void)arg;
    return NULL;
}

/* A dry run promises timers and never fires them: a plugin may rightly insist on having one. */
static ss_timer *dry_timer(void *self, int64_t ms, void (*callback)(void *arg), void *arg)
{
    (void)ms, (void)callback, (void)arg;
    return self;
}

static int32_t no_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                          void *arg)
{
    (void)self, (void)receiver, (void)visit, (void)arg;
    return SS_DECLINE;
}

static int32_t no_app_auth(void *self, ss_str key, ss_str app)
{
    (void)self, (void)key, (void)app;
    return SS_DECLINE;
}

static int32_t no_app_list(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg)
{
    (void)self, (void)visit, (void)arg;
    return SS_DECLINE;
}

static int32_t no_app_check(const ss_request *request, ss_str app, uint32_t proofs, uint32_t events,
                            ss_app *out, ss_error *err)
{
    (void)request, (void)app, (void)proofs, (void)events, (void)out;
    return ss_fail(err, SS_DECLINE, "no application store is configured");
}

static int32_t no_app_get(ss_call *call, ss_str app, ss_app *out)
{
    (void)call, (void)app, (void)out;
    return SS_DECLINE;
}

static int32_t no_failed(ss_call *call, ss_str app, const char *code, ss_str text, ss_str raw)
{
    (void)call, (void)app, (void)code, (void)text, (void)raw;
    return SS_DECLINE;
}

static int32_t no_pass(ss_call *call, const ss_message *message)
{
    (void)call, (void)message;
    return SS_DECLINE;
}

static uint64_t no_behind(void *self)
{
    (void)self;
    return 0;
}

static int32_t no_rewind(void *self, uint64_t *seq, ss_error *err)
{
    (void)self, (void)seq;
    return ss_fail(err, SS_DECLINE, "rewind: only modules with SS_MODULE_COMMITS, in start()");
}

/* ---- life ---- */

static const ss_host base_table = {
    .struct_size = sizeof(ss_host),
    .abi_major = SS_ABI_MAJOR,
    .abi_minor = SS_ABI_MINOR,
    .log = host_log,
    .now_us = host_now_us,
    .stopping = host_stopping,
    .random = host_random,
    .cfg_get = node_get,
    .cfg_len = node_len,
    .cfg_at = node_at,
    .cfg_key = node_key,
    .cfg_str = node_str,
    .cfg_int = node_int,
    .cfg_float = node_float,
    .secret = host_secret,
    .mem = no_mem,
    .event_new = no_event,
    .emit = no_emit,
    .field_ref = no_field_ref,
    .query = no_query,
    .header = no_header,
    .rejected = no_rejected,
    .call_begin = no_call,
    .call_commit = no_call_commit,
    .commit = no_commit,
    .result = no_result,
    .counter = host_counter,
    .gauge = host_gauge,
    .metric_add = host_metric_add,
    .metric_set = host_metric_set,
    .every = no_timer,
    .once = no_timer,
    .data_dir = host_data_dir,
    .state_file = host_state_file,
    .catalog = no_catalog,
    .app_auth = no_app_auth,
    .app_list = no_app_list,
    .alarm = host_alarm_set,
    .app_check = no_app_check,
    .app_get = no_app_get,
    .failed = no_failed,
    .pass = no_pass,
    .rewind = no_rewind,
    .behind = no_behind,
};

static void init(host_base *b, const char *kind, const char *name)
{
    memset(b, 0, sizeof *b);
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)snprintf(b->kind, sizeof b->kind, "%s", kind);
    (void)snprintf(b->name, sizeof b->name, "%s", name);
    b->table = base_table;
    b->table.self = b;
    b->table.instance = ss_cstr(b->name);
    b->table.server_version = ss_cstr(SS_VERSION);
}

int host_base_init(host_base *b, const char *kind, const char *name, const char *data_dir, ss_error *err)
{
    init(b, kind, name);
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/%ss/%s", data_dir, kind, name);
    if (n < 0 || (size_t)n >= sizeof dir) {
        (void)ss_fail(err, 0, "%s %s: the path of data_dir is too long", kind, name);
    } else if (file_make_dirs(dir, 0700) != 0) {
        (void)ss_fail(err, 0, "%.300s: %s: let the server's user write to data_dir", dir, strerror(errno));
    } else {
        memcpy(b->dir, dir, sizeof dir);
        return 0;
    }
    (void)pthread_mutex_destroy(&b->lock);
    return -1;
}

void host_base_init_dry(host_base *b, const char *kind, const char *name)
{
    init(b, kind, name);
    b->dry = true;
    b->table.every = dry_timer;
    b->table.once = dry_timer;
}

void host_base_fini(host_base *b)
{
    for (size_t i = 0; i < b->alarm_count; i++)
        metrics_set(b->alarms[i].gauge, 0);
    host_state_unmap(b);
    if (b->dry && b->dir[0])
        remove_tree(b->dir);
    (void)pthread_mutex_destroy(&b->lock);
}
